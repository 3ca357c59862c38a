"""Bodies of requests, strictly: no unknown field, no NaN, no key twice; a mistake is one sentence."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from serving.ingress.errors import Refused
from tg_actors.domain.message import Message

M = TypeVar("M", bound=Message)

#: Larger bodies are read in a thread: nobody else waits for them.
_AT_ONCE_BYTES = 65_536
_ADVICE = "correct it; /docs shows what the body may hold"


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Return the dependency that reads a request's body as this message; an empty body is ``{}``."""

    async def read(request: Request) -> M:
        try:
            body = await request.body() or b"{}"
        except ClientDisconnect as error:  # it hears nothing any more, and the log need not call it a bug
            raise Refused(400, "bad_json", "the body ended early", "send it whole") from error
        if len(body) <= _AT_ONCE_BYTES:
            return parsed(model, body)
        return await asyncio.to_thread(parsed, model, body)

    return read


def parsed(model: type[M], body: bytes) -> M:
    """Read a message.

    Raises:
        Refused: it is no JSON, or not this message.
    """
    try:
        _check(body)
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        sentence = f"{place}: {first['msg']}" if place else first["msg"]
        raise Refused(422, "bad_request", sentence, _ADVICE) from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json", f"the body is no strict JSON: {error}", _ADVICE) from error


def schema_of(model: type[Message]) -> dict[str, Any]:
    """Return what the API's description says of a body."""
    schema = model.model_json_schema()
    return {"requestBody": {"content": {"application/json": {"schema": _inlined(schema, schema)}}}}


def as_json(content: Message | bytes | str) -> Response:
    """Return a success."""
    body = content.model_dump_json() if isinstance(content, Message) else content
    return Response(body, media_type="application/json")


def _check(body: bytes) -> None:
    """Refuse what pydantic's parser would let pass: NaN, and a key that stands twice."""
    json.loads(body, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice in one object")


def _inlined(node: Any, root: dict[str, Any]) -> Any:
    """Put every definition where it is used: the API's description has no place of its own for ours."""
    if isinstance(node, list):
        return [_inlined(one, root) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(root["$defs"][node["$ref"].rsplit("/", 1)[1]], root)
    return {name: _inlined(value, root) for name, value in node.items() if name != "$defs"}
