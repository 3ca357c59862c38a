"""What an adapter of one vendor's client must be able to say; everything common lies in ``remote.py``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.port import Capabilities


class Unusable(Exception):  # noqa: N818 - says what the answer is
    """The answer to a call is not what was asked for; what it means, the outcome table decides."""

    def __init__(self, verb: Verb, answer: Answer) -> None:
        super().__init__(f"{verb}: {answer}")
        self.verb = verb
        self.answer = answer


@dataclass(frozen=True, slots=True)
class BookedOrder:
    """An order in the venue's books. ``symbol`` is ours, or the venue's own where we trade no such thing.

    ``quantity`` is None for an order that somebody placed by its cost; ``limit_price`` without one.
    """

    venue_order_id: str
    client_order_id: str
    symbol: str
    state: OrderState
    filled_quantity: Decimal
    placed_ns: int
    quantity: Decimal | None
    limit_price: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """A trade of the account. ``client_order_id`` is None where the venue does not say it with the trade."""

    trade_id: str
    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    at_ns: int


@dataclass(frozen=True, slots=True)
class SaidTime:
    """The venue's clock and how finely it is told."""

    at_ns: int
    resolution_ns: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account holds per currency, resting orders included, and the account's own number.

    The number is empty where the venue does not say it.
    """

    account_number: str
    amounts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class VenueFilters:
    """What the venue itself asks of an order's numbers; None where it does not say."""

    tick: Decimal | None = None
    lot: Decimal | None = None
    quantity_min: Decimal | None = None
    notional_min: Decimal | None = None

    def misfit(self, ours: Instrument) -> str:
        """Why orders of ours would be refused, empty when they pass."""
        steps = (("tick", ours.tick, self.tick), ("lot", ours.lot, self.lot))
        for name, value, step in steps:
            if step and value % step != ZERO:
                return f"the {name} of {ours.symbol} must be a multiple of {money_text(step)}"
        floors = (
            ("quantity_min", ours.quantity_min, self.quantity_min),
            ("notional_min", ours.notional_min, self.notional_min),
        )
        for name, value, least in floors:
            if least and value < least:
                return f"the {name} of {ours.symbol} must be at least {money_text(least)}"
        return ""


class VenueClock:
    """The venue's clock: ours, moved by the difference that was measured last."""

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self.wall_ns = wall_ns
        self.offset_ns = 0

    def now_ns(self) -> int:
        """What the venue's clock shows now."""
        return self.wall_ns() + self.offset_ns


class Dialect(Protocol):
    """One account behind one vendor's client. Every call raises :class:`Unusable` and nothing else."""

    @property
    def name(self) -> str:
        """The venue's name in the outcome table."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """The venue's row."""
        ...

    @property
    def deadline_s_min(self) -> Decimal:
        """The shortest deadline that the venue takes."""
        ...

    def filters(self, symbol: str) -> VenueFilters | None:
        """What the venue asks of orders in an instrument, None when it does not trade it."""
        ...

    def lacks(self, spec: OrderSpec) -> str:
        """Why the venue cannot take this order although its row says so, empty when it can."""
        ...

    def place(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> str:
        """Send a new order, once; returns the venue's id. ``deadline_ns`` is in the venue's clock."""
        ...

    def cancel(self, client_order_id: str, symbol: str | None) -> None:
        """Ask for a cancel; ``symbol`` is None when it is not known."""
        ...

    def cancel_all(self) -> None:
        """Ask for the cancel of everything that rests."""
        ...

    def find(self, client_order_id: str, symbol: str | None) -> Sequence[BookedOrder]:
        """Everything that the books show under our id, resting or ended."""
        ...

    def open_orders(self) -> Sequence[BookedOrder]:
        """Everything that rests."""
        ...

    def executions(self, since_ns: int) -> Sequence[Execution]:
        """Every trade since an instant, in any order, repeats allowed."""
        ...

    def client_ids(self, orders: Mapping[str, str]) -> Mapping[str, str]:
        """Client ids ("" for none) of venue orders; ``orders`` maps each venue id to its symbol."""
        ...

    def holdings(self) -> Holdings:
        """Everything the account holds, and whose it is."""
        ...

    def time(self) -> SaidTime:
        """The venue's clock."""
        ...

    def arm_dead_man(self, timeout_s: int) -> None:
        """Start, push back or (0) stop the venue's cancel-all timer; needs the capability."""
        ...

    def close(self) -> None:
        """Shut the connections."""
        ...
