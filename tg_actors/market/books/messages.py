"""What a venue says about its order book, and what a local copy answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

#: Price and size; a size of 0 removes the level.
Level = tuple[float, float]
#: Side (0 bid, 1 ask), price, size before and size after.
LevelChange = tuple[int, float, float, float]

BID, ASK = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class BookMessage:
    """A full book (``is_snapshot``) or the new sizes of some levels, in the order of the venue.

    A delta covers the venue's updates after ``previous_id`` up to ``final_id``; ``previous_id`` is None
    where the venue links messages by a field that the record has lost. A snapshot is the book as of
    ``final_id``. Ids are 0 on venues without any. ``checksum`` is the venue's own sum over the book *after*
    this message, None where it sent none. ``at_ns`` is the venue's time.
    """

    at_ns: int
    is_snapshot: bool
    first_id: int
    final_id: int
    previous_id: int | None
    bids: Sequence[Level]
    asks: Sequence[Level]
    checksum: int | None = None


class Heard(StrEnum):
    """What a local book did with a message that did not break it."""

    APPLIED = "applied"
    #: No snapshot yet: kept until one comes.
    BUFFERED = "buffered"
    #: The book already knows it.
    OLD = "old"


class Break(StrEnum):
    """Why a local book is no longer the venue's."""

    GAP = "gap"
    BACKWARDS = "backwards"
    CROSSED = "crossed"
    CHECKSUM = "checksum"
    #: A price that is no positive number, or a size that is none of at least 0.
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class OutOfSync:
    """The answer of a book that would have to guess: it is empty until the next snapshot.

    ``book_id`` is the last update it knew, ``first_id`` and ``final_id`` are those of the message.
    """

    reason: Break
    book_id: int
    first_id: int
    final_id: int
