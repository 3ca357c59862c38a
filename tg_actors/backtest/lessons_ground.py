"""A desk's market as a ground to improve on: whole days, the desk's costs, the baselines as rigid rules."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tg_actors.backtest.baselines.library import library
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.learning_market import Lessons
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import TradingCosts, run_baselines, sharpes_365
from tg_actors.backtest.schooling import Ground, Rigid
from tg_actors.domain.errors import UserError

_DAY_NS = 86_400 * 10**9
#: Bars of an episode, at most.
_EPISODE_BARS = 512


def ground_of(lessons: Lessons, key: str, *, shorts: bool) -> Ground:
    """Return one recorded market from its first whole UTC day on; ``key`` names it in records.

    Raises:
        UserError: it holds no whole day.
    """
    world = lessons.worlds[0]
    opens_ns = world.close_ns - world.bar_ns
    midnights = np.flatnonzero(opens_ns % _DAY_NS == 0)
    if not midnights.size:
        raise UserError("the market holds no whole day: choose a longer time or shorter bars")
    first = int(midnights[0])
    bars = world.slice(first, len(world))
    return Ground(
        key=key,
        costs=lessons.costs.sentence,
        symbols=world.symbols,
        market=lessons.market.slice(first, len(world)),
        rules=lessons.rules(shorts=shorts, bars=_EPISODE_BARS),
        bars_per_day=lessons.bars_per_day,
        bar_ns=world.bar_ns,
        first_day=int(opens_ns[first]) // _DAY_NS,
        rigid=_best_baseline(bars, lessons.costs, int(opens_ns[first]) // _DAY_NS, shorts=shorts),
    )


def fitted(ground: Ground, train_days: int) -> Ground:
    """Return the ground with episodes that a third of a training window holds."""
    bars = max(min(_EPISODE_BARS, train_days * ground.bars_per_day // 3), 2)
    return replace(ground, rules=replace(ground.rules, bars=bars))


def _best_baseline(
    bars: MarketBars, costs: TradingCosts, first_day: int, *, shorts: bool
) -> Callable[[int, int], Rigid]:
    """Return what finds the baseline of the highest Sharpe ratio on some days; it remembers what it found."""
    members = [one for one in library(bars.bar_ns) if shorts or "both" not in one.parameters]
    a_day, found = _DAY_NS // bars.bar_ns, dict[tuple[int, int], Rigid]()

    def rigid(begin: int, end: int) -> Rigid:
        if (begin, end) not in found:
            part = bars.slice((begin - first_day) * a_day, (end - first_day) * a_day)
            returns = np.array([one.returns for one in run_baselines(part, members, costs)])
            best = members[int(np.nan_to_num(sharpes_365(returns)).argmax())]
            found[begin, end] = Rigid(best.name, best.targets(Studies(bars)))
        return found[begin, end]

    return rigid
