"""Two journals of one desk, held against each other: the first cycle that differs, and why.

A cycle is compared in the order in which it happens: market, fills, equity, absences, opinions,
ensemble, risk, permits. The first stage that differs is the cause; what comes after it follows.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.desk.block import DecisionBlock, decode
from tg_actors.domain.blocks import F64, Opinions
from tg_actors.domain.decisions import Decision
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Event, EventType

#: What makes two executions the same, wherever they were made: not their number, not their instant.
_FILL = ("client_order_id", "symbol", "side", "quantity", "price", "fee", "fee_currency", "liquidity")
_SHOWN = 5
#: Everything else that is journaled between two decisions happened to the desk from outside.
_ORDINARY = frozenset(
    {
        EventType.CYCLE_DECIDED,
        EventType.ORDER_PERMITTED,
        EventType.ORDER_CHANGED,
        EventType.ORDER_FILLED,
        EventType.CANCEL_REQUESTED,
        "IntentDenied",
    }
)


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference of two runs.

    ``stage`` names where in the cycle, ``details`` what differs (recorded against replayed), and
    ``circumstances`` what had happened to the recorded desk since the last cycle that agreed: a
    person's word, a restart, a dead actor. A replay cannot know of those.
    """

    cycle: int
    at_ns: int
    stage: str
    details: tuple[str, ...]
    circumstances: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {
            "cycle": self.cycle,
            "at_ns": self.at_ns,
            "stage": self.stage,
            "details": list(self.details),
            "circumstances": list(self.circumstances),
        }


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """All that a journal holds of one cycle."""

    decision: Decision
    block: bytes
    fills: tuple[dict[str, Any], ...]
    permits: tuple[dict[str, Any], ...]
    circumstances: tuple[str, ...]


def first_divergence(recorded: JournalReader, replayed: JournalReader) -> Divergence | None:
    """Find the first cycle of the recorded run in which the replay did something else, None without any."""
    for ours, theirs in zip(_records(recorded), _records(replayed), strict=False):
        for stage, differs in STAGES.items():
            if details := differs(ours, theirs):
                shown = details[:_SHOWN]
                if len(details) > _SHOWN:
                    shown = [*shown, f"and {len(details) - _SHOWN} more"]
                return Divergence(
                    ours.decision.cycle, ours.decision.at_ns, stage, tuple(shown), ours.circumstances
                )
    return None


def _records(journal: JournalReader) -> Iterator[CycleRecord]:
    """Group a journal by cycles. A cycle owns what follows its decision until the next one, and its fills."""
    current: Event | None = None
    fills: dict[int, list[dict[str, Any]]] = {}
    permits: list[dict[str, Any]] = []
    before: list[str] = []
    after: list[str] = []
    for event in journal.events():
        if event.type == EventType.CYCLE_DECIDED:
            if current is not None:
                yield _record(journal, current, fills, permits, before + after)
            before, after = (after if current is not None else before), []
            current, permits = event, []
        elif event.type == EventType.ORDER_FILLED:
            fills.setdefault(event.cycle, []).append(event.content())
        elif event.type == EventType.ORDER_PERMITTED:
            permits.append(event.content()["intent"])
        elif event.type not in _ORDINARY:
            (before if current is None else after).append(_told(event))
    if current is not None:
        yield _record(journal, current, fills, permits, before + after)


def _record(
    journal: JournalReader,
    event: Event,
    fills: dict[int, list[dict[str, Any]]],
    permits: list[dict[str, Any]],
    circumstances: list[str],
) -> CycleRecord:
    found = journal.decision(event.cycle)
    if found is None:
        raise ValueError(f"cycle {event.cycle} has an event and no decision: verify the journal")
    decision, block = found
    return CycleRecord(
        decision, block, tuple(fills.pop(event.cycle, ())), tuple(permits), tuple(circumstances)
    )


def _told(event: Event) -> str:
    content = {k: v for k, v in event.content().items() if k not in _LONG and v is not None}
    said = ", ".join(f"{key} {value}" for key, value in content.items())
    return f"{event.type} by {event.role}: {said}"[:_TOLD_CHARS]


#: Parts of events that nobody reads in a sentence.
_LONG = frozenset({"plan", "executor", "market", "intent", "block_hash"})
_TOLD_CHARS = 240


def _market(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    if ours.decision.snapshot_hash == theirs.decision.snapshot_hash:
        return []
    left, right = decode(ours.block), decode(theirs.block)
    if left.symbols != right.symbols:
        return [f"instruments {', '.join(left.symbols)} against {', '.join(right.symbols)}"]
    moved = [
        f"mid of {symbol}: {mine:.10g} against {other:.10g}"
        for symbol, mine, other in zip(left.symbols, left.mid.tolist(), right.mid.tolist(), strict=True)
        if not _same(mine, other)
    ]
    if ours.decision.bars != theirs.decision.bars:
        moved.append(f"new bars of {ours.decision.bars} against {theirs.decision.bars} instruments")
    return moved or ["mid prices agree; a bar, a book, a fact or an indicator does not"]


def _fills(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = (Counter(map(_fill, record.fills)) for record in (ours, theirs))
    return _only(left, right)


def _fill(fill: Mapping[str, Any]) -> str:
    fee = Decimal(fill["fee"]).normalize()
    said = {**fill, "fee": f"{fee:f}", "client_order_id": fill["client_order_id"][:8]}
    return " ".join(f"{key} {said[key]}" for key in _FILL)


def _equity(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = ours.decision.equity, theirs.decision.equity
    return [] if left == right else [f"equity {left} against {right}: money moved without a fill"]


def _absences(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = ours.decision.absent, theirs.decision.absent
    agents = sorted(left.keys() | right.keys())
    return [
        f"{agent} {left.get(agent, 'answered')} against {right.get(agent, 'answered')}"
        for agent in agents
        if left.get(agent) != right.get(agent)
    ]


def _opinions(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = decode(ours.block), decode(theirs.block)
    mine = {opinions.agent: opinions for opinions in left.opinions}
    found = []
    for other in right.opinions:
        if (one := mine.get(other.agent)) is None:
            continue
        found += _apart(left, f"{other.agent}: direction", one.direction, other.direction)
        found += _apart(left, f"{other.agent}: confidence", one.confidence, other.confidence)
        found += _thoughts(one, other)
    return found + [
        f"{agent}: what it remembers"
        for agent in sorted(left.memories.keys() & right.memories.keys())
        if not _equal(left.memories[agent], right.memories[agent])
    ]


def _thoughts(mine: Opinions, other: Opinions) -> list[str]:
    """What stands behind an opinion: why an agent was silent, and what it saw."""
    found = []
    if mine.abstained != other.abstained:
        found.append(f"{mine.agent}: why it was silent")
    if mine.evidence_names != other.evidence_names or not _equal(mine.evidence, other.evidence):
        found.append(f"{mine.agent}: its evidence")
    return found


def _equal(mine: F64, other: F64) -> bool:
    return bool(np.array_equal(mine, other, equal_nan=True))


def _ensemble(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = decode(ours.block), decode(theirs.block)
    found = []
    if left.targets.regime != right.targets.regime:
        found.append(f"regime {left.targets.regime} against {right.targets.regime}")
    if ours.decision.weights != theirs.decision.weights:
        found.append(f"weights {ours.decision.weights} against {theirs.decision.weights}")
    found += _apart(left, "target exposure", left.targets.exposure, right.targets.exposure)
    return found + _apart(left, "target confidence", left.targets.confidence, right.targets.confidence)


def _apart(block: DecisionBlock, what: str, mine: F64, other: F64) -> list[str]:
    which = np.flatnonzero(~((mine == other) | (np.isnan(mine) & np.isnan(other))))
    return [f"{what} of {block.symbols[i]} {mine[i]:.6g} against {other[i]:.6g}" for i in which.tolist()]


def _risk(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = (_verdicts(record.decision) for record in (ours, theirs))
    found = [
        f"{symbol}: {left.get(symbol, 'nothing wanted')} against {right.get(symbol, 'nothing wanted')}"
        for symbol in sorted(left.keys() | right.keys())
        if left.get(symbol) != right.get(symbol)
    ]
    mine, other = ours.decision.judgement, theirs.decision.judgement
    if mine.halt != other.halt:
        found.append(f"breaker {mine.halt and mine.halt.detail} against {other.halt and other.halt.detail}")
    if not found and mine.state != other.state:
        found.append("what risk remembers: stage, cooldowns or the day's counts")
    return found


def _verdicts(decision: Decision) -> dict[str, str]:
    said = {denied.symbol: f"denied {denied.code}" for denied in decision.judgement.denied}
    for intent in decision.judgement.approved:
        spec = intent.spec
        said[spec.symbol] = f"{spec.side} {spec.quantity}"
    return said


def _permits(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    left, right = (Counter(map(_permit, record.permits)) for record in (ours, theirs))
    return _only(left, right)


def _only(left: Counter[str], right: Counter[str]) -> list[str]:
    """What one of two has and the other has not, or not as often."""
    missing, extra = sorted((left - right).elements()), sorted((right - left).elements())
    return [f"only recorded: {text}" for text in missing] + [f"only replayed: {text}" for text in extra]


def _rest(ours: CycleRecord, theirs: CycleRecord) -> list[str]:
    """Whatever else a decision says, so that no difference goes without a place."""
    mine, other = ours.decision, theirs.decision
    return [f"{name} of the decision" for name in _SAID if getattr(mine, name) != getattr(other, name)]


#: All parts of a decision.
_SAID = tuple(Decision.model_fields)


def _permit(intent: Mapping[str, Any]) -> str:
    spec = {k: v for k, v in intent["spec"].items() if v is not None}
    return f"{intent['leg']} {json.dumps(spec, sort_keys=True)}"


def _same(mine: float, other: float) -> bool:
    return mine == other or (np.isnan(mine) and np.isnan(other))


#: In the order in which they happen in a cycle.
STAGES: dict[str, Callable[[CycleRecord, CycleRecord], list[str]]] = {
    "market": _market,
    "fills": _fills,
    "equity": _equity,
    "absences": _absences,
    "opinions": _opinions,
    "ensemble": _ensemble,
    "risk": _risk,
    "permits": _permits,
    "journal": _rest,
}
