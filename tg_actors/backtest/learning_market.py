"""The desk's market as something to learn on: what agents would have seen, and what a fill costs.

Snapshots and the regime's filter are the desk's own, so a learner sees nothing that a desk could not. Costs
are those of the sweeps and baselines, so that a policy and a baseline are judged alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.market_bars import MarketBars, load_bars
from tg_actors.backtest.population import TradingCosts
from tg_actors.domain.blocks import I64, MarketSnapshot
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketNeeds, MarketSpec, open_market
from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.market import LearningMarket, side_by_side
from tg_actors.rl.observation import Observer, record

_DAY_NS = 86_400 * 10**9
_TELL_EVERY = 250
_ALL_BPS = 10_000


@dataclass(frozen=True, eq=False)
class Lessons:
    """One or more markets of equal length beside each other, as bars and as something to learn on.

    ``worlds`` are the bars of each market; instruments of ``market`` stand in their order.
    """

    market: LearningMarket
    worlds: tuple[MarketBars, ...]
    costs: TradingCosts

    @cached_property
    def studies(self) -> tuple[Studies, ...]:
        """Indicators of every world."""
        return tuple(Studies(world) for world in self.worlds)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Instruments of every world, in the order of the market's."""
        return tuple(symbol for world in self.worlds for symbol in world.symbols)

    @property
    def close_ns(self) -> I64:
        """When every bar closes, of the first world."""
        return self.worlds[0].close_ns

    @property
    def bars_per_day(self) -> int:
        """Bars in a day, at least one."""
        return max(_DAY_NS // self.worlds[0].bar_ns, 1)

    def rules(self, *, shorts: bool, bars: int) -> EpisodeRules:
        """Return the rules of episodes: the desk's fee, no borrowed money."""
        return EpisodeRules(fee_frac=self.costs.fee_frac, shorts=shorts, bars=bars)


def record_lessons(
    specs: Sequence[MarketSpec],
    regime: RegimeConfig,
    costs: TradingCosts,
    cycles: int | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Lessons:
    """Record markets of equal length; ``tell`` hears how many bars have been recorded so far.

    Raises:
        UserError: a market cannot be had, misses bars, or is too short to learn on, or a fill costs it all.
    """
    if costs.slippage_bps >= _ALL_BPS:
        raise UserError(
            f"a slippage of {costs.slippage_bps:g} bps takes all of a fill: take less than {_ALL_BPS}"
        )
    worlds, markets, done = [], [], 0
    for spec in specs:
        bars = load_bars(spec, cycles)

        def heard(cycle: int, before: int = done) -> None:
            tell(before + cycle)

        markets.append(_recorded(spec, regime, len(bars), heard))
        worlds.append(bars)
        done += len(bars)
    market = side_by_side(markets)
    worse = np.full(market.close.shape, costs.slippage_bps * 1e-4)
    return Lessons(replace(market, worse=worse), tuple(worlds), costs)


def _recorded(
    spec: MarketSpec, regime: RegimeConfig, cycles: int, tell: Callable[[int], None]
) -> LearningMarket:
    observer = Observer(tuple(one.value for one in REGIMES))
    asked = (observer.needs(), regime.needs())
    needs = MarketNeeds(window_bars=max(one.window_bars for one in asked), facts=True)
    builder, chain = open_market(spec.model_copy(update={"needs": needs})), RegimeFilter(regime)

    def watched() -> Iterator[tuple[MarketSnapshot, RegimeView | None]]:
        for cycle in range(cycles):
            snapshot = builder.advance(cycle)
            if snapshot is None:
                return
            if cycle % _TELL_EVERY == 0:
                tell(cycle)
            yield snapshot, chain.view(snapshot)

    try:
        return record(observer, watched())
    except ValueError as error:
        raise UserError(
            f"nothing can be learned on {', '.join(spec.symbols)}: {error}; choose other instruments or times"
        ) from error
