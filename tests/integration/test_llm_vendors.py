"""The contract with every vendor: real clients, real sockets, closed schemas, faults, record and replay."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.llm_words import (
    CLOCKS,
    KEY,
    MODELS,
    Bench,
    at_bench,
    bad_at,
    bench,
    budget,
    failing,
    in_turn,
    models,
    prompt,
    saying,
)
from tg_actors.llm.faults import FaultKind
from tg_actors.llm.outcome import DecisionOutcome
from tg_actors.llm.parser import Provenance
from tg_actors.llm.providers.spec import Dialect
from tg_actors.llm.rehearsal.faults import CASES, fault_row
from tg_actors.llm.rehearsal.scene import answer, answer_text, observation
from tg_actors.llm.rehearsal.vendor import Act, Behaviour, Vendor, error_text, reply_text

SHOWN = observation()
FOREIGN = {
    "OPENAI_API_KEY": "sk-foreign-openai",
    "OPENAI_ADMIN_KEY": "sk-foreign-admin",
    "OPENAI_ORG_ID": "org-foreign",
    "OPENAI_PROJECT_ID": "proj-foreign",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/foreign",
    "OPENAI_CUSTOM_HEADERS": "X-Foreign: foreign\nAuthorization: Bearer foreign",
    "ANTHROPIC_API_KEY": "sk-foreign-anthropic",
    "ANTHROPIC_AUTH_TOKEN": "foreign-token",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/foreign",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Foreign: foreign\nx-api-key: foreign",
    "XAI_API_KEY": "foreign-xai",
    "DEEPSEEK_API_KEY": "foreign-deepseek",
}
PATHS = {
    Dialect.MESSAGES: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.OLLAMA: "/api/chat",
}


async def one_decision(made: Bench) -> DecisionOutcome:
    return await made.decider().decide(SHOWN)


@pytest.mark.parametrize("model", MODELS)
def test_only_what_belongs_to_a_vendor_reaches_it(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)

    async def work(made: Bench) -> tuple[DecisionOutcome, Bench]:
        return await made.decider().decide(SHOWN), made

    outcome, made = at_bench(model, saying(served="served-model"), work)

    (call,) = made.vendor.calls
    assert call.path == PATHS[made.dialect]
    assert "foreign" not in json.dumps([call.headers, call.body]).lower()
    spec = models().model(model)
    assert call.headers.get("authorization") == (f"Bearer {KEY}" if spec.row.needs_key else None)
    assert not {"openai-organization", "openai-project", "x-api-key"} & set(call.headers)
    assert call.body == made.decider().request(SHOWN).body
    assert outcome.counts() == {"decided": 2, "model_hold": 1}
    assert (outcome.asked_id, outcome.served_id) == (spec.id, "served-model")
    assert outcome.is_first_parsed
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (4000, 700)
    assert KEY not in outcome.model_dump_json()


@pytest.mark.parametrize("model", MODELS)
def test_every_fault_has_its_outcome_attempts_and_record(model: str) -> None:
    # Patient where an answer comes in the end: this machine may be slow. Hasty where none ever does.
    patient, hasty = (models(deadline_s=deadline_s, attempts_max=3) for deadline_s in (60.0, 1.0))

    async def run() -> list[Any]:
        configs = {fault: hasty if fault in {"hang", "drip"} else patient for fault in CASES}
        rows = (fault_row(config, model, fault, prompt(), CLOCKS) for fault, config in configs.items())
        return await asyncio.gather(*rows)

    wrong = [row for row in asyncio.run(run()) if not row.is_right]
    assert wrong == []


def test_money_is_promised_before_and_settled_after() -> None:
    async def work(made: Bench) -> tuple[DecisionOutcome, Any]:
        outcome = await made.decider().decide(SHOWN)
        return outcome, made.purse.budget.spent_usd(CLOCKS.wall_ns())

    outcome, spent = at_bench("gpt-4o", saying(served="gpt-5.6-luna"), work)
    assert outcome.cost_usd == spent == (4000 * 2 + 700 * 12) * Decimal("1E-7")


def test_without_money_nobody_is_asked() -> None:
    async def work(made: Bench) -> tuple[DecisionOutcome, int]:
        return await made.decider().decide(SHOWN), len(made.vendor.calls)

    outcome, calls = at_bench("gpt-4o", saying(), work, models(budget=budget("0.001", "1")))
    assert (set(outcome.counts()), calls) == ({"budget"}, 0)
    assert outcome.fault is not None
    assert "usd_per_model_day_max" in outcome.fault.detail


def test_an_unreachable_vendor_is_no_cost_and_the_circuit_opens() -> None:
    async def run() -> tuple[DecisionOutcome, DecisionOutcome]:
        async with bench("qwen-2.5-7b", saying(), models(attempts_max=3)) as made:
            await made.vendor.__aexit__()
            decider = made.decider()
            first = await decider.decide(SHOWN)
            return first, await decider.decide(SHOWN)

    first, second = asyncio.run(run())
    assert first.fault is not None
    assert second.fault is not None
    assert (first.fault.kind, first.attempts, first.cost_is_floor) == (FaultKind.UNREACHABLE, 3, False)
    assert (second.fault.kind, second.attempts) == (FaultKind.CIRCUIT_OPEN, 3)


def test_a_vendor_that_repeats_our_key_does_not_get_it_into_the_record() -> None:
    leaking = failing(401, error_text(Dialect.CHAT, "invalid_api_key", f"Incorrect API key: {KEY}"))
    outcome = at_bench("gpt-4o", leaking, one_decision)
    assert outcome.fault is not None
    assert outcome.fault.detail == "Incorrect API key: [key]"


def test_rate_limits_and_ids_of_the_vendor_are_kept() -> None:
    def behave(dialect: Dialect, _: int, __: Any) -> Act:
        headers = {"x-request-id": "req_1", "x-ratelimit-remaining-tokens": "42", "set-cookie": "no"}
        return Act(200, reply_text(dialect, "m", answer_text(SHOWN)), headers)

    outcome = at_bench("gpt-4o", behave, one_decision)
    assert outcome.headers == {"x-request-id": "req_1", "x-ratelimit-remaining-tokens": "42"}


def test_a_refused_parameter_is_left_out_from_then_on() -> None:
    def behave(dialect: Dialect, _: int, body: Any) -> Act:
        if "reasoning_effort" in body:
            refusal = {
                "message": "Unsupported parameter",
                "param": "reasoning_effort",
                "type": "invalid_request_error",
            }
            return Act(400, json.dumps({"error": refusal}))
        return Act(200, reply_text(dialect, "m", answer_text(SHOWN)))

    async def work(made: Bench) -> list[DecisionOutcome]:
        decider = made.decider()
        return [await decider.decide(SHOWN), await decider.decide(SHOWN)]

    first, second = at_bench("gpt-4o", behave, work)
    assert [one.attempts for one in (first, second)] == [2, 1]
    assert first.dropped == second.dropped == ("reasoning_effort",)
    assert first.request_key == second.request_key
    assert first.is_first_parsed


def test_one_repair_puts_one_instrument_right_and_leaves_the_others() -> None:
    second = answer(SHOWN)
    second["decisions"][0]["action"] = "hold"
    behave = in_turn(saying(bad_at("ETH/USDT")), saying(json.dumps(second)))

    async def work(made: Bench) -> tuple[DecisionOutcome, list[Any]]:
        return await made.decider().decide(SHOWN), [call.body for call in made.vendor.calls]

    outcome, bodies = at_bench("gpt-4o", behave, work)
    assert [one.provenance for one in outcome.symbols] == [
        Provenance.DECIDED,
        Provenance.DECIDED,
        Provenance.MODEL_HOLD,
    ]
    assert (outcome.rounds, outcome.is_first_parsed, outcome.is_repaired) == (2, False, True)
    said, complaint = bodies[1]["messages"][-2:]
    assert (said["role"], complaint["role"]) == ("assistant", "user")
    assert "ETH/USDT: conviction" in complaint["content"]
    assert "BTC/USDT:" not in complaint["content"]
    assert outcome.usage.output_tokens == 1400


def test_a_repair_that_nobody_pays_for_leaves_the_first_answer() -> None:
    async def work(made: Bench) -> DecisionOutcome:
        return await made.decider().decide(SHOWN)

    # Enough for one promise of about two cents, not for a second on top of what the first has cost.
    config = models(budget=budget("0.023", "1"))
    outcome = at_bench(
        "gpt-4o", saying(bad_at("ETH/USDT"), served="gpt-5.6-luna", usage=(90_000, 700)), work, config
    )
    assert [one.provenance.value for one in outcome.symbols] == ["decided", "parse_error", "model_hold"]
    assert outcome.fault is not None
    assert (outcome.fault.kind, outcome.is_repaired) == (FaultKind.BUDGET, False)


def test_a_question_that_cannot_fit_is_not_asked() -> None:
    small = models().models["own-model"].model_copy(update={"context_tokens": 5000})
    config = models(models={"own-model": small})

    async def work(made: Bench) -> tuple[DecisionOutcome, int]:
        return await made.decider().decide(SHOWN), len(made.vendor.calls)

    outcome, calls = at_bench("own-model", saying(), work, config)
    assert outcome.fault is not None
    assert (outcome.fault.kind, calls, outcome.attempts) == (FaultKind.CONTEXT_OVERFLOW, 0, 0)


def test_a_cancelled_decision_hangs_up_and_the_decider_goes_on() -> None:
    hanging: Behaviour = lambda *_: Act(misdeed="hang")  # noqa: E731 - a behaviour like the others

    async def work(made: Bench) -> DecisionOutcome:
        decider = made.decider()
        task = asyncio.create_task(decider.decide(SHOWN))
        await asyncio.wait_for(made.vendor.asked.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(made.vendor.gone.wait(), 30)
        return await decider.decide(SHOWN)

    outcome = at_bench("gpt-4o", in_turn(hanging, saying()), work)
    assert outcome.is_first_parsed


def test_one_that_hangs_keeps_no_other_waiting() -> None:
    async def run() -> tuple[list[DecisionOutcome], bool]:
        async with bench("gpt-4o", lambda *_: Act(misdeed="hang"), models(deadline_s=600.0)) as stuck:
            hanging = asyncio.create_task(stuck.decider().decide(SHOWN))
            others = []
            for model in ("claude-sonnet-4-5", "grok-4", "deepseek-v3", "qwen-2.5-7b"):
                async with bench(model, saying()) as made:
                    others.append(await made.decider().decide(SHOWN))
            waiting = not hanging.done()
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            return others, waiting

    others, waiting = asyncio.run(run())
    assert waiting
    assert all(one.is_first_parsed for one in others)


def test_responses_of_the_rehearsal_are_what_the_sdks_describe() -> None:
    from anthropic.types import Message
    from openai.types.chat import ChatCompletion
    from pydantic import TypeAdapter

    for ended in ("stop", "length", "refusal"):
        message = json.loads(reply_text(Dialect.MESSAGES, "claude-sonnet-5-5", "hello", ended=ended))
        TypeAdapter(Message).validate_python(message, strict=False)
        completion = json.loads(reply_text(Dialect.CHAT, "gpt-5.6-luna", "hello", ended=ended))
        TypeAdapter(ChatCompletion).validate_python(completion, strict=False)


def test_the_vendor_on_loopback_refuses_what_a_real_one_would() -> None:
    async def run() -> list[int]:
        import aiohttp

        async with Vendor(saying(), "openai", KEY) as vendor, aiohttp.ClientSession() as session:
            url = f"{vendor.base_url(Dialect.CHAT)}/chat/completions"
            sound = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            statuses = []
            for body, key in ((sound, KEY), (sound, "other"), ({**sound, "thinking": {}}, KEY)):
                headers = {"Authorization": f"Bearer {key}"}
                async with session.post(url, json=body, headers=headers) as answered:
                    statuses.append(answered.status)
            return statuses

    assert asyncio.run(run()) == [200, 401, 400]
