from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.portfolio_words import a_fill, an_intent
from tg_actors.domain.orders import Order, OrderState
from tg_actors.execution.ledger import advance, apply_fill, opened, slippage_bps
from tg_actors.execution.machine import InvalidTransition, OrderEvent

ORDER = Order(client_order_id="c", intent=an_intent({}), state=OrderState.OPEN)  # buys 1 at about 100


def test_an_event_moves_the_state_and_keeps_the_last_reason() -> None:
    asked = advance(ORDER, OrderEvent.REQUEST_CANCEL, "enough")
    assert (asked.state, asked.reason) == (OrderState.CANCEL_PENDING, "enough")
    assert advance(asked, OrderEvent.CANCEL).reason == "enough"
    with pytest.raises(InvalidTransition):
        advance(ORDER, OrderEvent.DENY)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 10**6)), min_size=1, max_size=5))
def test_fills_add_up(parts: list[tuple[int, int]]) -> None:
    order = ORDER
    for lots, ticks in parts:
        order, _ = apply_fill(order, a_fill(Decimal(lots) / 1000, Decimal(ticks) / 100, "0.01"))
    filled = sum(Decimal(lots) / 1000 for lots, _ in parts)
    paid = sum(Decimal(lots) / 1000 * Decimal(ticks) / 100 for lots, ticks in parts)
    assert order.filled_quantity == filled
    assert order.average_price is not None
    assert abs(order.average_price * filled - paid) < Decimal("1e-25")
    assert order.fees == Decimal("0.01") * len(parts)
    assert order.state is (OrderState.FILLED if filled >= 1 else OrderState.PARTIAL)


@pytest.mark.parametrize("state", [OrderState.CANCELED, OrderState.NOT_FOUND, OrderState.REJECTED])
def test_a_late_fill_is_booked_and_the_end_stays(state: OrderState) -> None:
    order, late = apply_fill(ORDER.model_copy(update={"state": state}), a_fill("1"))
    assert late
    assert order.state is state
    assert order.filled_quantity == 1


def test_who_is_known_to_the_venue() -> None:
    known = {state for state in OrderState if opened(ORDER.model_copy(update={"state": state}))}
    assert known == {OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCEL_PENDING}


@pytest.mark.parametrize(("price", "bps"), [("101", 100), ("99", -100), ("100", 0)])
def test_slippage_is_positive_when_worse(price: str, bps: int) -> None:
    order, _ = apply_fill(ORDER, a_fill("1", price))
    assert slippage_bps(order) == bps
    assert slippage_bps(ORDER) is None


def test_an_order_is_filled_by_its_very_last_lot_and_not_before() -> None:
    almost, _ = apply_fill(ORDER, a_fill("0.999"))
    assert almost.state is OrderState.PARTIAL
    whole, _ = apply_fill(almost, a_fill("0.001"))
    assert whole.state is OrderState.FILLED
