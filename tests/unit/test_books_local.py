"""A local book is the venue's or empty: one test per rule of a venue, one per way to be wrong."""

import zlib
from math import inf, nan

import pytest

from tests.book_words import delta, snapshot
from tg_actors.market.books.checksum import Decimals, crc32, decimals_of
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import ASK, BID, Break, Heard, OutOfSync
from tg_actors.market.books.rules import (
    BINANCE_FUTURES,
    BINANCE_SPOT,
    BYBIT,
    KRAKEN,
    WHOLE_BOOKS,
    SequenceRule,
)


def broken(answer: Heard | OutOfSync) -> Break:
    assert isinstance(answer, OutOfSync)
    return answer.reason


def test_deltas_change_add_and_remove_levels() -> None:
    book = LocalBook(BINANCE_SPOT)
    assert book.hear(snapshot(10)) is Heard.APPLIED
    assert (
        book.hear(delta(11, 12, bids=[(99.0, 5.0), (98.5, 1.0), (97.0, 0.0)], asks=[(101.0, 0.0)]))
        is Heard.APPLIED
    )
    assert book.levels(BID, 9) == [(99.0, 5.0), (98.5, 1.0), (98.0, 2.0)]
    assert book.levels(ASK, 2) == [(102.0, 2.0), (103.0, 3.0)]
    assert (book.best(BID), book.best(ASK), len(book)) == ((99.0, 5.0), (102.0, 2.0), 5)
    assert book.changes == [
        (BID, 99.0, 1.0, 5.0),
        (BID, 98.5, 0.0, 1.0),
        (BID, 97.0, 3.0, 0.0),
        (ASK, 101.0, 1.0, 0.0),
    ]


def test_an_array_of_a_book_is_nan_beyond_what_is_known() -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(snapshot(10, bids=[(99.0, 1.0)]))
    array = book.array(2)
    assert array[:, BID, 0].tolist() == [99.0, 1.0]
    assert (array[:, BID, 1] != array[:, BID, 1]).all()
    assert array[0, ASK].tolist() == [101.0, 102.0]


def test_the_delta_that_straddles_the_snapshot_is_applied_though_it_came_before() -> None:
    """Binance: diffs are buffered, those the snapshot covers dropped, the rest applied."""
    book = LocalBook(BINANCE_SPOT)
    assert book.hear(delta(5, 8, bids=[(99.0, 7.0)])) is Heard.BUFFERED
    assert book.hear(delta(9, 12, bids=[(99.0, 0.0)])) is Heard.BUFFERED  # straddles 10
    assert book.hear(snapshot(10)) is Heard.APPLIED
    assert book.best(BID) == (98.0, 2.0), "99 is a phantom: it was gone with update 12"
    assert book.hear(delta(13, 13, bids=[(98.0, 4.0)])) is Heard.APPLIED
    assert book.in_sync


def test_throwing_away_all_diffs_before_the_snapshot_would_leave_the_phantom_best_bid() -> None:
    """What goes wrong without the buffer is noticed by the numbers; without numbers it is not."""
    careless = [snapshot(10), delta(13, 13, bids=[(98.0, 4.0)])]
    numbered, blind = LocalBook(BINANCE_SPOT), LocalBook(WHOLE_BOOKS)
    assert [isinstance(numbered.hear(one), OutOfSync) for one in careless] == [False, True]
    for one in careless:
        blind.hear(one)
    assert blind.best(BID) == (99.0, 1.0)


@pytest.mark.parametrize("rule", [BINANCE_SPOT, BYBIT])
def test_a_gap_empties_the_book_until_the_next_snapshot(rule: SequenceRule) -> None:
    book = LocalBook(rule)
    book.hear(snapshot(10))
    book.hear(delta(11, 11))
    answer = book.hear(delta(13, 13, bids=[(100.0, 1.0)]))
    assert answer == OutOfSync(Break.GAP, 11, 13, 13)
    assert (book.in_sync, book.best(BID), len(book)) == (False, None, 0)
    assert book.hear(delta(14, 14)) is Heard.BUFFERED
    assert book.hear(snapshot(14)) is Heard.APPLIED
    assert book.in_sync


def test_what_the_book_knows_already_is_left_out() -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(snapshot(10))
    book.hear(delta(11, 15, bids=[(99.0, 2.0)]))
    assert book.hear(delta(11, 15, bids=[(99.0, 9.0)])) is Heard.OLD
    assert book.hear(snapshot(12)) is Heard.OLD
    assert book.best(BID) == (99.0, 2.0)


def test_a_delta_that_overlaps_the_one_before_is_a_break() -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(snapshot(10))
    book.hear(delta(11, 15))
    assert broken(book.hear(delta(14, 18))) is Break.BACKWARDS


def test_futures_are_linked_by_the_id_before_and_not_by_counting() -> None:
    book = LocalBook(BINANCE_FUTURES)
    book.hear(delta(5, 12, bids=[(99.0, 0.0)], previous_id=2))
    assert book.hear(snapshot(10)) is Heard.APPLIED
    assert book.hear(delta(20, 25, previous_id=12)) is Heard.APPLIED
    assert broken(book.hear(delta(40, 45, previous_id=33))) is Break.GAP
    assert book.unlinked == 0


def test_futures_whose_link_is_lost_are_counted_and_checked_for_order() -> None:
    book = LocalBook(BINANCE_FUTURES)
    book.hear(delta(5, 12))
    book.hear(snapshot(10))
    assert book.hear(delta(20, 25)) is Heard.APPLIED
    assert book.unlinked == 1
    assert broken(book.hear(delta(24, 27))) is Break.BACKWARDS


def test_futures_without_a_straddling_delta_do_not_join() -> None:
    """Nobody can say what happened between the snapshot and a delta that begins after it."""
    book = LocalBook(BINANCE_FUTURES)
    book.hear(snapshot(10))
    assert broken(book.hear(delta(12, 15))) is Break.GAP


def test_a_break_while_catching_up_is_the_snapshots_answer() -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(delta(9, 12))
    book.hear(delta(14, 15))
    assert broken(book.hear(snapshot(10))) is Break.GAP
    assert not book.in_sync


def test_bybit_starts_again_with_every_snapshot_of_its_stream() -> None:
    book = LocalBook(BYBIT)
    book.hear(snapshot(500))
    book.hear(delta(501, 501))
    assert book.hear(snapshot(1, bids=[(90.0, 1.0)])) is Heard.APPLIED
    assert book.hear(delta(2, 2, bids=[(91.0, 1.0)])) is Heard.APPLIED
    assert book.best(BID) == (91.0, 1.0)


@pytest.mark.parametrize(("bid", "crossed"), [(100.9, False), (101.0, True), (105.0, True)])
def test_a_crossed_or_locked_book_is_no_book(bid: float, crossed: bool) -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(snapshot(10))
    answer = book.hear(delta(11, 11, bids=[(bid, 1.0)]))
    assert (broken(answer) is Break.CROSSED) if crossed else (answer is Heard.APPLIED)
    assert book.in_sync is not crossed


def test_a_crossed_snapshot_is_no_book_either() -> None:
    book = LocalBook(BINANCE_SPOT)
    assert broken(book.hear(snapshot(10, bids=[(102.5, 1.0)]))) is Break.CROSSED


def test_a_checksum_is_that_of_ten_levels_asks_first_digits_only() -> None:
    asks = [(0.05005 + k * 1e-5, 0.5) for k in range(12)]
    bids = [(0.05 - k * 1e-5, 1.0) for k in range(12)]
    expected = "".join(f"{5005 + k}50000000" for k in range(10))
    expected += "".join(f"{5000 - k}100000000" for k in range(10))
    assert crc32(asks, bids, Decimals(5, 8)) == zlib.crc32(expected.encode())
    assert decimals_of(asks, bids, crc32(asks, bids, Decimals(5, 8))) == Decimals(5, 8)
    assert decimals_of(asks, bids, 1) is None


def test_a_wrong_checksum_empties_the_book_and_a_right_one_is_counted() -> None:
    decimals = Decimals(1, 8)
    book = LocalBook(KRAKEN, decimals)
    book.hear(snapshot())
    sound = crc32(book.levels(ASK, 10), [(99.0, 4.0), (98.0, 2.0), (97.0, 3.0)], decimals)
    assert book.hear(delta(0, 0, bids=[(99.0, 4.0)], checksum=sound)) is Heard.APPLIED
    assert book.verified == 1
    assert broken(book.hear(delta(0, 0, bids=[(99.0, 5.0)], checksum=sound))) is Break.CHECKSUM
    assert not book.in_sync


def test_levels_beyond_what_the_venue_keeps_are_forgotten() -> None:
    """Kraken does not say which levels fell out of its 1,000: kept, they would be phantoms later."""
    book = LocalBook(SequenceRule(counts=False, restarts=True, has_ids=False, levels_max=3))
    book.hear(snapshot())
    book.hear(delta(0, 0, bids=[(100.0, 1.0)], asks=[(100.5, 1.0)]))
    assert [price for price, _ in book.levels(BID, 9)] == [100.0, 99.0, 98.0]
    assert [price for price, _ in book.levels(ASK, 9)] == [100.5, 101.0, 102.0]


@pytest.mark.parametrize(
    "level", [(nan, 1.0), (inf, 1.0), (0.0, 1.0), (-98.0, 1.0), (98.0, nan), (98.0, inf), (98.0, -1.0)]
)
@pytest.mark.parametrize("is_snapshot", [True, False])
def test_a_level_that_cannot_be_empties_the_book(level: tuple[float, float], is_snapshot: bool) -> None:
    book = LocalBook(BINANCE_SPOT)
    book.hear(snapshot(10))
    hostile = snapshot(11, bids=[level]) if is_snapshot else delta(11, 12, bids=[level])
    assert broken(book.hear(hostile)) is Break.IMPOSSIBLE
    assert (book.in_sync, len(book), book.changes) == (False, 0, [])
    assert book.hear(snapshot(13)) is Heard.APPLIED
