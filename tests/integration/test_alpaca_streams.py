"""The unmodified TradingStream, CryptoDataStream and ccxt.pro.alpaca against the practice exchange."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Any

import aiohttp
import ccxt.pro
import pytest
from alpaca.data.live import CryptoDataStream
from alpaca.trading.enums import OrderSide, TimeInForce, TradeEvent
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream

from tests.dialect_words import alpaca_config, trading_client
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USD"
#: Far above what anything takes.
PATIENCE_S = 20.0

# alpaca-py 0.44 imports the legacy client of websockets, which says so.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@contextmanager
def listening(stream: Any) -> Iterator[None]:
    """The stream runs in a thread of its own, as its `run` wants to."""
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def streams_url(exchange: RunningExchange) -> str:
    return exchange.dialect_url("alpaca").replace("http", "ws", 1)


def take(queue: "Queue[Any]", fits: Callable[[Any], bool] = lambda _: True) -> Any:
    while True:
        try:
            item = queue.get(timeout=PATIENCE_S)
        except Empty:
            pytest.fail("the stream said nothing")
        if fits(item):
            return item


def test_trade_updates(dialect_exchange: RunningExchange) -> None:
    key = dialect_exchange.key("streams")
    stream = TradingStream(key.api_key, key.secret, url_override=f"{streams_url(dialect_exchange)}/stream")
    told: Queue[TradeUpdate] = Queue()
    client = trading_client(dialect_exchange, "streams")

    async def note(update: TradeUpdate) -> None:
        told.put(update)

    stream.subscribe_trade_updates(note)
    with listening(stream):
        market = MarketOrderRequest(
            symbol=SYMBOL, qty=0.01, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
        )
        # Until the stream listens orders are not told; one that is told proves it.
        first = client.submit_order(market)
        while True:
            try:
                told.get(timeout=0.2)
                break
            except Empty:
                first = client.submit_order(market)
        fill = take(told, lambda one: one.event == TradeEvent.FILL and one.order.id == first.id)
        assert (fill.qty, fill.order.filled_qty) == (0.01, "0.01")
        assert fill.price > 0
        limit = LimitOrderRequest(
            symbol=SYMBOL, qty=0.01, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=1000.0
        )
        order = client.submit_order(limit)
        assert take(told, lambda one: one.order.id == order.id).event == TradeEvent.NEW
        client.cancel_order_by_id(order.id)
        assert take(told, lambda one: one.order.id == order.id).event == TradeEvent.CANCELED


def test_market_data(dialect_exchange: RunningExchange) -> None:
    key = dialect_exchange.key("streams")
    url = f"{streams_url(dialect_exchange)}/v1beta3/crypto/us"
    stream = CryptoDataStream(key.api_key, key.secret, url_override=url)
    told: Queue[Any] = Queue()

    async def note(item: Any) -> None:
        told.put(item)

    stream.subscribe_trades(note, SYMBOL)
    stream.subscribe_quotes(note, SYMBOL)
    stream.subscribe_orderbooks(note, SYMBOL)
    stream.subscribe_bars(note, "*")
    with listening(stream):
        found: dict[str, Any] = {}
        while set(found) != {"Trade", "Quote", "Orderbook", "Bar"}:
            item = take(told)
            found.setdefault(type(item).__name__, item)
    assert found["Trade"].price > 0
    assert found["Quote"].bid_price < found["Quote"].ask_price
    # The first one holds the whole book.
    assert found["Orderbook"].reset
    assert found["Orderbook"].bids[0].price < found["Orderbook"].asks[0].price
    assert found["Bar"].low <= found["Bar"].close <= found["Bar"].high


def test_ccxt_pro(dialect_exchange: RunningExchange) -> None:
    async def work() -> None:
        client: Any = ccxt.pro.alpaca(alpaca_config(dialect_exchange, "streams"))
        try:
            await client.load_markets()
            ticker = await asyncio.wait_for(client.watch_ticker(SYMBOL), PATIENCE_S)
            assert ticker["bid"] < ticker["ask"]
            trades = await asyncio.wait_for(client.watch_trades(SYMBOL), PATIENCE_S)
            assert trades[-1]["price"] > 0
            book = await asyncio.wait_for(client.watch_order_book(SYMBOL), PATIENCE_S)
            assert book["bids"][0][0] < book["asks"][0][0]
            candles = await asyncio.wait_for(client.watch_ohlcv(SYMBOL), PATIENCE_S)
            assert candles[-1][2] >= candles[-1][3]
            orders = asyncio.create_task(client.watch_orders(SYMBOL))
            order = None
            while not orders.done():
                order = await client.create_order(SYMBOL, "market", "buy", 0.01)
                await asyncio.wait({orders}, timeout=0.2)
            assert order is not None
            assert (await orders)[-1]["symbol"] == SYMBOL
        finally:
            await client.close()

    asyncio.run(work())


def test_nobody_listens_without_a_key(dialect_exchange: RunningExchange) -> None:
    async def work() -> None:
        base = dialect_exchange.dialect_url("alpaca")
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{base}/stream") as socket:
                await socket.send_json({"action": "authenticate", "data": {"key_id": "x", "secret_key": "y"}})
                assert json.loads(await socket.receive_bytes())["data"]["status"] == "unauthorized"
                await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
                assert json.loads(await socket.receive_bytes())["data"]["streams"] == []
            async with session.ws_connect(f"{base}/v1beta3/crypto/us") as socket:
                assert (await socket.receive_json()) == [{"T": "success", "msg": "connected"}]
                await socket.send_json({"action": "subscribe", "trades": [SYMBOL]})
                assert (await socket.receive_json())[0]["code"] == 401
                await socket.send_json({"action": "auth", "key": "x", "secret": "y"})
                assert (await socket.receive_json())[0]["code"] == 402

    asyncio.run(work())
