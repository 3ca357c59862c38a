"""Recorded feed: the bars of Parquet files, replayed cycle by cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tg_actors.domain import blocks
from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.books.depth import RecordedDepth
from tg_actors.market.feed import RawRows, arrival_cycles, no_rows
from tg_actors.market.feeds.recorded_facts import FactFiles, RecordedFacts
from tg_actors.market.feeds.references import RecordedReferences
from tg_actors.market.history import DEFAULT_VENUE, HistoryStore, Series, nothing_between, span_text
from tg_actors.market.timeframes import Timeframe, instant_text

#: Bars kept in memory per instrument: 0.4 MB, and about 1 us per bar to read.
_CHUNK_ROWS = 8192
_BPS = 1e-4
#: Value of an order from which it is a whale's. 99 % of takers' orders, the prints of a sweep joined, are
#: smaller than 64,115 dollars (Binance BTC/USDT spot, 2024-08-08) and 45,593 (Gemini ETH/USD, 2021-07-01);
#: single prints than 20 k and 32 k.
WHALE_USD_MIN = 50_000.0


@dataclass(frozen=True, slots=True)
class Window:
    """Opens of the first bar and of the first bar after the last, UTC nanoseconds."""

    start_ns: int
    end_ns: int


class _Replay:
    """One file with a chunk of it in memory; quotes are the close -/+ half the spread."""

    def __init__(self, series: Series, window: Window, bar_ns: int, spread_bps: float) -> None:
        self._series = series
        self._half_spread = spread_bps / 2.0 * _BPS
        self._arrivals = arrival_cycles(series.open_ns, window.start_ns, bar_ns)
        self._first_row = 0
        self._chunk: F64 = np.empty((0, 5))

    def row_of(self, cycle: int) -> int:
        """The first row that arrives in that cycle or later."""
        return int(np.searchsorted(self._arrivals, cycle, side="left"))

    def rows(self, first_row: int, end_row: int) -> RawRows:
        """The rows with those numbers."""
        if first_row >= end_row:
            return no_rows()
        if first_row < self._first_row or end_row > self._first_row + len(self._chunk):
            self._first_row = first_row
            self._chunk = self._series.ohlcv(first_row, max(end_row, first_row + _CHUNK_ROWS))
        ohlcv = self._chunk[first_row - self._first_row : end_row - self._first_row]
        open_ns: I64 = self._series.open_ns[first_row:end_row]
        closes = ohlcv[:, 3]
        return RawRows(open_ns, ohlcv, closes * (1.0 - self._half_spread), closes * (1.0 + self._half_spread))


class RecordedFeed:
    """A :class:`~tg_actors.market.feed.Feed` over one file per instrument."""

    def __init__(
        self,
        replays: Sequence[_Replay],
        symbols: tuple[str, ...],
        window: Window,
        bar_ns: int,
        facts: RecordedFacts,
        references: RecordedReferences,
        books: RecordedDepth,
    ) -> None:
        self.symbols = symbols
        self.bar_ns = bar_ns
        self.start_ns = window.start_ns
        self.cycles = (window.end_ns - window.start_ns) // bar_ns
        self._replays = tuple(replays)
        self._facts = facts
        self._references = references
        self._books = books

    @classmethod
    def open(
        cls,
        data_dir: str | Path,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        from_ns: int | None = None,
        to_ns: int | None = None,
        *,
        spread_bps: Mapping[str, float],
        venue: str = DEFAULT_VENUE,
        references: Sequence[str] = (),
        whale_usd_min: float = WHALE_USD_MIN,
    ) -> "RecordedFeed":
        """Open the files of all instruments.

        Without ``from_ns`` (``to_ns``: exclusive) the replay begins (ends) where every instrument has
        bars. Bars before the first cycle are warm-up; where a file has none, its first 300 bars are.

        Args:
            data_dir: folder of the :class:`~tg_actors.market.history.HistoryStore`.
            symbols: instruments in order.
            timeframe: length of a bar; times are rounded up to whole bars since the epoch.
            from_ns: open of the first bar to decide on.
            to_ns: no bar from here on.
            spread_bps: the whole spread of every symbol in basis points of the close.
            venue: whose bars.
            references: daily series to watch, see :mod:`tg_actors.market.feeds.references`.
            whale_usd_min: value of an order from which it is a whale's.

        Raises:
            UserError: a file is missing or unusable, or there is nothing between the two times.
        """
        store = HistoryStore(data_dir, venue)
        series = [store.open(symbol, timeframe) for symbol in symbols]
        window = _window(series, timeframe.bar_ns, from_ns, to_ns)
        replays = [
            _Replay(one, window, timeframe.bar_ns, spread_bps[symbol])
            for one, symbol in zip(series, symbols, strict=True)
        ]
        files = FactFiles(Path(data_dir), venue, symbols, timeframe.bar_ns, whale_usd_min)
        watched = RecordedReferences(data_dir, references)
        books = RecordedDepth(data_dir, venue, symbols, window.start_ns, timeframe.bar_ns)
        return cls(replays, symbols, window, timeframe.bar_ns, RecordedFacts(files), watched, books)

    @property
    def fact_names(self) -> tuple[str, ...]:
        """All facts where any file has one, else none."""
        return self._facts.fact_names

    def facts(self, at_ns: I64) -> tuple[F64, I64]:
        """What was known at some instants, see :class:`~tg_actors.market.feed.FactSource`."""
        return self._facts.facts(at_ns)

    def depth(self, cycle: int, levels: int) -> blocks.Depth | None:
        """Books at the close of a cycle where a capture has them."""
        return self._books.depth(cycle, levels)

    def references(self, names: tuple[str, ...], end_ns: int, days: int) -> blocks.Window | None:
        """Daily bars of what is watched, see :class:`~tg_actors.market.feed.ReferenceSource`."""
        return self._references.references(names, end_ns, days)

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows that arrive in ``count`` cycles from ``first_cycle`` on, never beyond the window."""
        replay, end_cycle = self._replays[i], min(first_cycle + count, self.cycles)
        return replay.rows(replay.row_of(first_cycle), replay.row_of(end_cycle))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest ``n_bars`` rows that arrived before a cycle."""
        replay = self._replays[i]
        end_row = replay.row_of(before_cycle)
        return replay.rows(max(0, end_row - n_bars), end_row)


def _window(series: Sequence[Series], bar_ns: int, from_ns: int | None, to_ns: int | None) -> Window:
    for one in series:
        if not len(one.open_ns):
            raise UserError(nothing_between(one, from_ns or 0, to_ns or 0))
    first_ns = max(int(one.open_ns.min()) for one in series) if from_ns is None else from_ns
    end_ns = min(int(one.open_ns.max()) for one in series) + bar_ns if to_ns is None else to_ns
    window = Window(_ceil(first_ns, bar_ns), _ceil(end_ns, bar_ns))
    if window.start_ns >= window.end_ns:
        raise UserError(_no_common_time(series, from_ns, to_ns))
    for one in series:
        _check_inside(one, window, bar_ns)
    return window


def _check_inside(series: Series, window: Window, bar_ns: int) -> None:
    opens = series.open_ns
    inside = opens[(opens >= window.start_ns) & (opens < window.end_ns)]
    if not len(inside):
        raise UserError(nothing_between(series, window.start_ns, window.end_ns))
    if (inside % bar_ns != 0).all():
        name = f"{series.name.symbol} {series.name.timeframe}"
        raise UserError(
            f"no bar of {name} opens at a whole multiple of its length: the file cannot be replayed"
        )


def _no_common_time(series: Sequence[Series], from_ns: int | None, to_ns: int | None) -> str:
    if from_ns is not None and to_ns is not None:
        return (
            f"there is no bar between {instant_text(from_ns)} and {instant_text(to_ns)}: choose a later end"
        )
    spans = ", ".join(f"{one.name.symbol} {span_text(one)}" for one in series)
    return f"there is no time at which all instruments have bars ({spans}): choose others or another time"


def _ceil(at_ns: int, bar_ns: int) -> int:
    return -(-at_ns // bar_ns) * bar_ns
