"""Does the validation believe noise, and does it find what is there? Pure, seeded.

Each market goes through the pipeline that reports use: strategies are played after costs, the best of the
past is chosen for every window of a walk-forward, and its returns out of sample get their evidence. On random
walks whatever passes is wrong; on a market with a planted edge whatever does not pass was missed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tg_actors.backtest.baselines import breakouts, trends
from tg_actors.backtest.baselines.family import Baseline, Family
from tg_actors.backtest.baselines.library import FAMILIES, members
from tg_actors.backtest.market_bars import MarketBars, bars_of
from tg_actors.backtest.population import TradingCosts, gather, run_baselines, sharpes_365
from tg_actors.backtest.standing import past_best, walk
from tg_actors.backtest.validation.evidence import SUPPORT_FRAC, Evidence, evidence
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message

HOUR_NS = 3_600 * 10**9
#: 2024-01-01T00:00Z.
_START_NS = 1_704_067_200 * 10**9
_WINDOWS = 6
#: Student's t as returns of an hour have it; its variance is 2.
_T_DEGREES = 4
_HOUR_VOLATILITY = 0.006
#: Volatility clusters: today's log volatility remembers so much of the last hour's.
_CALM = 0.98
_VOLATILITY_OF_VOLATILITY = 0.1
_FAST, _SLOW = 20, 100
#: One-sided chance that an honest pipeline exceeds what is allowed: 1 in 100.
_ALARM = 0.99


class Verdicts(Message):
    """How many of ``markets`` passed, by three ways to judge.

    ``naive``: the best of all strategies over the whole time, its probabilistic Sharpe ratio at 95 % as if it
    had been the only one. ``deflated``: the same strategy, with the number of trials taken off.
    ``out_of_sample``: the best of the past in every window of the walk-forward, on days after its choice.
    """

    markets: int
    naive: int
    deflated: int
    out_of_sample: int


class NoiseReport(Message):
    """What the pipeline did with random walks, and with markets that have a planted edge.

    ``nominal_frac`` is what may pass by chance, ``passed_max`` the most of ``noise.markets`` that an honest
    pipeline passes in 99 of 100 such tests. ``chosen_right_frac``: windows of the planted markets in which a
    strategy that follows prices was chosen.
    """

    strategies: int
    bars: int
    days_out_of_sample: int
    costs: str
    nominal_frac: float
    passed_max: int
    noise: Verdicts
    planted: Verdicts
    chosen_right_frac: float

    @property
    def is_honest(self) -> bool:
        """Whether noise passes no more often than chance allows."""
        return max(self.noise.deflated, self.noise.out_of_sample) <= self.passed_max


@dataclass(frozen=True, slots=True)
class Judged:
    """One market: the best in sample, naively and deflated, and the best of the past out of sample."""

    naive: bool
    deflated: bool
    out_of_sample: Evidence
    chosen: tuple[str, ...]


def candidates(count: int) -> tuple[Baseline, ...]:
    """Return ``count`` baselines from all over the library, of as many families as there are."""
    rooms = [_both_sides(family) for name, family in FAMILIES.items() if name not in _NOT_TRIED]
    rounds = (room[turn * len(room) // (_ROUNDS + 1)] for turn in range(1, _ROUNDS + 1) for room in rooms)
    return tuple(list(dict.fromkeys(rounds))[:count])


def _both_sides(family: Family) -> tuple[Baseline, ...]:
    """Members that go up and down, or all of them where none does."""
    every = members([family])
    return tuple(member for member in every if member.parameters[-1:] == ("both",)) or every


#: Members of every family before one is tried twice.
_ROUNDS = 8
#: They need several instruments or a calendar, or follow no price.
_NOT_TRIED = frozenset(
    (
        "pairs",
        "xsmom",
        "dual_momentum",
        "equal_weight",
        "constant_mix",
        "random",
        "cash",
        "dca",
        "buy_and_hold",
    )
) | {name for name, family in FAMILIES.items() if family.is_seasonal}
#: Families that follow a price: one of them is right where a trend was planted.
FOLLOWERS = frozenset(family.name for family in (*trends.FAMILIES, *breakouts.FAMILIES))


def judge(bars: MarketBars, strategies: Sequence[Baseline], costs: TradingCosts, seed: int) -> Judged:
    """Put one market through the pipeline."""
    population = gather(bars, run_baselines(bars, strategies, costs), costs)
    sharpes = sharpes_365(population.returns)
    best = int(sharpes.argmax())
    trials = len(strategies)
    claim = _evidence(population.returns[best], costs, seed, trials)
    splits = walk(population.returns.shape[1], _WINDOWS)
    returns, chosen = past_best(population, splits)
    naive = claim.psr_frac is not None and claim.psr_frac >= SUPPORT_FRAC
    return Judged(naive, claim.is_supported, _evidence(returns, costs, seed, 1), chosen)


def _evidence(returns: F64, costs: TradingCosts, seed: int, trials: int) -> Evidence:
    return evidence(returns, name="best", costs=costs.sentence, seed=seed, trials=trials, samples=500)


def random_walk(seed: int, bars: int) -> MarketBars:
    """Return a market of one instrument that nobody can predict: hourly, fat tails, clustered volatility.

    Every return has mean 0 whatever came before it, so that without costs every strategy earns 0 on average.
    """
    rng = np.random.default_rng([seed, bars])
    shocks = rng.standard_normal(bars) * _VOLATILITY_OF_VOLATILITY
    log_volatility = np.empty(bars)
    level = 0.0
    for t, shock in enumerate(shocks.tolist()):
        log_volatility[t] = level
        level = _CALM * level + shock
    noise = rng.standard_t(_T_DEGREES, bars) / math.sqrt(2.0)
    returns = np.clip(_HOUR_VOLATILITY * np.exp(log_volatility) * noise, -0.5, 0.5)
    return _bars(rng, returns)


def planted(market: MarketBars, strength: float, seed: int) -> MarketBars:
    """Return the market with an edge: while the mean of 20 closes is above that of 100, prices drift up.

    The drift of a bar is ``strength`` standard deviations of the market's returns, in the direction in which
    the two means of *this* market stand, so that who follows them earns it.
    """
    moved = np.diff(market.close[:, 0]) / market.close[:-1, 0]
    drift = strength * float(moved.std())
    closes = [float(market.close[0, 0])]
    fast = slow = 0.0
    for move in moved.tolist():
        fast, slow = _means(closes)
        closes.append(closes[-1] * (1.0 + move + math.copysign(drift, fast - slow) * (fast != slow)))
    rng = np.random.default_rng([seed, len(closes)])
    path = np.array(closes)
    return _bars(rng, np.diff(path, prepend=path[0]) / np.concatenate((path[:1], path[:-1])))


def _means(closes: Sequence[float]) -> tuple[float, float]:
    if len(closes) < _SLOW:
        return 0.0, 0.0
    return math.fsum(closes[-_FAST:]) / _FAST, math.fsum(closes[-_SLOW:]) / _SLOW


def _bars(rng: np.random.Generator, returns: F64) -> MarketBars:
    """Bars whose closes move by ``returns``; each opens at the close before it."""
    close = 100.0 * np.cumprod(1.0 + returns)
    open_ = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(rng.standard_normal((2, close.size))) * _HOUR_VOLATILITY / 2
    high, low = np.maximum(open_, close) * (1.0 + reach[0]), np.minimum(open_, close) / (1.0 + reach[1])
    volume = rng.lognormal(3.0, 0.5, close.size)
    ohlcv = np.stack([open_, high, low, close, volume], axis=1)[:, np.newaxis]
    close_ns = _START_NS + (np.arange(close.size, dtype=np.int64) + 1) * HOUR_NS
    return bars_of(("NOISE/USD",), HOUR_NS, close_ns, ohlcv)


def passed_max(markets: int, nominal_frac: float) -> int:
    """Return the most markets that pass in 99 of 100 tests of a pipeline that passes ``nominal_frac``."""
    chance, total = (1.0 - nominal_frac) ** markets, 0.0
    for passed in range(markets + 1):
        total += chance
        if total >= _ALARM:
            return passed
        chance *= (markets - passed) / (passed + 1) * nominal_frac / (1.0 - nominal_frac)
    return markets


def count(judged: Iterable[Judged]) -> Verdicts:
    """Sum verdicts up."""
    every = list(judged)
    return Verdicts(
        markets=len(every),
        naive=sum(one.naive for one in every),
        deflated=sum(one.deflated for one in every),
        out_of_sample=sum(one.out_of_sample.is_supported for one in every),
    )


def noise_test(
    noise: Iterable[MarketBars],
    edges: Iterable[MarketBars],
    strategies: Sequence[Baseline],
    costs: TradingCosts,
    progress: Callable[[], None] = lambda: None,
) -> NoiseReport:
    """Put markets without and with an edge through the pipeline; ``progress`` hears of each that is done."""
    lengths: list[int] = []

    def judged(markets: Iterable[MarketBars]) -> Iterator[Judged]:
        for seed, market in enumerate(markets):
            lengths.append(len(market))
            yield judge(market, strategies, costs, seed)
            progress()

    lucky, found = list(judged(noise)), list(judged(edges))
    names = [name.split("(")[0] for one in found for name in one.chosen]
    return NoiseReport(
        strategies=len(strategies),
        bars=max(lengths, default=0),
        days_out_of_sample=max((one.out_of_sample.sample_days for one in (*lucky, *found)), default=0),
        costs=costs.sentence,
        nominal_frac=round(1.0 - SUPPORT_FRAC, 12),
        passed_max=passed_max(len(lucky), 1.0 - SUPPORT_FRAC),
        noise=count(lucky),
        planted=count(found),
        chosen_right_frac=sum(name in FOLLOWERS for name in names) / len(names) if names else 0.0,
    )
