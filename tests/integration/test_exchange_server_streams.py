"""Faults of private streams as a client sees them: what is lost, doubled, late, silent, misnumbered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

import aiohttp
import ccxt
import pytest

from tests.exchange_server import RunningExchange, running_exchange
from tg_actors.exchange.server.dialects.wire import read_json

PAIR = "BTC/USDT"
_PATIENCE_S = 40


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    config = {"limits": {}, "clock": {"kind": "paced", "speed": 1.0, "tick_ms": 5_000, "levels": 5}}
    with running_exchange(tmp_path_factory.mktemp("private") / "state", config=config) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange) -> Iterator[RunningExchange]:
    yield running
    running.faults({})


class Listener:
    """One private connection; frames of its executions, without snapshots."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, client: Any) -> None:
        self.socket = socket
        self.client = client

    async def frame(self, channel: str = "executions") -> dict[str, Any]:
        async for message in self.socket:
            frame: dict[str, Any] = read_json(message.data)
            if frame.get("channel") == channel and frame.get("type") != "snapshot":
                return frame
        raise AssertionError("the exchange closed the stream")

    async def frames(self, count: int) -> list[dict[str, Any]]:
        return [await self.frame() for _ in range(count)]

    def rest(self) -> str:
        """Place an order that rests: two frames, pending_new and new, from one event."""
        order_id: str = self.client.create_order(PAIR, "limit", "buy", 0.001, 20_000)["id"]
        return order_id


def listen(exchange: RunningExchange, work: Callable[[Listener], Awaitable[None]]) -> None:
    async def run() -> None:
        client = ccxt.kraken(exchange.ccxt_config("kraken"))
        token = client.privatePostGetWebSocketsToken()["result"]["token"]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(exchange.dialect_url("kraken") + "/v2") as socket,
        ):
            params = {"channel": "executions", "token": token}
            await socket.send_json({"method": "subscribe", "params": params})
            async for message in socket:
                if read_json(message.data).get("type") == "snapshot":
                    break
            await work(Listener(socket, client))

    asyncio.run(asyncio.wait_for(run(), _PATIENCE_S))


def stream_fault(kind: str, **more: Any) -> dict[str, Any]:
    return {"streams": [{"kind": kind, "on": "account", "times": 1, **more}]}


def steps(frames: list[dict[str, Any]]) -> list[int]:
    numbers = [frame["sequence"] for frame in frames]
    return [b - a for a, b in pairwise(numbers)]


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["data"][0]["exec_type"] for frame in frames]


def test_a_sound_stream_is_numbered_without_holes(exchange: RunningExchange) -> None:
    async def work(listener: Listener) -> None:
        order_id = listener.rest()
        listener.client.cancel_order(order_id)
        frames = await listener.frames(3)
        assert kinds(frames) == ["pending_new", "new", "canceled"]
        assert steps(frames) == [1, 1]

    listen(exchange, work)


def test_a_gap_loses_news_and_shows_in_the_numbers(exchange: RunningExchange) -> None:
    async def work(listener: Listener) -> None:
        first = listener.rest()
        before = await listener.frames(2)
        exchange.faults(stream_fault("gap"))
        lost = listener.rest()
        listener.client.cancel_order(first)
        after = await listener.frame()
        assert (after["data"][0]["order_id"], kinds([after])) == (first, ["canceled"])
        assert steps([before[-1], after])[0] > 1
        assert listener.client.fetch_order(lost)["status"] == "open"

    listen(exchange, work)


def test_duplicates_and_holes(exchange: RunningExchange) -> None:
    async def work(listener: Listener) -> None:
        exchange.faults(stream_fault("duplicate"))
        listener.rest()
        frames = await listener.frames(4)
        assert kinds(frames) == ["pending_new", "new"] * 2
        exchange.faults(stream_fault("hole"))
        listener.rest()
        more = await listener.frames(2)
        assert steps([frames[-1], *more]) == [2, 1]

    listen(exchange, work)


def test_fills_can_be_overtaken_by_what_follows(exchange: RunningExchange) -> None:
    async def work(listener: Listener) -> None:
        exchange.faults(stream_fault("reorder"))
        listener.client.create_order(PAIR, "market", "buy", 0.001)
        frames = await listener.frames(4)
        # The order's opening comes last: its fill and its end were there before.
        assert kinds(frames) == ["trade", "filled", "pending_new", "new"]

    listen(exchange, work)


def test_a_stall_is_silent_but_open_and_then_catches_up(exchange: RunningExchange) -> None:
    async def work(listener: Listener) -> None:
        exchange.faults(stream_fault("stall", seconds=2.5))
        began = time.monotonic()
        order_id = listener.rest()
        message = await listener.socket.receive_json()
        while message.get("channel") == "heartbeat" and time.monotonic() - began < 1:
            message = await listener.socket.receive_json()  # one may have been on its way
        assert message["data"][0]["order_id"] == order_id
        assert time.monotonic() - began > 2

    listen(exchange, work)
