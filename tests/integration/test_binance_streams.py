"""The unmodified ccxt.async_support.binance and ccxt.pro.binance: streams, user data, the WebSocket API."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import ccxt.async_support
import ccxt.pro
import pytest

from tests.dialect_words import binance_config, broken
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USDT"
#: Far above what anything takes; a stream that says nothing fails by name instead of hanging.
PATIENCE_S = 20.0

Work = Callable[[Any], Awaitable[None]]


def with_client(exchange: RunningExchange, work: Work, account: str = "streams", *, pro: bool = True) -> None:
    async def run() -> None:
        venue = ccxt.pro.binance if pro else ccxt.async_support.binance
        client = venue(binance_config(exchange, account))
        try:
            await client.load_markets()
            await asyncio.wait_for(work(client), PATIENCE_S)
        finally:
            await client.close()

    asyncio.run(run())


async def half_price(client: Any) -> float:
    return float(client.price_to_precision(SYMBOL, (await client.fetch_ticker(SYMBOL))["last"] * 0.5))


def test_the_asynchronous_client_lives_the_same_life(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, await half_price(client))
        assert (await client.fetch_order(order["id"], SYMBOL))["status"] == "open"
        assert (await client.cancel_order(order["id"], SYMBOL))["status"] == "canceled"
        filled = await client.create_order(SYMBOL, "market", "sell", 0.01)
        assert filled["status"] == "closed"
        assert (await client.fetch_my_trades(SYMBOL))[-1]["order"] == filled["id"]
        assert (await client.fetch_balance())["BTC"]["total"] > 0
        assert len((await client.fetch_order_book(SYMBOL, 5))["bids"]) == 5

    with_client(dialect_exchange, work, pro=False)


def test_public_streams(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        ticker, best, trades, candles, all_tickers = await asyncio.gather(
            client.watch_ticker(SYMBOL),
            client.watch_bids_asks([SYMBOL]),
            client.watch_trades(SYMBOL),
            client.watch_ohlcv(SYMBOL, "1m"),
            client.watch_tickers([SYMBOL, "ETH/USDT"]),
        )
        assert ticker["symbol"] == SYMBOL
        assert ticker["low"] <= ticker["last"] <= ticker["high"]
        assert best[SYMBOL]["bid"] < best[SYMBOL]["ask"]
        assert trades[-1]["side"] in {"buy", "sell"}
        assert candles[-1][2] >= candles[-1][3] > 0
        assert set(all_tickers) <= {SYMBOL, "ETH/USDT"}

    with_client(dialect_exchange, work)


def test_the_order_book_follows_the_rules_of_the_sequence(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        nonces = []
        for _ in range(15):
            book = await client.watch_order_book(SYMBOL)
            assert book["bids"][0][0] < book["asks"][0][0]
            nonces.append(book["nonce"])
        assert nonces == sorted(nonces)
        assert nonces[-1] > nonces[0]

    with_client(dialect_exchange, work)


def test_a_gap_in_the_book_is_seen_by_the_client(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        await client.watch_order_book(SYMBOL)
        gap = {"streams": [{"kind": "gap", "on": "book", "times": 3}]}
        with broken(dialect_exchange, gap), pytest.raises(ccxt.async_support.NetworkError):
            await watch_many_books(client)
        # It subscribes anew by itself and has a sound book again.
        book = await client.watch_order_book(SYMBOL)
        assert book["bids"][0][0] < book["asks"][0][0]

    with_client(dialect_exchange, work)


async def watch_many_books(client: Any) -> None:
    for _ in range(40):
        await client.watch_order_book(SYMBOL)


def test_user_data_tells_of_orders_trades_and_balances(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        orders = asyncio.create_task(client.watch_orders(SYMBOL))
        balance = asyncio.create_task(client.watch_balance())
        trades = asyncio.create_task(client.watch_my_trades(SYMBOL))
        await subscribed(client)
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, await half_price(client))
        told = await orders
        assert [(one["id"], one["status"], one["clientOrderId"]) for one in told] == [
            (order["id"], "open", order["clientOrderId"])
        ]
        assert (await balance)["USDT"]["used"] > 0
        orders = asyncio.create_task(client.watch_orders(SYMBOL))
        await client.cancel_order(order["id"], SYMBOL)
        ended = (await orders)[-1]
        assert (ended["status"], ended["clientOrderId"]) == ("canceled", order["clientOrderId"])
        filled = await client.create_order(SYMBOL, "market", "buy", 0.02)
        mine = await trades
        assert (mine[-1]["order"], mine[-1]["side"], mine[-1]["takerOrMaker"]) == (
            filled["id"],
            "buy",
            "taker",
        )
        assert mine[-1]["fee"]["cost"] > 0

    with_client(dialect_exchange, work)


async def subscribed(client: Any) -> None:
    """Wait until the user data stream stands: the next request on the same socket is answered."""
    await client.fetch_balance_ws()


def test_orders_over_the_websocket_api(dialect_exchange: RunningExchange) -> None:
    async def work(client: Any) -> None:
        price = await half_price(client)
        order = await client.create_order_ws(SYMBOL, "limit", "buy", 0.01, price)
        assert (await client.fetch_order_ws(order["id"], SYMBOL))["status"] == "open"
        assert order["id"] in {one["id"] for one in await client.fetch_open_orders_ws(SYMBOL)}
        assert (await client.cancel_order_ws(order["id"], SYMBOL))["status"] == "canceled"
        filled = await client.create_order_ws(SYMBOL, "market", "buy", 0.01)
        assert filled["filled"] == 0.01
        assert filled["id"] in {one["order"] for one in await client.fetch_my_trades_ws(SYMBOL)}
        assert (await client.fetch_balance_ws())["info"]["accountType"] == "SPOT"
        with pytest.raises(ccxt.async_support.OrderNotFound):
            await client.cancel_order_ws("999999", SYMBOL)

    with_client(dialect_exchange, work)


def test_listen_keys_and_raw_streams(dialect_exchange: RunningExchange) -> None:
    """What other clients use: listen keys, combined streams, streams named in the path."""
    key = dialect_exchange.key("streams")
    base = dialect_exchange.dialect_url("binance")

    async def work(client: Any) -> None:
        headers = {"X-MBX-APIKEY": key.api_key}
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{base}/api/v3/userDataStream", headers=headers) as answer:
                listen_key = (await answer.json())["listenKey"]
            async with session.ws_connect(f"{base}/stream?streams={listen_key}/btcusdt@depth5") as socket:
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 7})
                listed = await frame(socket, lambda content: content.get("id") == 7)
                assert set(listed["result"]) == {listen_key, "btcusdt@depth5"}
                order = await client.create_order(SYMBOL, "market", "buy", 0.01)
                told = await frame(socket, lambda content: content.get("stream") == listen_key)
                assert told["data"]["e"] in {"executionReport", "outboundAccountPosition"}
                assert told["data"].get("i", int(order["id"])) == int(order["id"])
                partial = await frame(socket, lambda content: content.get("stream") == "btcusdt@depth5")
                assert len(partial["data"]["bids"]) == 5
            params = {"listenKey": listen_key}
            async with session.put(f"{base}/api/v3/userDataStream", headers=headers, params=params) as answer:
                assert answer.status == 200
            async with session.delete(
                f"{base}/api/v3/userDataStream", headers=headers, params=params
            ) as answer:
                assert answer.status == 200
            async with session.put(f"{base}/api/v3/userDataStream", headers=headers, params=params) as answer:
                assert (await answer.json())["code"] == -1125

    with_client(dialect_exchange, work)


def test_a_depth_stream_numbers_every_change(dialect_exchange: RunningExchange) -> None:
    base = dialect_exchange.dialect_url("binance")

    async def work(_: Any) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{base}/ws/btcusdt@depth") as socket,
        ):
            events = [
                await frame(socket, lambda content: content.get("e") == "depthUpdate") for _ in range(6)
            ]
            for earlier, later in itertools.pairwise(events):
                assert later["U"] == earlier["u"] + 1
            await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@nothing"], "id": 1})
            assert (await frame(socket, lambda content: content.get("id") == 1))["error"]["code"] == 2
            await socket.send_str("{nonsense")
            assert (await frame(socket, lambda content: "error" in content))["error"]["code"] == 3

    with_client(dialect_exchange, work)


def test_a_candle_is_told_when_it_ends(dialect_exchange: RunningExchange) -> None:
    base = dialect_exchange.dialect_url("binance")

    async def work(client: Any) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{base}/ws/btcusdt@kline_1m") as socket,
        ):
            ended = (await frame(socket, lambda content: content["k"]["x"]))["k"]
            following = (await frame(socket, lambda _: True))["k"]
        assert following["t"] == ended["T"] + 1
        row = (
            await client.public_get_klines({"symbol": "BTCUSDT", "interval": "1m", "startTime": ended["t"]})
        )[0]
        assert [str(ended[name]) for name in "tohlcvT"] == [str(part) for part in row[:7]]

    with_client(dialect_exchange, work)


async def frame(socket: aiohttp.ClientWebSocketResponse, fits: Callable[[Any], bool]) -> Any:
    while True:
        content = json.loads(await socket.receive_str())
        if fits(content):
            return content


def answers(number: str) -> Callable[[Any], bool]:
    return lambda content: bool(content.get("id") == number)


def test_the_websocket_api_checks_signatures(dialect_exchange: RunningExchange) -> None:
    key = dialect_exchange.key("streams")
    base = dialect_exchange.dialect_url("binance")

    async def work(client: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{base}/ws-api/v3") as socket:
            params = {"apiKey": key.api_key, "timestamp": client.milliseconds(), "signature": "0" * 64}
            for method in ("account.status", "userDataStream.subscribe.signature"):
                await socket.send_json({"id": method, "method": method, "params": params})
                told = await frame(socket, answers(method))
                assert (told["status"], told["error"]["code"]) == (400, -1022)
            await socket.send_json({"id": 3, "method": "ping"})
            assert (await frame(socket, lambda content: content.get("id") == 3))["result"] == {}

    with_client(dialect_exchange, work)
