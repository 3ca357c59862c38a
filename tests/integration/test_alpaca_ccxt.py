"""The unmodified ccxt.alpaca and ccxt.async_support.alpaca against the practice exchange."""

import asyncio
import itertools
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.dialect_words import alpaca_config
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USD"
_numbers = itertools.count()


@pytest.fixture
def alpaca(dialect_exchange: RunningExchange) -> ccxt.alpaca:
    client = ccxt.alpaca(alpaca_config(dialect_exchange))
    client.load_markets()
    return client


def price_at(client: ccxt.alpaca, part: float) -> float:
    return float(client.price_to_precision(SYMBOL, client.fetch_ticker(SYMBOL)["last"] * part))


def test_markets_and_market_data(alpaca: ccxt.alpaca) -> None:
    assert alpaca.market(SYMBOL)["precision"] == {"amount": 1e-05, "price": 0.01}
    ticker = alpaca.fetch_ticker(SYMBOL)
    assert 0 < ticker["bid"] < ticker["ask"]
    assert set(alpaca.fetch_tickers([SYMBOL, "ETH/USD"])) == {SYMBOL, "ETH/USD"}
    book = alpaca.fetch_order_book(SYMBOL)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert alpaca.fetch_trades(SYMBOL, limit=5)[0]["side"] in {"buy", "sell"}
    assert abs(alpaca.fetch_time() - alpaca.milliseconds()) < 10_000
    since = ticker["timestamp"] - 3_600_000
    candles = alpaca.fetch_ohlcv(SYMBOL, "1m", since=since, limit=10)
    assert len(candles) == 10
    assert [row[0] for row in candles] == sorted({row[0] for row in candles})
    assert alpaca.fetch_ohlcv(SYMBOL, "1d", since=since - 86_400_000)


def test_an_order_from_birth_to_death(alpaca: ccxt.alpaca) -> None:
    before = alpaca.fetch_balance()["USD"]
    name = f"c-test-{next(_numbers)}"
    params = {"clientOrderId": name}
    order = alpaca.create_order(SYMBOL, "limit", "buy", 0.01, price_at(alpaca, 0.5), params)
    assert (order["status"], order["clientOrderId"]) == ("open", name)
    held = alpaca.fetch_balance()["USD"]
    assert held["used"] > before["used"]
    assert held["total"] == pytest.approx(before["total"])
    assert order["id"] in {one["id"] for one in alpaca.fetch_open_orders(SYMBOL)}
    edited = alpaca.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, price_at(alpaca, 0.4))
    assert alpaca.fetch_order(order["id"])["status"] == "canceled"
    alpaca.cancel_order(edited["id"])
    assert edited["id"] in {one["id"] for one in alpaca.fetch_closed_orders(SYMBOL)}
    with pytest.raises(ccxt.BadRequest, match="must be unique"):
        alpaca.create_order(SYMBOL, "limit", "buy", 0.01, price_at(alpaca, 0.5), params)


def test_fills_balances_and_trades(alpaca: ccxt.alpaca) -> None:
    before = alpaca.fetch_balance()["BTC"]["total"]
    order = alpaca.create_order(SYMBOL, "market", "buy", 0.01)
    assert order["status"] == "closed"
    assert alpaca.fetch_balance()["BTC"]["total"] == pytest.approx(before + 0.01)
    mine = [trade for trade in alpaca.fetch_my_trades(SYMBOL) if trade["order"] == order["id"]]
    assert sum(trade["amount"] for trade in mine) == pytest.approx(0.01)
    by_cost = alpaca.create_market_buy_order_with_cost(SYMBOL, 300)
    assert 200 < by_cost["filled"] * by_cost["average"] <= 300
    trigger = {"triggerPrice": price_at(alpaca, 0.5)}
    stop = alpaca.create_order(SYMBOL, "limit", "sell", 0.01, price_at(alpaca, 0.4), trigger)
    assert stop["triggerPrice"] > 0
    alpaca.cancel_all_orders()
    assert alpaca.fetch_open_orders() == []


def test_what_is_refused(alpaca: ccxt.alpaca, dialect_exchange: RunningExchange) -> None:
    poor = ccxt.alpaca(alpaca_config(dialect_exchange, "poor"))
    with pytest.raises(ccxt.InsufficientFunds):
        poor.create_order(SYMBOL, "market", "buy", 1)
    with pytest.raises(ccxt.BadRequest):
        alpaca.create_order(SYMBOL, "limit", "buy", 0.01, price_at(alpaca, 0.5), {"timeInForce": "FOK"})
    forged = ccxt.alpaca(alpaca_config(dialect_exchange) | {"secret": "x" * 40})
    with pytest.raises(ccxt.PermissionDenied):
        forged.fetch_balance()


def test_the_asynchronous_client(dialect_exchange: RunningExchange) -> None:
    async def work() -> None:
        client: Any = ccxt.async_support.alpaca(alpaca_config(dialect_exchange))
        try:
            order = await client.create_order(SYMBOL, "market", "buy", 0.01)
            assert (await client.fetch_order(order["id"]))["status"] == "closed"
            assert (await client.fetch_balance())["BTC"]["total"] > 0
        finally:
            await client.close()

    asyncio.run(work())
