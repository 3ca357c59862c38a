from dataclasses import replace
from typing import Any

import pytest

from tests.remote_words import BOOKED, LOST, NOW_NS, SNAPSHOT, TRADE, D, Ear, S, Venue, Wall, permit, read
from tests.venue_words import CLIENT_ID, INSTRUMENT, SYMBOL, intent
from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.orders import OrderState
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    SaidTime,
    Unusable,
    VenueClock,
    VenueFilters,
)
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.port import Acknowledged, Refused, VenueNews
from tg_actors.execution.venues.remote import FOREIGN, RemoteVenue, offset_ns


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def books() -> Venue:
    return Venue()


@pytest.fixture
def venue(books: Venue, wall: Wall) -> RemoteVenue:
    return RemoteVenue(books, "test", VenueClock(wall))


def test_an_order_from_post_to_its_end(venue: RemoteVenue, books: Venue) -> None:
    assert venue.post(permit(), intent()) == Acknowledged("v1")
    books.resting = [BOOKED]
    assert read(venue) == VenueNews()

    books.resting, books.traded = [], [TRADE]
    books.books = [replace(BOOKED, state=OrderState.FILLED, filled_quantity=D("0.01"))]
    news = read(venue)

    assert [fill.trade_id for fill in news.fills] == ["t1"]
    assert news.ended == ((CLIENT_ID, OrderState.FILLED, ""),)
    assert read(venue) == VenueNews()


def test_an_end_waits_for_its_last_trade(venue: RemoteVenue, books: Venue) -> None:
    venue.post(permit(), intent())
    books.books = [replace(BOOKED, state=OrderState.FILLED, filled_quantity=D("0.02"))]
    books.traded = [TRADE]
    news = read(venue)
    assert (news.ended, news.blind) == ((), frozenset({SYMBOL}))
    assert [fill.trade_id for fill in news.fills] == ["t1"]

    books.traded = [TRADE, replace(TRADE, trade_id="t2")]
    news = read(venue)
    assert [fill.trade_id for fill in news.fills] == ["t2"]
    assert news.ended == ((CLIENT_ID, OrderState.FILLED, ""),)
    assert news.gap == ""


@pytest.mark.parametrize("what", ["executions", "open_orders", "find", "client_ids"])
def test_books_that_cannot_be_read_blind_and_lose_nothing(
    venue: RemoteVenue, books: Venue, what: str
) -> None:
    venue.post(permit(), intent())
    venue._client_ids.clear()
    books.traded = [TRADE]
    books.books = [replace(BOOKED, state=OrderState.FILLED, filled_quantity=D("0.01"))]
    books.fails[what] = LOST
    first = read(venue)
    assert first.blind == {"*"}
    assert "502" in first.gap
    books.fails.clear()
    second = read(venue)
    assert [fill.trade_id for fill in first.fills + second.fills] == ["t1"]
    assert second.ended == ((CLIENT_ID, OrderState.FILLED, ""),)


def test_a_suspect_answer_is_not_hidden_in_a_gap(venue: RemoteVenue, books: Venue) -> None:
    books.fails["executions"] = Unusable(Verb.READ, Answer("200", ("EAPI:Invalid key",)))
    with pytest.raises(AccountSuspect):
        read(venue)


def test_trades_are_read_again_with_an_overlap_and_told_once(venue: RemoteVenue, books: Venue) -> None:
    books.traded = [TRADE, TRADE]
    assert len(read(venue).fills) == 1
    late = replace(TRADE, trade_id="t0", at_ns=NOW_NS - 60 * S)
    books.traded = [TRADE, late]
    assert [fill.trade_id for fill in read(venue).fills] == ["t0"]
    assert books.asked_since_ns == [NOW_NS - 180 * S, NOW_NS - 120 * S]


def test_a_trade_of_an_order_without_our_id_is_foreign(venue: RemoteVenue, books: Venue) -> None:
    books.traded, books.ids = [TRADE], {"v1": ""}
    (fill,) = venue.trades()
    assert fill.client_order_id == f"{FOREIGN}v1"


def test_a_trade_of_an_order_that_is_not_shown_is_no_answer(venue: RemoteVenue, books: Venue) -> None:
    books.traded, books.ids = [TRADE], {}
    with pytest.raises(VenueError, match="does not show: v1"):
        venue.trades()


def test_books_and_trades_that_deny_an_order_are_absence(venue: RemoteVenue, books: Venue) -> None:
    books.fails["place"] = Unusable(Verb.PLACE, Answer("504"))
    with pytest.raises(VenueError):
        venue.post(permit(), intent())
    assert venue.look_up(CLIENT_ID) is None
    for what in ("find", "executions"):
        books.fails = {what: LOST}
        with pytest.raises(VenueError, match="502"):
            venue.look_up(CLIENT_ID)


def test_trades_that_know_an_order_overrule_books_that_do_not(venue: RemoteVenue, books: Venue) -> None:
    books.traded = [TRADE]
    with pytest.raises(VenueError, match="trades of"):
        venue.look_up(CLIENT_ID)


@pytest.mark.parametrize(
    "shown",
    [
        [replace(BOOKED, client_order_id="another")],
        [replace(BOOKED, symbol="XRP/USDT")],
        [BOOKED, replace(BOOKED, venue_order_id="v2")],
    ],
    ids=["another id", "another symbol", "two orders"],
)
def test_books_that_show_another_order_are_suspect(
    venue: RemoteVenue, books: Venue, shown: list[BookedOrder]
) -> None:
    venue.post(permit(), intent())
    books.books = shown
    with pytest.raises(AccountSuspect):
        venue.look_up(CLIENT_ID)


def test_another_account_is_suspect(venue: RemoteVenue, books: Venue) -> None:
    assert venue.balances() == {"USDT": D(7)}
    books.number = "account 2"
    with pytest.raises(AccountSuspect, match="account 2"):
        venue.balances()


def test_a_pinned_account_is_checked_from_the_first_look(books: Venue, wall: Wall) -> None:
    pinned = RemoteVenue(books, "test", VenueClock(wall), account_number="account 9")
    with pytest.raises(AccountSuspect):
        pinned.balances()


def test_the_deadline_is_told_in_the_venues_clock(venue: RemoteVenue, books: Venue) -> None:
    assert venue.clock_offset_ns() == 3 * S
    venue.post(permit(), intent())
    assert books.placed == [(CLIENT_ID, NOW_NS + 33 * S)]


def test_nothing_is_sent_after_the_deadline(venue: RemoteVenue, books: Venue, wall: Wall) -> None:
    # A process that was paused between permit and POST.
    wall.now_ns += 28 * S + 1
    assert venue.post(permit(), intent()) == Refused("not sent: its deadline has passed or is too near")
    assert books.placed == []


def test_a_deadline_in_market_time_is_a_mistake_in_wiring(venue: RemoteVenue, books: Venue) -> None:
    with pytest.raises(VenueError, match="no wall time"):
        venue.post(permit(NOW_NS - 10**17), intent())
    assert books.placed == []


def test_a_key_for_reading_sends_nothing(books: Venue, wall: Wall) -> None:
    reader = RemoteVenue(books, "test", VenueClock(wall), may_trade=False)
    assert reader.post(permit(), intent()) == Refused("not sent: the key is meant for reading")
    assert books.placed == []


def test_cancelling_what_is_not_there_is_fine_and_nothing_else_is(venue: RemoteVenue, books: Venue) -> None:
    books.fails["cancel"] = Unusable(Verb.CANCEL, Answer("200", ("EOrder:Unknown order",)))
    venue.cancel(CLIENT_ID, 0)
    books.fails["cancel"] = LOST
    with pytest.raises(VenueError):
        venue.cancel(CLIENT_ID, 0)


def test_polls_read_the_books_when_something_was_heard_or_nothing_can_be(books: Venue, wall: Wall) -> None:
    ear = Ear()
    venue = RemoteVenue(books, "test", VenueClock(wall), ear)
    assert venue.poll() == VenueNews()
    read(venue)
    books.traded = [TRADE]
    assert venue.poll() == VenueNews()
    ear.sounds = 1
    assert len(venue.poll().fills) == 1
    ear.why = "stands still"
    books.traded = [TRADE, replace(TRADE, trade_id="t2")]
    deaf = venue.poll()
    # Named, but not blind: the books were read.
    assert (len(deaf.fills), deaf.gap, deaf.blind) == (1, "stands still", frozenset())


def test_a_step_that_fails_blinds(books: Venue, wall: Wall) -> None:
    steps: list[Any] = []

    def step(cycle: int) -> None:
        steps.append(cycle)
        raise VenueError("the exchange is away", retryable=True)

    venue = RemoteVenue(books, "test", VenueClock(wall), step=step)
    assert read(venue) == VenueNews(gap="the exchange is away", blind=frozenset({"*"}))
    assert steps == [SNAPSHOT.cycle]


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        (VenueFilters(), ""),
        (VenueFilters(D("0.1"), D("0.00001"), D("0.00001"), D(5)), ""),
        (VenueFilters(D("0.05"), D("0.000001"), D(0), D(1)), ""),
        (VenueFilters(tick=D("0.3")), "tick of BTC/USDT must be a multiple of 0.3"),
        (VenueFilters(lot=D("0.001")), "lot of BTC/USDT must be a multiple of 0.001"),
        (VenueFilters(quantity_min=D("0.5")), "quantity_min of BTC/USDT must be at least 0.5"),
        (VenueFilters(notional_min=D(10)), "notional_min of BTC/USDT must be at least 10"),
    ],
)
def test_filters_that_the_venue_would_refuse_are_found(filters: VenueFilters, why: str) -> None:
    assert why in filters.misfit(INSTRUMENT)
    assert bool(filters.misfit(INSTRUMENT)) is bool(why)


@pytest.mark.parametrize(
    ("said_s", "before_s", "after_s", "expected_s"),
    [(100, 100.2, 100.4, 0), (100, 101.5, 102.0, -0.5), (103, 100, 101, 2), (100, 99, 102, 0)],
)
def test_the_clock_offset_is_no_larger_than_proven(
    said_s: float, before_s: float, after_s: float, expected_s: float
) -> None:
    said = SaidTime(int(said_s * S), S)
    assert offset_ns(said, int(before_s * S), int(after_s * S)) == expected_s * S
