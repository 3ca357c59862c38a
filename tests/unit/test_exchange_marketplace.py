"""The marketplace: ids, deadlines, timers, events, memory, and bars."""

import pytest

from tests.marketplace_words import (
    BTC,
    BUY,
    LIMIT,
    MARKET,
    MONEY,
    SELL,
    D,
    Place,
    S,
    bar,
    costs,
    order,
)
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import OrderState, TimeInForce
from tg_actors.exchange.marketplace import (
    Accepted,
    AccountKind,
    BalancesChanged,
    Bracket,
    DeadManFired,
    Dedupe,
    Marketplace,
    OrderFilled,
    OrderOpened,
)

IOC = TimeInForce.IOC


def test_an_id_comes_back_after_its_order_has_ended_only_where_the_venue_allows_it() -> None:
    place = Place()
    place.show("99x50", "101x50")
    rest = {"limit_price": "90"}
    place.send("a", "rest", BUY, LIMIT, **rest)
    for dedupe in Dedupe:
        assert place.refused("a", "rest", BUY, LIMIT, **rest, dedupe=dedupe) == "DUPLICATE"
    place.send("b", "rest", BUY, LIMIT, **rest)
    # The blind resend of a filled market order: a second position under OPEN, a refusal under FOREVER.
    first, second = place.send("a", "x", BUY, MARKET), place.send("a", "x", BUY, MARKET)
    assert [o.number for o in place.market.by_client_id("a", "x")] == [first, second]
    assert place.refused("a", "x", BUY, MARKET, dedupe=Dedupe.FOREVER) == "DUPLICATE"
    place.market.forget("a", place.now_ns)
    assert place.market.by_client_id("a", "x") == ()
    assert place.refused("a", "x", BUY, MARKET, dedupe=Dedupe.FOREVER, known_before=True) == "DUPLICATE"
    place.send("a", "x", BUY, MARKET, known_before=True)


def test_a_bracket_keeps_the_ids_of_entry_and_exits_from_coming_back() -> None:
    place = Place()
    place.show("99x50", "101x50")
    bracket = Bracket(stop_price=D(80), stop_client_order_id="stop")
    place.send("a", "entry", BUY, MARKET, bracket=bracket)
    assert [o.client_order_id for o in place.market.open_orders("a")] == ["stop"]
    assert place.refused("a", "entry", BUY, MARKET) == "DUPLICATE"
    place.print("80", "1", SELL)
    assert place.fills("a")[-1] == "stop sell 1@99 taker"
    place.send("a", "entry", BUY, MARKET)


def test_late_arrivals_are_refused_and_expiries_end_orders_at_their_instant() -> None:
    place = Place()
    place.show("99x1", "101x1")
    late = place.now_ns
    assert place.refused("a", "late", BUY, MARKET, deadline_ns=late) == "DEADLINE"
    assert place.refused("a", "gone", BUY, MARKET, expires_at_ns=place.now_ns + S) == "DEADLINE"
    place.send("a", "in time", BUY, MARKET, deadline_ns=place.now_ns + S)
    number = place.send("a", "rest", BUY, LIMIT, limit_price="98", expires_at_ns=place.now_ns + 5 * S)
    expiry = place.now_ns + 4 * S
    place.market.pass_time(expiry - 1)
    assert place.market.open_orders("a") != ()
    # A print at that very instant comes too late.
    place.market.print_trade("BTC/USDT", D(90), D(9), SELL, expiry)
    shown = place.market.order("a", number)
    assert shown is not None
    assert (shown.state, shown.ended_at_ns, shown.filled_quantity) == (OrderState.EXPIRED, expiry, D(0))
    assert place.market.balances("a")["USDT"].held == D(0)


def test_the_dead_man_cancels_one_account_unless_asked_again() -> None:
    place = Place()
    place.show("99x1", "101x1")
    for account in ("a", "b"):
        place.send(account, "rest", BUY, LIMIT, limit_price="98")
    place.market.arm_dead_man("a", place.tick(), 10)
    place.market.pass_time(place.now_ns + 9 * S)
    place.now_ns += 9 * S
    place.market.arm_dead_man("a", place.now_ns, 10)
    place.market.pass_time(place.now_ns + 9 * S)
    assert len(place.market.open_orders("a")) == 1
    place.market.pass_time(place.now_ns + 60 * S)
    place.now_ns += 60 * S
    events = place.market.drain()
    assert [account for account, event in events if isinstance(event, DeadManFired)] == ["a"]
    assert place.market.open_orders("a") == ()
    assert len(place.market.open_orders("b")) == 1
    place.market.arm_dead_man("b", place.now_ns, 10)
    place.market.arm_dead_man("b", place.now_ns, 0)
    place.market.pass_time(place.now_ns + 60 * S)
    assert len(place.market.open_orders("b")) == 1


def test_cancels_answer_what_they_did() -> None:
    place = Place()
    place.show("99x1", "101x1")
    one = place.send("a", "one", BUY, LIMIT, limit_price="90")
    place.send("a", "two", BUY, LIMIT, limit_price="91")
    assert place.market.cancel("a", one, place.tick())
    assert not place.market.cancel("a", one, place.tick())
    assert not place.market.cancel("b", one + 1, place.tick()), "somebody else's order"
    (ended,) = place.market.cancel_all("a", place.tick(), "BTC/USDT")
    assert (ended.client_order_id, ended.state) == ("two", OrderState.CANCELED)
    assert place.market.cancel_all("a", place.tick()) == ()


def test_events_tell_the_story_in_order_and_once() -> None:
    place = Place()
    place.show("99x1", "101x1")
    place.market.drain()
    place.send("a", "m", BUY, MARKET)
    kinds = [type(event).__name__ for _, event in place.market.drain()]
    assert kinds == ["OrderOpened", "OrderFilled", "OrderEnded", "BalancesChanged"]
    assert place.market.drain() == ()
    place.send("b", "rest", BUY, LIMIT, limit_price="90")
    opened, balances = place.events(OrderOpened, BalancesChanged, OrderFilled)
    assert isinstance(opened, OrderOpened)
    assert isinstance(balances, BalancesChanged)
    assert [currency for currency, _ in balances.balances] == ["USDT"]


def test_money_comes_and_goes_only_as_far_as_it_is_free() -> None:
    place = Place()
    place.show("99x1", "101x1")
    place.send("a", "rest", SELL, LIMIT, "9", limit_price="200")
    place.market.deposit("a", "BTC", D(-1), place.tick())
    with pytest.raises(ValueError, match="are free"):
        place.market.deposit("a", "BTC", D("-0.1"), place.tick())
    place.market.deposit("a", "EUR", D(5), place.tick())
    assert {c: b.total for c, b in place.market.balances("a").items()} == {
        "BTC": D(9),
        "EUR": D(5),
        "USDT": D(10_000),
    }


def test_quantity_for_a_notional_is_what_the_book_gives() -> None:
    place = Place()
    place.show("99x1", "100x1 200x1")
    assert place.market.quantity_for("BTC/USDT", BUY, D(50)) == D("0.5")
    assert place.market.quantity_for("BTC/USDT", BUY, D(150)) == D("1.25")
    assert place.market.quantity_for("BTC/USDT", BUY, D(999)) == D(2)


def test_time_never_goes_back() -> None:
    place = Place()
    place.show("99x1", "101x1")
    for call in (
        lambda: place.market.pass_time(0),
        lambda: place.market.submit("a", order("x", BUY, MARKET), 0),
        lambda: place.market.show_book("BTC/USDT", [], [], 0),
    ):
        with pytest.raises(ValueError, match="time went back"):
            call()


def test_an_account_is_opened_once_and_not_with_debts() -> None:
    market = Marketplace([BTC], costs())
    market.open_account("a", MONEY)
    with pytest.raises(ValueError, match="exists"):
        market.open_account("a", MONEY)
    with pytest.raises(ValueError, match="negative"):
        market.open_account("b", {"USDT": D(-1)})
    with pytest.raises(ValueError, match="no margin section"):
        market.open_account("b", MONEY, AccountKind.MARGIN)
    assert market.accounts() == ("a",)


def test_a_restarted_marketplace_shows_and_does_the_same() -> None:
    place, other = Place(), Place()
    place.show("99x2", "101x1 102x5")
    place.send("a", "one", BUY, LIMIT, limit_price="99")
    place.send("b", "two", BUY, LIMIT, limit_price="99")
    place.send("a", "buy", BUY, MARKET, "1.5")
    place.send("b", "gone", BUY, LIMIT, limit_price="80", expires_at_ns=place.now_ns + 9 * S)
    place.market.arm_dead_man("a", place.tick(), 20)
    other.market.load_market(place.market.dump_market())
    for account in ("b", "a"):
        other.market.load(account, place.market.dump(account))
    other.now_ns = place.now_ns
    for each in (place, other):
        each.print("99", "3.5", SELL)
        each.send("a", "again", BUY, MARKET)
        each.market.pass_time(each.now_ns + 30 * S)
    assert other.market.dump_market() == place.market.dump_market()
    for account in ("a", "b"):
        assert other.market.dump(account) == place.market.dump(account)
        assert other.fills(account) == place.fills(account)
    assert other.market.open_orders("a") == ()


def test_states_that_do_not_belong_here_are_refused_with_one_sentence() -> None:
    place = Place()
    place.send("a", "rest", BUY, LIMIT, limit_price="99")
    raw = place.market.dump("a")
    empty = Marketplace([], costs())
    for market, account, state, sentence in (
        (place.market, "b", raw, "practice/a"),
        (place.market, "a", b"{", "damaged at the text"),
        (place.market, "a", raw.replace(b'"version":2', b'"version":9'), "version 9"),
        (place.market, "a", raw.replace(b'"kind":"spot"', b'"kind":"margin"'), "margin section"),
        (empty, "a", raw, "BTC/USDT open"),
    ):
        with pytest.raises(UserError, match=sentence):
            market.load(account, state)
    assert place.market.dump("a") == raw


def test_bars_and_books_are_not_mixed() -> None:
    place = Place()
    place.show("99x1", "101x1")
    with pytest.raises(ValueError, match="shows books"):
        place.market.trade_bar(bar(1, "100 100 100 100"))
    bars = Marketplace([BTC], costs())
    bars.trade_bar(bar(1, "100 100 100 100"))
    with pytest.raises(ValueError, match="trades bars"):
        bars.show_book("BTC/USDT", [], [], 99 * S)
    with pytest.raises(ValueError, match="traded before"):
        bars.trade_bar(bar(1, "100 100 100 100"))


def test_a_limit_waits_for_the_first_bar_like_everything_else() -> None:
    market = Marketplace([BTC], costs())
    market.open_account("a", MONEY)
    spec = order("ioc", BUY, LIMIT, limit_price="99", time_in_force=IOC)
    assert isinstance(market.submit("a", spec, 0), Accepted)
    assert len(market.open_orders("a")) == 1


def test_an_order_that_expires_within_a_bar_misses_the_rest_of_it() -> None:
    market = Marketplace([BTC], costs())
    market.open_account("a", MONEY)
    market.trade_bar(bar(1, "100 100 100 100"))
    # The bar reaches its low after one second and its high after two.
    for name, price, expires_s in (("low", "95", 5), ("high", "105", 5), ("late", "94", 4)):
        side = SELL if name == "high" else BUY
        wish = order(name, side, LIMIT, limit_price=price, expires_at_ns=expires_s * S)
        assert isinstance(market.submit("a", wish, 3 * S), Accepted)
    market.trade_bar(bar(2, "100 110 90 101"))
    ends = [(o.client_order_id, o.state, o.ended_at_ns) for o in market.closed_orders("a")]
    assert ends == [
        ("late", OrderState.EXPIRED, 4 * S),
        ("low", OrderState.FILLED, 4 * S),
        ("high", OrderState.EXPIRED, 5 * S),
    ]
