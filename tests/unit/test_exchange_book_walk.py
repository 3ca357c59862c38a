"""Matching against shown books: takers, makers, queues, triggers, holds."""

import pytest

from tests.marketplace_words import (
    BUY,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    D,
    Place,
    levels,
)
from tg_actors.domain.orders import OrderState, OrderType, TimeInForce
from tg_actors.exchange.marketplace import (
    OrderTriggered,
)

IOC = TimeInForce.IOC


def test_a_market_order_walks_the_book_one_fill_a_level() -> None:
    place = Place()
    place.show("99x5", "101x1 102x2 103x5")
    number = place.send("a", "m", BUY, MARKET, "2.5")
    assert place.fills("a") == ["m buy 1@101 taker", "m buy 1.5@102 taker"]
    assert place.market.book("BTC/USDT")[1] == ((D(102), D("0.5")), (D(103), D(5)))
    shown = place.market.order("a", number)
    assert shown is not None
    assert (shown.state, shown.fees) == (OrderState.FILLED, D("0.202") + D("0.306"))
    assert place.market.balances("a")["USDT"].total == D(10_000) - D(101) - D(153) - D("0.508")


def test_what_the_book_does_not_hold_is_canceled_with_a_reason() -> None:
    place = Place()
    place.show("99x1", "101x1")
    place.send("a", "market", BUY, MARKET, "3")
    place.send("a", "ioc", SELL, LIMIT, "2", limit_price="99", time_in_force=IOC)
    place.send("a", "miss", SELL, LIMIT, "2", limit_price="100", time_in_force=IOC)
    assert place.ends() == [
        "a market canceled book_exhausted",
        "a ioc canceled ioc_remainder",
        "a miss canceled ioc_remainder",
    ]
    assert place.fills("a") == ["market buy 1@101 taker", "ioc sell 1@99 taker"]


def test_two_accounts_never_eat_the_same_level() -> None:
    place = Place()
    place.show("99x1", "101x1 105x1")
    place.send("a", "first", BUY, MARKET)
    place.send("b", "second", BUY, MARKET)
    assert (place.fills("a"), place.fills("b")) == (["first buy 1@101 taker"], ["second buy 1@105 taker"])
    place.show("99x1", "101x1")
    place.send("b", "third", BUY, MARKET)
    assert place.fills("b")[-1] == "third buy 1@101 taker"


def test_a_limit_takes_up_to_its_price_and_rests_with_the_remainder() -> None:
    place = Place()
    place.show("99x1", "101x1 102x1")
    number = place.send("a", "limit", BUY, LIMIT, "2", limit_price="101")
    shown = place.market.order("a", number)
    assert shown is not None
    assert (shown.state, shown.filled_quantity) == (OrderState.PARTIAL, D(1))
    # What it holds: the rest at its limit with the taker's fee.
    assert place.market.balances("a")["USDT"].held == D(101) * D("1.002")


def test_a_book_that_crosses_resting_orders_fills_them_at_their_own_price_best_and_earliest_first() -> None:
    place = Place()
    place.show("99x1", "101x1")
    place.send("a", "late-worse", BUY, LIMIT, "1", limit_price="98")
    place.send("a", "early", BUY, LIMIT, "1", limit_price="98.5")
    place.send("b", "later", BUY, LIMIT, "1", limit_price="98.5")
    place.show("96x1", "97x0.5 98.5x1 99x9")
    assert place.fills("a") == ["early buy 1@98.5 maker"]
    assert place.fills("b") == ["later buy 0.5@98.5 maker"]
    # All that crossed is gone: nobody can take it again.
    assert place.market.book("BTC/USDT")[1] == ((D(99), D(9)),)


def test_prints_eat_the_queue_first_and_then_fill_in_turn() -> None:
    place = Place()
    place.show("99x2", "101x1")
    place.send("a", "first", BUY, LIMIT, "1", limit_price="99")
    place.send("b", "second", BUY, LIMIT, "1", limit_price="99")
    place.print("99", "1.5", SELL)
    assert place.fills("a") == []
    place.print("99", "1", SELL)
    assert place.fills("a") == ["first buy 0.5@99 maker"]
    place.print("99", "2", SELL)
    assert place.fills("a")[1:] == ["first buy 0.5@99 maker"]
    assert place.fills("b") == ["second buy 1@99 maker"]


def test_a_print_by_a_buyer_leaves_resting_buys_alone() -> None:
    place = Place()
    place.show("99x0.001", "101x1")
    place.send("a", "rest", BUY, LIMIT, limit_price="99.5")
    place.print("99", "50", BUY)
    assert place.fills("a") == []


def test_a_print_through_a_price_needs_no_queue_and_is_shared_out_once() -> None:
    place = Place()
    place.show("99x9", "101x1")
    place.send("a", "first", BUY, LIMIT, "2", limit_price="99")
    place.send("b", "second", BUY, LIMIT, "2", limit_price="99")
    place.print("98.99", "3", SELL)
    assert place.fills("a") == ["first buy 2@99 maker"]
    assert place.fills("b") == ["second buy 1@99 maker"]


def test_a_thinner_book_shortens_the_queue() -> None:
    place = Place()
    place.show("99x5 98x1", "101x1")
    place.send("a", "rest", BUY, LIMIT, "1", limit_price="99")
    place.show("99x1 98x1", "101x1")
    place.print("99", "2", SELL)
    assert place.fills("a") == ["rest buy 1@99 maker"]


def test_post_only_is_refused_when_it_would_take_and_rests_else() -> None:
    place = Place()
    place.show("99x1", "101x1")
    assert (
        place.refused("a", "cross", BUY, LIMIT, limit_price="101", post_only=True) == "POST_ONLY_WOULD_CROSS"
    )
    place.send("a", "rest", BUY, LIMIT, limit_price="100.99", post_only=True)
    assert place.fills("a") == []


@pytest.mark.parametrize("by_print", [True, False])
def test_a_stop_goes_off_on_prints_and_on_the_mid(by_print: bool) -> None:
    place = Place()
    place.show("99x5", "101x5")
    place.send("a", "stop", SELL, STOP, stop_price="98")
    place.print("98.01", "1", SELL)
    assert place.fills("a") == []
    if by_print:
        place.print("98", "1", SELL)
        assert place.fills("a") == ["stop sell 1@99 taker"]
    else:
        place.show("97x5", "99x5")
        assert place.fills("a") == ["stop sell 1@97 taker"]
    assert len(place.events(OrderTriggered)) == 1


def test_a_stop_already_passed_goes_off_on_arrival() -> None:
    place = Place()
    place.show("99x5", "101x5")
    place.send("a", "stop", SELL, STOP, stop_price="100")
    assert place.fills("a") == ["stop sell 1@99 taker"]


def test_a_trailing_stop_follows_the_mark_and_never_back() -> None:
    place = Place()
    place.show("99x5", "101x5")
    number = place.send("a", "trail", SELL, OrderType.TRAILING_STOP, trail_frac="0.1")
    place.print("200", "1", BUY)
    place.print("190", "1", SELL)
    shown = place.market.order("a", number)
    assert shown is not None
    assert shown.stop_level == D(180)
    place.print("180", "1", SELL)
    assert place.fills("a") == ["trail sell 1@99 taker"]


def test_a_triggered_stop_limit_joins_the_back_of_its_price() -> None:
    place = Place()
    place.show("99x1", "101x1")
    place.send("a", "stop", SELL, OrderType.STOP_LIMIT, stop_price="98", limit_price="105")
    place.send("b", "limit", SELL, LIMIT, limit_price="105")
    place.print("98", "1", SELL)
    place.print("105", "1.5", BUY)
    assert place.fills("b") == ["limit sell 1@105 maker"]
    assert place.fills("a") == ["stop sell 0.5@105 maker"]


@pytest.mark.parametrize("holds", [True, False])
def test_a_waiting_stop_locks_balance_only_where_the_venue_says_so(holds: bool) -> None:
    place = Place()
    place.show("99x50", "101x50")
    place.send("a", "stop", SELL, STOP, "10", stop_price="90", stops_hold=holds)
    assert place.market.balances("a")["BTC"].held == (D(10) if holds else D(0))
    if holds:
        assert place.refused("a", "sell", SELL, MARKET, "8") == "INSUFFICIENT_FUNDS"
        return
    place.send("a", "sell", SELL, MARKET, "8")
    place.print("90", "1", SELL)
    # It held nothing: it sells what is left, and says why not all.
    assert place.fills("a") == ["sell sell 8@99 taker", "stop sell 2@99 taker"]
    assert "a stop canceled insufficient_funds" in place.ends()


def test_a_stop_limit_without_money_behind_it_ends_when_it_goes_off() -> None:
    place = Place()
    place.show("99x50", "101x50")
    place.send("a", "stop", SELL, OrderType.STOP_LIMIT, "10", stop_price="90", limit_price="120")
    place.send("a", "sell", SELL, MARKET, "8")
    place.print("90", "1", SELL)
    assert place.ends()[-1] == "a stop canceled insufficient_funds"


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ("99x1", "99x1"),
        ("99x1 99x1", "101x1"),
        ("98x1 99x1", "101x1"),
        ("99x0", "101x1"),
        ("99x1", "101xNaN"),
    ],
)
def test_an_impossible_book_is_refused_and_changes_nothing(bids: str, asks: str) -> None:
    place = Place()
    place.show("99x1", "101x1")
    before = place.market.book("BTC/USDT")
    with pytest.raises(ValueError, match="book"):
        place.market.show_book("BTC/USDT", levels(bids), levels(asks), place.tick())
    assert place.market.book("BTC/USDT") == before
