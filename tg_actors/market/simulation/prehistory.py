"""Whole days before the simulated world began, so that who looks at months does not have to wait for them.

They are drawn backwards from the world's first prices with the same loads on the market and the same long-run
volatility, by simpler means: every day on its own, without regimes and without volatility that clusters.
Streams of their own, so neither bars nor days depend on whether somebody asked.
"""

from math import sqrt

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.feed import RawRows
from tg_actors.market.simulation import volatility
from tg_actors.market.simulation.currencies import DOLLARS, Currency, currency
from tg_actors.market.simulation.tape import candles, rounded, turnover_usd
from tg_actors.market.simulation.world import generator

DAY_NS = 86_400 * 10**9
_CHUNK_DAYS = 128
_YEAR_DAYS = 365.25
_VOLUME_SPREAD = 0.4


class Prehistory:
    """Daily bars of some instruments before a world whose first bar opens in ``first_day``, from 1970."""

    def __init__(self, seed: int, legs: tuple[Currency, ...], levels: F64, first_day: int) -> None:
        """Begin at ``levels (c,)``, the log values in dollars of ``legs`` when the world began."""
        self._seed = seed
        self._legs = dict(zip((one.name for one in legs), levels.tolist(), strict=True))
        self._first_day = first_day

    def days(self, symbol: str, end_day: int, count: int) -> RawRows:
        """The ``count`` days before ``end_day``; those of the world itself are left out."""
        first, end = end_day - count, min(end_day, self._first_day)
        # Numbered backwards: day 0 is the one before the world.
        asked = max(self._first_day - first, 0)
        bars = self._backwards(symbol, asked)[self._first_day - end : asked][::-1]
        opens: I64 = np.arange(end - len(bars), end, dtype=np.int64) * DAY_NS
        return RawRows(opens, bars, bars[:, 3], bars[:, 3])

    def _backwards(self, symbol: str, count: int) -> F64:
        """Daily bars, the newest first, ``(count, 5)``."""
        chunks = -(-count // _CHUNK_DAYS)
        base, quote = symbol.split("/")
        returns = self._returns(base, chunks) - self._returns(quote, chunks)
        level = self._legs.get(base, 0.0) - self._legs.get(quote, 0.0)
        path = level - np.concatenate(([0.0], np.cumsum(returns)))
        draws = [generator(self._seed, f"{symbol} days", chunk) for chunk in range(chunks)]
        high, low = np.concatenate([rng.random((2, _CHUNK_DAYS)) for rng in draws], axis=1)
        traded = np.concatenate([rng.standard_normal(_CHUNK_DAYS) for rng in draws])
        sigma = np.full((1, len(returns)), _sigma(base, quote))
        # Back to front for the candles, whose time runs forward.
        ohlc = candles(path[np.newaxis, ::-1], sigma, high[np.newaxis, ::-1], low[np.newaxis, ::-1])[0, ::-1]
        worth = np.exp(self._legs.get(base, 0.0) - np.cumsum(self._returns(base, chunks)))
        volume = turnover_usd(base, quote) * np.exp(_VOLUME_SPREAD * traded) / worth
        return np.column_stack((ohlc, rounded(volume)))[:count]

    def _returns(self, name: str, chunks: int) -> F64:
        """Daily log returns of a currency in dollars, the newest first; none of a dollar."""
        if name not in self._legs:
            return np.zeros(chunks * _CHUNK_DAYS)
        one = currency(name)
        market, own = (self._shocks(stream, chunks) for stream in ("market days", f"{name} days"))
        mixed = sqrt(one.market_frac) * market + sqrt(1.0 - one.market_frac) * own
        return one.vol_frac / sqrt(_YEAR_DAYS) * mixed

    def _shocks(self, stream: str, chunks: int) -> F64:
        usual = np.ones(_CHUNK_DAYS)
        return np.concatenate(
            [volatility.shocks(generator(self._seed, stream, chunk), usual) for chunk in range(chunks)]
        )


def _sigma(base: str, quote: str) -> float:
    """Standard deviation of a day: the common factor partly cancels in a cross."""
    sides = [currency(name) for name in (base, quote) if name not in DOLLARS]
    loads = [one.vol_frac * sqrt(one.market_frac) for one in sides]
    own = sum(one.vol_frac**2 * (1.0 - one.market_frac) for one in sides)
    common = loads[0] - (loads[1] if len(loads) > 1 else 0.0)
    return sqrt((common**2 + own) / _YEAR_DAYS)
