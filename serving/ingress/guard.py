"""Who may come in: our own host names, a token for all but the page, small bodies, safe headers."""

import logging
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.ingress.errors import Refused, refusal
from tg_actors.domain.errors import UserError
from tg_actors.runtime.tokens import Grant, TokenFile
from tg_actors.runtime.tokens import Scope as TokenScope

_log = logging.getLogger(__name__)

#: Who may stand in the Host header: a web page that resolves its own name to us is turned away.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
#: A year of hours of a few instruments; everything else is far smaller.
BODY_BYTES_MAX = 8 << 20
_BEARER = "bearer "
#: What a browser may do with our pages: nothing but run our own files and ask our own API.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Closes a WebSocket before it is accepted.
_POLICY_VIOLATION = 1008


class Guard:
    """Stands before every route, those that do not exist included."""

    def __init__(
        self, app: ASGIApp, tokens: TokenFile, hosts: frozenset[str], public: frozenset[str]
    ) -> None:
        """Take who is known.

        Args:
            app: what is guarded.
            tokens: who may ask.
            hosts: names by which we may be called besides the loopback's.
            public: paths without data, which need no token.
        """
        self._app = app
        self._tokens = tokens
        self._hosts = LOOPBACK | hosts
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass with its owner's grant, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            if scope["path"] not in self._public:
                scope.setdefault("state", {})["grant"] = owner_of(
                    self._tokens, headers.get("authorization", "")
                )
            receive = _capped(headers, receive)
        except Refused as error:
            await _turn_away(error, scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "").lower()
        name = host[1 : host.find("]")] if host.startswith("[") else host.rsplit(":", 1)[0]
        if name not in self._hosts:
            raise Refused(
                403,
                "wrong_host",
                "this server does not answer to that name",
                "call it by its loopback address, or name the host in configs/serve.yaml",
            )


def owner_of(tokens: TokenFile, authorization: str) -> Grant:
    """Return whose token stands in ``Bearer TOKEN``.

    Raises:
        Refused: there is none, or it is not good, or the file of tokens is damaged.
    """
    token = authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else ""
    try:
        grant = tokens.owner_of(token) if token else None
    except (UserError, OSError) as error:
        _log.warning("nobody is let in: %s", error)
        raise Refused(
            503, "no_tokens", "the file of tokens cannot be used", "'tg serve tokens list' says why"
        ) from error
    if grant is None:
        raise Refused(
            401,
            "no_token",
            "this needs a token that is good",
            "send 'Authorization: Bearer TOKEN'; make one: 'tg serve tokens create NAME --scope read'",
        )
    return grant


def check_scope(grant: Grant, scope: TokenScope) -> None:
    """Refuse a token that lacks a scope.

    Raises:
        Refused: it does.
    """
    if scope not in grant.scopes:
        raise Refused(
            403,
            "not_allowed",
            f"the token {grant.name!r} has no scope {scope.value!r}",
            f"make one with 'tg serve tokens create NAME --scope {scope.value}'",
        )


def needs(scope: TokenScope) -> Callable[[HTTPConnection], Awaitable[Grant]]:
    """Return the dependency of a route that only tokens with this scope may use."""

    async def check(connection: HTTPConnection) -> Grant:
        grant: Grant = connection.scope["state"]["grant"]
        check_scope(grant, scope)
        return grant

    return check


def _capped(headers: Headers, receive: Receive) -> Receive:
    """Refuse a body that says it is too large, and cut off one that turns out to be."""
    said = headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > BODY_BYTES_MAX:
        raise _too_large()
    came = 0

    async def capped() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if came > BODY_BYTES_MAX:
            raise _too_large()
        return message

    return capped


def _too_large() -> Refused:
    return Refused(
        413, "too_large", f"a body may hold {BODY_BYTES_MAX >> 20} MiB", "send less, in several requests"
    )


async def _turn_away(error: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the handshake
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.code})
        return
    answer = refusal(error.status, error.code, str(error), error.what_to_do)
    if error.status == 401:  # noqa: PLR2004 - HTTP's own word
        answer.headers["WWW-Authenticate"] = "Bearer"
    await answer(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
