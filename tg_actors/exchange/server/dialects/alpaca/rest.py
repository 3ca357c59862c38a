"""The shell over HTTP: keys from headers, JSON in and out."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.alpaca import refusals
from tg_actors.exchange.server.dialects.alpaca.call import Answer, Call, Operation
from tg_actors.exchange.server.dialects.alpaca.refusals import Refusal
from tg_actors.exchange.server.dialects.alpaca.sockets import Sockets
from tg_actors.exchange.server.dialects.alpaca.venue import NAME, Venue
from tg_actors.exchange.server.dialects.wire import write_json
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.records import Trouble

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ID_HEADER, _SECRET_HEADER = "APCA-API-KEY-ID", "APCA-API-SECRET-KEY"
_BASIC = "Basic "


class Alpaca:
    """The Alpaca dialect: trading and market data below one prefix."""

    name = NAME
    dedupe = Dedupe.FOREVER

    def __init__(self, floor: Floor) -> None:
        self._venue = Venue(floor)
        self._sockets = Sockets(self._venue)

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes below the prefix."""
        rest = [
            web.route(verb, path, self._handler(operation))
            for (verb, path), operation in self._venue.operations.items()
        ]
        return [*rest, *self._sockets.routes()]

    def refusal(self, trouble: Trouble) -> web.Response:
        """Alpaca's words for what the server refuses instead of a handler."""
        words = refusals.OF_TROUBLE[trouble]
        headers = {} if words.retry_after_s is None else {"Retry-After": str(words.retry_after_s)}
        return _response(words.refusal().body(), words.status, headers)

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request["verb"] = operation.verb
            text = await request.text()
            try:
                answer = self._run(operation, request, text)
            except Refusal as refusal:
                return _response(refusal.body(), refusal.status, {})
            return _response(answer.body, answer.status, {})

        return handle

    def _run(self, operation: Operation, request: web.Request, text: str) -> Answer:
        key = self._key(request)
        if key is not None:
            request["account"] = key.account
        self._venue.admit(operation, key, request.remote or "")
        return operation.run(Call(dict(request.match_info), dict(request.query), text, key))

    def _key(self, request: web.Request) -> Key | None:
        headers = request.headers
        if _ID_HEADER in headers:
            return self._venue.find_key(headers[_ID_HEADER], headers.get(_SECRET_HEADER, ""))
        return self._venue.find_key(*_basic(headers.get("Authorization", "")))


def _basic(header: str) -> tuple[str, str]:
    if not header.startswith(_BASIC):
        return "", ""
    try:
        key_id, _, secret = (
            base64.b64decode(header.removeprefix(_BASIC), validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeError):
        return "", ""
    return key_id, secret


def _response(body: object, status: int, headers: dict[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(
        text=write_json(body), status=status, headers=headers, content_type="application/json"
    )
