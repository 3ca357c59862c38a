"""The table of vendors, and the three dialects as pairs of functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tg_actors.llm.providers import anthropic, deepseek, generic, ollama, openai, xai
from tg_actors.llm.providers.spec import (
    NATIVE,
    Dialect,
    ProviderSpec,
    Question,
    Reply,
    Structured,
    WireRequest,
)

PROVIDERS: Mapping[str, ProviderSpec] = {
    row.name: row for row in (anthropic.ROW, openai.ROW, xai.ROW, deepseek.ROW, ollama.ROW, generic.ROW)
}


@dataclass(frozen=True, slots=True)
class DialectPair:
    """How a dialect is written and read, both pure."""

    body: Callable[[ProviderSpec, Question, Structured, frozenset[str]], dict[str, Any]]
    read: Callable[[str], Reply]


_DIALECTS: Mapping[Dialect, DialectPair] = {
    Dialect.MESSAGES: DialectPair(anthropic.body, anthropic.read),
    Dialect.CHAT: DialectPair(openai.body, openai.read),
    Dialect.OLLAMA: DialectPair(ollama.body, ollama.read),
}

#: Without the parameter that names the schema, the schema goes into the prompt.
_LOOSER: Mapping[tuple[Structured, str], Structured] = {
    (Structured.OUTPUT_CONFIG, "output_config"): Structured.NONE,
    (Structured.JSON_SCHEMA, "response_format"): Structured.JSON_OBJECT,
    (Structured.FORMAT, "format"): Structured.JSON_OBJECT,
}


def structured_of(row: ProviderSpec, dropped: frozenset[str]) -> Structured:
    """Return how a vendor is held to the schema once it has refused some parameters."""
    return next(
        (_LOOSER[row.structured, name] for name in dropped if (row.structured, name) in _LOOSER),
        row.structured,
    )


def request_of(row: ProviderSpec, question: Question, dropped: frozenset[str] = frozenset()) -> WireRequest:
    """Return the request for a question, without the parameters that this vendor has refused."""
    body = _DIALECTS[row.dialect].body(row, question, structured_of(row, dropped), dropped)
    return WireRequest(provider=row.name, dialect=row.dialect, body=body)


def is_native(row: ProviderSpec, dropped: frozenset[str]) -> bool:
    """Whether the schema is part of the request and need not stand in the prompt."""
    return structured_of(row, dropped) in NATIVE


def read(dialect: Dialect, text: str) -> Reply:
    """Read a successful answer.

    Raises:
        ProviderError: it is none.
    """
    return _DIALECTS[dialect].read(text)
