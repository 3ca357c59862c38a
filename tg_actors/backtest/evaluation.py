"""Agents and their ensemble on a market: what they say becomes targets, and targets become returns.

Opinions are heard exactly as the desk hears them, snapshot by snapshot. Targets follow the wishes of the
risk room (:mod:`tg_actors.risk.wishes`) without its sizes, stops and breakers: each agent moves its own
sleeve of every instrument, up to all of it. So a figure here says what the opinions are worth, and the
desk's own backtest what the desk makes of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tg_actors.agents.opining import OpiningCore
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import CASH, DayGrid, Outcome, TradingCosts, outcome, play
from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.market.config import MarketSpec, open_market
from tg_actors.meta.ensemble import CombineRequest, MetaConfig
from tg_actors.meta.learning import Remembering, open_ensemble
from tg_actors.portfolio.performance import DAY_NS
from tg_actors.portfolio.stances import TargetRule, next_stance

#: The name of the ensemble among the agents.
ENSEMBLE = "ensemble"


class Stances:
    """Targets of ``n`` instruments, remembered from cycle to cycle; flat at first."""

    def __init__(self, n: int, rule: TargetRule) -> None:
        self._rule = rule
        self._held = np.zeros(n)

    def take(self, exposure: F64, confidence: F64) -> F64:
        """Return the targets ``(n,)`` after one cycle; a NaN exposure leaves its position alone.

        A flip closes first and enters in a later cycle, as on the desk.
        """
        self._held = next_stance(self._held, exposure, confidence, self._rule)
        return self._held


class Chorus:
    """Some agents and their ensemble, heard over the snapshots of a market; ``others`` are more ensembles."""

    def __init__(
        self,
        cores: Sequence[OpiningCore],
        n: int,
        rule: TargetRule,
        meta: MetaConfig | None = None,
        others: Mapping[str, MetaConfig] = MappingProxyType({}),
    ) -> None:
        self._cores = tuple(cores)
        for core in self._cores:
            core.recall(None)
        names = tuple(core.name for core in self._cores)
        metas = {**({} if meta is None else {ENSEMBLE: meta}), **others}
        self._ensembles = {name: Remembering(open_ensemble(names, one)) for name, one in metas.items()}
        self.names = (*names, *metas)
        self._stances = {name: Stances(n, rule) for name in self.names}
        self._targets: dict[str, list[F64]] = {name: [] for name in self.names}

    def hear(self, snapshot: MarketSnapshot) -> None:
        """Ask everybody about one cycle; an incoherent answer is an absence."""
        n = len(snapshot.symbols)
        said = [core.opine(snapshot) for core in self._cores]
        for opinions in said:
            sound = opinions.incoherence(n) is None
            silence = np.full(n, np.nan)
            exposure = opinions.direction * opinions.confidence if sound else silence
            self._enter(opinions.agent, exposure, opinions.confidence if sound else silence)
        sound_ones = tuple(opinions for opinions in said if opinions.incoherence(n) is None)
        # Whatever is drawn at random is drawn alike in every run of the same market.
        request = CombineRequest(snapshot, sound_ones, cycle_id=f"{snapshot.at_ns:x}")
        for name, ensemble in self._ensembles.items():
            targets = ensemble.combine(request)
            self._enter(name, targets.exposure, targets.confidence)

    def _enter(self, name: str, exposure: F64, confidence: F64) -> None:
        self._targets[name].append(self._stances[name].take(exposure, confidence))

    def targets(self) -> dict[str, F64]:
        """Targets ``(T, n)`` of everybody over the cycles that were heard."""
        return {name: np.array(rows) for name, rows in self._targets.items()}


def hear_market(
    chorus: Chorus, market: MarketSpec, cycles: int, tell: Callable[[int], None] = lambda _: None
) -> dict[str, F64]:
    """Hear a chorus over the first ``cycles`` of a market; ``tell`` is told the cycle now and then.

    Raises:
        UserError: the market cannot be had.
    """
    builder = open_market(market)
    for cycle in range(cycles):
        snapshot = builder.advance(cycle)
        if snapshot is None:
            break
        chorus.hear(snapshot)
        if cycle % _TELL_EVERY == 0:
            tell(cycle)
    return chorus.targets()


_TELL_EVERY = 100


def rotations(bars: MarketBars, targets: F64, costs: TradingCosts, seed: int, samples: int) -> Iterator[F64]:
    """Yield daily returns ``(days,)`` of the same targets at other times: random entries, matched turnover.

    All instruments are turned round by one random number of bars, at least a day: how long what is held
    together, how often it is traded and what that costs stay as they are; only *when* is left to chance.
    """
    days = DayGrid(bars.close_ns, bars.bar_ns)
    least = min(max(DAY_NS // bars.bar_ns, 1), len(bars) // 4)
    for by in np.random.default_rng(seed).integers(least, len(bars) - least, samples).tolist():
        turned = np.asfortranarray(np.roll(targets, by, axis=0))
        yield days.returns(play(bars, turned, costs).equity, CASH)


def worth(name: str, bars: MarketBars, targets: F64, costs: TradingCosts) -> Outcome:
    """Return what targets earned on the bars they were decided on, after costs."""
    days = DayGrid(bars.close_ns, bars.bar_ns)
    # A bar that is missing cannot be traded; the kernel waits for the next one by itself.
    return outcome(name, days, play(bars, np.asfortranarray(targets), costs))
