"""Indicators of one market, each worked out once and shared by every strategy that asks for it."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import numpy as np

from tg_actors.backtest.baselines import lines as along
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.domain.blocks import F64, I64

YEAR_NS = 365 * 86_400 * 10**9
HOUR_NS = 3_600 * 10**9

#: Enough for the studies that neighbours in the library share.
CACHE_BYTES = 192 * 1024**2

_P = ParamSpec("_P")


def _study(compute: Callable[Concatenate["Studies", _P], F64]) -> Callable[Concatenate["Studies", _P], F64]:
    """Keep what a method returns, read-only, until newer studies need the room."""

    def cached(self: "Studies", /, *args: _P.args, **kwargs: _P.kwargs) -> F64:
        return self.keep((compute.__name__, *args, *kwargs.values()), lambda: compute(self, *args, **kwargs))

    functools.update_wrapper(cached, compute)
    return cached


class Studies:
    """Studies over the bars of one market; every array is ``(n, T)`` and looks back only.

    A bar that is missing counts as one at the last close without volume; an instrument that is not
    listed yet is NaN. Windows are in bars.
    """

    def __init__(self, bars: MarketBars, cache_bytes: int = CACHE_BYTES) -> None:
        self.symbols = bars.symbols
        self.bar_ns = bars.bar_ns
        self.close_ns: I64 = bars.close_ns
        self.close = along.filled(np.ascontiguousarray(bars.close.T))
        here = np.isnan(bars.close.T)
        self.high = np.where(here, self.close, bars.high.T)
        self.low = np.where(here, self.close, bars.low.T)
        self.volume = np.where(here, np.where(np.isnan(self.close), np.nan, 0.0), bars.volume.T)
        self.log_close = np.log(self.close)
        self.shape = self.close.shape
        self._cache: OrderedDict[tuple[object, ...], F64] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._bytes = 0

    def keep(self, key: tuple[object, ...], compute: Callable[[], F64]) -> F64:
        """Return what is kept under a key, or work it out; the longest unused go first."""
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        made = compute()
        made.flags.writeable = False
        self._cache[key] = made
        self._bytes += made.nbytes
        while self._bytes > self._cache_bytes and len(self._cache) > 1:
            self._bytes -= self._cache.popitem(last=False)[1].nbytes
        return made

    @property
    def returns(self) -> F64:
        """Log returns from bar to bar."""
        return self.keep(("returns",), lambda: self.log_close - along.lagged(self.log_close, 1))

    @_study
    def momentum(self, bars: int) -> F64:
        """Log return over the newest ``bars`` bars."""
        return self.log_close - along.lagged(self.log_close, bars)

    @_study
    def sma(self, window: int) -> F64:
        """Simple average of the close."""
        return along.mean(self.close, window)

    @_study
    def ema(self, span: int) -> F64:
        """Exponential average of the close, alpha = 2 / (span + 1)."""
        return along.exponential(self.close, 2.0 / (span + 1.0), span)

    @_study
    def dema(self, span: int) -> F64:
        """Double exponential average, 2 EMA - EMA of EMA (Mulloy 1994)."""
        once = self.ema(span)
        return 2.0 * once - along.exponential(once, 2.0 / (span + 1.0), span)

    @_study
    def wma(self, window: int) -> F64:
        """Linearly weighted average of the close, the newest counts most."""
        # sum_{k=1..w} k * x = w * sum(x) - sum of the shorter sums; by two running sums of x and t * x.
        t = np.arange(self.shape[1], dtype=np.float64)
        plain = along.rolling_sum(self.close, window)
        ranked = along.rolling_sum(self.close * t, window)
        return (ranked - (t - window) * plain) / (window * (window + 1) / 2.0)

    @_study
    def deviation(self, window: int) -> F64:
        """Standard deviation of the log close."""
        return along.deviation(self.log_close, window)

    @_study
    def zscore(self, window: int) -> F64:
        """Deviations of the log close from its mean; NaN where it has not moved."""
        spread = self.deviation(window)
        centre = along.mean(self.log_close, window)
        return (self.log_close - centre) / np.where(spread > 0, spread, np.nan)

    @_study
    def volatility(self, window: int) -> F64:
        """Standard deviation of log returns, per year."""
        yearly: F64 = along.deviation(self.returns, window) * np.sqrt(YEAR_NS / self.bar_ns)
        return yearly

    @_study
    def atr(self, window: int) -> F64:
        """Average true range, Wilder's smoothing (1978)."""
        before = along.lagged(self.close, 1)
        reach = np.fmax(self.high, before) - np.fmin(self.low, before)
        return along.exponential(reach, 1.0 / window, window)

    @_study
    def rsi(self, window: int) -> F64:
        """Relative strength index 0 to 100, Wilder's smoothing (1978); 50 where nothing moved."""
        change = self.close - along.lagged(self.close, 1)
        up = along.exponential(np.maximum(change, 0.0), 1.0 / window, window)
        moved = along.exponential(np.abs(change), 1.0 / window, window)
        return 100.0 * np.where(
            moved > 0, up / np.where(moved > 0, moved, 1.0), np.where(moved == 0, 0.5, np.nan)
        )

    @_study
    def highest(self, window: int) -> F64:
        """Highest high of the newest bars, this one included."""
        return along.highest(self.high, window)

    @_study
    def lowest(self, window: int) -> F64:
        """Lowest low of the newest bars, this one included."""
        return along.lowest(self.low, window)

    @_study
    def place(self, window: int) -> F64:
        """Where the close lies between lowest low (0) and highest high (1); NaN without any reach."""
        low, high = self.lowest(window), self.highest(window)
        reach = high - low
        return (self.close - low) / np.where(reach > 0, reach, np.nan)

    @_study
    def macd(self, fast: int, slow: int) -> F64:
        """Difference of two exponential averages (Appel 1979)."""
        return self.ema(fast) - self.ema(slow)

    @_study
    def efficiency(self, window: int) -> F64:
        """Way made good over way travelled, 0 to 1 (Kaufman 1995)."""
        travelled = along.rolling_sum(np.abs(self.returns), window)
        return np.abs(self.momentum(window)) / np.where(travelled > 0, travelled, np.nan)

    @_study
    def volume_mean(self, window: int) -> F64:
        """Average volume."""
        return along.mean(self.volume, window)

    @_study
    def flow(self, window: int) -> F64:
        """Volume of rising less that of falling bars, over all volume, -1 to 1 (after Granville's OBV)."""
        total = along.rolling_sum(self.volume, window)
        signed = along.rolling_sum(np.sign(self.returns) * self.volume, window)
        return signed / np.where(total > 0, total, np.nan)

    @_study
    def vwap(self, window: int) -> F64:
        """Average close by volume."""
        total = along.rolling_sum(self.volume, window)
        return along.rolling_sum(self.close * self.volume, window) / np.where(total > 0, total, np.nan)

    @_study
    def rank(self, bars: int) -> F64:
        """Standing of the momentum among the instruments of the same bar, 0 the weakest to 1; NaN alone."""
        score = self.momentum(bars)
        known = ~np.isnan(score)
        order = np.argsort(np.argsort(np.where(known, score, np.inf), axis=0, kind="stable"), axis=0)
        others = known.sum(axis=0) - 1
        return np.where(known & (others > 0), order / np.maximum(others, 1), np.nan)

    @_study
    def market(self) -> F64:
        """Mean log price of all instruments since each began, ``(1, T)``; the market as one line."""
        moves = np.where(np.isnan(self.returns), 0.0, self.returns)
        listed = np.maximum((~np.isnan(self.returns)).sum(axis=0), 1)
        return np.cumsum(moves.sum(axis=0) / listed)[np.newaxis]

    @_study
    def spread(self, against: str, window: int) -> F64:
        """Z-score of the log price of each instrument less its partner's, over a window.

        ``against`` is ``next`` (the instrument after it, the first after the last) or ``market``.
        """
        partner = np.roll(self.log_close, -1, axis=0) if against == "next" else self.market()
        apart = self.log_close - partner
        deviation = along.deviation(apart, window)
        return (apart - along.mean(apart, window)) / np.where(deviation > 0, deviation, np.nan)
