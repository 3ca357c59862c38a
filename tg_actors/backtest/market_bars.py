"""A market's bars as one block: what baselines, sweeps and evaluations run over.

The rows come from the same feed and pass the same border as the desk's, and lie on the same grid of
cycles: row ``t`` is the bar of cycle ``t``, decided at ``close_ns[t]``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.border import Border
from tg_actors.market.config import MarketSpec, open_feed
from tg_actors.market.feed import Feed

#: What an endless market is cut to when nobody says how long.
CYCLES_DEFAULT = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class MarketBars:
    """Bars of ``n`` instruments over ``T`` cycles; NaN where an instrument has none.

    Shapes: ``open_``, ``high``, ``low``, ``close``, ``volume`` ``(T, n)``; ``close_ns (T,)``, UTC
    nanoseconds, one bar apart.
    """

    symbols: tuple[str, ...]
    bar_ns: int
    close_ns: I64
    open_: F64
    high: F64
    low: F64
    close: F64
    volume: F64

    def __len__(self) -> int:
        return len(self.close_ns)

    def slice(self, first: int, end: int) -> "MarketBars":
        """Return the cycles ``first`` to before ``end``, as views."""
        rows = slice(first, end)
        return MarketBars(
            self.symbols,
            self.bar_ns,
            self.close_ns[rows],
            self.open_[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )


def bars_of(symbols: Sequence[str], bar_ns: int, close_ns: I64, ohlcv: F64) -> MarketBars:
    """Return bars ``(T, n, 5)`` as a block.

    Each array is laid out instrument by instrument, for everything here runs along time.
    """
    columns = (np.ascontiguousarray(ohlcv[:, :, k].T).T for k in range(ohlcv.shape[2]))
    return MarketBars(tuple(symbols), bar_ns, close_ns, *columns)


def read_bars(feed: Feed, cycles: int | None = None) -> MarketBars:
    """Read the bars of the first ``cycles`` cycles of a feed; a bar that came late is left out.

    Without ``cycles`` all there are, and 5,000 of a market without an end.
    """
    count = min(filter(None, (cycles, feed.cycles)), default=CYCLES_DEFAULT)
    border = Border(len(feed.symbols), feed.start_ns, feed.bar_ns)
    ohlcv = np.full((count, len(feed.symbols), 5), np.nan)
    for i in range(len(feed.symbols)):
        admission = border.admit(i, feed.rows(i, 0, count), 0, count)
        bar_of = (admission.accepted.open_ns - feed.start_ns) // feed.bar_ns
        in_time = bar_of == admission.accepted_cycle
        ohlcv[bar_of[in_time], i] = admission.accepted.ohlcv[in_time]
    close_ns = feed.start_ns + (np.arange(count, dtype=np.int64) + 1) * feed.bar_ns
    return bars_of(feed.symbols, feed.bar_ns, close_ns, ohlcv)


def load_bars(spec: MarketSpec, cycles: int | None = None) -> MarketBars:
    """Open a market and read its bars.

    Raises:
        UserError: the market cannot be had, or has fewer than two bars.
    """
    bars = read_bars(open_feed(spec), cycles)
    if len(bars) < 2:  # noqa: PLR2004 - one bar has no next open
        raise UserError("the market has fewer than two bars between --from and --to: choose a longer time")
    return bars
