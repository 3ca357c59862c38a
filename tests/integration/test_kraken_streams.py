"""The real ccxt.pro.kraken against the exchange: public and private streams, orders, checksums."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt.pro
import pytest

from tests.exchange_server import RunningExchange, running_exchange
from tg_actors.exchange.server.dialects.wire import read_json

PAIR = "BTC/USDT"
_PATIENCE_S = 40


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    config = {
        "clock": {"kind": "paced", "speed": 10.0, "tick_ms": 50, "levels": 12},
        "accounts": {
            "main": {"kind": "spot", "balances": {"USDT": "100000", "BTC": "1"}},
            "second": {"kind": "spot", "balances": {"USDT": "100000", "BTC": "1"}},
        },
        "limits": {},
    }
    with running_exchange(tmp_path_factory.mktemp("streams") / "state", config=config) as running:
        yield running


def with_client(exchange: RunningExchange, account: str, work: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        client = ccxt.pro.kraken(exchange.ccxt_config("kraken", account))
        try:
            await asyncio.wait_for(work(client), _PATIENCE_S)
        finally:
            await client.close()

    asyncio.run(run())


def test_public_streams(exchange: RunningExchange) -> None:
    async def watch(client: Any) -> None:
        ticker = await client.watch_ticker(PAIR)
        assert ticker["bid"] < ticker["ask"]
        first = await client.watch_order_book(PAIR)
        best = first["bids"][0][0]
        while (await client.watch_order_book(PAIR))["bids"][0][0] == best:
            pass
        trades = await client.watch_trades(PAIR)
        assert trades[-1]["amount"] > 0
        candles = await client.watch_ohlcv(PAIR, "1m")
        assert candles[-1][0] % 60_000 == 0
        assert PAIR in await client.watch_bids_asks([PAIR])

    with_client(exchange, "main", watch)


def test_orders_and_fills_arrive_on_private_streams(exchange: RunningExchange) -> None:
    async def trade(client: Any) -> None:
        await client.load_markets()
        assert (await client.watch_balance())["total"]["BTC"] == 1.0
        resting = await client.create_order(PAIR, "limit", "buy", 0.01, 20_000)
        # The snapshot proves that the subscription stands; an empty one would wake nobody.
        assert [one["id"] for one in await client.watch_orders()] == [resting["id"]]
        trades = asyncio.create_task(client.watch_my_trades())
        orders = asyncio.create_task(client.watch_orders())
        balance = asyncio.create_task(client.watch_balance())
        placed = await client.create_order_ws(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "ws-1"})
        fill = (await trades)[-1]
        assert (fill["order"], fill["amount"], fill["takerOrMaker"]) == (placed["id"], 0.01, "taker")
        assert (await orders)[-1]["id"] == placed["id"]
        assert (await balance)["total"]["BTC"] == 1.01

    with_client(exchange, "main", trade)


def test_orders_live_and_die_over_the_socket(exchange: RunningExchange) -> None:
    async def trade(client: Any) -> None:
        resting = await client.create_order_ws(PAIR, "limit", "buy", 0.01, 20_000)
        stop = await client.create_order_ws(PAIR, "market", "sell", 0.01, None, {"stopLossPrice": 20_000})
        trailing = {"trailingPercent": 5}
        trail = await client.create_order_ws(PAIR, "market", "sell", 0.01, None, trailing)
        opened = {one["id"] for one in await client.fetch_open_orders()}
        assert opened == {resting["id"], stop["id"], trail["id"]}
        await client.edit_order_ws(resting["id"], PAIR, "limit", "buy", 0.02, 19_000)
        assert (await client.fetch_order(resting["id"]))["amount"] == 0.02
        await client.cancel_order_ws(resting["id"])
        await client.cancel_all_orders_ws()
        assert await client.fetch_open_orders() == []
        with pytest.raises(ccxt.ExchangeError, match="EOrder:Insufficient funds"):
            await client.create_order_ws(PAIR, "limit", "buy", 1_000.0, 20_000)

    with_client(exchange, "second", trade)


class Ladder:
    """A client's own copy of a book, kept by snapshot and updates alone."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def take(self, frame: dict[str, Any], depth: int) -> int:
        if frame["type"] == "snapshot":
            self.sides = {"bids": {}, "asks": {}}
        (data,) = frame["data"]
        for name, side in self.sides.items():
            for level in data[name]:
                side[level["price"]] = level["qty"]
                if not level["qty"]:
                    del side[level["price"]]
            for price in sorted(side, reverse=name == "bids")[depth:]:
                del side[price]
        return int(data["checksum"])

    def checksum(self) -> int:
        asks, bids = sorted(self.sides["asks"]), sorted(self.sides["bids"], reverse=True)
        text = "".join(
            f"{number:f}".replace(".", "").lstrip("0")
            for name, prices in (("asks", asks), ("bids", bids))
            for price in prices[:10]
            for number in (price, self.sides[name][price])
        )
        return zlib.crc32(text.encode())


def test_the_checksum_of_a_book_kept_from_updates_is_the_servers(exchange: RunningExchange) -> None:
    depth = 10

    async def follow() -> None:
        ladder, updates = Ladder(), 0
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(exchange.dialect_url("kraken") + "/v2") as socket,
        ):
            await socket.send_json(
                {"method": "subscribe", "params": {"channel": "book", "symbol": [PAIR], "depth": depth}}
            )
            async for message in socket:
                frame = read_json(message.data)
                if frame.get("channel") != "book":
                    continue
                assert ladder.take(frame, depth) == ladder.checksum()
                updates += frame["type"] == "update"
                if updates == 30:
                    return

    asyncio.run(asyncio.wait_for(follow(), _PATIENCE_S))


async def _say(socket: aiohttp.ClientWebSocketResponse, request: dict[str, Any]) -> dict[str, Any]:
    await socket.send_json(request)
    async for message in socket:
        frame: dict[str, Any] = read_json(message.data)
        if "method" in frame or "error" in frame:
            return frame
    raise AssertionError("the socket was closed")


BAD: dict[str, tuple[dict[str, Any] | str, str]] = {
    "no json": ("{", "Malformed request"),
    "no channel": ({"method": "subscribe", "params": {"channel": "gossip"}}, "Subscription name invalid"),
    "no token": ({"method": "add_order", "params": {}}, "ESession:Invalid session"),
    "unknown pair": (
        {"method": "subscribe", "params": {"channel": "book", "symbol": ["A/B"]}},
        "Currency pair not supported",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests_are_answered_and_the_socket_lives_on(exchange: RunningExchange, what: str) -> None:
    request, text = BAD[what]

    async def ask() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(exchange.dialect_url("kraken") + "/v2") as socket,
        ):
            if isinstance(request, str):
                await socket.send_str(request)
                request_answer = await _say(socket, {"method": "ping", "req_id": 1})
            else:
                request_answer = await _say(socket, request)
            assert request_answer["error"] == text
            pong = await _say(socket, {"method": "ping", "req_id": 7})
            assert pong["method"] == "pong"

    asyncio.run(asyncio.wait_for(ask(), _PATIENCE_S))
