"""What a transaction must know before it writes: asked of the database, or remembered by a sole writer."""

from typing import Protocol

from sqlalchemy import Column, Connection, Select, bindparam, literal, select

from tg_actors.domain.approvals import Approval
from tg_actors.domain.errors import JournalError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.chain import GENESIS, Head
from tg_actors.journal.changes import Approved, Changes, Key, Unique
from tg_actors.journal.records import Control
from tg_actors.journal.tables import (
    approvals,
    control,
    cycles,
    events,
    fills,
    lease,
    outcomes,
    permits,
    requests,
)


class Facts(Protocol):
    """Answers that stay true until the transaction ends."""

    def head(self) -> Head:
        """Return the newest event."""

    def epoch(self, role: str) -> int:
        """Return the newest epoch of a role, 0 before its first lease."""

    def control(self) -> Control:
        """Return the kill switch."""

    def has(self, unique: Unique, key: Key) -> bool:
        """Whether a row with that key exists."""

    def approval(self, intent_id: str) -> Approved | None:
        """Return what a person was asked about an intent, None when nobody was."""


_COLUMNS: dict[Unique, tuple[Column[object], ...]] = {
    Unique.INTENT: (permits.c.intent_id,),
    Unique.CLIENT_ORDER: (permits.c.client_order_id,),
    Unique.FILL: (fills.c.venue, fills.c.account, fills.c.trade_id),
    Unique.CYCLE: (cycles.c.cycle,),
    Unique.REQUEST: (requests.c.id,),
    Unique.OUTCOME: (outcomes.c.request_id,),
}


def _exists(columns: tuple[Column[object], ...]) -> Select[int]:
    return select(literal(1)).where(*(column == bindparam(column.name) for column in columns))


_EXISTS = {unique: _exists(columns) for unique, columns in _COLUMNS.items()}
_NAMES = {unique: tuple(c.name for c in columns) for unique, columns in _COLUMNS.items()}
_APPROVAL = select(approvals.c.seq, approvals.c.payload).where(
    approvals.c.intent_id == bindparam("intent_id")
)
_HEAD = select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)
_EPOCH = select(lease.c.epoch).where(lease.c.role == bindparam("role"))
_CONTROL = select(
    control.c.state, control.c.reason, control.c.actor, control.c.at_ns, control.c.wall_ns
).where(control.c.id == 1)


def read_control(connection: Connection) -> Control:
    """Return the kill switch.

    Raises:
        JournalError: its row is gone, which means that nothing may leave the desk.
    """
    row = connection.execute(_CONTROL).one_or_none()
    if row is None:
        raise JournalError("the journal has lost its trading state; restore a backup", retryable=False)
    return Control(TradingState(row.state), row.reason, row.actor, row.at_ns, row.wall_ns)


class StoredFacts:
    """Asks the database under the write lock; other processes may have written meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> Head:
        """Return the newest event."""
        row = self._connection.execute(_HEAD).one_or_none()
        return Head(0, GENESIS) if row is None else Head(row.seq, row.hash)

    def epoch(self, role: str) -> int:
        """Return the newest epoch of a role, 0 before its first lease."""
        return self._connection.scalar(_EPOCH, {"role": role}) or 0

    def control(self) -> Control:
        """Return the kill switch."""
        return read_control(self._connection)

    def has(self, unique: Unique, key: Key) -> bool:
        """Whether a row with that key exists."""
        values = dict(zip(_NAMES[unique], key, strict=True))
        return self._connection.scalar(_EXISTS[unique], values) is not None

    def approval(self, intent_id: str) -> Approved | None:
        """Return what a person was asked about an intent, None when nobody was."""
        row = self._connection.execute(_APPROVAL, {"intent_id": intent_id}).one_or_none()
        return None if row is None else Approved(row.seq, Approval.model_validate_json(row.payload))


class RememberedFacts:
    """The same answers from memory; true only while nobody else writes (:mod:`locks` sees to it)."""

    def __init__(self, connection: Connection) -> None:
        stored = StoredFacts(connection)
        self._head = stored.head()
        self._control = stored.control()
        self._epochs: dict[str, int] = {
            row.role: row.epoch for row in connection.execute(select(lease.c.role, lease.c.epoch))
        }
        self._keys: dict[Unique, set[Key]] = {
            unique: {tuple(row) for row in connection.execute(select(*columns))}
            for unique, columns in _COLUMNS.items()
        }
        self._approvals: dict[Key, Approved] = {
            (row.intent_id,): Approved(row.seq, Approval.model_validate_json(row.payload))
            for row in connection.execute(select(approvals.c.intent_id, approvals.c.seq, approvals.c.payload))
        }

    def head(self) -> Head:
        """Return the newest event."""
        return self._head

    def epoch(self, role: str) -> int:
        """Return the newest epoch of a role, 0 before its first lease."""
        return self._epochs.get(role, 0)

    def control(self) -> Control:
        """Return the kill switch."""
        return self._control

    def has(self, unique: Unique, key: Key) -> bool:
        """Whether a row with that key exists."""
        return key in self._keys[unique]

    def approval(self, intent_id: str) -> Approved | None:
        """Return what a person was asked about an intent, None when nobody was."""
        return self._approvals.get((intent_id,))

    def has_open_request(self) -> bool:
        """Whether a request has no outcome yet."""
        return len(self._keys[Unique.REQUEST]) > len(self._keys[Unique.OUTCOME])

    def absorb(self, changes: Changes, head: Head, switch: Control, epochs: dict[str, int]) -> None:
        """Remember what a transaction did, once it is over."""
        self._head = head
        self._control = switch
        self._epochs.update(epochs)
        for unique, keys in changes.keys.items():
            self._keys[unique] |= keys
        self._approvals |= changes.approvals
