"""A capture as a film: the book once a second, and the life of every large order. Pure but for the file."""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import Heard
from tg_actors.market.books.recorded import RecordedBooks
from tg_actors.market.books.tape import TradeTape
from tg_actors.market.books.tracker import BookTracker, LargeOrder, TrackerSpec

_SECOND_NS = 10**9
_LEVELS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What was seen of a capture.

    ``at_ns (m,)`` full seconds, ``levels (m, 2, 2, 1000)`` the book of all messages before each: [price or
    size, bid or ask, level]; ``orders`` every large order, those that stand at the end without a fate.
    """

    title: str
    base: str
    at_ns: I64
    levels: F64
    orders: tuple[LargeOrder, ...]
    knows_trades: bool


def film(capture: RecordedBooks, spec: TrackerSpec | None = None) -> Film:
    """Play a capture and look at it at every full second.

    Raises:
        UserError: the file is damaged, or shorter than two seconds.
    """
    tape = TradeTape.of(capture)
    book, tracker = LocalBook(capture.name.rule), BookTracker(spec, knows_trades=tape.is_known)
    times: list[int] = []
    frames: list[F64] = []
    orders: list[LargeOrder] = []
    next_ns = 0
    for message in capture.messages():
        if book.in_sync and message.at_ns >= next_ns:
            orders.extend(tracker.ended)
            tracker.cut()
            times.append(message.at_ns // _SECOND_NS * _SECOND_NS)
            frames.append(book.array(_LEVELS))
            next_ns = times[-1] + _SECOND_NS
        tape.play(message.at_ns, tracker)
        if book.hear(message) is Heard.APPLIED:
            tracker.follow(book)
        elif not book.in_sync:
            tracker.lose()
    if len(frames) < 2:  # noqa: PLR2004 - two ends of a time axis
        raise UserError(f"{capture.path.name} is too short for a picture: it needs two seconds of books")
    title = f"{capture.name.venue} {capture.name.symbol} {capture.name.day}"
    everything = (*orders, *tracker.ended, *tracker.standing)
    return Film(
        title, capture.name.symbol.split("/")[0], np.array(times), np.stack(frames), everything, tape.is_known
    )
