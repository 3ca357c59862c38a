"""What the floor keeps beside an order and a fill: as the client asked for it, and who it was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.orders import Fill, OrderSpec
from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.orders import Bracket, VenueOrder


class Trouble(StrEnum):
    """Why a request is not served at all; a dialect says it in the words of its venue."""

    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    BUSY = "busy"
    BAD_KEY = "bad_key"
    NO_PERMISSION = "no_permission"
    NOT_FOUND = "not_found"
    BROKEN = "broken"


class VenueState(StrEnum):
    """What the venue does today."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A request for a new order in the words of the floor.

    ``deadline_ns`` is wall time: a request that arrives later is refused. ``expires_at_ns`` is market
    time. ``memo`` comes back with the order, as long as the ledger lives. Without ``client_order_id``
    the floor invents one that no client sees.
    """

    spec: OrderSpec
    client_order_id: str | None = None
    dialect: str = ""
    memo: Mapping[str, str] = field(default_factory=dict)
    dedupe: Dedupe = Dedupe.OPEN
    leverage: Decimal = Decimal(1)
    deadline_ns: int | None = None
    expires_at_ns: int | None = None
    stops_hold: bool = False
    bracket: Bracket | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who asked for an order, how, and when (wall time)."""

    number: int
    account: str
    handle: str
    client_order_id: str | None
    dialect: str
    memo: Mapping[str, str]
    wall_ns: int


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order with its ticket. ``number`` is unique over the marketplace."""

    order: VenueOrder
    ticket: Ticket

    @property
    def number(self) -> int:
        """Ordinal of the order: what venue order ids are made of."""
        return self.ticket.number

    @property
    def account(self) -> str:
        """Whose order it is."""
        return self.ticket.account

    @property
    def client_order_id(self) -> str | None:
        """The id that the client gave, None when it gave none."""
        return self.ticket.client_order_id

    @property
    def dialect(self) -> str:
        """Through which dialect it came; empty for orders of the operator."""
        return self.ticket.dialect

    @property
    def memo(self) -> Mapping[str, str]:
        """What the dialect wanted back with it."""
        return self.ticket.memo


@dataclass(frozen=True, slots=True)
class FillRecord:
    """An execution. ``seq`` is the ordinal of the trade, unique over the marketplace."""

    fill: Fill
    seq: int
    ticket: Ticket

    @property
    def order_number(self) -> int:
        """Ordinal of the order that was filled."""
        return self.ticket.number

    @property
    def client_order_id(self) -> str | None:
        """The id that the client gave that order."""
        return self.ticket.client_order_id

    @property
    def memo(self) -> Mapping[str, str]:
        """What the dialect wanted back with that order."""
        return self.ticket.memo


@dataclass(frozen=True, slots=True)
class Placed:
    """The order was taken; ``record`` as it stands after matching at once, with what filled."""

    record: OrderRecord
    fills: tuple[FillRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Barred:
    """No order was looked at: the venue is not open for it."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of money; ``balance`` is the total after it, ``ref`` the trade or event behind it."""

    seq: int
    account: str
    kind: str
    currency: str
    amount: Decimal
    balance: Decimal
    at_ns: int
    ref: str


@dataclass(frozen=True, slots=True)
class Post:
    """One request for an order that reached the floor: taken, or refused with a code.

    ``kind`` is ``new`` for a client's request, ``amend`` or ``restore`` for what an amendment placed,
    ``operator`` for an order by hand.
    """

    account: str
    kind: str
    dialect: str
    client_order_id: str | None
    number: int | None
    code: str
    detail: str
    wall_ns: int
    market_ns: int
