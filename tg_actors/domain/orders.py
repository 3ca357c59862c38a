"""Orders from wish to fill: intents, permits, order records, fills, and their enumerations."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from tg_actors.domain.instruments import Side
from tg_actors.domain.message import Message


class OrderType(StrEnum):
    """How an order becomes executable."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order may rest: until cancelled, or only for its first match."""

    GTC = "gtc"
    IOC = "ioc"


class Leg(StrEnum):
    """The role of an order in the life of a position."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TAKE = "take"
    FLATTEN = "flatten"


class OrderState(StrEnum):
    """Where an order stands; ``execution/machine.py`` holds the table of moves."""

    PROPOSED = "proposed"
    DENIED = "denied"
    AWAITING_APPROVAL = "awaiting_approval"
    REFUSED = "refused"
    PERMITTED = "permitted"
    UNKNOWN = "unknown"
    OPEN = "open"
    PARTIAL = "partial"
    CANCEL_PENDING = "cancel_pending"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"


#: Nothing more is expected of an order here; a late fill is still applied, with an alert.
TERMINAL_STATES = frozenset(
    {
        OrderState.DENIED,
        OrderState.REFUSED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
        OrderState.NOT_FOUND,
    }
)


class TradingState(StrEnum):
    """What may leave the desk: anything, only what shrinks a position, or nothing."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"


class Liquidity(StrEnum):
    """Whether a fill took liquidity or provided it; fees differ."""

    MAKER = "maker"
    TAKER = "taker"


class OrderSpec(Message):
    """What an order asks of the venue: everything the matching engine needs, nothing else.

    ``trail_frac`` is the distance of a trailing stop as a fraction of the best price since it was
    placed. Orders of one ``oco_group`` cancel each other: a fill of one takes its quantity off
    the others.
    """

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal = Field(gt=0)
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    trail_frac: Decimal | None = Field(default=None, gt=0, lt=1)
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    oco_group: str | None = None

    @model_validator(mode="after")
    def _has_the_prices_of_its_type(self) -> "OrderSpec":
        needed = _PRICES_OF_TYPE[self.order_type]
        present = {name for name in _PRICE_FIELDS if getattr(self, name) is not None}
        if present != needed:
            raise ValueError(f"a {self.order_type} order needs exactly {sorted(needed) or 'no price'}")
        return self


_PRICE_FIELDS = ("limit_price", "stop_price", "trail_frac")
_PRICES_OF_TYPE: dict[OrderType, set[str]] = {
    OrderType.MARKET: set(),
    OrderType.LIMIT: {"limit_price"},
    OrderType.STOP: {"stop_price"},
    OrderType.STOP_LIMIT: {"stop_price", "limit_price"},
    OrderType.TAKE_PROFIT: {"stop_price"},
    OrderType.TRAILING_STOP: {"trail_frac"},
}


class Share(Message):
    """The part of an order's result that is credited to one agent; shares of an order sum to 1."""

    agent: str
    frac: Decimal = Field(ge=0, le=1)


class Protection(Message):
    """Distances of the protective orders from the entry price, as fractions of it."""

    stop_frac: Decimal = Field(gt=0, lt=1)
    take_frac: Decimal | None = Field(default=None, gt=0)
    trailing: bool = False


class Intent(Message):
    """A wish that risk has sized: it becomes an order only through the permit transaction.

    ``reference_price`` is the mid the decision saw; the permit refuses once the market has left
    the price band around it.
    """

    intent_id: str
    cycle: int
    leg: Leg
    spec: OrderSpec
    reference_price: Decimal = Field(gt=0)
    decided_at_ns: int
    valid_until_ns: int
    protection: Protection | None = None
    shares: tuple[Share, ...] = ()


class Permit(Message):
    """The one licence to POST an intent once, written before anything is sent."""

    intent_id: str
    client_order_id: str
    venue: str
    account: str
    permitted_at_ns: int
    venue_deadline_ns: int
    #: Worst-case notional that this order may add, in the reporting currency.
    reserved_notional: Decimal = Field(ge=0)


class Order(Message):
    """A permitted order as the desk knows it: projection of its events."""

    client_order_id: str
    intent: Intent
    state: OrderState
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fees: Decimal = Decimal(0)
    reason: str = ""

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still be filled."""
        return self.intent.spec.quantity - self.filled_quantity

    @property
    def is_live(self) -> bool:
        """Whether the venue may still fill it: permitted, unknown, open, or being cancelled."""
        return self.state not in TERMINAL_STATES


class Fill(Message):
    """One execution. ``(venue, account, trade_id)`` is unique; a repeat changes nothing.

    ``fee`` is positive when paid, in ``fee_currency``.
    """

    venue: str
    account: str
    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal = Field(gt=0)
    price: Decimal = Field(gt=0)
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    at_ns: int
