"""How often four rules promote a challenger, by how much better it really is. Pure, seeded, vectorised."""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_PER_YEAR
from tg_actors.rl.sequential import SequentialPlan

#: Yearly Sharpe ratios of the difference.
SHARPES = (0.0, 1.0, 2.0, 3.0, 4.0)
#: Returns of real markets have fat tails; the variance of Student's t with four degrees is 2.
_T_DEGREES = 4
_T_STD = math.sqrt(2.0)
#: The gate of the first plan: ahead over thirty days.
_AHEAD_DAYS = 30
_NORMAL = NormalDist()
#: Who has lost everything may gain this in a lifetime and still has nothing.
_BANKRUPT = 700.0
Flags = NDArray[np.bool_]
#: One row's looks by one column a look: whether the rule promotes there.
Rule = Callable[[F64, I64, SequentialPlan], Flags]


class Promotions(Message):
    """What a rule does to challengers of one true Sharpe ratio within the horizon; None: none is promoted."""

    rule: str
    meaning: str
    sharpe_365: float
    noise: str
    promoted_frac: float = Field(ge=0, le=1)
    day_median: float | None


def _ahead(x: F64, looks: I64, plan: SequentialPlan) -> Flags:
    """Ahead over the last thirty days, or over all there are before."""
    del plan
    total = np.concatenate((np.zeros((len(x), 1)), x.cumsum(axis=1)), axis=1)
    found: Flags = total[:, looks] - total[:, np.maximum(looks - _AHEAD_DAYS, 0)] > 0.0
    return found


def _naive(x: F64, looks: I64, plan: SequentialPlan) -> Flags:
    """A t-test at the level of one look, at every look."""
    total, squares = x.cumsum(axis=1)[:, looks - 1], np.square(x).cumsum(axis=1)[:, looks - 1]
    variance = (squares - total**2 / looks) / (looks - 1)
    found: Flags = total / np.sqrt(variance * looks) >= _NORMAL.inv_cdf(1.0 - plan.alpha_frac)
    return found


def _valid(x: F64, looks: I64, plan: SequentialPlan) -> Flags:
    """:func:`~tg_actors.rl.sequential.look`, all rows and looks at once."""
    days, squares = np.arange(x.shape[1]), np.square(x)
    usual = np.sqrt((squares.cumsum(axis=1) - squares) / np.maximum(days, 1))
    unit = x / np.maximum(usual, 1.0)
    evidence = np.zeros((len(x), len(looks)))
    for rate in plan.rates:
        worth = np.log(np.maximum(1.0 + rate * unit, np.exp(-_BANKRUPT))).cumsum(axis=1)
        evidence += np.exp(worth[:, looks - 1])
    found: Flags = evidence / len(plan.rates) >= 1.0 / plan.alpha_frac
    return found


def _once(x: F64, looks: I64, plan: SequentialPlan) -> Flags:
    """One t-test, on the last day."""
    found = _naive(x, looks, plan)
    found[:, :-1] = False
    return found


RULES: Mapping[str, tuple[str, Rule]] = MappingProxyType(
    {
        "ahead_30_days": ("ahead over the last 30 days at any look", _ahead),
        "naive_weekly": ("a t-test at every look, as if it were the only one", _naive),
        "always_valid": ("the sequential test of this gate", _valid),
        "once": ("one t-test after the last day", _once),
    }
)


def _fat(rng: np.random.Generator, shape: tuple[int, int]) -> F64:
    return rng.standard_t(_T_DEGREES, shape) / _T_STD


def _disasters(rng: np.random.Generator, shape: tuple[int, int]) -> F64:
    """Many small gains and rare large losses, the shape that flatters for a while: mean 0, variance 1."""
    loss = np.exp(rng.standard_normal(shape))
    return (math.exp(0.5) - loss) / math.sqrt((math.e - 1.0) * math.e)


#: What a day's difference varies by, with mean 0 and variance 1.
NOISES: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], F64]] = MappingProxyType(
    {"t4": _fat, "disasters": _disasters}
)


def study(
    plan: SequentialPlan, *, seed: int, rows: int = 4_000, sharpes: tuple[float, ...] = SHARPES
) -> tuple[Promotions, ...]:
    """Play every rule against ``rows`` challengers of every true Sharpe ratio; same seed, same table.

    The noise is Student's t with four degrees of freedom; without skill there is also ``disasters``.
    """
    looks = np.arange(plan.first_look_days, plan.horizon_days + 1, plan.look_every_days)
    found: list[Promotions] = []
    for noise, draw in NOISES.items():
        drawn = draw(np.random.default_rng(seed), (rows, int(looks[-1])))
        for sharpe in sharpes if noise == "t4" else (0.0,):
            x = drawn + sharpe / math.sqrt(DAYS_PER_YEAR)
            for rule, (meaning, promotes) in RULES.items():
                hits = promotes(x, looks, plan)
                ever = hits.any(axis=1)
                days = looks[hits.argmax(axis=1)][ever]
                found.append(
                    Promotions(
                        rule=rule,
                        meaning=meaning,
                        sharpe_365=sharpe,
                        noise=noise,
                        promoted_frac=float(ever.mean()),
                        day_median=float(np.median(days)) if days.size else None,
                    )
                )
    return tuple(found)
