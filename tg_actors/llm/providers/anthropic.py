"""Anthropic: its row, how its messages dialect is written and read. Temperature does not exist there."""

from typing import Any, Literal

from pydantic import Field

from tg_actors.llm.contract.schema import anthropic_schema
from tg_actors.llm.providers.reading import VendorAnswer, checked
from tg_actors.llm.providers.spec import (
    NATIVE,
    Dialect,
    Ended,
    ProviderSpec,
    Question,
    Reply,
    Structured,
    Usage,
)

ROW = ProviderSpec(
    name="anthropic",
    dialect=Dialect.MESSAGES,
    base_url="https://api.anthropic.com",
    key_variable="ANTHROPIC_API_KEY",
    needs_key=True,
    structured=Structured.OUTPUT_CONFIG,
    tokens_key="max_tokens",
    temperature=None,
    effort_key="effort",
    may_drop=("effort", "cache_control", "output_config"),
    price_provider="anthropic",
    extras={},
)

_CACHED = {"cache_control": {"type": "ephemeral"}}


def body(
    row: ProviderSpec, question: Question, structured: Structured, dropped: frozenset[str]
) -> dict[str, Any]:
    """Return the body of a request. The prompt and the constants are marked for the vendor's cache."""
    mark = {} if "cache_control" in dropped else _CACHED
    content = [
        {"type": "text", "text": question.constants, **mark},
        {"type": "text", "text": question.volatile},
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    for turn in question.turns:
        messages += [{"role": "assistant", "content": turn.said}, {"role": "user", "content": turn.reply}]
    config: dict[str, Any] = {}
    if structured in NATIVE:
        config["format"] = {"type": "json_schema", "schema": anthropic_schema(question.schema)}
    if question.effort is not None and "effort" not in dropped:
        config["effort"] = question.effort
    return {
        "model": question.model_id,
        row.tokens_key: question.answer_tokens_max,
        "system": [{"type": "text", "text": question.system, **mark}],
        "messages": messages,
        **({"output_config": config} if config else {}),
        **row.extras,
    }


class _Block(VendorAnswer):
    type: str
    text: str = ""


class _Thinking(VendorAnswer):
    thinking_tokens: int | None = Field(default=None, ge=0)


class _Usage(VendorAnswer):
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cache_read_input_tokens: int | None = Field(default=None, ge=0)
    cache_creation_input_tokens: int | None = Field(default=None, ge=0)
    output_tokens_details: _Thinking | None = None


class _Refused(VendorAnswer):
    category: str | None = None


class _Message(VendorAnswer):
    type: Literal["message"]
    model: str
    content: list[_Block]
    stop_reason: str
    stop_details: _Refused | None = None
    usage: _Usage | None = None


_ENDED = {
    "end_turn": Ended.STOP,
    "stop_sequence": Ended.STOP,
    "tool_use": Ended.STOP,
    "max_tokens": Ended.LENGTH,
    "pause_turn": Ended.LENGTH,
    "model_context_window_exceeded": Ended.LENGTH,
    "refusal": Ended.REFUSAL,
}


def read(text: str) -> Reply:
    """Read a successful answer.

    Raises:
        ProviderError: it is none: an error with status 200, another shape, an unknown end.
    """
    message = checked(_Message, text)
    return Reply(
        text="".join(block.text for block in message.content if block.type == "text"),
        # An end that nobody knows is an answer that nobody knows to be whole.
        ended=_ENDED.get(message.stop_reason, Ended.LENGTH),
        served_model=message.model,
        usage=None if message.usage is None else _usage(message.usage),
        why=(message.stop_details.category or "") if message.stop_details else "",
    )


def _usage(counted: _Usage) -> Usage:
    """Cached tokens come on top of ``input_tokens`` here."""
    cached, written = counted.cache_read_input_tokens or 0, counted.cache_creation_input_tokens or 0
    details = counted.output_tokens_details
    return Usage(
        input_tokens=counted.input_tokens + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=counted.output_tokens,
        reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
    )
