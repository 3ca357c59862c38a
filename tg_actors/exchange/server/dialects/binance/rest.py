"""The shell over HTTP: which path is which operation, and headers in and out."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.binance import refusals
from tg_actors.exchange.server.dialects.binance.access import Security, seal_of_query
from tg_actors.exchange.server.dialects.binance.call import Operation
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.refusals import Refusal
from tg_actors.exchange.server.dialects.binance.sockets import Sockets
from tg_actors.exchange.server.dialects.binance.venue import NAME, Venue
from tg_actors.exchange.server.dialects.wire import write_json
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import Trouble

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KEY_HEADER = "X-MBX-APIKEY"

_PATHS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/api/v3/ping", "ping"),
    ("GET", "/api/v3/time", "time"),
    ("GET", "/api/v3/exchangeInfo", "exchangeInfo"),
    ("GET", "/api/v3/depth", "depth"),
    ("GET", "/api/v3/trades", "trades.recent"),
    ("GET", "/api/v3/historicalTrades", "trades.historical"),
    ("GET", "/api/v3/aggTrades", "trades.aggregate"),
    ("GET", "/api/v3/klines", "klines"),
    ("GET", "/api/v3/uiKlines", "klines"),
    ("GET", "/api/v3/avgPrice", "avgPrice"),
    ("GET", "/api/v3/ticker/24hr", "ticker.24hr"),
    ("GET", "/api/v3/ticker/price", "ticker.price"),
    ("GET", "/api/v3/ticker/bookTicker", "ticker.book"),
    ("POST", "/api/v3/order", "order.place"),
    ("POST", "/api/v3/order/test", "order.test"),
    ("GET", "/api/v3/order", "order.status"),
    ("DELETE", "/api/v3/order", "order.cancel"),
    ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace"),
    ("GET", "/api/v3/openOrders", "openOrders.status"),
    ("DELETE", "/api/v3/openOrders", "openOrders.cancelAll"),
    ("GET", "/api/v3/allOrders", "allOrders"),
    ("GET", "/api/v3/account", "account.status"),
    ("GET", "/api/v3/account/commission", "account.commission"),
    ("GET", "/api/v3/myTrades", "myTrades"),
    ("POST", "/api/v3/userDataStream", "userDataStream.start"),
    ("PUT", "/api/v3/userDataStream", "userDataStream.ping"),
    ("DELETE", "/api/v3/userDataStream", "userDataStream.stop"),
    ("GET", "/sapi/v1/system/status", "system.status"),
    ("GET", "/sapi/v1/capital/config/getall", "capital.config"),
    ("GET", "/sapi/v1/asset/tradeFee", "asset.tradeFee"),
    ("GET", "/sapi/v1/margin/allPairs", "margin.pairs"),
    ("GET", "/sapi/v1/margin/isolated/allPairs", "margin.pairs"),
)


class Binance:
    """The Binance dialect."""

    name = NAME
    dedupe = Dedupe.OPEN

    def __init__(self, floor: Floor) -> None:
        self._venue = Venue(floor)
        self._sockets = Sockets(self._venue)

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes below the prefix."""
        rest = [
            web.route(method, path, self._handler(self._venue.operations[name]))
            for method, path, name in _PATHS
        ]
        return [*rest, *self._sockets.routes()]

    def refusal(self, trouble: Trouble) -> web.Response:
        """Binance's words for what the server refuses instead of a handler."""
        words = refusals.OF_TROUBLE[trouble]
        headers = {} if words.retry_after_s is None else {"Retry-After": str(words.retry_after_s)}
        return _response(words.refusal().body(), words.status, headers)

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request["verb"] = operation.verb
            form = await request.text()
            api_key, caller = request.headers.get(_KEY_HEADER, ""), request.remote or ""
            try:
                answer = self._run(operation, request, form, api_key, caller)
            except Refusal as refusal:
                return self._refused(refusal, self._usage(operation, api_key, caller))
            return _response(answer, 200, self._usage(operation, api_key, caller))

        return handle

    def _run(
        self, operation: Operation, request: web.Request, form: str, api_key: str, caller: str
    ) -> object:
        query = request.rel_url.raw_query_string
        params = Params.of_query(query, form)
        if (key := self._venue.floor.keys.find(api_key)) is not None:
            request["account"] = key.account
        return self._venue.run(operation, params, seal_of_query(query, form), api_key, caller)

    def _usage(self, operation: Operation, api_key: str, caller: str) -> dict[str, str]:
        payer = caller if operation.security is Security.PUBLIC else api_key
        used = str(self._venue.floor.usage(NAME, payer))
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def _refused(self, refusal: Refusal, headers: dict[str, str]) -> web.Response:
        limited = refusals.OF_TROUBLE[Trouble.RATE_LIMITED]
        if refusal.status == limited.status:
            headers = {**headers, "Retry-After": str(limited.retry_after_s)}
        return _response(refusal.body(), refusal.status, headers)


def _response(answer: object, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(
        text=write_json(answer), status=status, headers=headers, content_type="application/json"
    )
