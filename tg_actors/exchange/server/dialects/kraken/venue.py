"""The Kraken dialect: who asks, whether they may, and which method answers."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from aiohttp import web

from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.kraken.names import Pairs
from tg_actors.exchange.server.dialects.kraken.private import PrivateApi
from tg_actors.exchange.server.dialects.kraken.refusals import TROUBLES, KrakenError
from tg_actors.exchange.server.dialects.kraken.rest import PublicApi, answered, refused, told
from tg_actors.exchange.server.dialects.kraken.signing import is_signed
from tg_actors.exchange.server.dialects.kraken.stream import Streams
from tg_actors.exchange.server.dialects.wire import read_json
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.records import Trouble

_NAME = "kraken"
#: What a method costs in Kraken's counter; most cost 1, placing and cancelling nothing there.
_COSTS = {
    "AddOrder": 0,
    "AmendOrder": 0,
    "CancelOrder": 0,
    "TradesHistory": 2,
    "ClosedOrders": 1,
    "Ledgers": 2,
}
_NONCE_MAX = 2**64


class Kraken:
    """Kraken's spot API. Client order ids are unique among open orders, as there."""

    name = _NAME
    dedupe = Dedupe.OPEN

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        pairs = Pairs(floor.instruments.values())
        self._public = PublicApi(floor, pairs)
        self._private = PrivateApi(floor, pairs)
        self._streams = Streams(floor, pairs, self._private)

    def routes(self) -> Sequence[web.RouteDef]:
        """Below ``/kraken``."""
        return [
            web.get("/0/public/{method}", told(self._ask)),
            web.post("/0/private/{method}", told(self._act)),
            web.get("/v2", self._streams.serve),
        ]

    def refusal(self, trouble: Trouble) -> web.Response:
        """One of Kraken's error texts."""
        return refused(TROUBLES[trouble])

    async def _ask(self, request: web.Request) -> web.Response:
        method = self._public.methods.get(request.match_info["method"])
        if method is None:
            return refused(TROUBLES[Trouble.NOT_FOUND])
        if not self._floor.admit(_NAME, request.remote or ""):
            return refused(TROUBLES[Trouble.RATE_LIMITED])
        return answered(method(dict(request.query)))

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        method = self._private.methods.get(name)
        if method is None:
            return refused(TROUBLES[Trouble.NOT_FOUND])
        body = await request.read()
        fields = read_fields(body, request.content_type)
        key = self._authenticated(request, fields, body)
        if not key.may_trade and name in self._private.trades:
            return refused(TROUBLES[Trouble.NO_PERMISSION])
        if not self._floor.admit(_NAME, key.api_key, _COSTS.get(name, 1)):
            return refused(TROUBLES[Trouble.RATE_LIMITED])
        return answered(method(key, fields))

    def _authenticated(self, request: web.Request, fields: Mapping[str, str], body: bytes) -> Key:
        key = self._floor.keys.find(request.headers.get("API-Key", ""))
        if key is None:
            raise KrakenError(TROUBLES[Trouble.BAD_KEY])
        nonce = fields.get("nonce", "")
        # The client signs the path it knows, which has no prefix.
        path = request.path.removeprefix(f"/{_NAME}")
        if not is_signed(request.headers.get("API-Sign", ""), key.secret, path, nonce, body):
            raise KrakenError("EAPI:Invalid signature")
        fits = nonce.isascii() and nonce.isdecimal() and int(nonce) < _NONCE_MAX
        if not fits or not self._floor.take_nonce(key, int(nonce)):
            raise KrakenError("EAPI:Invalid nonce")
        return key


def read_fields(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a request, form or JSON, as text.

    Raises:
        KrakenError: neither, or a field that is no plain value.
    """
    try:
        if content_type != "application/json":
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
            fields = dict(pairs)
            if len(fields) != len(pairs):
                raise KrakenError("EGeneral:Invalid arguments")
            return fields
        content = read_json(body)
    except ValueError as error:
        raise KrakenError("EGeneral:Invalid arguments") from error
    if not isinstance(content, dict):
        raise KrakenError("EGeneral:Invalid arguments")
    return {name: _text(value) for name, value in content.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if isinstance(value, dict):
        raise KrakenError("EGeneral:Invalid arguments")
    return str(value)
