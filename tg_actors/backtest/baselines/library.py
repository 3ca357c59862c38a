"""All baselines: the table of families, and their members by name."""

from collections.abc import Iterable, Sequence

from tg_actors.backtest.baselines import breakouts, passive, reversion, timing, trends
from tg_actors.backtest.baselines.family import Baseline, Family
from tg_actors.domain.errors import UserError

FAMILIES: dict[str, Family] = {
    family.name: family
    for room in (passive, trends, reversion, breakouts, timing)
    for family in room.FAMILIES
}

_DAY_NS = 86_400 * 10**9


def members(families: Iterable[Family]) -> tuple[Baseline, ...]:
    """All members of some families, neighbours beside each other."""
    return tuple(Baseline(family, parameters) for family in families for parameters in family.grid)


def library(bar_ns: int, only: Sequence[str] = ()) -> tuple[Baseline, ...]:
    """Return the baselines that make sense on bars of a length, of all families or some.

    Raises:
        UserError: there is no such family.
    """
    unknown = [name for name in only if name not in FAMILIES]
    if unknown:
        raise UserError(f"there is no family of baselines {unknown[0]!r}: known are {', '.join(FAMILIES)}")
    chosen = (family for name, family in FAMILIES.items() if not only or name in only)
    return members(family for family in chosen if bar_ns < _DAY_NS or not family.is_seasonal)
