"""The port every venue adapter fills: what the executor may ask of the outside world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from pydantic import Field, field_serializer

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Fill, Intent, OrderState, OrderType, Permit


class Dedupe(StrEnum):
    """Among which orders the venue refuses a client order id that it has seen."""

    NONE = "none"
    OPEN = "open"
    FOREVER = "forever"


class Capabilities(Message):
    """What a venue guarantees: one row per venue, and the only thing the executor knows about it.

    Attributes:
        dedupe: scope in which a repeated client order id is refused. No guarantee we lean on.
        expiry_s_max: the longest deadline that the venue enforces on arrival; 0 when it enforces
            none, and then only ``unknown_horizon_s`` of silence lets an order be called not found.
        unknown_horizon_s: how long an order of unknown fate blocks its instrument without expiry.
        read_lag_s: how late the venue's books may show what they have accepted.
        look_up_by_client_id: whether open, closed and traded orders are found by our id.
        dead_man_s: timeout of the venue's own cancel-all timer, 0 when it has none.
        oco: whether a stop and an exit can be tied, so that both never fill for one position.
        stops_hold_balance: whether a resting stop locks what it would sell, so that an exit must
            cancel it first.
        order_types: what can be sent at all.
        post_only: whether a limit can be refused instead of taking.
        reduce_only: whether the venue itself keeps an order from opening a position.
        client_id_chars_max: the longest client order id it takes.
        wall_deadlines: whether deadlines are in the machine's time, as at every venue outside this
            process; its market may be replayed at any speed, the network between is not.
    """

    dedupe: Dedupe
    expiry_s_max: int = Field(ge=0)
    unknown_horizon_s: int = Field(default=120, ge=0)
    read_lag_s: int = Field(default=2, ge=0)
    look_up_by_client_id: bool
    dead_man_s: int = Field(ge=0)
    oco: bool
    stops_hold_balance: bool
    order_types: frozenset[OrderType]
    post_only: bool
    reduce_only: bool
    client_id_chars_max: int = Field(ge=18)
    wall_deadlines: bool = False

    @field_serializer("order_types", when_used="json")
    def _in_order(self, order_types: frozenset[OrderType]) -> list[OrderType]:
        """A set has no order of its own; equal rows read the same."""
        return sorted(order_types)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue holds the order, under its own id where it says so."""

    venue_order_id: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue's documented refusal: proof that the order does not exist and never will.

    ``suspect`` says that it also looks as if somebody else used our key: the desk halts.
    """

    reason: str
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue's books show it."""

    state: OrderState
    reason: str = ""
    filled_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that rests at the venue; ``client_order_id`` is empty when nobody gave one.

    ``remaining`` in base units, None when the venue does not say; ``limit_price`` None without one.
    """

    venue_order_id: str
    client_order_id: str
    symbol: str
    remaining: Decimal | None = None
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VenueNews:
    """What happened at the venue since the last time: fills first, then ends of orders.

    ``gap`` names what could not be read, for instance a stream that stands still; the instruments
    in ``blind`` must not be traded until the next news without a gap ("*": all of them).
    """

    fills: tuple[Fill, ...] = ()
    ended: tuple[tuple[str, OrderState, str], ...] = ()
    gap: str = ""
    blind: frozenset[str] = frozenset()


class Venue(Protocol):
    """One account at one venue.

    Every method but ``checkpoint`` may raise :class:`~tg_actors.domain.errors.VenueError` when the
    answer is lost, ambiguous or senseless: the caller then knows nothing, and no information is
    never "not there" or "flat". :class:`~tg_actors.domain.errors.AccountSuspect` says besides that
    the key, the nonce or the account is not ours alone any more: the desk halts.
    """

    name: str
    account: str
    capabilities: Capabilities

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        """Send the order, once; the client below must not repeat it either."""
        ...

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Ask for a cancel; harmless when repeated or when the order has ended."""
        ...

    def cancel_all(self, at_ns: int) -> None:
        """Ask for the cancel of everything that rests."""
        ...

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search open orders, closed orders and trades; None when none of them knows the id."""
        ...

    def open_orders(self) -> Sequence[OpenOrder]:
        """Everything that rests at the venue, ours or not."""
        ...

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        """Every execution of the account from an instant on, oldest first."""
        ...

    def balances(self) -> Mapping[str, Decimal]:
        """Everything the account holds, per currency, resting orders included."""
        ...

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        """Return what happened up to this snapshot (a practice venue trades its bar here)."""
        ...

    def poll(self) -> VenueNews:
        """Return what happened since the last news, between two snapshots; empty where nothing can."""
        ...

    def clock_offset_ns(self) -> int:
        """Venue clock less ours, measured now."""
        ...

    def arm_dead_man(self, timeout_s: int) -> None:
        """Let the venue cancel everything unless asked again within the timeout; 0 disarms."""
        ...

    def checkpoint(self) -> bytes | None:
        """State to keep with the journal so that the venue survives us; None for a real venue."""
        ...
