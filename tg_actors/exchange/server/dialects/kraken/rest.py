"""Kraken's REST API on the floor: thin handlers, a table of methods, one envelope."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tg_actors.exchange.server.dialects.kraken import public
from tg_actors.exchange.server.dialects.kraken.names import Pair, Pairs
from tg_actors.exchange.server.dialects.kraken.refusals import KrakenError, invalid
from tg_actors.exchange.server.dialects.kraken.wishes import Fields, instant_ns
from tg_actors.exchange.server.dialects.wire import write_json
from tg_actors.exchange.server.floor import Floor

_MINUTE_NS = 60 * 10**9
_INTERVALS = frozenset({1, 5, 15, 30, 60, 240, 1440, 10080, 21600})
_CANDLES, _TRADES_MAX, _DEPTH = 720, 1000, 100

Public = Callable[[Mapping[str, str]], Any]


class PublicApi:
    """What anybody may ask."""

    def __init__(self, floor: Floor, pairs: Pairs) -> None:
        self._floor = floor
        self._pairs = pairs
        self.methods: dict[str, Public] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._asset_pairs,
            "Ticker": self._ticker,
            "OHLC": self._candles,
            "Depth": self._depth,
            "Trades": self._trades,
            "Spread": self._spread,
        }

    def _time(self, _: Fields) -> Any:
        return public.server_time(self._floor.wall_ns())

    def _status(self, _: Fields) -> Any:
        return public.system_status(self._floor.wall_ns(), self._floor.state.value)

    def _assets(self, _: Fields) -> Any:
        codes = {code for i in self._floor.instruments.values() for code in (i.base, i.quote)}
        return public.assets(sorted(codes))

    def _asset_pairs(self, fields: Fields) -> Any:
        levels = public.leverages(self._floor.exchange)
        return {
            pair.id: public.pair_row(pair, self._floor.fees, levels)
            for pair in self._asked(fields.get("pair"))
        }

    def _ticker(self, fields: Fields) -> Any:
        days = ((pair, self._floor.market.day(pair.symbol)) for pair in self._asked(fields.get("pair")))
        return {pair.id: public.ticker(pair, day) for pair, day in days if day is not None}

    def _candles(self, fields: Fields) -> Any:
        pair, minutes = self._pair(fields), _whole(fields, "interval", 1)
        if minutes not in _INTERVALS:
            raise invalid("interval")
        since_ns = instant_ns(fields["since"]) if "since" in fields else 0
        frame_ns = minutes * _MINUTE_NS
        candles = self._floor.market.candles(pair.symbol, frame_ns, limit=_CANDLES)
        rows = [public.candle_row(pair, c) for c in candles if c.open_ns >= since_ns]
        complete = [c.open_ns // 10**9 for c in candles if c.complete]
        return {pair.id: rows, "last": complete[-1] if complete else 0}

    def _depth(self, fields: Fields) -> Any:
        pair, count = self._pair(fields), _whole(fields, "count", _DEPTH)
        return {pair.id: public.depth(pair, self._floor.market.book(pair.symbol), count)}

    def _trades(self, fields: Fields) -> Any:
        pair, count = self._pair(fields), _whole(fields, "count", _TRADES_MAX)
        since = fields.get("since", "0")
        # Kraken takes seconds as well as the nanoseconds of its own ``last``.
        since_ns = instant_ns(since) if len(since.split(".")[0]) < 15 else int(since)  # noqa: PLR2004 - digits
        trades = self._floor.market.trades(pair.symbol, from_ns=since_ns, limit=min(count, _TRADES_MAX))
        last = trades[-1].at_ns + 1 if trades else self._floor.market_ns()
        return {pair.id: public.trade_rows(pair, trades), "last": str(last)}

    def _spread(self, fields: Fields) -> Any:
        pair = self._pair(fields)
        quote, at_s = self._floor.market.quote(pair.symbol), self._floor.market_ns() // 10**9
        rows = [] if quote is None else [[at_s, pair.price_text(quote.bid), pair.price_text(quote.ask)]]
        return {pair.id: rows, "last": at_s}

    def _asked(self, names: str | None) -> tuple[Pair, ...]:
        if names is None:
            return self._pairs.all
        return tuple(self._known(name) for name in names.split(","))

    def _pair(self, fields: Fields) -> Pair:
        return self._known(fields.get("pair", ""))

    def _known(self, name: str) -> Pair:
        pair = self._pairs.find(name)
        if pair is None:
            raise KrakenError("EQuery:Unknown asset pair")
        return pair


def _whole(fields: Fields, name: str, default: int) -> int:
    text = fields.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise invalid(name)
    return int(text)


def answered(result: Any) -> web.Response:
    """A result in Kraken's envelope."""
    return web.Response(text=write_json({"error": [], "result": result}), content_type="application/json")


def refused(*texts: str) -> web.Response:
    """Error texts in Kraken's envelope; the HTTP status is 200, as Kraken's is."""
    return web.Response(text=write_json({"error": list(texts)}), content_type="application/json")


def told(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Callable[..., Awaitable[web.Response]]:
    """Turn a KrakenError of a handler into its answer."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except KrakenError as error:
            return refused(*error.texts)

    return guarded
