"""Margin accounts: what a position takes, what it earns, what it pays, and how it ends by force."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from tests.marketplace_words import (
    BTC,
    BUY,
    FUNDING,
    LIMIT,
    MARGIN,
    MARKET,
    SELL,
    STOP,
    D,
    Place,
    S,
    bar,
    costs,
    order,
)
from tg_actors.domain.instruments import Side
from tg_actors.exchange.config import ExchangeConfig, FundingRules
from tg_actors.exchange.marketplace import (
    Accepted,
    AccountKind,
    Bracket,
    FundingPaid,
    Liquidated,
    MarginCalled,
    Marketplace,
    OrderEnded,
    OrderFilled,
)
from tg_actors.exchange.orders import EndReason

X5: dict[str, Any] = {"leverage": D(5)}


def lent(funding: FundingRules | None = None) -> Place:
    place = Place(costs(margin=MARGIN, funding=funding), AccountKind.MARGIN)
    place.show("99x1000", "100x1000")
    return place


def cash(place: Place) -> Decimal:
    return place.market.balances("a")["USDT"].total


def test_opening_takes_margin_and_fee_and_no_coins() -> None:
    place = lent()
    place.send("a", "long", BUY, MARKET, "10", **X5)
    (position,) = place.market.positions("a")
    assert (position.quantity, position.entry_price, position.margin) == (D(10), D(100), D(200))
    assert position.unrealised == D(10) * D("99.5") - D(1000)
    balances = place.market.balances("a")
    assert balances["BTC"].total == D(10)
    assert (balances["USDT"].total, balances["USDT"].held) == (D(9998), D(200))
    (state,) = (state for state in place.market.margins("a") if state.currency == "USDT")
    assert (state.equity, state.used, state.free, state.level) == (D(9993), D(200), D(9793), D("49.965"))


@pytest.mark.parametrize(("side", "profit"), [(BUY, D(10) * 9), (SELL, D(10) * -11)])
def test_closing_realises_the_profit_of_either_side(side: Side, profit: Decimal) -> None:
    place = lent()
    opens, closes = (BUY, SELL) if side is BUY else (SELL, BUY)
    place.send("a", "open", opens, MARKET, "10", **X5)
    place.show("109x1000", "110x1000")
    place.send("a", "close", closes, MARKET, "10", reduce_only=True, **X5)
    fees = [event.trade.fill.fee for event in place.events(OrderFilled) if isinstance(event, OrderFilled)]
    assert place.market.trades("a")[-1].realised == profit
    assert place.market.positions("a") == ()
    assert cash(place) == D(10_000) + profit - sum(fees)


def test_closing_a_third_leaves_exactly_the_rest() -> None:
    place = lent()
    place.send("a", "one", SELL, MARKET, "1", **X5)
    place.show("98x1000", "99x1000")
    place.send("a", "two", SELL, MARKET, "2", **X5)
    place.send("a", "third", BUY, MARKET, "1", **X5)
    (position,) = place.market.positions("a")
    # Opened on 19.8 and 39.2; a third of it is 19.66…, of which the account gets less.
    assert (position.quantity, position.margin) == (D(-2), D("59") - D("19.66666666"))
    place.send("a", "rest", BUY, MARKET, "2", **X5)
    # Average entry 98.333…: the parts are rounded, their sum is not.
    realised = [trade.realised for trade in place.market.trades("a")]
    assert realised[:3] == [D(0), D(0), D("-0.66666667")]
    assert sum(realised) == D(99) + D(98) * 2 - D(99) * 3


def test_an_order_beyond_the_position_closes_it_and_opens_the_other_side() -> None:
    place = lent()
    place.send("a", "long", BUY, MARKET, "1", **X5)
    place.send("a", "turn", SELL, MARKET, "3", **X5)
    assert place.fills("a")[1:] == ["turn sell 1@99 taker", "turn sell 2@99 taker"]
    (position,) = place.market.positions("a")
    assert (position.quantity, position.cost) == (D(-2), D(-198))


def test_leverage_is_for_margin_accounts_and_bounded() -> None:
    place = lent()
    assert place.refused("a", "x", BUY, MARKET, leverage=D(6)) == "LEVERAGE"
    assert place.refused("a", "x", BUY, MARKET, leverage=D("0.5")) == "LEVERAGE"
    spot = Place()
    spot.show("99x1", "100x1")
    assert spot.refused("a", "x", BUY, MARKET, leverage=D(2)) == "LEVERAGE"


def test_margin_bounds_what_can_be_opened_and_what_spot_orders_may_spend() -> None:
    place = lent()
    assert place.refused("a", "much", BUY, MARKET, "500", **X5) == "INSUFFICIENT_FUNDS"
    place.send("a", "most", BUY, MARKET, "450", **X5)
    # 9000 of margin, 90 of fee, a loss of 225 on paper: 685 are left for coins.
    assert place.refused("a", "coins", BUY, LIMIT, "7", limit_price="98") == "INSUFFICIENT_FUNDS"
    place.send("a", "coins", BUY, LIMIT, "6", limit_price="98")
    assert place.refused("a", "more", BUY, LIMIT, "60", limit_price="90", **X5) == "INSUFFICIENT_FUNDS"


def test_resting_orders_hold_the_margin_of_what_they_would_open() -> None:
    place = lent()
    place.send("a", "long", BUY, MARKET, "10", **X5)
    held = place.market.balances("a")["USDT"].held
    place.send("a", "out", SELL, LIMIT, "10", limit_price="120", **X5)
    assert place.market.balances("a")["USDT"].held == held
    place.send("a", "turn", SELL, LIMIT, "15", limit_price="120", **X5)
    assert place.market.balances("a")["USDT"].held == held + 5 * (D(24) + D("0.24"))


def test_reduce_only_never_opens_and_ends_with_the_position() -> None:
    place = lent()
    assert place.refused("a", "none", SELL, MARKET, reduce_only=True, **X5) == "NOTHING_TO_REDUCE"
    place.send("a", "long", BUY, MARKET, "1", **X5)
    assert place.refused("a", "same", BUY, MARKET, reduce_only=True, **X5) == "NOTHING_TO_REDUCE"
    place.send("a", "stop", SELL, STOP, "5", stop_price="90", reduce_only=True, **X5)
    place.send("a", "half", SELL, MARKET, "0.4", **X5)
    place.print("90", "1", SELL)
    assert place.fills("a")[-1] == "stop sell 0.6@99 taker"
    assert place.ends()[-1] == "a stop canceled nothing_to_reduce"
    assert place.market.positions("a") == ()


def test_a_bracket_protects_a_leveraged_entry() -> None:
    place = lent()
    bracket = Bracket(
        stop_price=D(95), take_price=D(120), stop_client_order_id="stop", take_client_order_id="take"
    )
    place.send("a", "entry", BUY, MARKET, "2", bracket=bracket, **X5)
    place.show("121x50", "122x50")
    assert place.fills("a")[-1] == "take sell 2@121 taker"
    assert (place.market.positions("a"), place.market.open_orders("a")) == ((), ())


def test_funding_moves_from_longs_to_shorts_at_every_interval_once() -> None:
    place = lent(FUNDING)
    place.send("a", "long", BUY, MARKET, "10", **X5)
    place.send("b", "short", SELL, MARKET, "10", **X5)
    before = {name: place.market.balances(name)["USDT"].total for name in "ab"}
    place.market.drain()
    place.market.pass_time(35 * S)
    paid = place.events(FundingPaid)
    amounts = [(event.amount, event.at_ns) for event in paid if isinstance(event, FundingPaid)]
    assert amounts == [(a, t * S) for t in (10, 20, 30) for a in (D("0.995"), D("-0.995"))]
    assert place.market.balances("a")["USDT"].total == before["a"] - 3 * D("0.995")
    assert place.market.balances("b")["USDT"].total == before["b"] + 3 * D("0.995")
    # A restart from the accounts alone, with the clock of an older market, does not pay twice.
    again = Marketplace([BTC], costs(margin=MARGIN, funding=FUNDING))
    again.load("a", place.market.dump("a"))
    again.show_book("BTC/USDT", [(D(99), D(1))], [(D(100), D(1))], 5 * S)
    again.pass_time(39 * S)
    assert again.dump("a") == place.market.dump("a")


def test_a_falling_level_warns_once_and_then_closes_everything_at_market() -> None:
    place = lent()
    place.send("a", "hope", BUY, LIMIT, "0.1", limit_price="50", **X5)
    place.send("a", "long", BUY, MARKET, "490", **X5)
    place.send("a", "coins", SELL, LIMIT, "1", limit_price="500")
    place.market.drain()
    # Equity 9902 - 490 * fall over 9800 of margin.
    place.show("95x1000", "96x1000")
    place.show("94.9x1000", "96x1000")
    assert [type(event) for event in place.events(MarginCalled, Liquidated)] == [MarginCalled]
    place.show("87x1000", "88x1000")
    events = [event for _, event in place.market.drain()]
    names = [type(event).__name__ for event in events]
    assert names[0] == "Liquidated"
    ends = [event for event in events if isinstance(event, OrderEnded)]
    assert [(e.order.client_order_id[:5], e.reason) for e in ends] == [
        ("hope", EndReason.LIQUIDATION),
        ("liqui", EndReason.FILLED),
    ]
    assert place.market.positions("a") == ()
    assert cash(place) == D(9902) - 490 * D(13) - 490 * D(87) * D("0.002")
    # The spot order never had to do with it.
    assert [o.client_order_id for o in place.market.open_orders("a")] == ["coins"]


def test_a_gap_can_leave_a_debt_and_nothing_else_breaks() -> None:
    place = lent()
    place.send("a", "long", BUY, MARKET, "490", **X5)
    place.show("50x300", "51x1000")
    # The book was too thin for all of it; the rest goes when there is a book again.
    (position,) = place.market.positions("a")
    assert position.quantity == D(190)
    place.show("40x300", "51x1000")
    assert place.market.positions("a") == ()
    debt = place.market.balances("a")["USDT"]
    assert debt.total == D(9902) - 490 * 100 + 300 * 50 + 190 * 40 - D("45.2")
    assert place.refused("a", "coins", BUY, MARKET) == "INSUFFICIENT_FUNDS"
    place.send("a", "sell", SELL, MARKET, "1")
    reloaded = Marketplace([BTC], costs(margin=MARGIN))
    reloaded.load("a", place.market.dump("a"))
    assert reloaded.dump("a") == place.market.dump("a")


def test_ids_of_forced_orders_are_not_for_clients() -> None:
    assert lent().refused("a", "liquidation-1", BUY, MARKET) == "DUPLICATE"


def test_bars_liquidate_within_the_bar() -> None:
    market = Marketplace([BTC], costs(margin=MARGIN))
    market.open_account("a", {"USDT": D(1000)}, AccountKind.MARGIN)
    market.trade_bar(bar(1, "100 100 100 100"))
    answer = market.submit("a", order("long", BUY, MARKET, "49", leverage=D(5)), 3 * S)
    assert isinstance(answer, Accepted)
    market.trade_bar(bar(2, "100 100 100 100"))
    assert market.positions("a")[0].quantity == D(49)
    # Down to 85 on the way to a close of 100: the position does not live to see it.
    market.trade_bar(bar(3, "100 101 85 100"))
    assert market.positions("a") == ()
    forced = market.trades("a")[-1].fill
    assert (forced.price, forced.at_ns) == (D(85), 8 * S)


@pytest.mark.parametrize(
    "sections",
    [
        {"margin": {"leverage_max": "1", "call_level": "0.8", "liquidation_level": "0.4"}},
        {"margin": {"leverage_max": "5", "call_level": "0.4", "liquidation_level": "0.4"}},
        {"funding": {"interval_s": 3600, "frac": "0.0001"}},
        {"margin": MARGIN.model_dump(mode="json"), "funding": {"interval_s": 0, "frac": "0"}},
    ],
)
def test_senseless_sections_are_refused(sections: dict[str, object]) -> None:
    raw = costs().model_dump(mode="json", exclude={"margin", "funding"}) | sections
    with pytest.raises(ValidationError):
        ExchangeConfig.model_validate_json(json.dumps(raw))
