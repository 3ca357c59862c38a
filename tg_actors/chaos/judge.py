"""The judge: compares a journal with the exchange's ledger. Shares no code with the executor.

It knows the words of the journal's events and what they promise, nothing of how the desk keeps it.
Invariants by their numbers in the failure model: one POST per intent (I1), journal before effect
(I2), no lost fill (I3), exact conservation (I4), no permit after a halt (I6), one writer (I7), ends
only by proof (I8), nothing unresolved at rest (I9).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.chaos.evidence import Fact, Trade, Truth, journal_trades
from tg_actors.domain.money import ZERO

#: An order in one of these at rest is one whose fate the desk does not know.
_UNRESOLVED = frozenset({"permitted", "unknown", "cancel_pending"})
#: The desk holds proof that such an order does not exist at the venue.
_NEVER_EXISTED = frozenset({"rejected", "not_found"})
_RESTING = frozenset({"open", "partial"})
_MAY_SEND = {"ACTIVE": (False, True), "REDUCE_ONLY": (True,), "HALTED": ()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one desk has to answer for; ``violations`` are sentences."""

    orders: int
    posts: int
    fills: int
    duplicates: int
    lost_fills: int
    drift: dict[str, Decimal]
    permits_after_halt: int
    unresolved: int
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """The evidence with its most used index: where every order stands at the end."""

    facts: Sequence[Fact]
    truth: Truth
    permits: dict[str, Fact]
    states: dict[str, str]


def judge(facts: Sequence[Fact], truth: Truth) -> Verdict:
    """Compare the whole journal, in order, with the whole ledger, after everything has come to rest."""
    case = _Case(facts, truth, _permits(facts), _states(facts))
    found = {name: tuple(rule(case)) for name, rule in _RULES.items()}
    drift = _drift(case)
    return Verdict(
        orders=len(case.permits),
        posts=len(truth.posts),
        fills=len(truth.trades),
        duplicates=len(found["duplicates"]),
        lost_fills=len(found["lost_fills"]),
        drift=drift,
        permits_after_halt=len(found["permits_after_halt"]),
        unresolved=len(found["unresolved"]),
        violations=tuple(sentence for sentences in found.values() for sentence in sentences)
        + tuple(f"{currency} is off by {amount}" for currency, amount in drift.items() if amount),
    )


def _permits(facts: Sequence[Fact]) -> dict[str, Fact]:
    return {fact.ref: fact for fact in facts if fact.type == "OrderPermitted"}


def _states(facts: Sequence[Fact]) -> dict[str, str]:
    states: dict[str, str] = {}
    for fact in facts:
        if fact.type == "OrderPermitted":
            states[fact.ref] = "permitted"
        elif fact.type == "OrderChanged":
            states[fact.ref] = fact.content["state"]
    return states


def _duplicates(case: _Case) -> Iterator[str]:
    for client_id, count in Counter(post.client_order_id for post in case.truth.posts).items():
        for _ in range(count - 1):
            yield f"order {client_id}: one POST too many reached the exchange"
    intents = Counter(fact.content["intent"]["intent_id"] for fact in case.permits.values())
    for intent, count in intents.items():
        for _ in range(count - 1):
            yield f"intent {intent}: one permit too many"


def _effect_before_journal(case: _Case) -> Iterator[str]:
    for post in case.truth.posts:
        permit = case.permits.get(post.client_order_id)
        if permit is None:
            yield f"order {post.client_order_id or '(without a name)'}: sent without a permit"
        elif permit.wall_ns > post.wall_ns:
            yield f"order {post.client_order_id}: sent before its permit was written"


def _lost_fills(case: _Case) -> Iterator[str]:
    venue, journal = Counter(case.truth.trades), Counter(journal_trades(case.facts))
    for trade, count in (venue - journal).items():
        for _ in range(count):
            yield f"order {trade.client_order_id}: a fill of {trade.quantity} {trade.symbol} is not journaled"


def _invented_fills(case: _Case) -> Iterator[str]:
    venue, journal = Counter(case.truth.trades), Counter(journal_trades(case.facts))
    for trade, count in (journal - venue).items():
        yield f"order {trade.client_order_id}: {count} journaled fill(s) of {trade.quantity} never happened"


def permits_after_halt(facts: Iterable[Fact]) -> Iterator[str]:
    """Say which permits stand above a halt (I6): the row is the order of things, not the clock."""
    state = "ACTIVE"
    for fact in facts:
        if fact.type == "TradingStateChanged":
            state = fact.content["state"]
        elif fact.type == "OrderPermitted":
            shrinks = bool(fact.content["intent"]["spec"]["reduce_only"])
            if shrinks not in _MAY_SEND[state]:
                yield f"order {fact.ref}: permitted as event {fact.seq} while trading was {state}"


def _second_writer(case: _Case) -> Iterator[str]:
    newest: dict[str, int] = {}
    for fact in case.facts:
        if fact.type == "LeaseTaken":
            before = newest.get(fact.role, 0)
            if fact.epoch != before + 1:
                yield f"event {fact.seq}: {fact.role} took epoch {fact.epoch} after {before}"
            newest[fact.role] = fact.epoch
        elif (now := newest.get(fact.role, fact.epoch)) != fact.epoch:
            yield f"event {fact.seq}: {fact.role} wrote in epoch {fact.epoch} though {now} had begun"


def _unresolved(case: _Case) -> Iterator[str]:
    for client_id, state in case.states.items():
        if state in _UNRESOLVED:
            yield f"order {client_id}: still {state} at rest"


def _ends_without_proof(case: _Case) -> Iterator[str]:
    taken = {post.client_order_id for post in case.truth.posts if post.taken}
    for client_id, state in case.states.items():
        if state in _NEVER_EXISTED and client_id in taken:
            yield f"order {client_id}: {state} in the journal, but the exchange had taken it"
        rests = client_id in case.truth.open_ids
        if state in _RESTING and not rests:
            yield f"order {client_id}: {state} in the journal, but it has ended at the exchange"
        if state not in _RESTING and state not in _UNRESOLVED and rests:
            yield f"order {client_id}: {state} in the journal, but it rests at the exchange"


def _drift(case: _Case) -> dict[str, Decimal]:
    """What the exchange holds less what opening balances and journaled fills say, per currency."""
    said = dict(case.truth.opening)
    for trade in journal_trades(case.facts):
        for currency, amount in _movements(trade):
            said[currency] = said.get(currency, ZERO) + amount
    held = case.truth.balances
    return {
        currency: held.get(currency, ZERO) - said.get(currency, ZERO) for currency in sorted({*held, *said})
    }


def _movements(trade: Trade) -> Iterator[tuple[str, Decimal]]:
    base, quote = trade.symbol.split("/")
    sign = 1 if trade.side == "buy" else -1
    yield base, sign * trade.quantity
    yield quote, -sign * trade.quantity * trade.price
    yield trade.fee_currency, -trade.fee


_RULES: dict[str, Callable[[_Case], Iterator[str]]] = {
    "duplicates": _duplicates,
    "effect_before_journal": _effect_before_journal,
    "lost_fills": _lost_fills,
    "invented_fills": _invented_fills,
    "permits_after_halt": lambda case: permits_after_halt(case.facts),
    "second_writer": _second_writer,
    "unresolved": _unresolved,
    "ends_without_proof": _ends_without_proof,
}
