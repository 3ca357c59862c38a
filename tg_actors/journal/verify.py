"""Proof that a journal is whole: its chain, and that every projection says what the events say."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from sqlalchemy import Table, func, select, text

from tg_actors.domain.orders import OrderState
from tg_actors.journal.chain import GENESIS, Head, canonical, link
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import APPROVAL_EVENTS, Event, EventType
from tg_actors.journal.tables import approvals, cycles, events, fills, orders, permits

#: Blocks are read this many at a time.
_PAGE = 500
_PROJECTED: tuple[tuple[Table, EventType], ...] = (
    (cycles, EventType.CYCLE_DECIDED),
    (permits, EventType.ORDER_PERMITTED),
    (fills, EventType.ORDER_FILLED),
    (approvals, EventType.APPROVAL_REQUESTED),
)


_APPROVALS = frozenset(APPROVAL_EVENTS.values())
#: What the hash of an event covers, besides the hash of the one before.
_SEALED = tuple(column.name for column in fields(Event) if column.name not in {"prev_hash", "hash"})


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found; ``first_bad_seq`` is the first event that breaks the chain, if any does."""

    events: int
    head: str
    first_bad_seq: int | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(slots=True)
class _Replay:
    """The projections as the events alone would build them."""

    counts: Counter[str] = field(default_factory=Counter)
    moves: dict[str, dict[str, object]] = field(default_factory=dict)
    words: dict[str, dict[str, object]] = field(default_factory=dict)
    blocks: dict[int, str] = field(default_factory=dict)
    switch: dict[str, object] | None = None

    def apply(self, event: Event) -> None:
        self.counts[event.type] += 1
        match event.type:
            case EventType.ORDER_PERMITTED:
                self.moves[event.ref] = {"state": OrderState.PERMITTED.value}
            case EventType.ORDER_CHANGED:
                self.moves[event.ref] = event.content()
            case EventType.TRADING_STATE_CHANGED:
                self.switch = event.content()
            case EventType.CYCLE_DECIDED:
                self.blocks[event.cycle] = event.content()["block_hash"]
            case kind if kind in _APPROVALS:
                self.words[event.ref] = self.words.get(event.ref, {}) | event.content()
            case _:
                pass


def verify(journal: JournalReader) -> VerifyReport:
    """Recompute everything from the first event on; reads the whole journal once, as of one instant.

    Others may write meanwhile: what they add is not looked at.

    Returns:
        A report whose problems are sentences: the broken link, epochs that went back, pages the
        database itself calls damaged, projections that say something else than their events, and
        blocks whose SHA-256 is not the ``block_hash`` of their decision.

    Raises:
        JournalError: the database cannot be read at all.
    """
    with journal.standing_still() as still:
        return _verify(still)


def _verify(journal: JournalReader) -> VerifyReport:
    problems = list(_damaged_pages(journal))
    replay, head, first_bad_seq = _Replay(), Head(0, GENESIS), None
    epochs: dict[str, int] = {}
    for event in journal.events():
        fault = _broken_link(event, head) or _stale_epoch(event, epochs)
        if fault is not None:
            first_bad_seq = event.seq
            problems.append(fault)
            break
        head = Head(event.seq, event.hash)
        epochs[event.role] = event.epoch
        replay.apply(event)
    else:
        problems += _wrong_projections(journal, replay)
    count = journal.query(select(func.count().label("n")).select_from(events))[0]["n"]
    return VerifyReport(count, head.hash, first_bad_seq, tuple(problems))


def verify_newest(journal: JournalReader, events_max: int) -> VerifyReport:
    """Check what a start can afford: everything in a short journal, the end of the chain in a long one.

    Raises:
        JournalError: the database cannot be read at all.
    """
    newest = journal.query(select(func.max(events.c.seq).label("seq")))[0]["seq"] or 0
    if newest <= events_max:
        return verify(journal)
    first = next(journal.events(after_seq=newest - events_max - 1))
    head = Head(first.seq, first.hash)
    for event in journal.events(after_seq=first.seq):
        if (fault := _broken_link(event, head)) is not None:
            return VerifyReport(newest, head.hash, event.seq, (fault,))
        head = Head(event.seq, event.hash)
    return VerifyReport(newest, head.hash, None, ())


def _broken_link(event: Event, head: Head) -> str | None:
    if event.seq != head.seq + 1:
        return f"event {head.seq + 1} is missing"
    row = {name: getattr(event, name) for name in _SEALED}
    if event.prev_hash != head.hash or event.hash != link(event.prev_hash, **row):
        return f"event {event.seq} was changed after it was written"
    return None


def _stale_epoch(event: Event, epochs: dict[str, int]) -> str | None:
    newest = epochs.get(event.role, 0)
    if event.epoch >= newest:
        return None
    return f"event {event.seq} was written by {event.role} of epoch {event.epoch} after epoch {newest} began"


def _damaged_pages(journal: JournalReader) -> Iterator[str]:
    if journal.place.path is None:
        return  # PostgreSQL checks its own pages
    for row in journal.query(text("PRAGMA integrity_check")):
        if row["integrity_check"] != "ok":
            yield f"the database file is damaged: {row['integrity_check']}"


def _wrong_projections(journal: JournalReader, replay: _Replay) -> Iterator[str]:
    for table, kind in _PROJECTED:
        rows = journal.query(select(func.count().label("n")).select_from(table))[0]["n"]
        if rows != replay.counts[kind]:
            yield f"{table.name} has {rows} rows for {replay.counts[kind]} {kind} events"
    yield from _wrong_orders(journal, replay.moves)
    yield from _wrong_approvals(journal, replay.words)
    yield from _wrong_blocks(journal, replay.blocks)
    control = journal.switch()
    said = {"state": control.state.value, "reason": control.reason, "actor": control.actor}
    if replay.switch is not None and said != replay.switch:
        yield f"the trading state is {control.state}, its last event says {replay.switch['state']}"


def _wrong_orders(journal: JournalReader, moves: dict[str, dict[str, object]]) -> Iterator[str]:
    rows = journal.query(select(orders.c.client_order_id, orders.c.payload))
    if len(rows) != len(moves):
        yield f"orders has {len(rows)} rows for {len(moves)} permitted orders"
    for row in rows:
        payload, move = json.loads(row["payload"]), moves.get(row["client_order_id"], {})
        now = {name: payload.get(name) for name in move}
        if not move or canonical(now) != canonical(move):
            yield f"order {row['client_order_id']} says something else than its last event"


def _wrong_approvals(journal: JournalReader, words: dict[str, dict[str, object]]) -> Iterator[str]:
    for row in journal.query(select(approvals.c.intent_id, approvals.c.state, approvals.c.payload)):
        said = words.get(row["intent_id"], {})
        if canonical(json.loads(row["payload"])) != canonical(said) or row["state"] != said.get("state"):
            yield f"the approval of {row['intent_id']} says something else than its last event"


def _wrong_blocks(journal: JournalReader, blocks: dict[int, str]) -> Iterator[str]:
    newest = min(blocks, default=0) - 1
    page = select(cycles.c.cycle, cycles.c.block).order_by(cycles.c.cycle).limit(_PAGE)
    while rows := journal.query(page.where(cycles.c.cycle > newest)):
        newest = rows[-1]["cycle"]
        for row in rows:
            if hashlib.sha256(row["block"]).hexdigest() != blocks.get(row["cycle"]):
                yield f"the block of cycle {row['cycle']} is not the one its decision names"
