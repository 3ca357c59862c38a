"""Every order type against bars small enough to work out by hand."""

import pytest

from tests.exchange_words import BAR_NS, D, Market, brief, config
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.exchange.orders import Accepted, EndReason


def test_market_order_fills_at_the_next_open() -> None:
    market = Market()
    market.order("m", Side.BUY, OrderType.MARKET)
    [fill] = market.bar("102 110 90 105").fills
    assert (fill.price, fill.quantity, fill.trade_id, fill.at_ns) == (D(102), D(1), "T00000001", BAR_NS)
    assert fill.liquidity is Liquidity.TAKER
    assert market.exchange.balances() == {"BTC": D(11), "USDT": D(10000 - 102)}


@pytest.mark.parametrize(
    ("side", "price", "fee"),
    # spread 1 on a close of 200 at an open of 100: half spread 0.25 %; slippage 1 + 20 * 1/100 = 1.2 bps.
    [(Side.BUY, "100.27", "0.260702"), (Side.SELL, "99.73", "0.259298")],
)
def test_takers_pay_half_the_spread_slippage_and_the_fee_rounded_against_them(
    side: Side, price: str, fee: str
) -> None:
    market = Market(config(taker="0.0026", base="1", impact="20"))
    market.order("m", side, OrderType.MARKET)
    [fill] = market.bar("100 200 100 200", spread=1.0).fills
    assert (fill.price, fill.fee, fill.fee_currency) == (D(price), D(fee), "USDT")


def test_fees_are_rounded_up_to_eight_decimals() -> None:
    market = Market(config(taker="0.0000000001"))
    market.order("m", Side.BUY, OrderType.MARKET, quantity="0.05")
    [fill] = market.bar("100 100 100 100").fills
    assert fill.fee == D("0.00000001")


LIMITS = [
    # side, limit, bar, price, liquidity
    (Side.BUY, "98", "100 101 97 100", "98.00", Liquidity.MAKER),
    (Side.BUY, "98", "100 101 98 100", None, None),  # touched only
    (Side.BUY, "98", "96 101 95 100", "96.00", Liquidity.TAKER),  # the open is better
    (Side.SELL, "103", "100 104 97 99", "103.00", Liquidity.MAKER),
    (Side.SELL, "103", "100 103 97 99", None, None),
    (Side.SELL, "103", "105 106 104 105", "105.00", Liquidity.TAKER),
]


@pytest.mark.parametrize(("side", "limit", "bar", "price", "liquidity"), LIMITS)
def test_limit_fills_through_its_price_or_at_a_better_open(
    side: Side, limit: str, bar: str, price: str | None, liquidity: Liquidity | None
) -> None:
    market = Market()
    market.order("l", side, OrderType.LIMIT, limit_price=limit)
    fills = market.bar(bar).fills
    assert [(f"{f.price:.2f}", f.liquidity) for f in fills] == ([(price, liquidity)] if price else [])
    if not price:
        assert market.state("l")[0] is OrderState.OPEN


def test_limit_taken_at_the_open_never_pays_more_than_its_limit() -> None:
    market = Market(config(base="100"))
    market.order("l", Side.BUY, OrderType.LIMIT, limit_price="100.50")
    assert brief(market.bar("100 101 100 101").fills) == [("l", "1", "100.50")]


def test_limit_inside_the_spread_rests_until_the_path_trades_through() -> None:
    market = Market()
    market.order("l", Side.BUY, OrderType.LIMIT, limit_price="100")
    # Ask at the open is 100 * (1 + 1 %): too dear; the leg to 99 passes through.
    [fill] = market.bar("100 100 99 100", spread=2.0).fills
    assert (fill.price, fill.liquidity) == (D(100), Liquidity.MAKER)


def test_post_only_makes_even_when_the_open_gaps_through() -> None:
    market = Market()
    market.order("l", Side.BUY, OrderType.LIMIT, limit_price="99", post_only=True)
    [fill] = market.bar("95 96 94 95").fills
    assert (fill.price, fill.liquidity) == (D(99), Liquidity.MAKER)


def test_immediate_or_cancel_limit_has_only_its_first_open() -> None:
    market = Market()
    market.order("l", Side.BUY, OrderType.LIMIT, limit_price="99", time_in_force=TimeInForce.IOC)
    report = market.bar("100 100 90 100")
    assert report.fills == ()
    assert report.closed == (("l", OrderState.CANCELED, EndReason.IOC_REMAINDER),)


def test_orders_wait_while_their_instrument_does_not_trade() -> None:
    market = Market()
    market.order("m", Side.BUY, OrderType.MARKET, time_in_force=TimeInForce.IOC)
    assert market.bar("nan nan nan nan", trades=False).closed == ()
    assert brief(market.bar("103 103 103 103").fills) == [("m", "1", "103.00")]


STOPS = [
    # type, side, stop, bar, price
    (OrderType.STOP, Side.SELL, "95", "100 101 94 100", "95.00"),
    (OrderType.STOP, Side.SELL, "95", "100 101 95 100", "95.00"),  # a touch triggers
    (OrderType.STOP, Side.SELL, "95", "100 101 95.01 100", None),
    (OrderType.STOP, Side.SELL, "95", "92 101 91 100", "92.00"),  # gap: the open, not the stop
    (OrderType.STOP, Side.BUY, "105", "100 106 99 100", "105.00"),
    (OrderType.STOP, Side.BUY, "105", "108 109 107 108", "108.00"),
    (OrderType.TAKE_PROFIT, Side.SELL, "105", "100 106 99 100", "105.00"),
    (OrderType.TAKE_PROFIT, Side.SELL, "105", "107 108 99 100", "107.00"),  # gap in our favour
    (OrderType.TAKE_PROFIT, Side.BUY, "95", "100 101 94 100", "95.00"),
    (OrderType.TAKE_PROFIT, Side.BUY, "95", "100 101 96 100", None),
]


@pytest.mark.parametrize(("order_type", "side", "stop", "bar", "price"), STOPS)
def test_triggered_orders_fill_at_the_trigger_or_at_the_gap(
    order_type: OrderType, side: Side, stop: str, bar: str, price: str | None
) -> None:
    market = Market()
    market.order("s", side, order_type, stop_price=stop)
    assert brief(market.bar(bar).fills) == ([("s", "1", price)] if price else [])


def test_stop_fill_slips_beyond_the_trigger() -> None:
    market = Market(config(base="100"))
    market.order("s", Side.SELL, OrderType.STOP, stop_price="95")
    assert brief(market.bar("100 100 90 91").fills) == [("s", "1", "94.05")]


def test_stop_limit_takes_at_the_trigger_when_its_limit_allows() -> None:
    market = Market()
    market.order("s", Side.SELL, OrderType.STOP_LIMIT, stop_price="95", limit_price="94")
    assert brief(market.bar("100 100 90 91").fills) == [("s", "1", "95.00")]


def test_stop_limit_that_gaps_past_its_limit_rests_and_makes_on_the_way_back() -> None:
    market = Market()
    market.order("s", Side.SELL, OrderType.STOP_LIMIT, stop_price="95", limit_price="94")
    assert market.bar("90 93 89 92").fills == ()
    [fill] = market.bar("92 94.01 91 92").fills
    assert (fill.price, fill.liquidity) == (D(94), Liquidity.MAKER)


def test_trailing_stop_follows_the_high_within_a_bar_and_over_quiet_bars() -> None:
    market = Market()
    market.order("t", Side.SELL, OrderType.TRAILING_STOP, trail_frac="0.1")
    assert market.bar("100 110 100 110").fills == ()  # watermark 110, trigger 99
    assert market.bar("110 120 109 119").fills == ()  # 120, 108; low 109 is above
    # Falling bar: open, high 125 lifts the trigger to 112.5, the way down meets it.
    assert brief(market.bar("119 125 100 105").fills) == [("t", "1", "112.50")]


def test_trailing_stop_goes_off_above_its_old_trigger_when_the_high_comes_first() -> None:
    market = Market()
    market.order("t", Side.SELL, OrderType.TRAILING_STOP, trail_frac="0.1")
    # The old trigger is 90; 130 lifts it to 117 and the way down to 110 meets that.
    assert brief(market.bar("112 130 110 111").fills) == [("t", "1", "117.00")]


def test_trailing_stop_is_not_lifted_by_a_high_that_comes_after_the_low() -> None:
    market = Market()
    market.order("t", Side.SELL, OrderType.TRAILING_STOP, trail_frac="0.1")
    # Rising bar: low first, 91 is above 90; then the high 130 and the close 125 above 117.
    assert market.bar("100 130 91 125").fills == ()
    assert brief(market.bar("116 116 116 116").fills) == [("t", "1", "116.00")]


def test_trailing_buy_mirrors() -> None:
    market = Market()
    market.order("t", Side.BUY, OrderType.TRAILING_STOP, trail_frac="0.1")
    assert market.bar("100 100 80 82").fills == ()  # watermark 80, trigger 88
    assert brief(market.bar("82 90 81 89").fills) == [("t", "1", "88.00")]


@pytest.mark.parametrize(
    ("bar", "filled", "price"),
    [
        ("100 106 94 101", "stop", "95.00"),  # rising bar: the low comes first
        ("100 106 94 99", "take", "105.00"),  # falling bar: the high comes first
        ("90 106 89 91", "stop", "90.00"),
    ],
)
def test_oco_pair_in_one_bar_has_one_winner_by_the_path(bar: str, filled: str, price: str) -> None:
    market = Market()
    market.order("stop", Side.SELL, OrderType.STOP, stop_price="95", reduce_only=True, oco_group="g")
    market.order("take", Side.SELL, OrderType.TAKE_PROFIT, stop_price="105", reduce_only=True, oco_group="g")
    report = market.bar(bar)
    loser = {"stop": "take", "take": "stop"}[filled]
    assert brief(report.fills) == [(filled, "1", price)]
    assert report.closed == (
        (loser, OrderState.CANCELED, EndReason.OCO_SIBLING_FILLED),
        (filled, OrderState.FILLED, EndReason.FILLED),
    )


def test_partial_fill_takes_its_quantity_off_the_sibling() -> None:
    market = Market(config(volume="0.1"))
    market.order("stop", Side.SELL, OrderType.STOP, stop_price="95", oco_group="g", quantity="5")
    market.order("take", Side.SELL, OrderType.TAKE_PROFIT, stop_price="105", oco_group="g", quantity="5")
    assert brief(market.bar("100 105 100 105", volume=20).fills) == [("take", "2", "105.00")]
    stop = market.exchange.look_up("stop")
    assert stop is not None
    assert (stop.quantity, stop.state) == (D(3), OrderState.OPEN)
    # The take has been triggered, so it goes on at the open, as far as this bar's volume allows.
    assert brief(market.bar("104 104 104 104", volume=10).fills) == [("take", "1", "104.00")]
    assert market.exchange.balances()["BTC"] == D(7)


def test_volume_cap_spreads_an_order_over_bars_and_serves_in_submit_order() -> None:
    market = Market(config(volume="0.1"))
    market.order("a", Side.BUY, OrderType.MARKET, quantity="3")
    market.order("b", Side.BUY, OrderType.MARKET, quantity="1")
    assert brief(market.bar("100 100 100 100", volume=25).fills) == [("a", "2.5", "100.00")]
    assert market.state("a")[0] is OrderState.PARTIAL
    assert brief(market.bar("101 101 101 101", volume=0).fills) == []
    assert brief(market.bar("102 102 102 102", volume=8).fills) == [
        ("a", "0.5", "102.00"),
        ("b", "0.3", "102.00"),
    ]
    order = market.exchange.look_up("a")
    assert order is not None
    assert (order.state, order.average_price) == (OrderState.FILLED, D(301) / 3)


def test_market_ioc_remainder_is_canceled_after_its_first_bar() -> None:
    market = Market(config(volume="0.1"))
    market.order("a", Side.BUY, OrderType.MARKET, quantity="3", time_in_force=TimeInForce.IOC)
    report = market.bar("100 100 100 100", volume=25)
    assert brief(report.fills) == [("a", "2.5", "100.00")]
    assert report.closed == (("a", OrderState.CANCELED, EndReason.IOC_REMAINDER),)
    assert market.exchange.balances()["USDT"] == D(9750)


def test_reduce_only_is_cut_to_the_balance_and_canceled_when_nothing_remains() -> None:
    market = Market(btc="2")
    market.order("stop", Side.SELL, OrderType.STOP, stop_price="95", quantity="5", reduce_only=True)
    market.order("exit", Side.SELL, OrderType.MARKET, quantity="3", reduce_only=True)
    report = market.bar("100 100 99 100")
    assert brief(report.fills) == [("exit", "2", "100.00")]
    assert [(ended.client_order_id, ended.reason) for ended in report.closed] == [
        ("stop", EndReason.NOTHING_TO_REDUCE),
        ("exit", EndReason.NOTHING_TO_REDUCE),
    ]
    assert market.state("exit")[0] is OrderState.CANCELED


def test_market_buy_is_cut_to_what_the_gap_leaves_payable() -> None:
    market = Market(config(taker="0.0026"), usdt="101", btc="0")
    market.order("m", Side.BUY, OrderType.MARKET)
    report = market.bar("110 110 110 110")
    # 0.915 * 110 * 1.0026 = 100.91169 <= 101 < 0.916 * 110 * 1.0026
    assert brief(report.fills) == [("m", "0.915", "110.00")]
    assert report.closed == (("m", OrderState.CANCELED, EndReason.INSUFFICIENT_FUNDS),)
    assert market.exchange.balances()["USDT"] == D("101") - D("0.915") * 110 - D("0.26169000")


def test_partly_filled_order_goes_on_holding_for_the_rest() -> None:
    market = Market(config(volume="0.1"), usdt="1000", btc="0")
    market.order("a", Side.BUY, OrderType.LIMIT, limit_price="90", quantity="10")
    assert brief(market.bar("100 100 89 100", volume=40).fills) == [("a", "4", "90.00")]
    # 1000 - 360 spent - 540 held for the other 6 leaves 100, less than two at 60.
    late = OrderSpec(
        symbol="BTC/USDT", side=Side.BUY, order_type=OrderType.LIMIT, quantity=D(2), limit_price=D(60)
    )
    assert not isinstance(market.exchange.submit("b", late, 0), Accepted)
    market.order("c", Side.BUY, OrderType.LIMIT, limit_price="100")


def test_cancel_releases_the_hold_and_tells_once() -> None:
    market = Market(usdt="100", btc="0")
    market.order("a", Side.BUY, OrderType.LIMIT, limit_price="90")
    assert market.exchange.cancel("a", 7)
    assert not market.exchange.cancel("a", 8)
    market.order("b", Side.BUY, OrderType.LIMIT, limit_price="100")
    order = market.exchange.look_up("a")
    assert order is not None
    assert (order.state, order.reason, order.ended_at_ns) == (OrderState.CANCELED, "asked", 7)


def test_fill_times_follow_the_path() -> None:
    market = Market()
    market.order("open", Side.BUY, OrderType.MARKET)
    market.order("low", Side.BUY, OrderType.LIMIT, limit_price="95")
    market.order("high", Side.SELL, OrderType.LIMIT, limit_price="105")
    fills = market.bar("100 106 94 101").fills
    start = BAR_NS
    assert [(f.client_order_id, f.at_ns - start) for f in fills] == [
        ("open", 0),
        ("low", 1000),
        ("high", 2000),
    ]
