"""A feed for tests: any rows per instrument, clean or dirty, in the order a source would give them."""

from collections.abc import Sequence

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.feed import RawRows, arrival_cycles, no_rows

BAR_NS = 3_600 * 10**9


def clean_rows(open_ns: I64, rng: np.random.Generator) -> RawRows:
    """A random walk of sound bars that open at the given times."""
    closes = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(len(open_ns))))
    opens = np.concatenate(([100.0], closes[:-1]))[: len(closes)]
    highs, lows = np.maximum(opens, closes) * 1.001, np.minimum(opens, closes) * 0.999
    volumes = 1.0 + rng.random(len(open_ns))
    ohlcv: F64 = np.column_stack((opens, highs, lows, closes, volumes))
    return RawRows(open_ns, ohlcv, closes * 0.9999, closes * 1.0001)


class ListedFeed:
    """A feed over rows in memory: those before ``start_ns`` are history."""

    def __init__(self, streams: Sequence[RawRows], start_ns: int, cycles: int | None = None) -> None:
        self.symbols = tuple(f"C{i}/USDT" for i in range(len(streams)))
        self.bar_ns = BAR_NS
        self.start_ns = start_ns
        self.cycles = cycles
        self.histories_asked = 0
        self._streams = tuple(streams)
        self._arrivals = [arrival_cycles(rows.open_ns, start_ns, BAR_NS) for rows in streams]

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        return self._between(i, first_cycle, first_cycle + count)

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        self.histories_asked += 1
        rows = self._between(i, -(10**9), before_cycle)
        return rows.pick(slice(max(0, len(rows) - n_bars), None))

    def _between(self, i: int, first_cycle: int, end_cycle: int) -> RawRows:
        if not len(self._streams[i]):
            return no_rows()
        low, high = np.searchsorted(self._arrivals[i], [first_cycle, end_cycle])
        return self._streams[i].pick(slice(int(low), int(high)))
