"""The unmodified ccxt.binance, synchronous, against the practice exchange."""

import itertools
from typing import Any

import ccxt
import pytest

from tests.dialect_words import binance_config
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USDT"
_numbers = itertools.count()


@pytest.fixture
def binance(dialect_exchange: RunningExchange) -> ccxt.binance:
    client = ccxt.binance(binance_config(dialect_exchange))
    client.load_markets()
    return client


def price_at(client: ccxt.binance, part: float) -> float:
    return float(client.price_to_precision(SYMBOL, client.fetch_ticker(SYMBOL)["last"] * part))


def new_id() -> str:
    return f"b-test-{next(_numbers)}"


def test_markets_carry_the_filters_that_orders_must_pass(binance: ccxt.binance) -> None:
    market = binance.market(SYMBOL)
    assert (market["id"], market["spot"], market["active"]) == ("BTCUSDT", True, True)
    assert market["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08}
    assert market["limits"]["cost"]["min"] == 5
    assert market["limits"]["amount"]["min"] == 1e-05
    assert {"BTC", "USDT", "XRP"} <= set(binance.currencies)


def test_public_market_data(binance: ccxt.binance) -> None:
    ticker = binance.fetch_ticker(SYMBOL)
    assert ticker["bid"] < ticker["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert set(binance.fetch_tickers([SYMBOL, "ETH/USDT"])) == {SYMBOL, "ETH/USDT"}
    assert binance.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0
    assert binance.fetch_last_prices([SYMBOL])[SYMBOL]["price"] > 0
    book = binance.fetch_order_book(SYMBOL, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert book["bids"][0][0] < book["asks"][0][0]
    assert [level[0] for level in book["asks"]] == sorted(level[0] for level in book["asks"])
    trades = binance.fetch_trades(SYMBOL, limit=10)
    assert [trade["symbol"] for trade in trades] == [SYMBOL] * len(trades)
    assert all(later["timestamp"] >= earlier["timestamp"] for earlier, later in itertools.pairwise(trades))
    assert binance.fetch_status()["status"] == "ok"
    assert abs(binance.fetch_time() - binance.milliseconds()) < 10_000


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d"])
def test_candles_are_whole_and_in_order(binance: ccxt.binance, timeframe: str) -> None:
    candles = binance.fetch_ohlcv(SYMBOL, timeframe, limit=10)
    step_ms = binance.parse_timeframe(timeframe) * 1000
    assert candles
    for opened, open_, high, low, close, volume in candles:
        assert opened % step_ms == 0
        assert low <= min(open_, close) <= max(open_, close) <= high
        assert volume >= 0
    assert [row[0] for row in candles] == sorted({row[0] for row in candles})


def test_balance_counts_what_open_orders_hold(binance: ccxt.binance) -> None:
    before = binance.fetch_balance()["USDT"]
    price = price_at(binance, 0.5)
    order = binance.create_order(SYMBOL, "limit", "buy", 0.01, price)
    held = binance.fetch_balance()["USDT"]
    assert held["total"] == pytest.approx(before["total"])
    assert held["used"] - before["used"] >= 0.01 * price
    binance.cancel_order(order["id"], SYMBOL)
    assert binance.fetch_balance()["USDT"] == before


def test_a_market_order_fills_at_once_and_is_found_everywhere(binance: ccxt.binance) -> None:
    client_id = new_id()
    order = binance.create_order(SYMBOL, "market", "buy", 0.01, params={"clientOrderId": client_id})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.01, client_id)
    assert order["trades"]
    assert order["fees"][0]["cost"] > 0
    by_id = binance.fetch_order(order["id"], SYMBOL)
    by_client_id = binance.fetch_order(None, SYMBOL, {"clientOrderId": client_id})
    assert by_id["id"] == by_client_id["id"] == order["id"]
    assert by_id["average"] == pytest.approx(order["average"])
    mine = binance.fetch_order_trades(order["id"], SYMBOL)
    assert sum(trade["amount"] for trade in mine) == pytest.approx(0.01)
    assert {trade["takerOrMaker"] for trade in mine} == {"taker"}
    assert order["id"] in {trade["order"] for trade in binance.fetch_my_trades(SYMBOL)}
    assert order["id"] in {one["id"] for one in binance.fetch_closed_orders(SYMBOL)}


def test_a_market_order_by_cost_spends_no_more_than_that(binance: ccxt.binance) -> None:
    order = binance.create_market_buy_order_with_cost(SYMBOL, 500)
    assert order["status"] == "closed"
    assert 400 < order["cost"] <= 500
    assert order["info"]["origQuoteOrderQty"] == "500.00000000"


RESTING: list[tuple[str, str, float, dict[str, float | str], str]] = [
    ("limit", "buy", 0.5, {}, "LIMIT"),
    ("limit", "sell", 2.0, {"postOnly": True}, "LIMIT_MAKER"),
    ("limit", "sell", 0.4, {"stopLossPrice": 0.5}, "STOP_LOSS_LIMIT"),
    ("market", "sell", 0.0, {"stopLossPrice": 0.5}, "STOP_LOSS"),
    ("market", "buy", 0.0, {"stopLossPrice": 2.0}, "STOP_LOSS"),
    ("market", "sell", 0.0, {"takeProfitPrice": 2.0}, "TAKE_PROFIT"),
    ("market", "sell", 0.0, {"trailingPercent": "5", "stopLossOrTakeProfit": "stopLoss"}, "STOP_LOSS"),
]


@pytest.mark.parametrize(("kind", "side", "part", "extra", "name"), RESTING)
def test_every_resting_type_opens_shows_and_cancels(
    binance: ccxt.binance, kind: str, side: str, part: float, extra: dict[str, Any], name: str
) -> None:
    params: dict[str, Any] = {
        key: price_at(binance, content) if key in {"stopLossPrice", "takeProfitPrice"} else content
        for key, content in extra.items()
    }
    price = price_at(binance, part) if part else None
    order = binance.create_order(SYMBOL, kind, side, 0.01, price, params)
    found = binance.fetch_order(order["id"], SYMBOL)
    assert (found["status"], found["info"]["type"], found["side"]) == ("open", name, side)
    assert order["id"] in {one["id"] for one in binance.fetch_open_orders(SYMBOL)}
    gone = binance.cancel_order(order["id"], SYMBOL)
    assert gone["status"] == "canceled"
    assert binance.fetch_order(order["id"], SYMBOL)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        binance.cancel_order(order["id"], SYMBOL)


def test_ioc_leaves_nothing_behind(binance: ccxt.binance) -> None:
    order = binance.create_order(SYMBOL, "limit", "buy", 0.01, price_at(binance, 0.5), {"timeInForce": "IOC"})
    assert binance.fetch_order(order["id"], SYMBOL)["status"] == "expired"


def test_cancel_by_client_id_and_cancel_all(binance: ccxt.binance) -> None:
    names = [new_id() for _ in range(3)]
    price = price_at(binance, 0.5)
    for name in names:
        binance.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": name})
    binance.cancel_order(None, SYMBOL, {"clientOrderId": names[0]})
    cancelled = {order["clientOrderId"] for order in binance.cancel_all_orders(SYMBOL)}
    assert len(cancelled) >= 2
    assert binance.fetch_open_orders(SYMBOL) == []
    ended = {order["clientOrderId"]: order["status"] for order in binance.fetch_orders(SYMBOL)}
    assert [ended[name] for name in names] == ["canceled"] * 3


def test_edit_replaces_an_order_in_one_request(binance: ccxt.binance) -> None:
    old = binance.create_order(SYMBOL, "limit", "buy", 0.01, price_at(binance, 0.5))
    new = binance.edit_order(old["id"], SYMBOL, "limit", "buy", 0.02, price_at(binance, 0.4))
    assert new["id"] != old["id"]
    assert binance.fetch_order(old["id"], SYMBOL)["status"] == "canceled"
    assert binance.fetch_order(new["id"], SYMBOL)["amount"] == 0.02
    binance.cancel_order(new["id"], SYMBOL)


def test_a_client_id_may_return_only_when_its_order_has_ended(binance: ccxt.binance) -> None:
    name, price = new_id(), price_at(binance, 0.5)
    first = binance.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": name})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        binance.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": name})
    binance.cancel_order(first["id"], SYMBOL)
    again = binance.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": name})
    assert again["id"] != first["id"]
    newest = binance.fetch_order(None, SYMBOL, {"clientOrderId": name})
    assert newest["id"] == again["id"]
    binance.cancel_order(again["id"], SYMBOL)


def test_a_resting_stop_locks_balance(dialect_exchange: RunningExchange) -> None:
    client = ccxt.binance(binance_config(dialect_exchange, "main"))
    client.load_markets()
    before = client.fetch_balance()["BTC"]["free"]
    params = {"stopLossPrice": price_at(client, 0.5)}
    order = client.create_order(SYMBOL, "market", "sell", 1, params=params)
    assert client.fetch_balance()["BTC"]["free"] == pytest.approx(before - 1)
    client.cancel_order(order["id"], SYMBOL)


REFUSALS: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ccxt.InvalidOrder, "LOT_SIZE|lot size", {"quantity": "0.000001"}),
    (ccxt.InvalidOrder, "PRICE_FILTER", {"price": "1000.001"}),
    (ccxt.BadRequest, "-1013.*NOTIONAL", {"price": "1.00"}),
    (ccxt.BadRequest, "-1013.*Invalid quantity", {"quantity": "0"}),
    (ccxt.BadRequest, "-1100.*quantity", {"quantity": "1e-3"}),
    (ccxt.BadRequest, "-1102.*price", {"price": ""}),
    (ccxt.BadRequest, "-1106", {"type": "MARKET"}),
    (ccxt.BadRequest, "-1116", {"type": "FANCY"}),
    (ccxt.BadRequest, "-1117", {"side": "BOTH"}),
    (ccxt.BadRequest, "-1115", {"timeInForce": "FOK"}),
    (ccxt.BadSymbol, "-1121", {"symbol": "DOGEBTC"}),
    (ccxt.BadRequest, "-1100.*newClientOrderId", {"newClientOrderId": "a b"}),
    (
        ccxt.OrderImmediatelyFillable,
        "immediately match",
        {"type": "LIMIT_MAKER", "timeInForce": "", "price": "99000000.00"},
    ),
    (
        ccxt.OrderImmediatelyFillable,
        "trigger immediately",
        {"type": "STOP_LOSS", "timeInForce": "", "quantity": "10", "stopPrice": "1.00"},
    ),
]


@pytest.mark.parametrize(("error", "words", "fields"), REFUSALS)
def test_what_binance_refuses_is_refused_in_its_words(
    binance: ccxt.binance, error: type[Exception], words: str, fields: dict[str, Any]
) -> None:
    good = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
    request = {**good, "price": "20000.00", **fields}
    with pytest.raises(error, match=words):
        binance.private_post_order({name: content for name, content in request.items() if content != ""})


def test_an_order_above_the_balance_is_refused(dialect_exchange: RunningExchange) -> None:
    poor = ccxt.binance(binance_config(dialect_exchange, "poor"))
    with pytest.raises(ccxt.InsufficientFunds):
        poor.create_order(SYMBOL, "limit", "buy", 1, price_at(poor, 0.5))


def test_a_test_order_leaves_no_trace(binance: ccxt.binance) -> None:
    before = len(binance.fetch_open_orders(SYMBOL))
    binance.create_order(SYMBOL, "limit", "buy", 0.01, price_at(binance, 0.5), {"test": True})
    assert len(binance.fetch_open_orders(SYMBOL)) == before


def test_trading_fees_are_those_that_are_taken(binance: ccxt.binance) -> None:
    fee = binance.fetch_trading_fee(SYMBOL)
    order = binance.create_order(SYMBOL, "market", "buy", 0.1)
    assert sum(one["cost"] for one in order["fees"]) == pytest.approx(order["cost"] * fee["taker"], rel=1e-4)
