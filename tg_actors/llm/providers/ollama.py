"""Ollama, in its own dialect: only there can the context be chosen, and cutting it be forbidden."""

from typing import Any

from pydantic import Field

from tg_actors.llm.providers.reading import VendorAnswer, checked
from tg_actors.llm.providers.spec import Dialect, Ended, ProviderSpec, Question, Reply, Structured, Usage

ROW = ProviderSpec(
    name="ollama",
    dialect=Dialect.OLLAMA,
    base_url="http://127.0.0.1:11434",
    key_variable=None,
    needs_key=False,
    structured=Structured.FORMAT,
    tokens_key="num_predict",
    temperature=0.0,
    effort_key=None,
    may_drop=("think", "format"),
    price_provider=None,
    extras={"think": False},
    url_variable="OLLAMA_BASE_URL",
)


def body(
    row: ProviderSpec, question: Question, structured: Structured, dropped: frozenset[str]
) -> dict[str, Any]:
    """Return the body of a request; a prompt that does not fit is refused there, never cut."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": question.system},
        {"role": "user", "content": f"{question.constants}\n\n{question.volatile}"},
    ]
    for turn in question.turns:
        messages += [{"role": "assistant", "content": turn.said}, {"role": "user", "content": turn.reply}]
    options = {
        row.tokens_key: question.answer_tokens_max,
        "num_ctx": question.context_tokens,
        "temperature": row.temperature,
        "seed": 0,
    }
    return {
        "model": question.model_id,
        "messages": messages,
        "stream": False,
        "truncate": False,
        "shift": False,
        "options": options,
        "format": question.schema if structured is Structured.FORMAT else "json",
        **{key: value for key, value in row.extras.items() if key not in dropped},
    }


class _Said(VendorAnswer):
    content: str


class _Chat(VendorAnswer):
    model: str
    message: _Said
    done: bool
    done_reason: str | None = None
    prompt_eval_count: int | None = Field(default=None, ge=0)
    eval_count: int | None = Field(default=None, ge=0)


def read(text: str) -> Reply:
    """Read a successful answer. What was cached of a prompt is not counted there.

    Raises:
        ProviderError: it is none: an error with status 200, or another shape.
    """
    chat = checked(_Chat, text)
    counted = chat.prompt_eval_count is not None and chat.eval_count is not None
    return Reply(
        text=chat.message.content,
        ended=Ended.STOP if chat.done and chat.done_reason in {None, "stop"} else Ended.LENGTH,
        served_model=chat.model,
        usage=Usage(input_tokens=chat.prompt_eval_count or 0, output_tokens=chat.eval_count or 0)
        if counted
        else None,
    )
