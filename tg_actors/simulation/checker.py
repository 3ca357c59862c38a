"""The judge of every run: the invariants of order handling, from raw events and the exchange's ledger.

It shares no code with the executor, knows none of its states but by name, and trusts no projection.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from tg_actors.domain.money import ZERO
from tg_actors.simulation.evidence import ENDED, Evidence, Replay, content_of
from tg_actors.simulation.permitted import PERMIT_CHECKS
from tg_actors.simulation.verdict import Verdict, Violation

#: What may follow a state; from an ended one only itself, with more filled.
_RANK = {
    "permitted": 0,
    "unknown": 1,
    "open": 2,
    "partial": 3,
    "cancel_pending": 4,
    **dict.fromkeys(ENDED, 5),
}
#: Clocks of processes differ by what they were set wrong, and transactions take their time.
_SLACK_NS = 30 * 10**9
#: States that must not outlive the quiet phase.
_PENDING = frozenset({"permitted", "unknown", "cancel_pending", "awaiting_approval"})


Check = Callable[[Evidence], Iterator[Violation]]


def judge(evidence: Evidence) -> Verdict:
    """Evaluate every invariant. Never raises on what a journal may hold."""
    verdict = Verdict(permits=sum(1 for event in evidence.events if event.type == "OrderPermitted"))
    for check in CHECKS:
        verdict.violations += check(evidence)
    verdict.drift = sum((abs(amount) for amount in _drift(evidence).values()), ZERO)
    return verdict


def _chain(evidence: Evidence) -> Iterator[Violation]:
    """I12: every event is sealed by the hash of the one before it, unless somebody has changed one."""
    if evidence.count("tampering"):
        return
    prev_hash, expected = "0" * 64, 1
    for event in evidence.events:
        numbers = (event.seq, event.epoch, event.cycle, event.at_ns, event.wall_ns)
        parts = (prev_hash, *map(str, numbers), event.role, event.type, event.ref, event.payload)
        sealed = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        if event.seq != expected or event.prev_hash != prev_hash or event.hash != sealed:
            yield Violation("I12", "chain", f"event {event.seq} breaks the hash chain")
            return
        prev_hash, expected = event.hash, expected + 1


def _once(evidence: Evidence) -> Iterator[Violation]:
    """I1: one POST per intent and one order per intent, whatever name it was given."""
    for client_id, count in evidence.posts.items():
        if count > 1:
            yield Violation("I1", "duplicate", f"order {client_id[:8]} was posted {count} times")
    placed = Counter(order.client_order_id for order in evidence.orders)
    for client_id, count in placed.items():
        if count > 1:
            yield Violation("I1", "duplicate", f"the venue holds {count} orders called {client_id[:8]}")
    wishes: Counter[tuple[int, str, str, str]] = Counter()
    for event in evidence.events:
        if event.type == "OrderPermitted":
            intent = content_of(event)["intent"]
            wish = (intent["cycle"], intent["spec"]["symbol"], intent["spec"]["side"], intent["leg"])
            # A stop that was refused or lost may be placed anew within its cycle, as an intent of its own.
            wishes[wish] += intent["leg"] in {"entry", "exit"}
            if wishes[wish] > 1:
                yield Violation("I1", "duplicate", f"event {event.seq} permits {wish} once more")


def _journal_first(evidence: Evidence) -> Iterator[Violation]:
    """I2: no order without an older permit, no entry or exit without an older decision."""
    permitted: dict[str, int] = {}
    decided: set[str] = set()
    for event in evidence.events:
        if event.type == "CycleDecided":
            decided.update(i["intent_id"] for i in content_of(event)["judgement"]["approved"])
        if event.type == "OrderPermitted":
            permitted.setdefault(event.ref, event.written_ns)
            intent = content_of(event)["intent"]
            if intent["leg"] in {"entry", "exit"} and intent["intent_id"] not in decided:
                yield Violation("I2", "no_decision", f"event {event.seq} permits what nobody has decided")
    for order in evidence.orders:
        if order.at_ns < permitted.get(order.client_order_id, evidence.ended_ns + 1):
            told = f"the venue took order {order.client_order_id[:8]} without an earlier permit"
            yield Violation("I2", "no_permit", told)


def _fills(evidence: Evidence) -> Iterator[Violation]:
    """I3: the journal holds every execution of the venue once, and no other."""
    booked: Counter[tuple[str, str, Decimal, Decimal]] = Counter()
    for event in evidence.events:
        if event.type == "OrderFilled":
            fill = content_of(event)
            quantity, price = Decimal(fill["quantity"]), Decimal(fill["price"])
            booked[fill["client_order_id"], fill["symbol"], quantity, price] += 1
    happened: Counter[tuple[str, str, Decimal, Decimal]] = Counter(
        (trade.client_order_id, trade.symbol, trade.quantity, trade.price) for trade in evidence.trades
    )
    for (client_id, symbol, quantity, _), count in (happened - booked).items():
        told = f"{count} fill(s) of {quantity} {symbol} of order {client_id[:8]} never reached the journal"
        yield Violation("I3", "lost_fill", told)
    for (client_id, symbol, quantity, _), count in (booked - happened).items():
        told = f"{count} journaled fill(s) of {quantity} {symbol} of {client_id[:8]} did not happen"
        yield Violation("I3", "phantom_fill", told)


def _drift(evidence: Evidence) -> dict[str, Decimal]:
    """Books less venue per currency, what others moved by hand left out."""
    replay = _replayed(evidence)
    names = dict.fromkeys([*evidence.opening, *evidence.balances, *replay.cash])
    return {
        currency: evidence.opening.get(currency, ZERO)
        + replay.cash.get(currency, ZERO)
        + evidence.foreign.get(currency, ZERO)
        - evidence.balances.get(currency, ZERO)
        for currency in names
    }


def _conserved(evidence: Evidence) -> Iterator[Violation]:
    """I4: cash and holdings follow from the fills, to the last decimal."""
    for currency, amount in _drift(evidence).items():
        if amount != ZERO:
            yield Violation("I4", "drift", f"books and venue differ by {amount} {currency}")


def _permits(evidence: Evidence) -> Iterator[Violation]:
    """I5, I6, I7, I10: every permit against the desk as it stood then."""
    replay = Replay()
    for event in evidence.events:
        content = content_of(event)
        if event.epoch < replay.epochs.get(event.role, 0) and event.type != "LeaseTaken":
            told = f"{event.role} of epoch {event.epoch} wrote event {event.seq} after it was replaced"
            yield Violation("I7", "fenced_writer", told)
        if event.type == "OrderPermitted":
            for check in PERMIT_CHECKS:
                if (found := check(event, content, replay, evidence)) is not None:
                    yield found
        replay.apply(event, content)


def _never_short(evidence: Evidence) -> Iterator[Violation]:
    """A stop and an exit must not both sell what is held once: this desk never goes short."""
    replay = Replay()
    for event in evidence.events:
        content = content_of(event)
        replay.apply(event, content)
        if event.type == "OrderFilled" and replay.positions[content["symbol"]] < ZERO:
            yield Violation("I5", "sold_twice", f"after event {event.seq} {content['symbol']} is sold short")


def _machine(evidence: Evidence) -> Iterator[Violation]:
    """I8: orders only go forward; after its end an order gains fills at most."""
    states: dict[str, str] = {}
    filled: dict[str, Decimal] = {}
    for event in evidence.events:
        if event.type == "OrderPermitted":
            states[event.ref] = "permitted"
        if event.type != "OrderChanged":
            continue
        content = content_of(event)
        before, after = states.get(event.ref, "permitted"), content["state"]
        quantity = Decimal(content["filled_quantity"])
        is_back = _RANK[after] < _RANK[before] or (before in ENDED and after != before)
        if is_back or quantity < filled.get(event.ref, ZERO):
            told = f"event {event.seq} takes order {event.ref[:8]} from {before} back to {after}"
            yield Violation("I8", "state_machine", told)
        states[event.ref], filled[event.ref] = after, quantity


def _resolved(evidence: Evidence) -> Iterator[Violation]:
    """I9: after the quiet phase every fate is known, and known rightly."""
    placed = {order.client_order_id: order for order in evidence.orders}
    for order in _replayed(evidence).orders.values():
        theirs, name = placed.get(order.client_order_id), f"order {order.client_order_id[:8]}"
        if order.state in _PENDING:
            yield Violation("I9", "unresolved", f"{name} is still {order.state}")
        elif order.state in {"not_found", "rejected"} and theirs is not None:
            yield Violation("I8", "ghost", f"{name} is called {order.state}, but the venue took it")
        elif order.is_live and (theirs is None or not theirs.is_open):
            yield Violation("I9", "unresolved", f"{name} is {order.state}, but has ended at the venue")
        elif not order.is_live and theirs is not None and theirs.is_open:
            yield Violation("I9", "unresolved", f"{name} is {order.state}, but rests at the venue")
        elif theirs is not None and order.filled != theirs.filled:
            told = f"{name} counts {order.filled} filled, the venue {theirs.filled}"
            yield Violation("I3", "lost_fill", told)


def _alive(evidence: Evidence) -> Iterator[Violation]:
    """Every crash by a bug, and a desk that decides nothing in the quiet phase, is a failure too."""
    for crash in evidence.crashes:
        yield Violation("bug", "crash", crash)
    decided = [event.written_ns for event in evidence.events if event.type == "CycleDecided"]
    if max(decided, default=0) < evidence.ended_ns - 3 * evidence.rules.bar_ns:
        yield Violation("live", "stands_still", "no cycle was decided in the last three bars")


def _honest_halts(evidence: Evidence) -> Iterator[Violation]:
    """What must halt the desk does so, and nothing else makes the executor cry wolf."""
    causes = [*evidence.causes, *_storms(evidence, _SLACK_NS)]
    cries = [
        (event.written_ns, content["reason"])
        for event in evidence.events
        if event.type == "TradingStateChanged" and (content := content_of(event))["actor"] == "executor"
    ]
    first_ns = min((when_ns for when_ns, _ in causes), default=evidence.ended_ns + 1)
    for when_ns, reason in cries:
        if when_ns < first_ns:
            yield Violation("halt", "false_halt", f"the executor halted without cause: {reason}")
    for cause_ns, what in (*evidence.causes, *_storms(evidence, -_SLACK_NS)):
        if not any(when_ns >= cause_ns for when_ns, _ in cries):
            yield Violation("halt", "unnoticed", f"there was a {what}, and nobody noticed")


def _storms(evidence: Evidence, slack_ns: int) -> list[tuple[int, str]]:
    """I14: starts of the executor beyond what its intensity allows."""
    starts = [e.begun_ns for e in evidence.events if e.type == "LeaseTaken" and e.role == "executor"]
    window_ns, most = evidence.rules.starts_window_ns + slack_ns, evidence.rules.starts_max
    return [
        (at_ns, "restart storm")
        for k, at_ns in enumerate(starts)
        if sum(1 for earlier in starts[: k + 1] if earlier > at_ns - window_ns) > most
    ]


def _replayed(evidence: Evidence) -> Replay:
    replay = Replay()
    for event in evidence.events:
        replay.apply(event, content_of(event))
    return replay


CHECKS: tuple[Check, ...] = (
    _chain,
    _once,
    _journal_first,
    _fills,
    _conserved,
    _permits,
    _never_short,
    _machine,
    _resolved,
    _alive,
    _honest_halts,
)
