"""A venue without a wire, for tests of what all remote venues have in common."""

# ruff: noqa: ARG002 - a dialect without a wire needs few of its arguments
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.meta_words import a_snapshot
from tests.venue_words import CLIENT_ID, SYMBOL
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, Permit
from tg_actors.execution.venues.capabilities import CAPABILITIES
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    Execution,
    Holdings,
    SaidTime,
    Unusable,
    VenueFilters,
)
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.port import Capabilities, VenueNews
from tg_actors.execution.venues.remote import RemoteVenue

D = Decimal
S = 10**9
NOW_NS = 1_700_000_000 * S
LOST = Unusable(Verb.READ, Answer("502"))
BOOKED = BookedOrder("v1", CLIENT_ID, SYMBOL, OrderState.OPEN, D(0), NOW_NS, D("0.01"))
TRADE = Execution(
    "t1", "v1", None, SYMBOL, Side.BUY, D("0.01"), D(50_000), D("0.5"), "USDT", Liquidity.TAKER, NOW_NS
)


@dataclass
class Venue:
    """A dialect without a wire: books as lists, and one failure at will."""

    name: str = "kraken"
    capabilities: Capabilities = CAPABILITIES["kraken"]
    deadline_s_min: Decimal = field(default_factory=lambda: D(2))
    books: list[BookedOrder] = field(default_factory=list)
    resting: list[BookedOrder] = field(default_factory=list)
    traded: list[Execution] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=lambda: {"v1": CLIENT_ID})
    number: str = "account 1"
    fails: dict[str, Unusable] = field(default_factory=dict)
    placed: list[tuple[str, int]] = field(default_factory=list)
    asked_since_ns: list[int] = field(default_factory=list)

    def _do(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]

    def filters(self, symbol: str) -> VenueFilters | None:
        return VenueFilters()

    def lacks(self, spec: OrderSpec) -> str:
        return ""

    def place(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> str:
        self.placed.append((client_order_id, deadline_ns))
        self._do("place")
        return "v1"

    def cancel(self, client_order_id: str, symbol: str | None) -> None:
        self._do("cancel")

    def cancel_all(self) -> None:
        self._do("cancel_all")

    def find(self, client_order_id: str, symbol: str | None) -> Sequence[BookedOrder]:
        self._do("find")
        return self.books

    def open_orders(self) -> Sequence[BookedOrder]:
        self._do("open_orders")
        return self.resting

    def executions(self, since_ns: int) -> Sequence[Execution]:
        self.asked_since_ns.append(since_ns)
        self._do("executions")
        return self.traded

    def client_ids(self, orders: Mapping[str, str]) -> Mapping[str, str]:
        self._do("client_ids")
        return {number: self.ids[number] for number in orders if number in self.ids}

    def holdings(self) -> Holdings:
        return Holdings(self.number, {"USDT": D(7)})

    def time(self) -> SaidTime:
        return SaidTime(NOW_NS + 3 * S, S)

    def arm_dead_man(self, timeout_s: int) -> None:
        self._do("arm_dead_man")

    def close(self) -> None:
        pass


class Wall:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


def permit(deadline_ns: int = NOW_NS + 30 * S) -> Permit:
    return Permit(
        intent_id="i",
        client_order_id=CLIENT_ID,
        venue="kraken",
        account="test",
        permitted_at_ns=NOW_NS,
        venue_deadline_ns=deadline_ns,
        reserved_notional=D(1),
    )


SNAPSHOT = replace(a_snapshot(), at_ns=NOW_NS, bar_ns=60 * S)


def read(venue: RemoteVenue) -> VenueNews:
    return venue.read(SNAPSHOT)


class Ear:
    def __init__(self) -> None:
        self.sounds, self.why = 0, ""

    def heard(self) -> bool:
        self.sounds, was = 0, self.sounds
        return bool(was)

    def deaf(self) -> str:
        return self.why

    def close(self) -> None:
        pass
