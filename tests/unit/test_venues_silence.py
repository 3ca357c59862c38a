"""What cannot be read is read later, what comes late is not lost, and who swallows calls is left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.remote_words import BOOKED, LOST, NOW_NS, TRADE, D, Ear, S, Venue, Wall, permit, read
from tests.venue_words import CLIENT_ID, intent
from tg_actors.domain.errors import VenueError
from tg_actors.domain.orders import OrderState
from tg_actors.execution.venues.dialect import (
    Execution,
    Unusable,
    VenueClock,
)
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.port import Acknowledged, Refused, VenueNews
from tg_actors.execution.venues.remote import RemoteVenue


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def books() -> Venue:
    return Venue()


@pytest.fixture
def venue(books: Venue, wall: Wall) -> RemoteVenue:
    return RemoteVenue(books, "test", VenueClock(wall))


def test_trades_that_come_after_the_overlap_still_come_before_the_end_of_their_order(
    venue: RemoteVenue, books: Venue
) -> None:
    venue.post(permit(), intent())
    books.resting = [BOOKED]
    books.ids["v2"] = ""
    newer = replace(TRADE, trade_id="t9", venue_order_id="v2", at_ns=NOW_NS + 3600 * S)
    books.traded = [newer]
    read(venue)

    class Forgetful(Venue):
        """Shows a trade only to those who ask from before it."""

        def executions(self, since_ns: int) -> Sequence[Execution]:
            return [one for one in super().executions(since_ns) if one.at_ns >= since_ns]

    venue._dialect = Forgetful(
        books=[replace(BOOKED, state=OrderState.CANCELED, filled_quantity=D("0.01"))],
        traded=[TRADE, newer],
        ids=books.ids,
    )
    news = read(venue)
    assert news.ended == ((CLIENT_ID, OrderState.CANCELED, ""),)
    assert [fill.trade_id for fill in news.fills] == ["t1"]


def test_books_that_could_not_be_read_are_read_again_without_a_sound(books: Venue, wall: Wall) -> None:
    venue = RemoteVenue(books, "test", VenueClock(wall), Ear())
    books.traded = [TRADE]
    books.fails["open_orders"] = LOST
    assert read(venue).blind == {"*"}
    # Nothing was heard since; that says nothing about what could not be read.
    assert venue.poll().blind == {"*"}
    books.fails.clear()
    assert venue.poll() == VenueNews()
    asked = len(books.asked_since_ns)
    assert venue.poll() == VenueNews()
    assert len(books.asked_since_ns) == asked


@dataclass
class Swallowing(Venue):
    """A dialect whose calls take their time, by the test's clock."""

    wall: Wall = field(default_factory=Wall)
    takes_s: float = 10.0

    def _do(self, what: str) -> None:
        if what in self.fails:
            self.wall.now_ns += int(self.takes_s * S)
        super()._do(what)


NOTHING = Unusable(Verb.READ, Answer(error="RequestTimeout"))


def test_a_venue_that_swallows_calls_is_left_alone_for_a_moment(wall: Wall) -> None:
    books = Swallowing(wall=wall, fails={"executions": NOTHING})
    venue = RemoteVenue(books, "test", VenueClock(wall))
    assert "no answer" in read(venue).gap
    waited_ns = wall.now_ns
    assert "does not answer" in read(venue).gap
    for ask in (venue.open_orders, venue.balances, lambda: venue.cancel(CLIENT_ID, 0)):
        with pytest.raises(VenueError, match="does not answer"):
            ask()
    # Provably not sent: no order of unknown fate.
    late = permit(wall.now_ns + 30 * S)
    assert venue.post(late, intent()) == Refused("not sent: the venue does not answer at all")
    assert (wall.now_ns, books.placed) == (waited_ns, [])

    wall.now_ns += 11 * S
    books.fails.clear()
    assert venue.post(permit(wall.now_ns + 30 * S), intent()) == Acknowledged("v1")


@pytest.mark.parametrize(
    ("fails", "takes_s", "back_s"), [(NOTHING, 0.1, 0), (LOST, 10.0, 0), (NOTHING, 10.0, 3600)]
)
def test_quick_failures_answers_and_a_clock_set_back_silence_nobody(
    wall: Wall, fails: Unusable, takes_s: float, back_s: int
) -> None:
    books = Swallowing(wall=wall, takes_s=takes_s, fails={"executions": fails})
    venue = RemoteVenue(books, "test", VenueClock(wall))
    read(venue)
    wall.now_ns -= back_s * S
    assert venue.open_orders() == []
