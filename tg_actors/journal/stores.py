"""Two ways to commit: each transaction at once and for good, or many at a time by a sole writer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Engine

from tg_actors.journal.changes import Changes, Row, Writer
from tg_actors.journal.engine import patient
from tg_actors.journal.facts import RememberedFacts, StoredFacts
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.halt_file import HaltFile
from tg_actors.journal.records import Control
from tg_actors.journal.transaction import Transaction

ClockNs = Callable[[], int]


class Store(Protocol):
    """Where transactions go."""

    @contextmanager
    def transaction(self, role: str, epoch: int, *, waits: bool) -> Iterator[Transaction]:
        """Commit when the block ends well, roll back when it raises.

        Args:
            role: who writes.
            epoch: under which lease; not checked here.
            waits: whether to wait seconds, not milliseconds, for the write lock.
        """

    def settle(self) -> None:
        """Make everything committed visible to readers."""

    def control(self) -> Control | None:
        """Return the kill switch if it is remembered."""

    def events_after(self, seq: int) -> list[Row] | None:
        """Return all events after ``seq`` if they are remembered."""

    def may_have_requests(self) -> bool:
        """Whether it is worth looking for requests of people."""


class DurableStore:
    """Commits each transaction; other processes may commit theirs in between."""

    def __init__(
        self, engine: Engine, name: str, clock_ns: ClockNs, halt_file: HaltFile | None = None
    ) -> None:
        self._engine = engine
        self._patient = patient(engine)
        self._writer = Writer(engine.dialect)
        self._name = name
        self._clock_ns = clock_ns
        self._halt_file = halt_file

    @contextmanager
    def transaction(self, role: str, epoch: int, *, waits: bool) -> Iterator[Transaction]:
        """Hold the write lock for the whole block."""
        engine = self._patient if waits else self._engine
        with journal_errors(self._name), engine.begin() as connection:
            facts = StoredFacts(connection)
            transaction = Transaction(facts, role, epoch, self._clock_ns, self._halt_file)
            yield transaction
            self._writer.write(connection, transaction.changes)

    def settle(self) -> None:
        """Nothing waits here."""

    def control(self) -> Control | None:
        """Nothing is remembered: another process may have thrown the switch."""

    def events_after(self, seq: int) -> list[Row] | None:
        """Nothing is remembered."""

    def may_have_requests(self) -> bool:
        """Another process may have left one."""
        return True


class BatchStore:
    """Collects transactions in memory and commits ``batch`` of them at a time.

    A failed commit raises and keeps what was collected; the next one tries again.
    """

    def __init__(self, engine: Engine, name: str, clock_ns: ClockNs, batch: int) -> None:
        self._engine = patient(engine)
        self._writer = Writer(engine.dialect)
        self._name = name
        self._clock_ns = clock_ns
        self._batch = batch
        self._pending = Changes()
        self._waiting = 0
        with journal_errors(name), engine.begin() as connection:
            self._facts = RememberedFacts(connection)

    @contextmanager
    def transaction(self, role: str, epoch: int, *, waits: bool) -> Iterator[Transaction]:  # noqa: ARG002
        """Stage the block's changes; a block that raises leaves no trace."""
        transaction = Transaction(self._facts, role, epoch, self._clock_ns)
        yield transaction
        changes = transaction.changes
        self._facts.absorb(changes, transaction.head, transaction.control, transaction.epochs)
        self._pending.merge(changes)
        self._waiting += 1
        if self._waiting >= self._batch:
            self.settle()

    def settle(self) -> None:
        """Commit all that waits."""
        if not self._waiting:
            return
        with journal_errors(self._name), self._engine.begin() as connection:
            self._writer.write(connection, self._pending)
        self._pending = Changes()
        self._waiting = 0

    def control(self) -> Control | None:
        """Return the kill switch; only we can throw it."""
        return self._facts.control()

    def events_after(self, seq: int) -> list[Row] | None:
        """Return the events if all of them still wait, None when some are in the database."""
        waiting = len(self._pending.inserts.get("events", ()))
        behind = self._facts.head().seq - seq
        if behind > waiting:
            return None
        return self._pending.inserts["events"][waiting - behind :] if behind > 0 else []

    def may_have_requests(self) -> bool:
        """Only we can have left one."""
        return self._facts.has_open_request()
