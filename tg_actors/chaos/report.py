"""The figures of a chaos run, pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tg_actors.chaos.evidence import Fact
from tg_actors.chaos.judge import Verdict
from tg_actors.chaos.nemesis import Record
from tg_actors.chaos.recovery import Blow, quantile, recovery_s
from tg_actors.domain.money import ZERO, money_text

_HOUR_NS = 3_600_000_000_000
_DEEDS = (
    "raylet_kills",
    "head_kills",
    "driver_kills",
    "exchange_kills",
    "journal_locks",
    "halts",
    "nodes_lost",
)


@dataclass(frozen=True, slots=True)
class DeskCase:
    """One desk after the run: what its journal says, what the judge says about it."""

    name: str
    bar_ns: int
    facts: Sequence[Fact]
    verdict: Verdict
    troubles: tuple[str, ...]


def figures(
    *,
    minutes: float,
    seconds: float,
    seed: int,
    record: Record,
    faults: Counter[str],
    cases: Sequence[DeskCase],
) -> dict[str, Any]:
    """Put together what ``tg chaos --json`` prints; names as those of ``tg simulate --json``."""
    hours = sum(case.bar_ns * _count(case.facts, "CycleDecided") for case in cases) / _HOUR_NS
    return {
        "seeds": 1,
        "seed": seed,
        "minutes": minutes,
        "seconds": round(seconds, 1),
        "virtual_hours": round(hours, 1),
        "desks": len(cases),
        "cycles": sum(_count(case.facts, "CycleDecided") for case in cases),
        "orders": sum(case.verdict.orders for case in cases),
        "posts": sum(case.verdict.posts for case in cases),
        "fills": sum(case.verdict.fills for case in cases),
        **_deeds(record),
        "faults": sum(faults.values()),
        "faults_by_kind": dict(sorted(faults.items())),
        **_judgement(cases, record),
        **_recovery(record, cases),
        # Real processes under a real scheduler: no two runs are alike, so there is no trace to compare.
        "trace_hash": None,
    }


def _deeds(record: Record) -> dict[str, Any]:
    return {
        "kills": sum(record.kills.values()),
        "kills_by_actor": dict(sorted(record.kills.items())),
        "zombies": record.zombies,
        **{name: record.deeds[name] for name in _DEEDS},
        # The desk uses no Redis: there is nothing to kill.
        "redis_kills": 0,
        "driver_restarts": record.driver_restarts,
        "deeds_failed": record.failures,
    }


def _judgement(cases: Sequence[DeskCase], record: Record) -> dict[str, Any]:
    violations = [
        f"{c.name}: {v}" for c in cases for v in (*c.verdict.violations, *c.troubles)
    ] + record.undead
    return {
        "duplicates": sum(case.verdict.duplicates for case in cases),
        "lost_fills": sum(case.verdict.lost_fills for case in cases),
        "drift": money_text(sum((abs(d) for c in cases for d in c.verdict.drift.values()), ZERO)),
        "drift_by_currency": _drifts(cases),
        "permits_after_halt": sum(case.verdict.permits_after_halt for case in cases),
        "unresolved": sum(case.verdict.unresolved for case in cases),
        "violations": len(violations),
        "violation_list": violations,
    }


def _recovery(record: Record, cases: Sequence[DeskCase]) -> dict[str, Any]:
    recovered = _recoveries(record.blows, {case.name: case.facts for case in cases})
    known = [value for value in recovered if value is not None]
    return {
        "recoveries": len(known),
        "recoveries_unseen": len(recovered) - len(known),
        "recovery_s_p50": _rounded(quantile(known, 0.5)),
        "recovery_s_p99": _rounded(quantile(known, 0.99)),
    }


def _recoveries(blows: Sequence[Blow], facts: Mapping[str, Sequence[Fact]]) -> list[float | None]:
    return [recovery_s(blow, facts[blow.desk]) for blow in blows]


def _drifts(cases: Sequence[DeskCase]) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for case in cases:
        for currency, amount in case.verdict.drift.items():
            total[currency] = total.get(currency, ZERO) + amount
    return {currency: money_text(amount) for currency, amount in sorted(total.items())}


def _count(facts: Sequence[Fact], type_: str) -> int:
    return sum(fact.type == type_ for fact in facts)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
