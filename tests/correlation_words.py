"""Daily closes with known correlations, and snapshots that hold them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tg_actors.desk.ports import Market
from tg_actors.domain.blocks import F64, MarketSnapshot, Window

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
#: A Monday.
BEGIN_DAY = 19_000 - 19_000 % 7 + 4
DAYS = 92


def walks(
    loadings: Sequence[Sequence[float]], *, days: int = DAYS, sigma: float = 0.03, seed: int = 1
) -> F64:
    """Closes ``(days, n)`` from 100: each name's returns are its loadings on common factors, and noise.

    The variances of the loadings and the noise sum to ``sigma`` squared.
    """
    rng = np.random.default_rng(seed)
    weights = np.array(loadings)
    noise = np.sqrt(1.0 - (weights**2).sum(axis=1))
    factors, own = rng.standard_normal((days, weights.shape[1])), rng.standard_normal((days, len(weights)))
    # Exactly independent, so that a test asks about the method and not about luck.
    joint, _ = np.linalg.qr(np.column_stack((np.ones(days), factors, own)))
    factors, own = (joint[:, 1:] * np.sqrt(days))[:, : weights.shape[1]], joint[:, 1 + weights.shape[1] :]
    returns = sigma * (factors @ weights.T + noise * own * np.sqrt(days))
    closes: F64 = 100.0 * np.exp(np.cumsum(returns, axis=0))
    return closes


def on_sessions(closes: F64, begin_day: int = BEGIN_DAY) -> F64:
    """The same on weekdays only: Saturday and Sunday are NaN."""
    # Day 0 of the epoch was a Thursday.
    weekday = (np.arange(begin_day, begin_day + len(closes)) + 3) % 7
    return np.where((weekday < 5)[:, np.newaxis], closes, np.nan)


def window(closes: F64, names: Sequence[str], end_day: int = BEGIN_DAY + DAYS) -> Window:
    """Whole days that end with ``end_day`` (exclusive), flat bars."""
    return Window(DAY_NS, end_day * DAY_NS, tuple(names), np.repeat(closes[:, :, np.newaxis], 5, axis=2))


def a_snapshot(
    symbols: Sequence[str],
    price: Sequence[float],
    *,
    cycle: int = 0,
    at_ns: int | None = None,
    stale: Sequence[str] = (),
    days: Window | None = None,
    references: Window | None = None,
) -> MarketSnapshot:
    """Hourly bars at these prices, without indicators."""
    n = len(symbols)
    at_ns = (BEGIN_DAY + DAYS) * DAY_NS + cycle * HOUR_NS if at_ns is None else at_ns
    prices = np.array(price, dtype=np.float64)
    return MarketSnapshot(
        cycle=cycle,
        at_ns=at_ns,
        bar_ns=HOUR_NS,
        symbols=tuple(symbols),
        ohlcv=np.repeat(prices[:, np.newaxis], 5, axis=1),
        bid=prices,
        ask=prices,
        close_ns=np.array([at_ns - 2 * HOUR_NS if symbol in stale else at_ns for symbol in symbols]),
        bars_seen=np.full(n, 100),
        feature_names=(),
        features=np.empty((n, 0)),
        days=days,
        references=references,
    )


class WithDays:
    """Hands the desk three months of closes that load on one factor as they are told to."""

    def __init__(self, inner: Market, loadings: list[list[float]]) -> None:
        self._inner = inner
        self._loadings = loadings

    def observe(self, cycle: int) -> MarketSnapshot | None:
        snapshot = self._inner.observe(cycle)
        if snapshot is None:
            return None
        closes = walks(self._loadings)
        return replace(snapshot, days=window(closes, snapshot.symbols))
