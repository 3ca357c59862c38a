"""A vendor on loopback that speaks all three dialects and does what it is told, badly if so.

It checks what a real vendor would: the path, who is calling, and the body against the closed schema.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tg_actors.llm.providers.spec import Dialect
from tg_actors.llm.rehearsal.schemas import mistake_in

_HOST = "127.0.0.1"
_PATHS = {"/v1/messages": Dialect.MESSAGES, "/v1/chat/completions": Dialect.CHAT, "/api/chat": Dialect.OLLAMA}
#: How the base address of a dialect goes on after host and port.
_BASES = {Dialect.MESSAGES: "", Dialect.CHAT: "/v1", Dialect.OLLAMA: ""}
_DRIP_S = 0.05


@dataclass(frozen=True, slots=True)
class Call:
    """One POST as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Act:
    """What the vendor does with a call: answer, or one of ``reset``, ``hang``, ``drip``."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    misdeed: str | None = None


#: From the dialect, the number of the call (from 1 on) and the body to what is done.
Behaviour = Callable[[Dialect, int, Any], Act]


class Vendor:
    """One vendor; ``provider`` says whose extras are taken. Use as an async context."""

    def __init__(self, behave: Behaviour, provider: str, key: str | None = None) -> None:
        self._behave = behave
        self._provider = provider
        self._key = key
        self.calls: list[Call] = []
        #: Set when the first call has come, and when a caller has gone away before the answer.
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        application = web.Application(client_max_size=16 * 1024**2)
        application.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        self._port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def base_url(self, dialect: Dialect) -> str:
        """Return the address as ``base_url`` of a dialect."""
        return f"http://{_HOST}:{self._port}{_BASES[dialect]}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        dialect = _PATHS.get(request.path)
        if dialect is None:
            return web.Response(status=404, text=json.dumps({"error": {"message": "no such path"}}))
        body = json.loads(await request.text())
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.set()
        self.calls.append(Call(request.path, headers, body))
        if self._key is not None and headers.get("authorization") != f"Bearer {self._key}":
            return _error(dialect, 401, "authentication_error", "invalid key")
        if mistake := mistake_in(dialect, self._provider, body):
            return _error(dialect, 400, "invalid_request_error", mistake)
        return await self._do(request, self._behave(dialect, len(self.calls), body))

    async def _do(self, request: web.Request, act: Act) -> web.StreamResponse:
        if act.misdeed == "reset" and request.transport is not None:
            request.transport.abort()
        if act.misdeed == "hang":
            await self._hang()
        if act.misdeed == "drip":
            return await self._drip(request, act)
        return web.Response(
            status=act.status, text=act.text, headers=act.headers, content_type=act.content_type
        )

    async def _hang(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.set()

    async def _drip(self, request: web.Request, act: Act) -> web.StreamResponse:
        """Send one byte at a time: no single operation ever takes long."""
        response = web.StreamResponse(status=act.status, headers={"content-type": act.content_type})
        try:
            await response.prepare(request)
            for byte in act.text.encode():
                await response.write(bytes([byte]))
                await asyncio.sleep(_DRIP_S)
        finally:
            self.gone.set()
        return response


def _error(dialect: Dialect, status: int, kind: str, message: str) -> web.Response:
    return web.Response(
        status=status, text=error_text(dialect, kind, message), content_type="application/json"
    )


def error_text(dialect: Dialect, kind: str, message: str) -> str:
    """Return the body of an error as a dialect words it."""
    if dialect is Dialect.OLLAMA:
        return json.dumps({"error": message})
    error: dict[str, Any] = {"type": kind, "message": message}
    if dialect is Dialect.MESSAGES:
        return json.dumps({"type": "error", "error": error, "request_id": "req_rehearsal"})
    return json.dumps({"error": {**error, "param": None, "code": kind}})


def reply_text(
    dialect: Dialect,
    model: str,
    text: str,
    *,
    ended: str = "stop",
    usage: tuple[int, int] | None = (4000, 700),
) -> str:
    """Return the body of a successful answer. ``ended`` is stop, length or refusal; ``usage`` (in, out)."""
    return json.dumps(_REPLIES[dialect](model, text, ended, usage))


def _message(model: str, text: str, ended: str, usage: tuple[int, int] | None) -> dict[str, Any]:
    reason = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}[ended]
    refused = {"type": "refusal", "category": "general_harms", "explanation": None}
    return {
        "id": "msg_rehearsal",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": reason,
        "stop_details": refused if ended == "refusal" else None,
        "stop_sequence": None,
        **({} if usage is None else {"usage": {"input_tokens": usage[0], "output_tokens": usage[1]}}),
    }


def _completion(model: str, text: str, ended: str, usage: tuple[int, int] | None) -> dict[str, Any]:
    refused = ended == "refusal"
    message = {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": "I cannot" if refused else None,
    }
    counted = {} if usage is None else {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return {
        "id": "chatcmpl-rehearsal",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "stop" if refused else ended, "logprobs": None}
        ],
        **({"usage": {**counted, "total_tokens": sum(usage)}} if usage is not None else {}),
    }


def _chat(model: str, text: str, ended: str, usage: tuple[int, int] | None) -> dict[str, Any]:
    counted = {} if usage is None else {"prompt_eval_count": usage[0], "eval_count": usage[1]}
    return {
        "model": model,
        "created_at": "2026-11-21T12:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "length" if ended == "length" else "stop",
        **counted,
    }


_REPLIES = {Dialect.MESSAGES: _message, Dialect.CHAT: _completion, Dialect.OLLAMA: _chat}
