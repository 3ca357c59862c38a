"""The shell over WebSockets: trade updates of an account, and the crypto data stream."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

import msgpack
from aiohttp import WSMsgType, web

from tg_actors.exchange.server.dialects.alpaca import updates
from tg_actors.exchange.server.dialects.alpaca.assets import Assets
from tg_actors.exchange.server.dialects.alpaca.updates import CHANNELS
from tg_actors.exchange.server.dialects.alpaca.venue import Venue
from tg_actors.exchange.server.dialects.wire import NS_PER_S, read_json, read_time, write_json
from tg_actors.exchange.server.hub import AccountNews, AccountTopic, Delivery, Subscription, Topic

_HEARTBEAT_S = 20.0
_FRAME_BYTES_MAX = 1 << 20
_MSGPACK = "application/msgpack"


class Session(Protocol):
    """What one connection says: on its own, to a request, and about news."""

    def greeting(self) -> Iterable[Any]:
        """Messages for a new connection."""
        ...

    def answer(self, request: dict[str, Any]) -> Iterable[Any]:
        """Messages that answer a request."""
        ...

    def tell(self, delivery: Delivery) -> Iterable[Any]:
        """Messages about an item."""
        ...


class Sockets:
    """Every WebSocket of the dialect."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Sequence[web.RouteDef]:
        """Below the prefix; ccxt.pro still uses the older address of the data stream."""
        return [
            web.get("/stream", self._trading),
            web.get("/v1beta3/crypto/{loc}", self._data),
            web.get("/v1beta2/crypto", self._data),
        ]

    async def _trading(self, request: web.Request) -> web.StreamResponse:
        with self._venue.floor.hub.subscribe() as subscription:
            session = TradingSession(self._venue, subscription)
            # The account stream sends JSON in binary frames, whoever asks.
            return await _converse(request, subscription, session, _write_binary_json)

    async def _data(self, request: web.Request) -> web.StreamResponse:
        packed = request.headers.get("Content-Type", "") == _MSGPACK
        with self._venue.floor.hub.subscribe() as subscription:
            session = DataSession(self._venue, subscription)
            return await _converse(request, subscription, session, _write_packed if packed else _write_text)


async def _converse(
    request: web.Request,
    subscription: Subscription,
    session: Session,
    write: Callable[[web.WebSocketResponse, Any], Awaitable[None]],
) -> web.StreamResponse:
    """Read requests and tell news on one socket until either side ends it."""
    socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_FRAME_BYTES_MAX)
    await socket.prepare(request)
    for message in session.greeting():
        await write(socket, message)
    teller = asyncio.create_task(_tell(socket, subscription, session, write))
    try:
        async for frame in socket:
            for message in session.answer(_request(frame)):
                await write(socket, message)
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
    return socket


async def _tell(
    socket: web.WebSocketResponse,
    subscription: Subscription,
    session: Session,
    write: Callable[[web.WebSocketResponse, Any], Awaitable[None]],
) -> None:
    async for delivery in subscription:
        for message in session.tell(delivery):
            await write(socket, message)
    # The reader was too slow for its own orders: it must connect anew and look them up.
    await socket.close()


class TradingSession:
    """Trade updates."""

    def __init__(self, venue: Venue, subscription: Subscription) -> None:
        self._venue = venue
        self._subscription = subscription
        self._account: str | None = None

    def greeting(self) -> Iterable[Any]:
        """Alpaca waits for the client."""
        return ()

    def answer(self, request: dict[str, Any]) -> Iterable[Any]:
        """Answer authenticate (or its older form auth) and listen."""
        action, data = request.get("action"), request.get("data")
        if action in {"authenticate", "auth"}:
            given = data if isinstance(data, dict) else request
            return [self._authorize(given)]
        if action == "listen" and isinstance(data, dict):
            return [self._listen(data.get("streams"))]
        return [{"stream": "listening", "data": {"error": "invalid request"}}]

    def _authorize(self, given: dict[str, Any]) -> Any:
        names = (given.get("key_id", given.get("key")), given.get("secret_key", given.get("secret")))
        key = self._venue.find_key(*(name if isinstance(name, str) else "" for name in names))
        self._account = None if key is None else key.account
        status = "unauthorized" if key is None else "authorized"
        return {"stream": "authorization", "data": {"status": status, "action": "authenticate"}}

    def _listen(self, streams: object) -> Any:
        wanted = isinstance(streams, list) and "trade_updates" in streams
        if self._account is None:
            return {"stream": "listening", "data": {"error": "not authorized", "streams": []}}
        topic = AccountTopic(self._account)
        (self._subscription.add if wanted else self._subscription.remove)(topic)
        return {"stream": "listening", "data": {"streams": ["trade_updates"] if wanted else []}}

    def tell(self, delivery: Delivery) -> Iterable[Any]:
        """What happened to an order."""
        item = delivery.item
        if not isinstance(item, AccountNews) or item.record is None:
            return ()
        order = self._venue.trading.shown(item.record)
        name = updates.event_name(item.event, order["status"])
        if name is None:
            return ()
        base = self._venue.floor.instruments[item.record.order.spec.symbol].base
        position = self._venue.account.total_of(item.account, base)
        return (updates.trade_update(name, item, order, position),)


class DataSession:
    """Market data; every message is a list."""

    def __init__(self, venue: Venue, subscription: Subscription) -> None:
        self._venue = venue
        self._subscription = subscription
        self._known = False
        self._wanted: dict[str, dict[str, None]] = {channel: {} for channel in CHANNELS}
        self._books_told: set[str] = set()

    def greeting(self) -> Iterable[Any]:
        """Say that the connection stands."""
        return ([{"T": "success", "msg": "connected"}],)

    def answer(self, request: dict[str, Any]) -> Iterable[Any]:
        """Answer auth, subscribe and unsubscribe."""
        action = request.get("action")
        if action == "auth":
            return ([self._authenticate(request)],)
        if not self._known:
            return ([_error(401, "not authenticated")],)
        if action not in {"subscribe", "unsubscribe"}:
            return ([_error(400, "invalid syntax")],)
        for channel in CHANNELS:
            names = request.get(channel) or []
            symbols = _symbols(names, self._venue.assets)
            (self._subscribe if action == "subscribe" else self._unsubscribe)(channel, symbols)
        told = {channel: list(symbols) for channel, symbols in self._wanted.items()}
        return ([{"T": "subscription", **told}],)

    def _authenticate(self, request: dict[str, Any]) -> Any:
        key = self._venue.find_key(str(request.get("key", "")), str(request.get("secret", "")))
        self._known = key is not None
        return {"T": "success", "msg": "authenticated"} if self._known else _error(402, "auth failed")

    def _subscribe(self, channel: str, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._wanted[channel][symbol] = None
            if channel == "orderbooks":
                self._books_told.discard(symbol)
            topic = CHANNELS[channel](symbol)
            if topic is not None:
                self._subscription.add(topic)

    def _unsubscribe(self, channel: str, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._wanted[channel].pop(symbol, None)
            topic = CHANNELS[channel](symbol)
            if topic is not None and topic not in self._topics():
                self._subscription.remove(topic)

    def _topics(self) -> set[Topic | None]:
        return {CHANNELS[channel](symbol) for channel, symbols in self._wanted.items() for symbol in symbols}

    def tell(self, delivery: Delivery) -> Iterable[Any]:
        """One item on every channel that it belongs to."""
        for channel, symbols in self._wanted.items():
            named = [symbol for symbol in symbols if CHANNELS[channel](symbol) == delivery.topic]
            for symbol in named:
                told = updates.message(
                    channel, delivery.item, whole=self._needs_whole(channel, symbol, delivery)
                )
                if told is not None:
                    yield [told]

    def _needs_whole(self, channel: str, symbol: str, delivery: Delivery) -> bool:
        """The first book, and the next one after a gap, is told as a whole."""
        if channel != "orderbooks":
            return False
        whole = symbol not in self._books_told or delivery.skipped > 0
        self._books_told.add(symbol)
        return whole


def _symbols(names: object, assets: Assets) -> list[str]:
    if not isinstance(names, list):
        return []
    if "*" in names:
        return [one.symbol for one in assets.all()]
    found = (assets.find(name) for name in names if isinstance(name, str))
    return [one.symbol for one in found if one is not None]


def _error(code: int, text: str) -> Any:
    return {"T": "error", "code": code, "msg": text}


def _request(frame: Any) -> dict[str, Any]:
    """One request, in JSON or msgpack; an unreadable one is an empty one."""
    try:
        if frame.type is WSMsgType.BINARY and frame.data[:1] != b"{":
            content = msgpack.unpackb(frame.data)
        else:
            content = read_json(frame.data)
    except (ValueError, msgpack.UnpackException):
        return {}
    return content if isinstance(content, dict) else {}


async def _write_text(socket: web.WebSocketResponse, message: Any) -> None:
    await socket.send_str(write_json(message))


async def _write_binary_json(socket: web.WebSocketResponse, message: Any) -> None:
    await socket.send_bytes(write_json(message).encode())


async def _write_packed(socket: web.WebSocketResponse, message: Any) -> None:
    await socket.send_bytes(msgpack.packb([_packable(part) for part in message]))


def _packable(part: dict[str, Any]) -> dict[str, Any]:
    """A message with its time as msgpack's own kind of time."""
    if "t" not in part:
        return part
    seconds, ns = divmod(read_time(part["t"]), NS_PER_S)
    return {**part, "t": msgpack.Timestamp(seconds, ns)}
