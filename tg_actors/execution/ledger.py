"""Order records: how facts change them. Pure; the executor journals what comes out."""

from decimal import Decimal

from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Order, OrderState
from tg_actors.execution.machine import OrderEvent, is_late_fill, move


def advance(order: Order, event: OrderEvent, reason: str = "") -> Order:
    """Return the order after an event without a fill.

    Raises:
        InvalidTransition: the machine has no such row.
    """
    state = move(order.client_order_id, order.state, event)
    return order.model_copy(update={"state": state, "reason": reason or order.reason})


def apply_fill(order: Order, fill: Fill) -> tuple[Order, bool]:
    """Return the order after a fill, and whether the fill was late (page somebody)."""
    filled = order.filled_quantity + fill.quantity
    event = OrderEvent.FILL_LAST if filled >= order.intent.spec.quantity else OrderEvent.FILL
    late = is_late_fill(order.state, event)
    paid_before = (order.average_price or ZERO) * order.filled_quantity
    return (
        order.model_copy(
            update={
                "state": move(order.client_order_id, order.state, event),
                "filled_quantity": filled,
                "average_price": (paid_before + fill.price * fill.quantity) / filled,
                "fees": order.fees + fill.fee,
            }
        ),
        late,
    )


def opened(order: Order) -> bool:
    """Whether the venue is known to hold the order right now."""
    return order.state in {OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCEL_PENDING}


def slippage_bps(order: Order) -> Decimal | None:
    """Return fill price against the decision's mid in basis points, positive = worse; None unfilled."""
    if order.average_price is None:
        return None
    reference = order.intent.reference_price
    return (order.average_price / reference - 1) * order.intent.spec.side.sign * 10_000
