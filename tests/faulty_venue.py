"""Venues for tests: one that loses messages and outlives the desk, one where nothing happens."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, OrderState, OrderType, Permit
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.start import AccountSpec, open_exchange
from tg_actors.execution.venues.port import (
    Acknowledged,
    Capabilities,
    Dedupe,
    OpenOrder,
    Refused,
    VenueNews,
    VenueOrder,
)
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.journal.repository import Journal

#: As Kraken promises: a message is lost or arrives at once, so its deadline is always kept.
FAR_AWAY = Capabilities(
    dedupe=Dedupe.OPEN,
    expiry_s_max=60,
    look_up_by_client_id=True,
    dead_man_s=0,
    oco=True,
    stops_hold_balance=False,
    order_types=frozenset(OrderType),
    post_only=True,
    reduce_only=True,
    client_id_chars_max=36,
)


class Fate(StrEnum):
    """What becomes of one message to the venue."""

    ARRIVES = "arrives"
    ANSWER_LOST = "answer_lost"
    MESSAGE_LOST = "message_lost"
    REFUSED = "refused"
    SUSPECT = "suspect"


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

    def __init__(self, **capabilities: object) -> None:
        self.capabilities = FAR_AWAY.model_copy(update=capabilities)
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
        #: Open orders that nobody here sent.
        self.strangers: list[OpenOrder] = []
        #: What it says that it cannot see, in every news until taken back.
        self.blindness = VenueNews()
        #: What the next poll says.
        self.news = VenueNews()
        #: Whether it opens as the adapters of real venues do: the newest decided cycle is settled.
        self.is_remote = False
        self.offset_ns = 0
        self.dead_man: list[int] = []
        #: Trades that it no longer wants to know of.
        self.hidden: set[str] = set()
        #: Questions without an answer, and questions that show somebody else at work.
        self.silent: set[str] = set()
        self.suspects: set[str] = set()

    def open(self, spec: AccountSpec, journal: Journal, at_ns: int) -> tuple["FaultyVenue", int]:
        """Connect a desk; fits :data:`~tg_actors.execution.start.OpenVenue`."""
        del at_ns
        self._exchange = self._exchange or open_exchange(spec)
        self._journal = journal
        last = journal.last_decision() if self.is_remote else None
        return self, -1 if last is None else last.cycle

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
        if fate is Fate.SUSPECT:
            return Refused("a nonce that we never used", suspect=True)
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

    def cancel_all(self, at_ns: int) -> None:
        self._near.cancel_all(at_ns)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        self._hear("look_up")
        return self._near.look_up(client_order_id)

    def open_orders(self) -> Sequence[OpenOrder]:
        self._hear("open_orders")
        return (*self._near.open_orders(), *self.strangers)

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        self._hear("trades")
        shown = (*self._near.trades(), *self.foreign)
        return [fill for fill in shown if fill.at_ns >= since_ns and fill.trade_id not in self.hidden]

    def balances(self) -> Mapping[str, Decimal]:
        self._hear("balances")
        held = dict(self._near.balances())
        return held | {currency: held.get(currency, ZERO) + off for currency, off in self.drift.items()}

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        self._hear("read")
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
        blind = self.blindness
        return VenueNews(fills + foreign, ended + news.ended, blind.gap, blind.blind)

    def poll(self) -> VenueNews:
        """Say what a test has put into ``news``, once."""
        self._hear("poll")
        news, self.news = self.news, VenueNews()
        return VenueNews(news.fills, news.ended, self.blindness.gap, self.blindness.blind)

    def clock_offset_ns(self) -> int:
        self._hear("clock")
        return self.offset_ns

    def arm_dead_man(self, timeout_s: int) -> None:
        self._hear("dead_man")
        self.dead_man.append(timeout_s)

    def checkpoint(self) -> bytes | None:
        return None

    def _hear(self, question: str) -> None:
        if question in self.suspects:
            raise AccountSuspect("the key is used by somebody else", retryable=False)
        if question in self.silent or (question == "look_up" and self.is_deaf()):
            raise VenueError("no answer came", retryable=True)


class QuietVenue:
    """Takes every order and fills none; looks at no market."""

    name = "practice"
    account = "paper"
    capabilities = FAR_AWAY

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

    def cancel_all(self, at_ns: int) -> None:
        del at_ns

    def open_orders(self) -> Sequence[OpenOrder]:
        return ()

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        del since_ns
        return ()

    def balances(self) -> Mapping[str, Decimal]:
        return self._balances

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        del snapshot
        return VenueNews()

    def poll(self) -> VenueNews:
        return VenueNews()

    def clock_offset_ns(self) -> int:
        return 0

    def arm_dead_man(self, timeout_s: int) -> None:
        del timeout_s

    def checkpoint(self) -> bytes | None:
        return None
