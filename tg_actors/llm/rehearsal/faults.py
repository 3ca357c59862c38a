"""The table of faults: every vendor's dialect, every way to fail, over real sockets with the real clients."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tg_actors.domain.keys import Key
from tg_actors.domain.message import Message
from tg_actors.llm.budget import Budget, BudgetLimits, Spending
from tg_actors.llm.cassette import Cassette, CassetteMode
from tg_actors.llm.catalogue import ModelsConfig
from tg_actors.llm.deciding import Decider
from tg_actors.llm.live import Clocks, LiveWire
from tg_actors.llm.outcome import DecisionOutcome
from tg_actors.llm.prompts import Prompt
from tg_actors.llm.providers.spec import Dialect
from tg_actors.llm.rehearsal.scene import answer_text, observation
from tg_actors.llm.rehearsal.vendor import Act, Vendor, error_text, reply_text
from tg_actors.llm.wires.opening import open_sender

#: One decision of the table may take this long in all.
DEADLINE_S = 3.0
ATTEMPTS_MAX = 3
_KEY = "sk-rehearsal-0123456789"
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_WIDE = BudgetLimits(usd_per_model_day_max=Decimal(1000), usd_per_day_max=Decimal(1000))
#: Not all at once: what is measured is the deadline, not how many clients two cores can open.
_SIDE_BY_SIDE = 4


class MemoryPurse:
    """A budget without a file."""

    def __init__(self, limits: BudgetLimits = _WIDE) -> None:
        self.budget = Budget(limits)

    def reserve(self, model: str, usd: Decimal | None, at_ns: int) -> Spending | str:
        """Promise money, or say why not."""
        return self.budget.promise(model, usd, at_ns)

    def settle(self, reserved: Spending, usd: Decimal | None) -> None:
        """Say what a call has cost."""
        self.budget.settle(reserved, usd)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fail: what the vendor does, and what must come of it.

    ``provenance`` and ``kind`` are what the decision must say, ``attempts`` how many there must be; None
    where time decides.
    """

    act: Callable[[Dialect, str, str], Act]
    provenance: str
    kind: str | None
    attempts: int | None
    #: Calls that fail before the vendor recovers; None: it never does.
    failures: int | None = None


def _failing(status: int, kind: str, message: str, **headers: str) -> Callable[[Dialect, str, str], Act]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda dialect, *_: Act(status, error_text(dialect, kind, message), named)


def _said(ended: str = "stop", text: str | None = None, **more: Any) -> Callable[[Dialect, str, str], Act]:
    return lambda dialect, model, sound: Act(
        200, reply_text(dialect, model, sound if text is None else text, ended=ended, **more)
    )


def _truncated(dialect: Dialect, model: str, sound: str) -> Act:
    return Act(200, reply_text(dialect, model, sound[: len(sound) // 2], ended="length"))


def _misdeed(name: str) -> Callable[[Dialect, str, str], Act]:
    return lambda dialect, model, sound: Act(200, reply_text(dialect, model, sound), misdeed=name)


CASES: Mapping[str, Case] = {
    "sound": Case(_said(), "decided", None, 1),
    "401": Case(_failing(401, "authentication_error", "invalid x-api-key"), "provider_error", "auth", 1),
    "402": Case(_failing(402, "billing_error", "no credit left"), "provider_error", "quota", 1),
    "404": Case(_failing(404, "not_found_error", "model: no such model"), "provider_error", "not_found", 1),
    "413": Case(
        _failing(413, "request_too_large", "prompt is too long"), "provider_error", "context_overflow", 1
    ),
    "429_short": Case(
        _failing(429, "rate_limit_error", "slow down", retry_after="0.2"), "decided", None, 2, failures=1
    ),
    "429_long": Case(
        _failing(429, "rate_limit_error", "slow down", retry_after="3600"), "provider_error", "rate_limit", 1
    ),
    "500": Case(_failing(500, "api_error", "internal error"), "decided", None, 2, failures=1),
    "502_html": Case(lambda *_: Act(502, _HTML, content_type="text/html"), "decided", None, 2, failures=1),
    "529": Case(_failing(529, "overloaded_error", "overloaded"), "decided", None, 2, failures=1),
    "reset": Case(_misdeed("reset"), "decided", None, 2, failures=1),
    "reset_for_good": Case(_misdeed("reset"), "provider_error", "transport", None),
    "hang": Case(_misdeed("hang"), "deadline", "timeout", 1),
    "drip": Case(_misdeed("drip"), "deadline", "timeout", 1),
    "truncated": Case(_truncated, "parse_error", None, 2),
    "refusal": Case(_said("refusal"), "refusal", None, 1),
    "empty": Case(_said(text=""), "parse_error", None, 2),
    "no_usage": Case(_said(usage=None), "decided", None, 1),
    "200_with_error": Case(
        lambda dialect, *_: Act(200, error_text(dialect, "api_error", "internal error")),
        "decided",
        None,
        2,
        failures=1,
    ),
}
#: Ollama's dialect has no word for a refusal: it is text like any other, and no JSON.
_OLLAMA_REFUSES = replace(
    CASES["refusal"], act=_said(text="I cannot help with that."), provenance="parse_error", attempts=2
)


class FaultRow(Message):
    """One row of the table. ``is_right`` covers outcome, attempts and that the record holds no key."""

    provider: str
    fault: str
    outcome: str
    kind: str | None
    attempts: int
    total_s: float
    deadline_s: float
    is_within_deadline: bool
    cost_usd: Decimal | None
    cost_is_floor: bool
    promised_usd: Decimal
    circuit: str
    is_right: bool

    @property
    def is_as_expected(self) -> bool:
        """Whether it is right, and came in time."""
        return self.is_right and self.is_within_deadline


async def fault_table(config: ModelsConfig, prompt: Prompt, clocks: Clocks) -> list[FaultRow]:
    """Run every case with every model of a configuration against a vendor on loopback."""
    hasty = config.model_copy(update={"deadline_s": DEADLINE_S, "attempts_max": ATTEMPTS_MAX})
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(model: str, fault: str) -> FaultRow:
        async with gate:
            return await fault_row(hasty, model, fault, prompt, clocks)

    for model in hasty.models:  # what is imported and compiled once is no vendor's delay
        await fault_row(hasty, model, "sound", prompt, clocks)
    return list(await asyncio.gather(*(one(model, fault) for model in hasty.models for fault in CASES)))


async def fault_row(config: ModelsConfig, model: str, fault: str, prompt: Prompt, clocks: Clocks) -> FaultRow:
    """Run one case with one model."""
    spec = config.model(model)
    dialect = spec.row.dialect
    case = _OLLAMA_REFUSES if (fault, dialect) == ("refusal", Dialect.OLLAMA) else CASES[fault]
    shown, key = observation(), Key(spec.provider, _KEY, "") if spec.row.needs_key else None
    sound = answer_text(shown)

    def behave(spoken: Dialect, number: int, _: Any) -> Act:
        failing = case.failures is None or number <= case.failures
        act = case.act if failing else CASES["sound"].act
        return act(spoken, spec.id, sound)

    async with Vendor(behave, spec.provider, None if key is None else key.api_key) as vendor:
        purse, sender = MemoryPurse(), open_sender(spec.row, vendor.base_url(dialect), key)
        wire = LiveWire(spec.row, model, sender, purse, clocks, config.prices)
        decider = Decider(model, config, prompt, Cassette(CassetteMode.LIVE, wire=wire))
        began_ns = clocks.monotonic_ns()
        try:
            outcome = await decider.decide(shown)
        finally:
            await sender.close()
        total_s = (clocks.monotonic_ns() - began_ns) / 1e9
    now_ns = clocks.wall_ns()
    return _row(
        spec.provider,
        fault,
        case,
        outcome,
        total_s,
        config.deadline_s,
        wire.circuit.state(now_ns).value,
        purse.budget.spent_usd(now_ns),
    )


def _row(
    provider: str,
    fault: str,
    case: Case,
    outcome: DecisionOutcome,
    total_s: float,
    deadline_s: float,
    circuit: str,
    promised_usd: Decimal,
) -> FaultRow:
    said = outcome.symbols[0].provenance.value
    kind = None if outcome.fault is None else outcome.fault.kind.value
    right = (said, kind) == (case.provenance, case.kind) and case.attempts in {None, outcome.attempts}
    silent = _KEY not in outcome.model_dump_json()
    return FaultRow(
        provider=provider,
        fault=fault,
        outcome=said,
        kind=kind,
        attempts=outcome.attempts,
        total_s=total_s,
        deadline_s=deadline_s,
        is_within_deadline=total_s <= deadline_s,
        cost_usd=outcome.cost_usd,
        cost_is_floor=outcome.cost_is_floor,
        promised_usd=promised_usd,
        circuit=circuit,
        is_right=right and silent,
    )
