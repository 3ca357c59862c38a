"""OpenAI: its row, and the chat dialect that xAI, DeepSeek and most others speak as well."""

from typing import Any

from pydantic import Field

from tg_actors.llm.contract.schema import openai_schema
from tg_actors.llm.faults import FaultKind, ProviderError, fault
from tg_actors.llm.providers.reading import VendorAnswer, checked
from tg_actors.llm.providers.spec import Dialect, Ended, ProviderSpec, Question, Reply, Structured, Usage

ROW = ProviderSpec(
    name="openai",
    dialect=Dialect.CHAT,
    base_url="https://api.openai.com/v1",
    key_variable="OPENAI_API_KEY",
    needs_key=True,
    structured=Structured.JSON_SCHEMA,
    tokens_key="max_completion_tokens",
    temperature=None,
    effort_key="reasoning_effort",
    may_drop=("reasoning_effort", "prompt_cache_key", "response_format"),
    price_provider="openai",
    extras={},
)

#: A name that the vendor wants; it means nothing.
_SCHEMA_NAME = "answer"


def body(
    row: ProviderSpec, question: Question, structured: Structured, dropped: frozenset[str]
) -> dict[str, Any]:
    """Return the body of a request."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": question.system},
        {"role": "user", "content": f"{question.constants}\n\n{question.volatile}"},
    ]
    for turn in question.turns:
        messages += [{"role": "assistant", "content": turn.said}, {"role": "user", "content": turn.reply}]
    optional: dict[str, Any] = {
        "response_format": _format(structured, question),
        "temperature": row.temperature,
    }
    if row.effort_key is not None:
        optional[row.effort_key] = question.effort
    if "prompt_cache_key" in row.may_drop:
        optional["prompt_cache_key"] = question.cache_key
    gone = dropped if structured is not Structured.JSON_OBJECT else dropped - {"response_format"}
    return {
        "model": question.model_id,
        "messages": messages,
        row.tokens_key: question.answer_tokens_max,
        **{key: value for key, value in optional.items() if value is not None and key not in gone},
        **{key: value for key, value in row.extras.items() if key not in dropped},
    }


def _format(structured: Structured, question: Question) -> dict[str, Any] | None:
    if structured is Structured.JSON_SCHEMA:
        schema = {"name": _SCHEMA_NAME, "strict": True, "schema": openai_schema(question.schema)}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if structured is Structured.JSON_OBJECT else None


class _PromptDetails(VendorAnswer):
    cached_tokens: int | None = Field(default=None, ge=0)
    cache_write_tokens: int | None = Field(default=None, ge=0)


class _AnswerDetails(VendorAnswer):
    reasoning_tokens: int | None = Field(default=None, ge=0)


class _Usage(VendorAnswer):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _AnswerDetails | None = None
    #: DeepSeek's word for what others call ``cached_tokens``.
    prompt_cache_hit_tokens: int | None = Field(default=None, ge=0)


class _Said(VendorAnswer):
    content: str | None = None
    refusal: str | None = None


class _Choice(VendorAnswer):
    message: _Said
    finish_reason: str


class _Completion(VendorAnswer):
    model: str
    choices: list[_Choice]
    usage: _Usage | None = None


_ENDED = {"stop": Ended.STOP, "tool_calls": Ended.STOP, "content_filter": Ended.REFUSAL}


def read(text: str) -> Reply:
    """Read a successful answer.

    Raises:
        ProviderError: it is none: an error with status 200, no choice, another shape.
    """
    completion = checked(_Completion, text)
    if not completion.choices:
        raise ProviderError(fault(FaultKind.MALFORMED, "the answer holds no choice", status=200))
    choice = completion.choices[0]
    refused = choice.message.refusal
    return Reply(
        text=choice.message.content or "",
        # An end that nobody knows is an answer that nobody knows to be whole.
        ended=Ended.REFUSAL if refused else _ENDED.get(choice.finish_reason, Ended.LENGTH),
        served_model=completion.model,
        usage=None if completion.usage is None else _usage(completion.usage),
        why=refused or "",
    )


def _usage(counted: _Usage) -> Usage:
    """Cached tokens are a part of ``prompt_tokens`` here."""
    prompt, answer = counted.prompt_tokens_details, counted.completion_tokens_details
    cached = counted.prompt_cache_hit_tokens or (prompt.cached_tokens if prompt else None) or 0
    return Usage(
        input_tokens=counted.prompt_tokens,
        cached_tokens=min(cached, counted.prompt_tokens),
        cache_write_tokens=(prompt.cache_write_tokens or 0) if prompt else 0,
        output_tokens=counted.completion_tokens,
        reasoning_tokens=(answer.reasoning_tokens or 0) if answer else 0,
    )
