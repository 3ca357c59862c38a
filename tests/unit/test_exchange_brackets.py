"""Brackets: exits that come alive with their entry."""

from tests.exchange_words import D, Market, brief, config
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import OrderState, OrderType
from tg_actors.exchange.orders import Bracket, EndReason

BRACKET = Bracket(
    stop_price=D(95), take_price=D(110), stop_client_order_id="e-stop", take_client_order_id="e-take"
)


def test_bracket_children_live_from_the_fill_on_within_the_same_bar() -> None:
    market = Market(btc="0")
    market.order("e", Side.BUY, OrderType.LIMIT, limit_price="98", bracket=BRACKET)
    assert market.exchange.look_up("e-stop") is None
    # Rising bar: down through 98 to 94 (entry, then stop at 95); the high 111 comes too late.
    report = market.bar("100 111 94 105")
    assert brief(report.fills) == [("e", "1", "98.00"), ("e-stop", "1", "95.00")]
    assert report.opened == ("e-stop", "e-take")
    assert market.state("e-take") == (OrderState.CANCELED, EndReason.OCO_SIBLING_FILLED)
    assert market.exchange.open_orders() == ()


def test_bracket_children_grow_with_partial_entries_and_a_triggered_exit_ends_the_entry() -> None:
    market = Market(config(volume="0.1"), btc="0")
    market.order("e", Side.BUY, OrderType.MARKET, quantity="3", bracket=BRACKET)
    market.bar("100 100 100 100", volume=10)
    market.bar("101 101 101 101", volume=10)
    take = market.exchange.look_up("e-take")
    assert take is not None
    assert (take.quantity, take.spec.quantity) == (D(2), D(2))
    # The entry takes all of this bar's volume at the open, so the triggered take sells at the next.
    report = market.bar("102 112 102 112", volume=5)
    assert brief(report.fills) == [("e", "0.5", "102.00")]
    assert report.closed == (("e", OrderState.CANCELED, EndReason.BRACKET_CLOSED),)
    assert brief(market.bar("111 111 111 111").fills) == [("e-take", "2.5", "111.00")]
    assert market.exchange.balances()["BTC"] == D(0)


def test_exit_of_a_partial_entry_cancels_the_rest_of_it() -> None:
    market = Market(config(volume="0.1"), btc="0")
    market.order("e", Side.BUY, OrderType.LIMIT, limit_price="98", quantity="3", bracket=BRACKET)
    market.bar("100 100 97 97", volume=10)
    report = market.bar("99 111 98.5 111", volume=100)
    assert brief(report.fills) == [("e-take", "1", "110.00")]
    assert market.state("e") == (OrderState.CANCELED, EndReason.BRACKET_CLOSED)
    assert market.exchange.open_orders() == ()


def test_entry_ends_when_its_position_is_sold_by_another_order() -> None:
    market = Market(config(volume="0.1"), btc="0")
    market.order("e", Side.BUY, OrderType.LIMIT, limit_price="98", quantity="3", bracket=BRACKET)
    market.bar("100 100 97 97", volume=10)
    market.order("out", Side.SELL, OrderType.MARKET, reduce_only=True)
    report = market.bar("99 99 97 97", volume=10)
    assert brief(report.fills) == [("out", "1", "99.00")]
    assert [(ended.client_order_id, ended.reason) for ended in report.closed] == [
        ("out", EndReason.FILLED),
        ("e-stop", EndReason.NOTHING_TO_REDUCE),
        ("e", EndReason.BRACKET_CLOSED),
        ("e-take", EndReason.NOTHING_TO_REDUCE),
    ]
