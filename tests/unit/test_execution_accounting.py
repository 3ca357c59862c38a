from decimal import Decimal

from tests.journal_words import a_fill, a_permit, an_intent, an_order
from tg_actors.domain.orders import Intent, Order, OrderSpec, OrderState, OrderType, Permit
from tg_actors.execution.accounting import account_venues

D = Decimal
S = OrderState


def _order(n: int, state: OrderState, filled: str = "0", price: str | None = None) -> Order:
    order = an_order(an_intent(n).model_copy(update={"reference_price": D(50_000)}), state)
    average = None if price is None else D(price)
    return order.model_copy(update={"filled_quantity": D(filled), "average_price": average})


def _permit(order: Order, venue: str = "kraken") -> Permit:
    return a_permit(order.intent).model_copy(update={"venue": venue})


def _stop(intent: Intent) -> Intent:
    spec = OrderSpec(
        symbol=intent.spec.symbol,
        side=intent.spec.side,
        order_type=OrderType.STOP,
        quantity=D(1),
        stop_price=D(1),
    )
    return intent.model_copy(update={"spec": spec})


def test_a_venue_is_judged_by_the_orders_it_has_held_to_their_end() -> None:
    orders = [
        _order(1, S.FILLED, "0.5", "50010"),
        _order(2, S.CANCELED, "0.25", "50030"),
        _order(3, S.EXPIRED),
        _order(4, S.REJECTED),
        _order(5, S.OPEN),
        _order(6, S.NOT_FOUND),
    ]
    orders.append(orders[2].model_copy(update={"client_order_id": "stop", "intent": _stop(an_intent(7))}))
    permits = [
        _permit(order).model_copy(update={"client_order_id": order.client_order_id}) for order in orders
    ]
    fills = [
        a_fill(orders[0].intent).model_copy(update={"venue": "kraken", "fee": D(2)}),
        a_fill(orders[1].intent, "t2").model_copy(update={"venue": "kraken", "fee": D(1)}),
        a_fill(orders[1].intent, "t3").model_copy(
            update={"venue": "kraken", "fee": D("-0.1"), "fee_currency": "BTC"}
        ),
    ]
    acks = {order.client_order_id: ms * 10**6 for order, ms in zip(orders, (30, 10, 20, 99), strict=False)}
    [kraken] = account_venues(permits, {o.client_order_id: o for o in orders}, fills, acks)
    assert (kraken.orders, kraken.fills, kraken.rejected) == (7, 3, 1)
    assert (kraken.filled, kraken.partial, kraken.unfilled) == (1, 1, 1)
    assert kraken.fill_rate_frac == D("0.5")
    assert kraken.slippage_bps_mean == D(4)
    assert kraken.fees == {"USDT": D(3), "BTC": D("-0.1")}
    assert kraken.ack_ms_median == 20
    assert kraken.as_json()["fees"] == {"BTC": "-0.1", "USDT": "3"}


def test_what_is_unknown_is_said_to_be_unknown_and_venues_are_kept_apart() -> None:
    first, second = _order(1, S.UNKNOWN), _order(2, S.FILLED, "0.5", "50000")
    found = account_venues(
        [_permit(first, "alpaca"), _permit(second)], {o.client_order_id: o for o in (first, second)}, [], {}
    )
    assert [venue.venue for venue in found] == ["alpaca", "kraken"]
    assert found[0].fill_rate_frac is None
    assert found[0].slippage_bps_mean is None
    assert found[0].ack_ms_median is None
    assert found[1].fill_rate_frac == 1


def test_a_run_without_orders_has_no_venues() -> None:
    assert account_venues([], {}, [], {}) == ()
