"""What happens to an account of the marketplace: all that a venue's private stream would tell."""

from dataclasses import dataclass
from decimal import Decimal

from tg_actors.exchange.accounts import Balance, MarginPosition, MarginState, Trade
from tg_actors.exchange.orders import EndReason, VenueOrder


@dataclass(frozen=True, slots=True)
class OrderOpened:
    """An order was taken, or a bracket's exit has come alive."""

    order: VenueOrder
    at_ns: int


@dataclass(frozen=True, slots=True)
class OrderTriggered:
    """A stop, take-profit or trailing stop went off; what it fills follows."""

    order: VenueOrder
    at_ns: int


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """An execution; ``order`` as it stands after it, FILLED already when nothing is left to fill."""

    order: VenueOrder
    trade: Trade
    at_ns: int


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """The last word on an order; after OrderFilled when a fill ended it."""

    order: VenueOrder
    reason: EndReason
    at_ns: int


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    """The currencies whose total or hold is another than before the call; after all that changed it."""

    balances: tuple[tuple[str, Balance], ...]
    at_ns: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """Money came in from outside, or left when negative."""

    currency: str
    amount: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """A fill moved a margin position; ``position`` is None when it is closed."""

    symbol: str
    position: MarginPosition | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """A margin position was held over a funding instant; ``amount`` is negative when received."""

    symbol: str
    currency: str
    quantity: Decimal
    mark: Decimal
    amount: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class MarginCalled:
    """The margin level fell below the call level; said once until it has recovered."""

    state: MarginState
    at_ns: int


@dataclass(frozen=True, slots=True)
class Liquidated:
    """The margin level fell below the liquidation level; positions are being closed at market."""

    state: MarginState
    at_ns: int


@dataclass(frozen=True, slots=True)
class DeadManFired:
    """The dead-man timer ran out; the ends of the account's open orders follow."""

    at_ns: int


AccountEvent = (
    OrderOpened
    | OrderTriggered
    | OrderFilled
    | OrderEnded
    | BalancesChanged
    | Deposited
    | PositionChanged
    | FundingPaid
    | MarginCalled
    | Liquidated
    | DeadManFired
)
