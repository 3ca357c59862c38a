"""The port every venue adapter fills: what the executor may ask of the outside world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.orders import Fill, Intent, OrderState, Permit


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue holds the order."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue's documented refusal: proof that the order does not exist and never will."""

    reason: str


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue's books show it."""

    state: OrderState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VenueNews:
    """What happened at the venue since the last time: fills first, then ends of orders."""

    fills: tuple[Fill, ...] = ()
    ended: tuple[tuple[str, OrderState, str], ...] = ()


class Venue(Protocol):
    """One account at one venue.

    ``post`` and ``cancel`` raise :class:`~tg_actors.domain.errors.VenueError` when the answer is
    lost or ambiguous; the caller then knows nothing and must look the order up.
    """

    name: str
    account: str

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        """Send the order, once."""
        ...

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Ask for a cancel; harmless when repeated or when the order has ended."""
        ...

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search open orders, closed orders and trades; None when none of them knows the id."""
        ...

    def trades(self) -> Sequence[Fill]:
        """Every execution of the account, oldest first."""
        ...

    def balances(self) -> Mapping[str, Decimal]:
        """Everything the account holds, per currency, resting orders included."""
        ...

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        """Return what happened up to this snapshot (a practice venue trades its bar here)."""
        ...

    def checkpoint(self) -> bytes | None:
        """State to keep with the journal so that the venue survives us; None for a real venue."""
        ...
