"""Closed schemas of what vendors take, derived from the request types of the SDKs that are installed.

A body that passes here has no misspelt key, no parameter of another vendor and no wrong role: what the real
servers refuse, and some silently ignore. Ollama's is written from its own request struct.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from tg_actors.llm.providers.spec import Dialect

Schema = dict[str, Any]

_OLLAMA: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "user", "assistant", "tool"]},
                    "content": {"type": "string"},
                },
            },
        },
        "stream": {"const": False},
        "truncate": {"type": "boolean"},
        "shift": {"type": "boolean"},
        "think": {"type": ["boolean", "string"]},
        "keep_alive": {"type": ["string", "number"]},
        "format": {"anyOf": [{"const": "json"}, {"type": "object"}]},
        "options": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "num_ctx": {"type": "integer", "minimum": 1},
                "num_predict": {"type": "integer"},
                "temperature": {"type": "number"},
                "seed": {"type": "integer"},
            },
        },
    },
}
#: The package carries no types.
_VALIDATOR: Any = Draft202012Validator
#: What one vendor takes beyond the dialect it speaks.
EXTRAS: Mapping[str, Schema] = {
    "deepseek": {
        "thinking": {
            "type": "object",
            "additionalProperties": False,
            "required": ["type"],
            "properties": {"type": {"enum": ["enabled", "disabled"]}},
        }
    }
}


@functools.cache
def closed_schema(dialect: Dialect, provider: str) -> Schema:
    """Return the schema of a vendor's request bodies, every object closed."""
    schema = _DERIVED[dialect]()
    schema["properties"] = {**schema["properties"], **EXTRAS.get(provider, {})}
    return schema


def _messages() -> Schema:
    from anthropic.types.message_create_params import (  # noqa: PLC0415 - two seconds
        MessageCreateParamsNonStreaming,
    )

    return _schema_of(MessageCreateParamsNonStreaming)


def _chat() -> Schema:
    from openai.types.chat.completion_create_params import (  # noqa: PLC0415 - a second
        CompletionCreateParamsNonStreaming,
    )

    return _schema_of(CompletionCreateParamsNonStreaming)


_DERIVED: Mapping[Dialect, Callable[[], Schema]] = {
    Dialect.MESSAGES: _messages,
    Dialect.CHAT: _chat,
    Dialect.OLLAMA: lambda: dict(_OLLAMA),
}


def _schema_of(kind: type) -> Schema:
    """The schema of a request type with every object closed."""
    closed: Schema = _closed(TypeAdapter(kind).json_schema())
    return closed


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def mistake_in(dialect: Dialect, provider: str, body: Any) -> str | None:
    """Say what a vendor would refuse in a body, None when nothing."""
    errors = _VALIDATOR(closed_schema(dialect, provider)).iter_errors(body)
    first = min(errors, key=lambda error: len(error.path), default=None)
    if first is None:
        return None
    place = ".".join(str(part) for part in first.path) or "the body"
    return f"{place}: {first.message[:200]}"
