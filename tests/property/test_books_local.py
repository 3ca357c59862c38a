"""Whatever is lost on the way: the local book equals the venue's, or says that it does not."""

from hypothesis import given
from hypothesis import strategies as st

from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import ASK, BID, BookMessage, Heard, OutOfSync
from tg_actors.market.books.rules import BINANCE_FUTURES, BINANCE_SPOT

Sides = tuple[dict[float, float], dict[float, float]]

#: Bids up to 100, asks from 101 on: the venue itself is never crossed.
changes = st.lists(
    st.tuples(st.booleans(), st.integers(1, 20), st.sampled_from([0.0, 0.0, 1.0, 2.5])),
    min_size=1,
    max_size=6,
)


class Venue:
    """The truth: both sides after every update, and the deltas that told of it."""

    def __init__(self, batches: list[list[tuple[bool, int, float]]], step: int) -> None:
        self.states: list[Sides] = [({100.0: 1.0}, {101.0: 1.0})]
        self.deltas: list[BookMessage] = []
        before = 0
        for k, batch in enumerate(batches):
            bids, asks = (dict(side) for side in self.states[-1])
            for is_bid, offset, size in batch:
                price, side = (100.0 - offset, bids) if is_bid else (101.0 + offset, asks)
                side.pop(price, None)
                if size:
                    side[price] = size
            told = [
                (
                    100.0 - o if b else 101.0 + o,
                    (bids if b else asks).get(100.0 - o if b else 101.0 + o, 0.0),
                    b,
                )
                for b, o, _ in batch
            ]
            first = before + step
            final = first + len(batch) - 1
            self.deltas.append(
                BookMessage(
                    k,
                    False,
                    first,
                    final,
                    None if step == 1 else before,
                    [(price, size) for price, size, is_bid in told if is_bid],
                    [(price, size) for price, size, is_bid in told if not is_bid],
                )
            )
            before = final
            self.states.append((bids, asks))

    def snapshot(self, k: int) -> BookMessage:
        """The book after ``k`` batches."""
        bids, asks = self.states[k]
        final = self.deltas[k - 1].final_id if k else 0
        return BookMessage(k, True, final, final, None, list(bids.items()), list(asks.items()))


def sides(book: LocalBook) -> Sides:
    return dict(book.levels(BID, 99)), dict(book.levels(ASK, 99))


@given(batches=st.lists(changes, min_size=2, max_size=8), step=st.sampled_from([1, 7]), data=st.data())
def test_a_book_that_joins_anywhere_is_the_venues_book(
    batches: list[list[tuple[bool, int, float]]], step: int, data: st.DataObject
) -> None:
    venue = Venue(batches, step)
    taken = data.draw(st.integers(0, len(batches)), label="the snapshot is of")
    arrives = data.draw(st.integers(taken, len(batches)), label="and arrives after")
    book = LocalBook(BINANCE_SPOT if step == 1 else BINANCE_FUTURES)
    for k, message in enumerate([*venue.deltas, None]):
        if k == arrives:
            assert book.hear(venue.snapshot(taken)) is Heard.APPLIED
            assert sides(book) == venue.states[arrives]
        if message is not None:
            book.hear(message)
            assert sides(book) == (venue.states[k + 1] if k >= arrives else ({}, {}))


@given(batches=st.lists(changes, min_size=3, max_size=8), step=st.sampled_from([1, 7]), data=st.data())
def test_a_lost_delta_is_always_noticed(
    batches: list[list[tuple[bool, int, float]]], step: int, data: st.DataObject
) -> None:
    venue = Venue(batches, step)
    lost = data.draw(st.integers(0, len(batches) - 2), label="lost")
    book = LocalBook(BINANCE_SPOT if step == 1 else BINANCE_FUTURES)
    book.hear(venue.snapshot(0))
    answers = [book.hear(message) for k, message in enumerate(venue.deltas) if k != lost]
    assert isinstance(answers[lost], OutOfSync)
    assert not book.in_sync
    assert sides(book) == ({}, {})
