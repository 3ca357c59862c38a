"""Budget, ledger, circuit, backoff and cost: all pure but for the ledger's file."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.llm_words import budget, models
from tg_actors.domain.errors import UserError
from tg_actors.llm.backoff import GIVE_UP, next_step
from tg_actors.llm.budget import Budget, Spending
from tg_actors.llm.circuit import Circuit, CircuitState
from tg_actors.llm.cost import cost_usd, forecast_usd, worst_usage
from tg_actors.llm.faults import FaultKind, fault
from tg_actors.llm.ledger import SpendingLedger
from tg_actors.llm.providers.spec import Price, Usage
from tg_actors.llm.providers.table import PROVIDERS
from tg_actors.market.timeframes import instant_ns

S = 10**9
DAY = 86_400 * S
NOON = instant_ns("2026-11-21T12:00")


def promised(answer: Spending | str) -> Spending:
    assert isinstance(answer, Spending)
    return answer


def test_a_promise_counts_until_it_is_settled_and_a_lost_one_for_ever() -> None:
    book = Budget(budget("1", "1.5"))
    first = promised(book.promise("a", Decimal("0.6"), NOON))
    assert "usd_per_model_day_max" in str(book.promise("a", Decimal("0.5"), NOON))
    book.settle(first, Decimal("0.1"))
    second = promised(book.promise("a", Decimal("0.5"), NOON))
    book.settle(second, None)
    assert book.spent_usd(NOON, "a") == Decimal("0.6")
    assert "usd_per_day_max" in str(book.promise("b", Decimal("0.95"), NOON))


def test_every_day_and_model_has_its_own_money() -> None:
    book = Budget(budget("1", "10"))
    promised(book.promise("a", Decimal(1), NOON))
    promised(book.promise("b", Decimal(1), NOON))
    promised(book.promise("a", Decimal(1), NOON + DAY))
    assert book.spent_usd(NOON) == Decimal(2)


def test_an_unknown_price_is_refused() -> None:
    assert "price of a is unknown" in str(Budget(budget()).promise("a", None, NOON))


def test_two_processes_share_one_ledger_and_a_torn_line_was_never_promised(tmp_path: Path) -> None:
    one, other = (SpendingLedger(tmp_path, budget("1", "1")) for _ in range(2))
    path = one.path(NOON)
    reserved = promised(one.reserve("a", Decimal("0.7"), NOON))
    assert isinstance(other.reserve("a", Decimal("0.7"), NOON), str)
    one.settle(reserved, Decimal("0.2"))
    with path.open("ab") as file:
        file.write(b'{"kind":"reserved","numb')
    assert other.spent_usd(NOON) == Decimal("0.2")
    promised(other.reserve("a", Decimal("0.7"), NOON))
    assert one.spent_usd(NOON) == Decimal("0.9")
    assert one.spent_usd(NOON + DAY) == Decimal(0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["2026-11-21.jsonl", "2026-11-22.jsonl"]


def test_a_damaged_ledger_refuses_every_call(tmp_path: Path) -> None:
    (tmp_path / "2026-11-21.jsonl").write_text("nonsense\n")
    with pytest.raises(UserError, match="line 1 is damaged"):
        SpendingLedger(tmp_path, budget()).reserve("a", Decimal(0), NOON)


def test_a_circuit_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    circuit, broken = Circuit(failures_max=2, cool_s=10.0), fault(FaultKind.SERVER, "")
    circuit.failed(broken, 0)
    circuit.succeeded()
    circuit.failed(broken, 0)
    assert circuit.admit(0)
    circuit.failed(broken, 0)
    assert (circuit.state(0), circuit.admit(9 * S)) == (CircuitState.OPEN, False)
    assert (circuit.admit(10 * S), circuit.admit(10 * S)) == (True, False)
    circuit.failed(broken, 10 * S)
    assert circuit.state(19 * S) is CircuitState.OPEN
    assert circuit.admit(20 * S)
    circuit.succeeded()
    assert circuit.state(20 * S) is CircuitState.CLOSED


def test_a_probe_that_is_never_judged_gives_its_place_back() -> None:
    circuit = Circuit(failures_max=1, cool_s=1.0)
    circuit.failed(fault(FaultKind.SERVER, ""), 0)
    assert circuit.admit(S)
    circuit.abandoned()
    assert circuit.admit(S)


@pytest.mark.parametrize(
    ("kind", "retry_after_s", "is_open"),
    [
        (FaultKind.AUTH, None, True),
        (FaultKind.QUOTA, None, True),
        (FaultKind.RATE_LIMIT, 3600.0, True),
        (FaultKind.RATE_LIMIT, 0.2, False),
        (FaultKind.BAD_REQUEST, None, False),
        (FaultKind.CONTEXT_OVERFLOW, None, False),
    ],
)
def test_what_opens_a_circuit_at_once(kind: FaultKind, retry_after_s: float | None, *, is_open: bool) -> None:
    circuit = Circuit()
    circuit.failed(fault(kind, "", retry_after_s=retry_after_s), 0)
    assert (circuit.state(1) is CircuitState.OPEN) is is_open


def test_waits_grow_and_never_pass_the_deadline_or_the_vendors_word() -> None:
    server = fault(FaultKind.SERVER, "")
    none: frozenset[str] = frozenset()
    waits = [next_step(server, k, 9, 60.0, "key", none).wait_s or 0.0 for k in (1, 2, 3, 8)]
    assert all(0.75 * most <= wait <= most for wait, most in zip(waits, (0.5, 1.0, 2.0, 8.0), strict=True))
    assert waits[0] == next_step(server, 1, 9, 60.0, "key", none).wait_s
    assert waits[0] != next_step(server, 1, 9, 60.0, "other", none).wait_s
    asked = fault(FaultKind.RATE_LIMIT, "", retry_after_s=5.0)
    assert next_step(asked, 1, 9, 60.0, "key", none).wait_s == 5.0
    assert next_step(asked, 1, 9, 4.0, "key", none) == GIVE_UP
    assert next_step(server, 3, 3, 60.0, "key", none) == GIVE_UP
    assert next_step(fault(FaultKind.AUTH, ""), 1, 3, 60.0, "key", none) == GIVE_UP


def test_a_refused_parameter_is_dropped_once() -> None:
    refused = fault(FaultKind.BAD_REQUEST, "", parameter="temperature")
    assert next_step(refused, 1, 3, 60.0, "key", frozenset()).drop == "temperature"
    assert next_step(refused, 1, 3, 60.0, "key", frozenset({"temperature"})) == GIVE_UP


USED = Usage(input_tokens=10_000, cached_tokens=4_000, output_tokens=1_000)


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        # (6,000 x 2 + 4,000 x 0.2 + 1,000 x 10) / 10^6, (6,000 x 0.2 + 4,000 x 0.02 + 1,000 x 1.2) / 10^6.
        ("anthropic", "claude-sonnet-5-5", "0.0228"),
        ("openai", "gpt-5.6-luna", "0.00248"),
        ("ollama", "qwen2.5:7b", "0"),
    ],
)
def test_cost_equals_hand_calculation(provider: str, model: str, usd: str) -> None:
    assert cost_usd(PROVIDERS[provider], model, USED, NOON, models().prices) == Decimal(usd)


def test_the_hour_counts_where_the_vendor_says_so() -> None:
    row = PROVIDERS["deepseek"]
    peak, off = (
        cost_usd(row, "deepseek-v4-flash", USED, instant_ns(f"2026-11-20T{hour}:00"), {})
        for hour in ("03", "20")
    )
    assert peak is not None
    assert off is not None
    assert peak == 2 * off


def test_an_unknown_model_has_no_price_and_the_owners_word_goes_first() -> None:
    assert cost_usd(PROVIDERS["openai"], "gpt-moon", USED, NOON, {}) is None
    assert cost_usd(PROVIDERS["generic"], "mine", USED, NOON, {}) is None
    own = {"mine": Price(input_usd=Decimal(1), output_usd=Decimal(2), cached_usd=Decimal("0.5"))}
    assert cost_usd(PROVIDERS["generic"], "mine", USED, NOON, own) == Decimal("0.01")
    assert forecast_usd(PROVIDERS["generic"], "mine", 288, USED, NOON, own) == Decimal("2.88")


def test_the_most_that_a_request_can_cost_is_more_than_it_does() -> None:
    worst = worst_usage(10_001, 500)
    assert (worst.input_tokens, worst.output_tokens) == (5001, 500)


def test_every_shipped_model_has_a_price_a_row_and_a_known_id() -> None:
    from anthropic.types.model_param import ModelParam
    from openai.types.shared import ChatModel

    config = models()
    for name, spec in config.models.items():
        assert cost_usd(spec.row, spec.id, USED, NOON, config.prices) is not None, name
    assert f"'{config.models['claude-sonnet-4-5'].id}'" in str(ModelParam)
    assert f"'{config.models['gpt-4o'].id}'" in str(ChatModel)


def test_no_shipped_model_is_one_that_its_sdk_calls_deprecated() -> None:
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    asked = models().models["claude-sonnet-4-5"]
    assert asked.id not in DEPRECATED_MODELS
    assert DEPRECATED_MODELS[str(asked.stands_for)] == "November 30th, 2026"
