"""Around every request: latency, faults, and the one rule: nothing is answered before it is on disk."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tg_actors.domain.errors import OutsideError
from tg_actors.exchange.server.dialect import Dialect
from tg_actors.exchange.server.faults import RequestFault, RequestFaultKind
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import Trouble, VenueState

_log = logging.getLogger(__name__)
_HTML = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Checking</h1></body></html>"
)
_OPERATOR = "/practice"

_BEFORE = frozenset(
    {
        RequestFaultKind.DROP_BEFORE,
        RequestFaultKind.DELAY_BEFORE,
        RequestFaultKind.STATUS_BEFORE,
        RequestFaultKind.BAN,
        RequestFaultKind.BUSY,
    }
)


def _nulled(body: str) -> str:
    """The answer without its content: ``null``, inside the venue's envelope where there is one."""
    content: Any = json.loads(body or "null")
    if isinstance(content, dict) and "result" in content:
        return json.dumps({**content, "result": None})
    return "null"


#: What a client gets to read instead of the answer.
_INSTEAD: dict[RequestFaultKind | None, Callable[[RequestFault, str], web.Response]] = {
    RequestFaultKind.STATUS_AFTER: lambda fault, _: web.Response(status=fault.status, text=""),
    RequestFaultKind.HTML: lambda _, __: web.Response(text=_HTML, content_type="text/html"),
    RequestFaultKind.EMPTY: lambda _, __: web.Response(text="", content_type="application/json"),
    RequestFaultKind.TRUNCATED: lambda _, body: web.Response(
        text=body[: len(body) // 2], content_type="application/json"
    ),
    RequestFaultKind.NULL: lambda _, body: web.Response(text=_nulled(body), content_type="application/json"),
}


def around(floor: Floor, dialects: Mapping[str, Dialect], stop: asyncio.Event) -> Middleware:
    """Make the middleware. ``stop`` is set when the disk refuses: an exchange that forgets must end."""
    latency = floor.config.latency
    rng = np.random.Generator(np.random.PCG64(floor.config.seed))

    async def travel() -> None:
        if latency.max_ms:
            await asyncio.sleep(float(rng.uniform(latency.min_ms, latency.max_ms)) / 2000.0)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        dialect = dialects.get(request.path.split("/")[1])
        if dialect is None or "upgrade" in request.headers.get("Connection", "").lower():
            return await _served(request, handler, floor, stop)
        floor.requests += 1
        await travel()
        fault = floor.faults.strike(f"{request.method} {request.path}")
        instead = await _before(request, fault, floor, dialect)
        if instead is not None:
            return instead
        answer = await _guarded(request, handler, floor, dialect, stop)
        await travel()
        return await _after(request, fault, answer)

    return middleware


async def _before(
    request: web.Request, fault: RequestFault | None, floor: Floor, dialect: Dialect
) -> web.StreamResponse | None:
    """What happens instead of the handler; None when the request goes on."""
    if floor.faults.is_banned:
        return dialect.refusal(Trouble.BANNED)
    kind = None if fault is None else fault.kind
    if fault is None or kind not in _BEFORE:
        shut = floor.state is VenueState.MAINTENANCE and request.method != "GET"
        return dialect.refusal(Trouble.MAINTENANCE) if shut else None
    if kind is RequestFaultKind.DELAY_BEFORE:
        await asyncio.sleep(fault.seconds)
        return None
    if kind is RequestFaultKind.DROP_BEFORE:
        return _dropped(request)
    if kind is RequestFaultKind.BUSY:
        return dialect.refusal(Trouble.BUSY)
    return web.Response(status=fault.status, text="")


async def _after(
    request: web.Request, fault: RequestFault | None, answer: web.StreamResponse
) -> web.StreamResponse:
    """What becomes of an answer whose request has done its work."""
    kind = None if fault is None else fault.kind
    if fault is not None and kind is RequestFaultKind.DELAY_AFTER:
        await asyncio.sleep(fault.seconds)
    if kind is RequestFaultKind.DROP_AFTER:
        return _dropped(request)
    if fault is None or kind not in _INSTEAD or not isinstance(answer, web.Response):
        return answer
    return _INSTEAD[kind](fault, answer.text or "")


def _dropped(request: web.Request) -> web.Response:
    """Cut the connection; the returned response finds nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


async def _guarded(
    request: web.Request, handler: Handler, floor: Floor, dialect: Dialect, stop: asyncio.Event
) -> web.StreamResponse:
    try:
        return await _served(request, handler, floor, stop)
    except web.HTTPNotFound:
        return dialect.refusal(Trouble.NOT_FOUND)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - like any server's last resort
        # A mistake of ours in one request must not end the exchange of everybody else; the log has it.
        _log.exception("%s %s failed", request.method, request.path)
        floor.failures += 1
        await floor.settled()
        return dialect.refusal(Trouble.BROKEN)


async def _served(
    request: web.Request, handler: Handler, floor: Floor, stop: asyncio.Event
) -> web.StreamResponse:
    answer = await handler(request)
    try:
        await floor.settled()
    except OutsideError:
        stop.set()
        return _dropped(request)
    return answer
