"""The dialects as pure functions: what is asked by each row, what is read, and which fault an error is."""

import json
import pickle
from typing import Any

import pytest

from tests.llm_words import MODELS, models, prompt
from tg_actors.llm.briefing import question_of
from tg_actors.llm.exchange import kept_headers
from tg_actors.llm.faults import FaultKind, ProviderError, fault, fault_of
from tg_actors.llm.providers.spec import Dialect, Ended, Turn, Usage, WireRequest
from tg_actors.llm.providers.table import PROVIDERS, read, request_of
from tg_actors.llm.rehearsal.scene import observation
from tg_actors.llm.rehearsal.schemas import mistake_in
from tg_actors.llm.rehearsal.vendor import error_text, reply_text


def asked(model: str, dropped: frozenset[str] = frozenset(), turns: tuple[Turn, ...] = ()) -> WireRequest:
    spec = models().model(model)
    return request_of(spec.row, question_of(spec, prompt(), observation(), turns, dropped), dropped)


@pytest.mark.parametrize("model", MODELS)
def test_bodies_pass_the_vendors_closed_schema_whatever_is_dropped(model: str) -> None:
    row = models().model(model).row
    turn = (Turn("{}", "again"),)
    for dropped in (frozenset[str](), *(frozenset({name}) for name in row.may_drop), frozenset(row.may_drop)):
        body = asked(model, dropped, turn).body
        assert mistake_in(row.dialect, row.name, body) is None, dropped


@pytest.mark.parametrize(
    ("model", "has", "has_not"),
    [
        ("claude-sonnet-4-5", {"max_tokens": 16000}, {"temperature", "max_completion_tokens"}),
        (
            "gpt-4o",
            {"max_completion_tokens": 16000, "reasoning_effort": "low"},
            {"temperature", "max_tokens"},
        ),
        ("grok-4", {"max_completion_tokens": 8000}, {"temperature", "reasoning_effort", "prompt_cache_key"}),
        (
            "deepseek-v3",
            {
                "max_tokens": 8000,
                "temperature": 0.0,
                "thinking": {"type": "disabled"},
                "response_format": {"type": "json_object"},
            },
            {"max_completion_tokens", "reasoning_effort"},
        ),
        (
            "qwen-2.5-7b",
            {"stream": False, "truncate": False, "shift": False, "think": False},
            {"temperature"},
        ),
        ("own-model", {"max_tokens": 4096, "temperature": 0.0}, {"reasoning_effort", "prompt_cache_key"}),
    ],
)
def test_each_row_asks_as_its_vendor_wants(model: str, has: dict[str, Any], has_not: set[str]) -> None:
    body = asked(model).body
    assert {key: body.get(key) for key in has} == has
    assert not has_not & set(body)


def test_ollama_is_told_its_context_and_how_long_it_may_answer() -> None:
    assert asked("qwen-2.5-7b").body["options"] == {
        "num_ctx": 32768,
        "num_predict": 4096,
        "temperature": 0.0,
        "seed": 0,
    }


def test_the_universe_is_in_every_request() -> None:
    for model in MODELS:
        text = asked(model).text()
        assert '"BTC/USDT","ETH/USDT","XRP/USDT"' in text.replace('\\"', '"'), model


def test_a_refused_schema_becomes_json_and_words() -> None:
    loose = asked("own-model", frozenset({"response_format"}))
    assert loose.body["response_format"] == {"type": "json_object"}
    assert "additionalProperties" in loose.body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("dialect", "usage", "expected"),
    [
        (
            Dialect.MESSAGES,
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "cache_read_input_tokens": 900,
                "cache_creation_input_tokens": 200,
                "output_tokens_details": {"thinking_tokens": 30},
            },
            Usage(
                input_tokens=1200,
                cached_tokens=900,
                cache_write_tokens=200,
                output_tokens=50,
                reasoning_tokens=30,
            ),
        ),
        (
            Dialect.CHAT,
            {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "total_tokens": 1050,
                "prompt_tokens_details": {"cached_tokens": 900},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(input_tokens=1000, cached_tokens=900, output_tokens=50, reasoning_tokens=30),
        ),
        (
            Dialect.CHAT,
            {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "prompt_cache_hit_tokens": 800,
                "prompt_cache_miss_tokens": 200,
            },
            Usage(input_tokens=1000, cached_tokens=800, output_tokens=50),
        ),
    ],
)
def test_usage_is_the_same_words_for_all(dialect: Dialect, usage: dict[str, Any], expected: Usage) -> None:
    content = json.loads(reply_text(dialect, "m", "hello"))
    assert read(dialect, json.dumps({**content, "usage": usage})).usage == expected


def test_ollamas_counts_are_usage_too() -> None:
    reply = read(Dialect.OLLAMA, reply_text(Dialect.OLLAMA, "m", "hello", usage=(7, 3)))
    assert reply.usage == Usage(input_tokens=7, output_tokens=3)


@pytest.mark.parametrize("dialect", Dialect)
def test_how_an_answer_ended_is_told(dialect: Dialect) -> None:
    assert read(dialect, reply_text(dialect, "m", "x")).ended is Ended.STOP
    assert read(dialect, reply_text(dialect, "m", "x", ended="length")).ended is Ended.LENGTH
    if dialect is not Dialect.OLLAMA:
        assert read(dialect, reply_text(dialect, "m", "", ended="refusal")).ended is Ended.REFUSAL


def test_an_end_that_nobody_knows_is_no_whole_answer() -> None:
    content = reply_text(Dialect.CHAT, "m", "x").replace('"stop"', '"vibes"')
    assert read(Dialect.CHAT, content).ended is Ended.LENGTH


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        "null",
        "[]",
        "{}",
        '{"choices": []}',
        '{"error": {"message": "boom"}}',
        '{"a": NaN}',
    ],
)
def test_no_answer_is_taken_for_one(dialect: Dialect, text: str) -> None:
    with pytest.raises(ProviderError) as raised:
        read(dialect, text)
    assert raised.value.kind is FaultKind.MALFORMED
    assert raised.value.retryable


def test_an_answer_without_a_choice_is_none() -> None:
    content = json.loads(reply_text(Dialect.CHAT, "m", "x"))
    with pytest.raises(ProviderError, match="no choice"):
        read(Dialect.CHAT, json.dumps({**content, "choices": []}))


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (400, "invalid_request_error", "temperature: not supported", FaultKind.BAD_REQUEST),
        (400, "invalid_request_error", "prompt is too long: 300000 tokens", FaultKind.CONTEXT_OVERFLOW),
        (400, "context_length_exceeded", "", FaultKind.CONTEXT_OVERFLOW),
        (401, "authentication_error", "", FaultKind.AUTH),
        (402, "billing_error", "", FaultKind.QUOTA),
        (403, "permission_error", "", FaultKind.AUTH),
        (404, "not_found_error", "", FaultKind.NOT_FOUND),
        (413, "request_too_large", "", FaultKind.CONTEXT_OVERFLOW),
        (429, "rate_limit_error", "", FaultKind.RATE_LIMIT),
        (429, "insufficient_quota", "", FaultKind.QUOTA),
        (500, "api_error", "", FaultKind.SERVER),
        (504, "timeout", "", FaultKind.SERVER),
        (529, "overloaded_error", "", FaultKind.OVERLOADED),
        (418, "teapot", "", FaultKind.BAD_REQUEST),
        (302, "moved", "", FaultKind.MALFORMED),
    ],
)
def test_a_status_and_its_words_are_one_kind(
    status: int, kind: str, message: str, expected: FaultKind
) -> None:
    said = fault_of(status, {}, error_text(Dialect.CHAT, kind, message))
    assert (said.kind, said.status) == (expected, status)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert fault_of(429, headers, "").retry_after_s == seconds


def test_the_parameter_that_a_vendor_refuses_is_named() -> None:
    row = PROVIDERS["openai"]
    text = json.dumps(
        {"error": {"message": "Unsupported value", "param": "reasoning_effort", "code": "unsupported"}}
    )
    assert fault_of(400, {}, text, row.may_drop).parameter == "reasoning_effort"
    assert fault_of(400, {}, error_text(Dialect.CHAT, "x", "no"), row.may_drop).parameter is None


def test_a_page_of_html_keeps_its_first_words() -> None:
    assert fault_of(502, {}, "<html>\n <h1>Bad Gateway</h1>").detail == "<html> <h1>Bad Gateway</h1>"


def test_an_error_crosses_process_borders_whole() -> None:
    sent = ProviderError(fault(FaultKind.RATE_LIMIT, "slow down", retry_after_s=2.5, status=429))
    came = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own bytes
    assert (came.fault, came.retryable, str(came)) == (sent.fault, True, str(sent))


def test_few_headers_are_kept() -> None:
    sent = {"Request-Id": "r", "X-RateLimit-Remaining-Tokens": "9", "Set-Cookie": "s", "Authorization": "b"}
    assert kept_headers(sent) == {"request-id": "r", "x-ratelimit-remaining-tokens": "9"}
