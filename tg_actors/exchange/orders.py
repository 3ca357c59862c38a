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

    DEADLINE = "DEADLINE"
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
    LEVERAGE = "LEVERAGE"
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
    EXPIRED = "expired"
    BOOK_EXHAUSTED = "book_exhausted"
    DEAD_MAN = "dead_man"
    LIQUIDATION = "liquidation"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The exchange took the order under this ordinal.

    Bar by bar it meets the market from the next bar on; against a shown book it has met it already.
    """

    client_order_id: str
    number: int


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


class Dedupe(StrEnum):
    """Among which orders of an account a client order id may not be repeated."""

    OPEN = "open"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it arrives, with the rules of the venue that it is sent to.

    Attributes:
        client_order_id: the handle; unique among the open orders of its account.
        spec: what is asked for.
        bracket: exits that come alive with its fills.
        leverage: above 1 it opens, changes or closes a margin position.
        deadline_ns: refused when it arrives after this instant.
        expires_at_ns: ends as EXPIRED at this instant.
        dedupe: OPEN lets an id come back once its order has ended, which is what makes blind
            resends dangerous; FOREVER refuses every id that is still remembered.
        known_before: the caller's records, which go back further than ours, know this id; refused
            under FOREVER.
        stops_hold: whether it holds balance while it waits for its trigger.
    """

    client_order_id: str
    spec: OrderSpec
    bracket: Bracket | None = None
    leverage: Decimal = ONE
    deadline_ns: int | None = None
    expires_at_ns: int | None = None
    dedupe: Dedupe = Dedupe.OPEN
    known_before: bool = False
    stops_hold: bool = False


class VenueOrder(Message):
    """An order as the exchange's books show it, open or ended.

    ``number`` is its ordinal: with one account that of submission, in a marketplace unique over all
    accounts (0 only for what ended before ordinals were kept).
    ``quantity`` is what it may fill in all: the quantity asked for less what OCO siblings took.
    ``state`` is FILLED only when all that was asked for is filled. ``fees`` in quote currency.
    ``ended_at_ns`` is None while the order is open. ``triggered`` says that a stop, take-profit or
    trailing stop has gone off. ``stop_level`` is where a trailing stop would go off now.
    """

    client_order_id: str
    number: int = 0
    spec: OrderSpec
    state: OrderState
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    fees: Decimal
    submitted_at_ns: int
    ended_at_ns: int | None = None
    reason: str = ""
    leverage: Decimal = ONE
    expires_at_ns: int | None = None
    triggered: bool = False
    stop_level: Decimal | None = None


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

    ``number`` is the submit order, ``unit_hold`` the quote currency reserved per unit of a buy, or
    of what a leveraged order opens (0 for other sells and for whatever only reduces), ``watermark``
    the best price a trailing stop has seen since it was placed, ``parent`` the entry that a
    bracket's child belongs to. Against a shown book, ``rank`` is its place in time among the orders
    of all accounts and ``queue_ahead`` the size of others that is served first at its price.
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
    leverage: Decimal = ONE
    expires_at_ns: int | None = None
    stops_hold: bool = True
    rank: int = 0
    queue_ahead: Decimal = ZERO

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
        """Make a triggered order executable; it goes to the back of the line."""
        self.rank = 0
        self.stance = TRIGGERED_STANCE[self.spec.order_type]

    def view(self) -> VenueOrder:
        """Return what the books show of it; FILLED is earned by quantity alone."""
        trails = self.watermark is not None and self.stance is Stance.WAITING
        return VenueOrder(
            client_order_id=self.client_order_id,
            number=self.number,
            spec=self.spec,
            state=self._state(),
            quantity=self.quantity,
            filled_quantity=self.filled,
            average_price=self.notional / self.filled if self.filled > ZERO else None,
            fees=self.fees,
            submitted_at_ns=self.submitted_at_ns,
            leverage=self.leverage,
            expires_at_ns=self.expires_at_ns,
            triggered=self.stance is not FIRST_STANCE[self.spec.order_type],
            stop_level=self.level if trails else None,
        )

    def ended_view(self, reason: EndReason, at_ns: int) -> VenueOrder:
        """Return what the books show once it has ended."""
        view = self.view()
        unfilled = OrderState.EXPIRED if reason is EndReason.EXPIRED else OrderState.CANCELED
        state = OrderState.FILLED if view.state is OrderState.FILLED else unfilled
        return view.model_copy(update={"state": state, "ended_at_ns": at_ns, "reason": reason.value})

    def _state(self) -> OrderState:
        if self.filled == self.spec.quantity:
            return OrderState.FILLED
        return OrderState.PARTIAL if self.filled > ZERO else OrderState.OPEN
