"""Kraken's WebSocket v2: one session per connection, fed by one subscription of the hub."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from tg_actors.exchange.server.dialects.kraken import frames
from tg_actors.exchange.server.dialects.kraken.names import Pair, Pairs
from tg_actors.exchange.server.dialects.kraken.private import PrivateApi
from tg_actors.exchange.server.dialects.kraken.refusals import TROUBLES, KrakenError, invalid
from tg_actors.exchange.server.dialects.kraken.reports import reports
from tg_actors.exchange.server.dialects.kraken.requests import order_fields, text_of
from tg_actors.exchange.server.dialects.wire import read_json, time_text
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.hub import (
    AccountNews,
    AccountTopic,
    BookShown,
    BookTopic,
    CandleMoved,
    CandleTopic,
    DayMoved,
    DayTopic,
    Delivery,
    Topic,
    TradePrinted,
    TradeTopic,
)
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.quotes import Book
from tg_actors.exchange.server.records import Trouble

_log = logging.getLogger(__name__)
_HEARTBEAT_S = 1.0
_DEPTHS = frozenset({10, 25, 100, 500, 1000})
_MINUTE_NS = 60 * 10**9
_SNAPSHOT_TRADES = 50
_SNAPSHOT_CANDLES = 50

Params = Mapping[str, Any]


class Streams:
    """Opens sessions."""

    def __init__(self, floor: Floor, pairs: Pairs, private: PrivateApi) -> None:
        self._floor = floor
        self._pairs = pairs
        self._private = private

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until either side closes it."""
        socket = web.WebSocketResponse(heartbeat=None, max_msg_size=2**20)
        await socket.prepare(request)
        session = Session(self._floor, self._pairs, self._private, socket)
        try:
            await session.run()
        finally:
            session.close()
        return socket


class Session:
    """One connection: what it listens to, what it was sent last, and its sequence numbers."""

    def __init__(
        self, floor: Floor, pairs: Pairs, private: PrivateApi, socket: web.WebSocketResponse
    ) -> None:
        self._floor = floor
        self._pairs = pairs
        self._private = private
        self._socket = socket
        self._subscription = floor.hub.subscribe()
        self._books: dict[str, Book] = {}
        self._depths: dict[str, int] = {}
        self._channels: set[str] = set()
        self._sequence = 0
        self._totals: dict[str, Any] = {}
        self._channel_of: dict[str, Callable[[Params, Any], Awaitable[None]]] = {
            "book": self._open_book,
            "ticker": self._open_ticker,
            "trade": self._open_trades,
            "ohlc": self._open_candles,
            "instrument": self._open_instruments,
            "executions": self._open_executions,
            "balances": self._open_balances,
        }
        self._verbs: dict[str, Callable[[Key, dict[str, str]], Any]] = {
            "add_order": private.add_order,
            "amend_order": private.amend_order,
            "cancel_all": private.cancel_all,
            "cancel_all_orders_after": private.cancel_all_after,
        }

    async def run(self) -> None:
        """Read requests and pass on what the hub brings, until the connection ends."""
        status = {
            "version": "2.0.10",
            "system": self._floor.state.value,
            "api_version": "v2",
            "connection_id": id(self),
        }
        await self._send({"channel": "status", "type": "update", "data": [status]})
        chores = [asyncio.create_task(self._pump()), asyncio.create_task(self._beat())]
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._heard(message.data)
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)

    def close(self) -> None:
        """Listen to nothing any more."""
        self._subscription.close()

    # -- requests ----------------------------------------------------------------------------------

    async def _heard(self, text: str) -> None:
        came_ns = self._floor.wall_ns()
        request = _request(text)
        if request is None:
            await self._send({"error": "Malformed request", "success": False})
            return
        method, params, req_id = request.get("method"), request.get("params", {}), request.get("req_id")
        if method == "ping":
            await self._answer("pong", came_ns, req_id, {})
            return
        try:
            if method in {"subscribe", "unsubscribe"}:
                await self._listen(method, params, came_ns, req_id)
            else:
                result = self._act(str(method), params)
                await self._floor.settled()
                await self._answer(str(method), came_ns, req_id, {"result": result, "success": True})
        except KrakenError as error:
            await self._floor.settled()
            content = {"error": error.texts[0], "success": False}
            await self._answer(str(method), came_ns, req_id, content)

    def _act(self, method: str, params: Params) -> Any:
        key = self._key(params)
        if not key.may_trade:
            raise KrakenError(TROUBLES[Trouble.NO_PERMISSION])
        if method == "cancel_order":
            return self._cancel(key, params)
        verb = self._verbs.get(method)
        if verb is None:
            raise KrakenError("EGeneral:Unknown method")
        if method == "add_order":
            result = self._private.add_order(key, order_fields(params))
            ids = result.get("txid", [])
            return {"order_id": ids[0]} if ids else {}
        fields = {name: text_of(value) for name, value in params.items() if name != "token"}
        fields["txid"] = fields.pop("order_id", "")
        return verb(key, fields)

    def _cancel(self, key: Key, params: Params) -> Any:
        names = [("txid", str(one)) for one in params.get("order_id", [])]
        names += [("cl_ord_id", str(one)) for one in params.get("cl_ord_id", [])]
        if not names:
            raise invalid("order_id")
        for name, value in names:
            self._private.cancel_order(key, {name: value})
        return {"order_id": names[0][1]}

    def _key(self, params: Params) -> Key:
        key = self._private.key_of_token(str(params.get("token", "")))
        if key is None:
            raise KrakenError("ESession:Invalid session")
        return key

    # -- channels ----------------------------------------------------------------------------------

    async def _listen(self, method: str, params: Params, came_ns: int, req_id: Any) -> None:
        name = str(params.get("channel"))
        opening = self._channel_of.get(name)
        if opening is None:
            raise KrakenError("Subscription name invalid")
        if method == "unsubscribe":
            self._unlisten(name, params)
            await self._answer(method, came_ns, req_id, {"result": {"channel": name}, "success": True})
            return
        for shown in self._symbols(params) if "symbol" in params else [None]:
            result = {
                "channel": name,
                **({} if shown is None else {"symbol": shown.symbol}),
                "snapshot": True,
            }
            await self._answer(method, came_ns, req_id, {"result": result, "success": True})
            await opening(params, shown)

    def _unlisten(self, name: str, params: Params) -> None:
        self._channels.discard(name)
        kinds: dict[str, type] = {
            "book": BookTopic,
            "ticker": DayTopic,
            "trade": TradeTopic,
            "ohlc": CandleTopic,
        }
        kind, symbols = kinds.get(name), {pair.symbol for pair in self._symbols(params)}
        gone: list[Topic] = [
            topic
            for topic in self._subscription.topics
            if kind is not None and isinstance(topic, kind) and getattr(topic, "symbol", "") in symbols
        ]
        self._subscription.remove(*gone)

    def _symbols(self, params: Params) -> list[Pair]:
        names = params.get("symbol", [])
        found = [self._pairs.find(str(name)) for name in (names if isinstance(names, list) else [names])]
        if None in found:
            raise KrakenError("Currency pair not supported")
        return [pair for pair in found if pair is not None]

    async def _open_book(self, params: Params, pair: Pair) -> None:
        depth = params.get("depth", 10)
        if depth not in _DEPTHS:
            raise KrakenError("Subscription depth not supported")
        now = self._floor.market.book(pair.symbol)
        self._depths[pair.symbol], self._books[pair.symbol] = depth, now
        await self._publish("book", "snapshot", [frames.book(pair, now, depth)])
        self._subscription.add(BookTopic(pair.symbol))

    async def _open_ticker(self, _: Params, pair: Pair) -> None:
        day = self._floor.market.day(pair.symbol)
        if day is not None:
            await self._publish("ticker", "snapshot", [frames.ticker(pair, day)])
        self._subscription.add(DayTopic(pair.symbol))

    async def _open_trades(self, params: Params, pair: Pair) -> None:
        if params.get("snapshot") is not False:
            prints = self._floor.market.trades(pair.symbol, limit=_SNAPSHOT_TRADES)
            if prints:
                await self._publish("trade", "snapshot", [frames.trade(pair, one) for one in prints])
        self._subscription.add(TradeTopic(pair.symbol))

    async def _open_candles(self, params: Params, pair: Pair) -> None:
        interval = params.get("interval", 1)
        if not isinstance(interval, int) or interval < 1:
            raise KrakenError("Subscription ohlc interval not supported")
        frame_ns = interval * _MINUTE_NS
        candles = self._floor.market.candles(pair.symbol, frame_ns, limit=_SNAPSHOT_CANDLES)
        if candles:
            await self._publish("ohlc", "snapshot", [frames.candle(pair, one) for one in candles])
        self._subscription.add(CandleTopic(pair.symbol, frame_ns))

    async def _open_instruments(self, _: Params, __: None) -> None:
        codes = sorted({c for p in self._pairs.all for c in (p.instrument.base, p.instrument.quote)})
        data = {
            "assets": [{"id": code, "status": "enabled", "precision": 10} for code in codes],
            "pairs": [frames.instrument(pair) for pair in self._pairs.all],
        }
        await self._send({"channel": "instrument", "type": "snapshot", "data": data})

    async def _open_executions(self, params: Params, _: None) -> None:
        account = self._key(params).account
        await self._floor.settled()
        self._channels.add("executions")
        # From here on nothing is missed: what happens while the snapshot is sent waits in the queue.
        self._subscription.add(AccountTopic(account))
        if params.get("snap_orders") is not False:
            rows = [
                frames.order(record, "new", record.order.submitted_at_ns)
                for record in self._floor.open_orders(account)
            ]
            await self._numbered("executions", "snapshot", rows)
        if params.get("snap_trades") is True:
            fills = self._floor.fills(account, limit=_SNAPSHOT_TRADES)
            pairs = [(fill, self._floor.order(account, fill.order_number)) for fill in reversed(fills)]
            rows = [frames.execution(fill, record) for fill, record in pairs if record is not None]
            if rows:
                await self._numbered("executions", "snapshot", rows)

    async def _open_balances(self, params: Params, _: None) -> None:
        account = self._key(params).account
        await self._floor.settled()
        self._channels.add("balances")
        self._subscription.add(AccountTopic(account))
        balances = self._floor.balances(account)
        self._totals = {code: one.total for code, one in balances.items()}
        rows = [frames.balance(code, one) for code, one in balances.items()]
        await self._numbered("balances", "snapshot", rows)

    # -- what the hub brings -----------------------------------------------------------------------

    async def _pump(self) -> None:
        try:
            async for delivery in self._subscription:
                await self._pass_on(delivery)
        except ConnectionError:
            return
        except Exception:
            _log.exception("a stream of Kraken's dialect failed")
            raise
        finally:
            await self._socket.close()

    async def _pass_on(self, delivery: Delivery) -> None:
        match delivery.item:
            case BookShown() as item:
                await self._pass_book(item, skipped=delivery.skipped > 0)
            case DayMoved() as item:
                await self._publish("ticker", "update", [frames.ticker(self._pair(item.symbol), item.day)])
            case TradePrinted() as item:
                row = frames.trade(self._pair(item.trade.symbol), item.trade)
                await self._publish("trade", "update", [row])
            case CandleMoved() as item:
                await self._publish("ohlc", "update", [frames.candle(self._pair(item.symbol), item.candle)])
            case AccountNews() as item:
                # What was lost on the way leaves a hole in the numbers, as a real gap does.
                self._sequence += delivery.skipped
                for channel, rows in reports(item, self._totals):
                    if channel in self._channels:
                        await self._numbered(channel, "update", rows)

    async def _pass_book(self, item: BookShown, *, skipped: bool) -> None:
        pair, depth = self._pair(item.symbol), self._depths[item.symbol]
        before = item.previous if skipped and item.previous is not None else self._books[item.symbol]
        self._books[item.symbol] = item.book
        row = frames.book_update(pair, before, item.book, depth)
        if row is not None:
            await self._publish("book", "update", [row])

    def _pair(self, symbol: str) -> Pair:
        return self._pairs.of_symbol(symbol)

    # -- frames ------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while not self._socket.closed:
            await asyncio.sleep(_HEARTBEAT_S)
            if self._subscription.topics and not self._floor.faults.is_silent:
                await self._send({"channel": "heartbeat"})

    async def _publish(self, channel: str, kind: str, data: list[dict[str, Any]]) -> None:
        await self._send({"channel": channel, "type": kind, "data": data})

    async def _numbered(self, channel: str, kind: str, data: list[dict[str, Any]]) -> None:
        self._sequence += 1
        await self._send({"channel": channel, "type": kind, "data": data, "sequence": self._sequence})

    async def _answer(self, method: str, came_ns: int, req_id: Any, content: Mapping[str, Any]) -> None:
        times = {"time_in": time_text(came_ns), "time_out": time_text(self._floor.wall_ns())}
        tail = {} if req_id is None else {"req_id": req_id}
        await self._send({"method": method, **content, **times, **tail})

    async def _send(self, frame: Mapping[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_str(frames.write_frame(dict(frame)))


def _request(text: str) -> dict[str, Any] | None:
    """A request whose parameters are an object; None when the text is something else."""
    try:
        content = read_json(text)
    except ValueError:
        return None
    sound = isinstance(content, dict) and isinstance(content.get("params", {}), dict)
    return content if sound else None
