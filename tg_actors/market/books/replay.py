"""Replay a capture and say whether the local book was the venue's at every instant. Pure but for the file."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tg_actors.domain.message import Message
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import ASK, BID, BookMessage, Break, Heard, OutOfSync
from tg_actors.market.books.recorded import Ladders, Quotes, RecordedBooks

_LADDER_LEVELS = 20


class Comparison(Message):
    """How often two accounts of the same book were compared, and found equal to the last digit."""

    compared: int
    equal: int


class BookReplay(Message):
    """What came of a capture.

    ``applied``, ``buffered`` and ``old`` count messages; ``breaks`` count by reason, ``crossed`` books among
    them. ``unlinked`` deltas whose link the record has lost (Binance futures): only their order and the
    quotes vouch for them. ``checksums`` that the venue sent and the book passed. ``quotes``: best prices and
    sizes after a message against the newest quote that is no newer; ``ladders``: 20 levels at full seconds.
    """

    venue: str
    symbol: str
    messages: int
    snapshots: int
    level_changes: int
    applied: int
    buffered: int
    old: int
    breaks: dict[str, int]
    crossed: int
    unlinked: int
    checksums: int
    quotes: Comparison | None
    ladders: Comparison | None
    first_ns: int
    last_ns: int

    @property
    def is_sound(self) -> bool:
        """Whether there was a book, nothing broke, and independent accounts agree, but for late quotes."""
        return (
            bool(self.applied)
            and not self.breaks
            and (self.ladders is None or self.ladders.compared == self.ladders.equal)
        )


def replay(capture: RecordedBooks) -> BookReplay:
    """Play a capture through a local book and compare it with all that lies beside.

    Raises:
        UserError: the file cannot be read.
    """
    book = LocalBook(capture.name.rule)
    quotes = _QuoteCheck(capture.quotes(), numbered=capture.name.rule.has_ids)
    ladders = _LadderCheck(capture.ladders())
    counts: Counter[str] = Counter()
    breaks: Counter[str] = Counter()
    times: list[int] = []
    for message, answer in heard(book, capture, ladders):
        counts["messages"] += 1
        counts["snapshots"] += message.is_snapshot
        counts["levels"] += len(message.bids) + len(message.asks)
        times = [times[0] if times else message.at_ns, message.at_ns]
        if isinstance(answer, OutOfSync):
            breaks[answer.reason.value] += 1
            continue
        counts[answer.value] += 1
        if answer is Heard.APPLIED:
            quotes.after(message, book)
    return BookReplay(
        venue=capture.name.venue,
        symbol=capture.name.symbol,
        messages=counts["messages"],
        snapshots=counts["snapshots"],
        level_changes=counts["levels"],
        applied=counts["applied"],
        buffered=counts["buffered"],
        old=counts["old"],
        breaks=dict(breaks),
        crossed=breaks[Break.CROSSED.value],
        unlinked=book.unlinked,
        checksums=book.verified,
        quotes=quotes.result(),
        ladders=ladders.result(),
        first_ns=times[0],
        last_ns=times[1],
    )


def heard(
    book: LocalBook, capture: RecordedBooks, ladders: "_LadderCheck | None" = None
) -> Iterator[tuple[BookMessage, Heard | OutOfSync]]:
    """Let a book hear a capture; each message comes back with the book's answer."""
    for message in capture.messages():
        if ladders is not None:
            ladders.before(message, book)
        yield message, book.hear(message)


class _QuoteCheck:
    """Compares the best levels after a message with the newest quote that is no newer than it."""

    def __init__(self, quotes: Quotes | None, *, numbered: bool) -> None:
        self._quotes = quotes if numbered else None
        self._ids = [] if self._quotes is None else self._quotes.update_id.tolist()
        self._next = 0
        self._compared = self._equal = 0

    def after(self, message: BookMessage, book: LocalBook) -> None:
        while self._next < len(self._ids) and self._ids[self._next] <= message.final_id:
            self._next += 1
        bid, ask = book.best(BID), book.best(ASK)
        if self._quotes is None or not self._next or message.is_snapshot or bid is None or ask is None:
            return
        self._compared += 1
        self._equal += bool((self._quotes.best[self._next - 1] == (*bid, *ask)).all())

    def result(self) -> Comparison | None:
        return None if self._quotes is None else Comparison(compared=self._compared, equal=self._equal)


class _LadderCheck:
    """Compares 20 levels at every full second: the book of all messages before it."""

    def __init__(self, ladders: Ladders | None) -> None:
        self._ladders = ladders
        self._times = [] if ladders is None else ladders.at_ns.tolist()
        self._next = 0
        self._compared = self._equal = 0

    def before(self, message: BookMessage, book: LocalBook) -> None:
        if self._ladders is None or not book.in_sync:
            return
        while self._next < len(self._times) and message.at_ns >= self._times[self._next]:
            mine, theirs = book.array(_LADDER_LEVELS), self._ladders.levels[self._next]
            self._equal += np.array_equal(mine, theirs, equal_nan=True)
            self._compared += 1
            self._next += 1

    def result(self) -> Comparison | None:
        return None if self._ladders is None else Comparison(compared=self._compared, equal=self._equal)
