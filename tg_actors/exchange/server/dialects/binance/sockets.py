"""The shell over WebSockets: market streams, user data streams, and the WebSocket API."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import WSMsgType, web

from tg_actors.exchange.server.dialects.binance import reports, streams
from tg_actors.exchange.server.dialects.binance.access import Security, seal_of_params
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.refusals import Refusal
from tg_actors.exchange.server.dialects.binance.streams import Stream
from tg_actors.exchange.server.dialects.binance.venue import Venue
from tg_actors.exchange.server.dialects.wire import read_json, write_json
from tg_actors.exchange.server.hub import AccountNews, AccountTopic, Delivery, Subscription, Topic

_HEARTBEAT_S = 20.0
_FRAME_BYTES_MAX = 1 << 20
_OUR_METHODS = (
    "userDataStream.subscribe.signature",
    "userDataStream.subscribe",
    "userDataStream.unsubscribe",
)

Frames = Callable[[Delivery], list[Any]]


class Sockets:
    """Every WebSocket of the dialect."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Sequence[web.RouteDef]:
        """Below the prefix. ccxt knows a spot stream by ``/stream`` in its address: hence the second pair."""
        raw, combined, api = self._raw_streams, self._combined_streams, self._api
        return [
            web.get("/ws", raw),
            web.get("/ws/{names:.+}", raw),
            web.get("/stream/ws", raw),
            web.get("/stream/ws/{names:.+}", raw),
            web.get("/stream", combined),
            web.get("/ws-api/v3", api),
        ]

    async def _raw_streams(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.match_info.get("names", ""), combined=False)

    async def _combined_streams(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.query.get("streams", ""), combined=True)

    async def _serve(self, request: web.Request, names: str, *, combined: bool) -> web.StreamResponse:
        with self._venue.floor.hub.subscribe() as subscription:
            session = StreamSession(self._venue, subscription, combined=combined)
            session.listen([name for name in names.split("/") if name])
            return await _converse(request, subscription, session.frames, session.answer)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        with self._venue.floor.hub.subscribe() as subscription:
            session = ApiSession(self._venue, subscription, request.remote or "")
            return await _converse(request, subscription, session.frames, session.answer)


async def _converse(
    request: web.Request, subscription: Subscription, frames: Frames, answer: Callable[[str], Any]
) -> web.StreamResponse:
    """Read requests and tell news on one socket until either side ends it."""
    socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_FRAME_BYTES_MAX)
    await socket.prepare(request)
    teller = asyncio.create_task(_tell(socket, subscription, frames))
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(write_json(await answer(message.data)))
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
    return socket


async def _tell(socket: web.WebSocketResponse, subscription: Subscription, frames: Frames) -> None:
    async for delivery in subscription:
        for frame in frames(delivery):
            await socket.send_str(write_json(frame))
    # The reader was too slow for its own orders: it must connect anew and look them up.
    await socket.close()


class StreamSession:
    """What one connection to the streams listens to."""

    def __init__(self, venue: Venue, subscription: Subscription, *, combined: bool) -> None:
        self._venue = venue
        self._subscription = subscription
        self._combined = combined
        self._streams: dict[str, Stream] = {}
        self._users: dict[AccountTopic, str] = {}

    def listen(self, names: Sequence[str]) -> bool:
        """Listen to what is known among these names; False when one of them is not."""
        known = [self._open(name) for name in names]
        return all(known)

    def _open(self, name: str) -> bool:
        account = self._venue.account_of(name)
        if account is not None:
            self._users[AccountTopic(account)] = name
            self._subscription.add(AccountTopic(account))
            return True
        stream = streams.find(name, self._venue.symbols)
        if stream is not None:
            self._streams[name] = stream
            self._subscription.add(*stream.topics)
        return stream is not None

    def frames(self, delivery: Delivery) -> list[Any]:
        """What is told about one item."""
        item, now_ns = delivery.item, self._venue.floor.market_ns()
        if isinstance(item, AccountNews):
            event = reports.account_event(item)
            name = self._users.get(AccountTopic(item.account))
            return [] if event is None or name is None else [self._wrapped(name, event)]
        listening = [one for one in self._streams.values() if delivery.topic in one.topics]
        return [self._wrapped(one.name, frame) for one in listening for frame in one.tell(item, now_ns)]

    def _wrapped(self, name: str, frame: Any) -> Any:
        return {"stream": name, "data": frame} if self._combined else frame

    async def answer(self, text: str) -> Any:
        """Answer SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        request = _object(text)
        if request is None:
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value"}}
        number, method, names = request.get("id"), request.get("method"), request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": [*self._streams, *self._users.values()], "id": number}
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"} or not _are_names(names):
            return {"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": number}
        if method == "UNSUBSCRIBE":
            self._close(names)
        elif not self.listen(names):
            return {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": number}
        return {"result": None, "id": number}

    def _close(self, names: Sequence[str]) -> None:
        for name in names:
            stream = self._streams.pop(name, None)
            kept: set[Topic] = {topic for one in self._streams.values() for topic in one.topics}
            if stream is not None:
                self._subscription.remove(*(topic for topic in stream.topics if topic not in kept))


class ApiSession:
    """One connection to the WebSocket API."""

    def __init__(self, venue: Venue, subscription: Subscription, caller: str) -> None:
        self._venue = venue
        self._subscription = subscription
        self._caller = caller
        self._users: dict[AccountTopic, int] = {}
        self._subscriptions = 0

    def frames(self, delivery: Delivery) -> list[Any]:
        """The user data that this connection has asked for."""
        item = delivery.item
        event = reports.account_event(item) if isinstance(item, AccountNews) else None
        number = self._users.get(delivery.topic) if isinstance(delivery.topic, AccountTopic) else None
        return [] if event is None or number is None else [{"subscriptionId": number, "event": event}]

    async def answer(self, text: str) -> Any:
        """Run one request; what it changed is durable before it is answered."""
        request = _object(text)
        if request is None:
            return _error(
                None,
                Refusal(
                    -1135, "This error code will occur if a parameter requiring a JSON object is invalid."
                ),
            )
        number, method, fields = request.get("id"), request.get("method"), request.get("params") or {}
        try:
            answer = {"id": number, "status": 200, "result": self._run(method, fields), "rateLimits": []}
        except Refusal as refusal:
            answer = _error(number, refusal)
        await self._venue.floor.settled()
        return answer

    def _run(self, method: object, fields: object) -> Any:
        if not isinstance(method, str) or not isinstance(fields, dict):
            raise Refusal(-1100, "Illegal characters found in parameter 'params'.")
        params = Params.of_json(fields)
        sealed, api_key = seal_of_params(params), params.find("apiKey") or ""
        if method in _OUR_METHODS:
            return self._user_data(method, params, api_key)
        operation = self._venue.operations.get(method)
        if operation is None:
            raise Refusal(-1020, "This operation is not supported.")
        return self._venue.run(operation, params, sealed, api_key, self._caller)

    def _user_data(self, method: str, params: Params, api_key: str) -> Any:
        if method == "userDataStream.unsubscribe":
            self._subscription.remove(*self._users)
            self._users.clear()
            return {}
        account = self._venue.check(Security.SIGNED, params, seal_of_params(params), api_key).account
        topic = AccountTopic(account)
        if topic not in self._users:
            self._users[topic] = self._subscriptions
            self._subscriptions += 1
            self._subscription.add(topic)
        return {"subscriptionId": self._users[topic]}


def _error(number: object, refusal: Refusal) -> Any:
    return {"id": number, "status": refusal.status, "error": refusal.body(), "rateLimits": []}


def _object(text: str) -> dict[str, Any] | None:
    try:
        content = read_json(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _are_names(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
