"""Words of the practice exchange: answers, brackets, reports, and an order while it works."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field, model_validator

from tg_actors.domain.instruments import Side
from tg_actors.domain.message import Message
from tg_actors.domain.money import ONE, ZERO
from tg_actors.domain.orders import Fill, OrderSpec, OrderState, OrderType, TimeInForce


class RefusalCode(StrEnum):
    """Why an order was not accepted. A refused order does not exist and never will."""

    DUPLICATE = "DUPLICATE"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    LOT_SIZE = "LOT_SIZE"
    TICK_SIZE = "TICK_SIZE"
    NO_MARKET = "NO_MARKET"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    POST_ONLY_UNSUITABLE = "POST_ONLY_UNSUITABLE"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    OCO_MISMATCH = "OCO_MISMATCH"
    BRACKET_INVALID = "BRACKET_INVALID"
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"


class EndReason(StrEnum):
    """Why an accepted order is open no longer."""

    FILLED = "filled"
    ASKED = "asked"
    IOC_REMAINDER = "ioc_remainder"
    OCO_SIBLING_FILLED = "oco_sibling_filled"
    BRACKET_CLOSED = "bracket_closed"
    NOTHING_TO_REDUCE = "nothing_to_reduce"
    INSUFFICIENT_FUNDS = "insufficient_funds"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The exchange holds the order; it meets the market from the next bar on."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Proof that the order was not taken; ``detail`` is a sentence with the numbers."""

    client_order_id: str
    code: RefusalCode
    detail: str


class Bracket(Message):
    """Exits that come alive with their entry: a stop and perhaps a take-profit, one OCO pair.

    Each fill of the parent adds its quantity to both. Both only reduce. The trigger of either
    cancels what is left of the parent: an exit that has gone off ends the entry.
    """

    stop_price: Decimal = Field(gt=0)
    take_price: Decimal | None = Field(default=None, gt=0)
    stop_client_order_id: str
    take_client_order_id: str | None = None

    @model_validator(mode="after")
    def _take_is_whole_and_above_the_stop(self) -> "Bracket":
        if (self.take_price is None) != (self.take_client_order_id is None):
            raise ValueError("a bracket names take_price and take_client_order_id together or neither")
        if self.take_price is not None and self.take_price <= self.stop_price:
            raise ValueError("take_price must be above stop_price")
        if self.stop_client_order_id == self.take_client_order_id:
            raise ValueError("the two children of a bracket need two client order ids")
        return self

    @property
    def child_ids(self) -> tuple[str, ...]:
        """Client order ids that this bracket will use."""
        both = (self.stop_client_order_id, self.take_client_order_id)
        return tuple(child for child in both if child is not None)


class VenueOrder(Message):
    """An order as the exchange's books show it, open or ended.

    ``quantity`` is what it may fill in all: the quantity asked for less what OCO siblings took.
    ``state`` is FILLED only when all that was asked for is filled. ``fees`` in quote currency.
    ``ended_at_ns`` is None while the order is open.
    """

    client_order_id: str
    spec: OrderSpec
    state: OrderState
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    fees: Decimal
    submitted_at_ns: int
    ended_at_ns: int | None = None
    reason: str = ""


class Ended(NamedTuple):
    """The end of an order during a step."""

    client_order_id: str
    state: OrderState
    reason: EndReason


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one bar did: fills in time order, ends of orders, children that came alive.

    Ends by :meth:`PracticeExchange.cancel` are not repeated here; its answer was the report.
    """

    cycle: int
    fills: tuple[Fill, ...] = ()
    closed: tuple[Ended, ...] = ()
    opened: tuple[str, ...] = ()


class Stance(StrEnum):
    """What an order waits for: its trigger, its limit price, or just the next price."""

    WAITING = "waiting"
    RESTING = "resting"
    TAKING = "taking"


#: Stance at submission, and after the trigger for the types that have one.
FIRST_STANCE: dict[OrderType, Stance] = {
    OrderType.MARKET: Stance.TAKING,
    OrderType.LIMIT: Stance.RESTING,
    OrderType.STOP: Stance.WAITING,
    OrderType.STOP_LIMIT: Stance.WAITING,
    OrderType.TAKE_PROFIT: Stance.WAITING,
    OrderType.TRAILING_STOP: Stance.WAITING,
}
TRIGGERED_STANCE: dict[OrderType, Stance] = {
    OrderType.STOP: Stance.TAKING,
    OrderType.STOP_LIMIT: Stance.RESTING,
    OrderType.TAKE_PROFIT: Stance.TAKING,
    OrderType.TRAILING_STOP: Stance.TAKING,
}


@dataclass(slots=True)
class WorkingOrder:
    """An open order. Mutable, private to the exchange, changed only by matching and clearing.

    ``number`` is the submit order, ``unit_hold`` the quote currency reserved per unit of a buy
    (0 for sells and for whatever only reduces), ``watermark`` the best price a trailing stop has
    seen since it was placed, ``parent`` the entry that a bracket's child belongs to.
    """

    client_order_id: str
    number: int
    spec: OrderSpec
    stance: Stance
    quantity: Decimal
    submitted_at_ns: int
    unit_hold: Decimal = ZERO
    watermark: Decimal | None = None
    bracket: Bracket | None = None
    parent: str | None = None
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still fill."""
        return self.quantity - self.filled

    @property
    def pool(self) -> str:
        """Name of the hold it lives on; OCO siblings share one, since only one of them can fill it."""
        group = self.spec.oco_group
        return f"order:{self.client_order_id}" if group is None else f"oco:{group}"

    @property
    def is_resting_ioc(self) -> bool:
        """Whether it is a limit that must match at once or be canceled."""
        return self.stance is Stance.RESTING and self.spec.time_in_force is TimeInForce.IOC

    @property
    def falls_to_level(self) -> bool:
        """Whether the price must fall to its trigger or limit (else it must rise)."""
        profits = self.stance is Stance.RESTING or self.spec.order_type is OrderType.TAKE_PROFIT
        return (self.spec.side is Side.BUY) == profits

    @property
    def level(self) -> Decimal:
        """The price it waits for: its limit, or its trigger (of a trailing stop not yet on the tick).

        Raises:
            ValueError: it waits for no price, it takes the next one.
        """
        if self.watermark is not None and self.spec.trail_frac is not None:
            return self.watermark * (ONE + self.spec.side.sign * self.spec.trail_frac)
        level = self.spec.limit_price if self.stance is Stance.RESTING else self.spec.stop_price
        if level is None:
            raise ValueError(f"order {self.client_order_id} waits for no price")
        return level

    def trail(self, price: Decimal) -> None:
        """Pull the watermark of a trailing stop to a better price; nothing for other orders."""
        if self.watermark is not None:
            better = max if self.spec.side is Side.SELL else min
            self.watermark = better(self.watermark, price)

    def trigger(self) -> None:
        """Make a triggered order executable."""
        self.stance = TRIGGERED_STANCE[self.spec.order_type]

    def view(self) -> VenueOrder:
        """Return what the books show while it is open."""
        return VenueOrder(
            client_order_id=self.client_order_id,
            spec=self.spec,
            state=OrderState.PARTIAL if self.filled > ZERO else OrderState.OPEN,
            quantity=self.quantity,
            filled_quantity=self.filled,
            average_price=self.notional / self.filled if self.filled > ZERO else None,
            fees=self.fees,
            submitted_at_ns=self.submitted_at_ns,
        )

    def ended_view(self, reason: EndReason, at_ns: int) -> VenueOrder:
        """Return what the books show once it has ended; FILLED is earned by quantity alone."""
        complete = self.filled == self.spec.quantity
        state = OrderState.FILLED if complete else OrderState.CANCELED
        return self.view().model_copy(update={"state": state, "ended_at_ns": at_ns, "reason": reason.value})
