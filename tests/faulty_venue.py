"""Venues for tests: one that loses messages and outlives the desk, one where nothing happens."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.errors import VenueError
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, OrderState, Permit
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.start import AccountSpec, open_exchange
from tg_actors.execution.venues.port import Acknowledged, Refused, VenueNews, VenueOrder
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.journal.repository import Journal


class Fate(StrEnum):
    """What becomes of one message to the venue."""

    ARRIVES = "arrives"
    ANSWER_LOST = "answer_lost"
    MESSAGE_LOST = "message_lost"
    REFUSED = "refused"


Whim = Callable[[Intent], Fate]


def arrives(_: object = None) -> Fate:
    return Fate.ARRIVES


class FaultyVenue:
    """A practice exchange on the far side of a bad line. It lives on when the desk dies.

    Counts posts by intent, and refuses an order without a committed permit: another connection of the
    journal must already see it.
    """

    name = "practice"
    account = "paper"

    def __init__(self) -> None:
        self._exchange: PracticeExchange | None = None
        self._journal: Journal | None = None
        self._unsaid: tuple[Fill, ...] = ()
        self._ended: tuple[tuple[str, OrderState, str], ...] = ()
        self.posts: Counter[str] = Counter()
        self.cancels: list[str] = []
        self.post_fate: Whim = arrives
        self.cancel_fate: Callable[[], Fate] = arrives
        self.is_deaf: Callable[[], bool] = lambda: False
        self.holds_fills_back: Callable[[int], bool] = lambda _: False
        self.repeats_itself = False
        self.foreign: list[Fill] = []
        self.drift: dict[str, Decimal] = {}

    def open(self, spec: AccountSpec, journal: Journal, at_ns: int) -> tuple["FaultyVenue", int]:
        """Connect a desk; fits :data:`~tg_actors.execution.start.OpenVenue`."""
        del at_ns
        self._exchange = self._exchange or open_exchange(spec)
        self._journal = journal
        return self, -1

    @property
    def exchange(self) -> PracticeExchange:
        assert self._exchange is not None
        return self._exchange

    def ends_by_itself(self, client_order_id: str) -> None:
        """Let the venue cancel a resting order of its own accord, and say so with the next news."""
        assert self.exchange.cancel(client_order_id, 0)
        self._ended = ((client_order_id, OrderState.CANCELED, "the venue's own decision"),)

    @property
    def _near(self) -> PracticeVenue:
        return PracticeVenue(self.exchange, durable=False)

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        assert self._journal is not None
        assert self._journal.order(permit.client_order_id) is not None, "posted without a committed permit"
        self.posts[intent.intent_id] += 1
        fate = self.post_fate(intent)
        if fate is Fate.MESSAGE_LOST:
            raise VenueError("the line broke", retryable=False)
        if fate is Fate.REFUSED:
            return Refused("not today")
        answer = self._near.post(permit, intent)
        if fate is Fate.ANSWER_LOST:
            raise VenueError("no answer came", retryable=False)
        return answer

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        self.cancels.append(client_order_id)
        fate = self.cancel_fate()
        if fate is not Fate.MESSAGE_LOST:
            self._near.cancel(client_order_id, at_ns)
        if fate is not Fate.ARRIVES:
            raise VenueError("no answer came", retryable=True)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        if self.is_deaf():
            raise VenueError("no answer came", retryable=True)
        return self._near.look_up(client_order_id)

    def trades(self) -> Sequence[Fill]:
        return (*self._near.trades(), *self.foreign)

    def balances(self) -> Mapping[str, Decimal]:
        held = dict(self._near.balances())
        return held | {currency: held.get(currency, ZERO) + off for currency, off in self.drift.items()}

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        news = VenueNews()
        # A desk that comes back asks again for a bar that the venue has long traded.
        if snapshot.cycle > self.exchange.cycle:
            news = self._near.read(snapshot)
        fills = self._unsaid + news.fills
        if self.holds_fills_back(snapshot.cycle):
            self._unsaid = fills
            return VenueNews(ended=news.ended)
        self._unsaid = ()
        if self.repeats_itself:
            fills = tuple(self._near.trades())
        foreign, self.foreign = tuple(self.foreign), []
        ended, self._ended = self._ended, ()
        return VenueNews(fills=fills + foreign, ended=ended + news.ended)

    def checkpoint(self) -> bytes | None:
        return None


class QuietVenue:
    """Takes every order and fills none; looks at no market."""

    name = "practice"
    account = "paper"

    def __init__(self, spec: AccountSpec, journal: Journal, at_ns: int) -> None:
        del journal, at_ns
        self._balances = dict(spec.executor.opening_cash)

    @classmethod
    def open(cls, spec: AccountSpec, journal: Journal, at_ns: int) -> tuple["QuietVenue", int]:
        return cls(spec, journal, at_ns), -1

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        del permit, intent
        return Acknowledged()

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        del client_order_id, at_ns

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        del client_order_id
        return None

    def trades(self) -> Sequence[Fill]:
        return ()

    def balances(self) -> Mapping[str, Decimal]:
        return self._balances

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        del snapshot
        return VenueNews()

    def checkpoint(self) -> bytes | None:
        return None
