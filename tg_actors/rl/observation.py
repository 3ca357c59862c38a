"""What a learner sees of the market: one builder for training, backtest and live.

It works from a snapshot alone, so a row of training data is what the desk shows at that bar, bit for bit.
Everything is free of units: moves in their own standard deviations, distances in average true ranges. A
source that is missing, or silent for two days, is 0 and its ``…_known`` column says 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.domain.decisions import RegimeView
from tg_actors.market.needs import MarketNeeds
from tg_actors.rl.accounts import Flags
from tg_actors.rl.episodes import OBSERVED_MAX
from tg_actors.rl.market import F32, LearningMarket, usual_moves

_CLOSE = 3
_LONG, _SHORT = 128, 24
_WINDOW = _LONG + 1
_HOUR_NS = 3_600 * 10**9
_FACT_AGE_NS_MAX = 48 * _HOUR_NS
#: Funding rates are quoted for this time; one basis point of it counts as 1.
_FUNDING_NS = 8 * _HOUR_NS
_FUNDING_UNIT = 1e-4

MARKET = (
    "move_1",
    "move_6",
    "move_24",
    "volatility",
    "volume",
    "rsi",
    "macd",
    "ma_20",
    "ma_50",
    "trend_strength",
    "correlation",
    "funding",
    "whales",
    "sentiment",
    "funding_known",
    "whales_known",
    "sentiment_known",
)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One instant: ``values (n, F)``; where ``known (n,)`` is False the row is 0 and nobody may act."""

    values: F32
    known: Flags


class Observer:
    """Builds the market's part of an observation; remembers nothing."""

    def __init__(self, regimes: tuple[str, ...]) -> None:
        """Take the names of the regimes in the order of their columns."""
        self._regimes = regimes
        self.names = (*MARKET, *(f"p_{regime}" for regime in regimes), "regime_known")

    @staticmethod
    def needs() -> MarketNeeds:
        """Return what a snapshot must hold for this."""
        return MarketNeeds(window_bars=_WINDOW, facts=True)

    def observe(self, snapshot: MarketSnapshot, regime: RegimeView | None) -> Observed:
        """Return what is known at the close of a cycle; ``regime`` is its filtered posterior."""
        columns = np.zeros((len(snapshot.symbols), len(self.names)))
        market = np.column_stack((*_moves(snapshot), *_indicators(snapshot)))
        known = np.isfinite(market).all(axis=1) & snapshot.is_fresh
        columns[:, : market.shape[1]] = market
        facts = np.stack((_funding(snapshot), _whales(snapshot), _fact(snapshot, "sentiment_score")), axis=1)
        at, said = market.shape[1], np.isfinite(facts)
        columns[:, at : at + 3] = np.where(said, facts, 0.0)
        columns[:, at + 3 : at + 6] = said
        if regime is not None:
            columns[:, at + 6 : -1] = [regime.probabilities.get(name, 0.0) for name in self._regimes]
            columns[:, -1] = 1.0
        columns[~known] = 0.0
        cut = np.minimum(np.maximum(columns, -OBSERVED_MAX), OBSERVED_MAX)
        return Observed(cut.astype(np.float32), known)


def record(observer: Observer, cycles: Iterable[tuple[MarketSnapshot, RegimeView | None]]) -> LearningMarket:
    """Return the market of consecutive cycles, without slippage; it begins where everything is known.

    Usual moves are those of the bars before the first episode may begin, or of all where too few are.

    Raises:
        ValueError: an instrument misses a bar, or is unknown after it has been known.
    """
    rows = [(snapshot, observer.observe(snapshot, regime)) for snapshot, regime in cycles]
    bars = np.stack([np.where(s.is_fresh[:, np.newaxis], s.ohlcv, np.nan) for s, _ in rows])
    known: Flags = np.logical_and.reduce([seen.known for _, seen in rows], axis=1)
    if not known[-1]:
        raise ValueError("the market is too short: indicators are still warming up at its end")
    first = len(known) - int(np.argmin(known[::-1])) if not known.all() else 0
    close = bars[:, :, _CLOSE]
    funding = np.stack([funding_a_bar(snapshot) for snapshot, _ in rows])
    return LearningMarket(
        open_=bars[:, :, 0],
        close=close,
        observed=np.stack([seen.values for _, seen in rows]),
        names=observer.names,
        funding=funding,
        move_frac=usual_moves(close[: first + 1] if first > _SHORT else close),
        first=first,
    )


def _moves(snapshot: MarketSnapshot) -> tuple[F64, ...]:
    """Moves over 1, 6 and 24 bars in standard deviations, and how wild the last day is."""
    returns = _returns(snapshot)
    if returns is None:
        return (np.full(len(snapshot.symbols), np.nan),) * 4
    long = _positive(returns.std(axis=0))
    moves = (returns[-bars:].sum(axis=0) / (long * np.sqrt(bars)) for bars in (1, 6, _SHORT))
    return (*moves, returns[-_SHORT:].std(axis=0) / long - 1.0)


def _returns(snapshot: MarketSnapshot) -> F64 | None:
    """Log returns ``(128, n)`` of the window, NaN where a bar is missing."""
    window = snapshot.window
    if window is None or len(window.ohlcv) < _WINDOW:
        return None
    returns: F64 = np.diff(np.log(window.ohlcv[-_WINDOW:, :, _CLOSE]), axis=0)
    return returns


def _indicators(snapshot: MarketSnapshot) -> tuple[F64, ...]:
    """In the order of :data:`MARKET`, from ``volume`` to ``correlation``."""
    close, atr = snapshot.ohlcv[:, _CLOSE], _positive(snapshot.feature("atr_14"))
    return (
        snapshot.feature("volume_ma_ratio") - 1.0,
        snapshot.feature("rsi_14") / 50.0 - 1.0,
        snapshot.feature("macd_hist") / atr,
        (close - snapshot.feature("bb_mid")) / atr,
        (close - snapshot.feature("ema_50")) / atr,
        snapshot.feature("adx_14") / 50.0 - 1.0,
        _correlation(snapshot),
    )


def _correlation(snapshot: MarketSnapshot) -> F64:
    """Mean correlation with the other instruments over the window; 0 for one that is alone."""
    returns, n = _returns(snapshot), len(snapshot.symbols)
    if returns is None:
        return np.full(n, np.nan)
    if n == 1:
        return np.zeros(1)
    unit = (returns - returns.mean(axis=0)) / _positive(returns.std(axis=0))
    # Sums along an axis, no matrix product: BLAS may add in another order on another machine.
    crowd = np.nansum(unit, axis=1, keepdims=True) - unit
    mean: F64 = (unit * crowd).mean(axis=0) / (n - 1)
    return mean


def _funding(snapshot: MarketSnapshot) -> F64:
    return _fact(snapshot, "funding_rate_frac") / _FUNDING_UNIT


def funding_a_bar(snapshot: MarketSnapshot) -> F64:
    """What a long position pays a bar at the newest known rate, 0 where there is none."""
    rate = _fact(snapshot, "funding_rate_frac") * (snapshot.bar_ns / _FUNDING_NS)
    return np.where(np.isfinite(rate), rate, 0.0)


def _whales(snapshot: MarketSnapshot) -> F64:
    """Large buys less large sells over both, -1..1; 0 when there were none."""
    buys, sells = _fact(snapshot, "whale_buy_usd"), _fact(snapshot, "whale_sell_usd")
    both = buys + sells
    balance: F64 = np.where(both == 0.0, 0.0, (buys - sells) / _positive(both))
    return balance


def _fact(snapshot: MarketSnapshot, name: str) -> F64:
    """A fact ``(n,)``, NaN where unknown or too old to mean anything."""
    facts = snapshot.facts
    if facts is None or name not in facts.names:
        return np.full(len(snapshot.symbols), np.nan)
    column = facts.names.index(name)
    age_ns = snapshot.at_ns - facts.as_of_ns[:, column]
    return np.where(age_ns <= _FACT_AGE_NS_MAX, facts.values[:, column], np.nan)


def _positive(values: F64) -> F64:
    """Keep a divisor from being 0: what never moved has moved by 0 of its moves."""
    return np.where(values == 0.0, 1.0, values)
