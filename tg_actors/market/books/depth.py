"""Recorded books as depth of a recorded market: what captures say about the cycles that they cover."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tg_actors.domain.blocks import F64, Depth
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import Heard
from tg_actors.market.books.recorded import RecordedBooks, captures
from tg_actors.market.books.tape import TradeTape
from tg_actors.market.books.tracker import FLOW_NAMES, BookTracker
from tg_actors.market.timeframes import instant_ns

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class _Close:
    """One instrument's book at one close: ``levels (2, 2, LEVELS_KEPT)``, ``flow (k,)``."""

    at_ns: int
    levels: F64
    flow: F64


#: Deeper books are not asked for; a capture is read once, whoever asks.
LEVELS_KEPT = 400


class RecordedDepth:
    """A :class:`~tg_actors.market.feed.DepthSource` over the captures of one venue.

    A book at a close knows every message before it, by the venue's time. Its flow is known only where
    the capture covers the whole bar without a break. A capture is read when the first cycle of its day is
    asked for.
    """

    def __init__(
        self, data_dir: str | Path, venue: str, symbols: tuple[str, ...], start_ns: int, bar_ns: int
    ) -> None:
        self._n = len(symbols)
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._captures = [
            (symbols.index(one.name.symbol), one)
            for one in captures(data_dir, venue)
            if one.name.symbol in symbols
        ]
        self._read: dict[Path, dict[int, _Close]] = {}

    def depth(self, cycle: int, levels: int) -> Depth | None:
        """Books at the close of a cycle, None where no capture reaches it.

        Raises:
            UserError: a capture is damaged.
        """
        close_ns = self._start_ns + (cycle + 1) * self._bar_ns
        found = [
            (i, self._closes(one)[cycle]) for i, one in self._near(close_ns) if cycle in self._closes(one)
        ]
        if not found:
            return None
        shape = (self._n, 2, levels)
        price, size = np.full(shape, np.nan), np.full(shape, np.nan)
        flow = np.full((self._n, len(FLOW_NAMES)), np.nan)
        as_of_ns = np.zeros(self._n, dtype=np.int64)
        shown = min(levels, LEVELS_KEPT)
        for i, close in found:
            price[i, :, :shown], size[i, :, :shown] = close.levels[:, :, :shown]
            flow[i], as_of_ns[i] = close.flow, close.at_ns
        return Depth(price, size, as_of_ns, FLOW_NAMES, flow)

    def _near(self, close_ns: int) -> list[tuple[int, RecordedBooks]]:
        """Captures of this day or the day before: one that begins before midnight may go on after it."""
        return [
            (i, one) for i, one in self._captures if 0 <= close_ns - instant_ns(one.name.day) < 2 * _DAY_NS
        ]

    def _closes(self, capture: RecordedBooks) -> dict[int, _Close]:
        if capture.path not in self._read:
            self._read[capture.path] = self._play(capture)
        return self._read[capture.path]

    def _play(self, capture: RecordedBooks) -> dict[int, _Close]:
        tape = TradeTape.of(capture)
        book = LocalBook(capture.name.rule)
        tracker = BookTracker(knows_trades=tape.is_known)
        closes: dict[int, _Close] = {}
        # A bar's flow is known when the book was in sync from before its open.
        whole, cycle = False, None
        for message in capture.messages():
            now = (message.at_ns - self._start_ns) // self._bar_ns
            if cycle is None or now > cycle:
                self._close(closes, cycle, book, tracker, whole=whole)
                cycle, whole = now, book.in_sync
            tape.play(message.at_ns, tracker)
            if book.hear(message) is Heard.APPLIED:
                tracker.follow(book)
                whole = whole and not message.is_snapshot
            elif not book.in_sync:
                tracker.lose()
                whole = False
        return closes

    @staticmethod
    def _close(
        closes: dict[int, _Close],
        cycle: int | None,
        book: LocalBook,
        tracker: BookTracker,
        *,
        whole: bool,
    ) -> None:
        """Enter the cycle that is over; cycles that no message falls into have no book of their own."""
        flow = tracker.cut()
        if cycle is not None and book.in_sync:
            known = flow if whole else np.full(len(FLOW_NAMES), np.nan)
            closes[cycle] = _Close(book.at_ns, book.array(LEVELS_KEPT), known)
