"""The real journal on a simulated disk: gates around transactions, a lock in virtual time, disk faults."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

from tg_actors.domain.errors import JournalError
from tg_actors.journal import changes, engine, readers, repository, stores
from tg_actors.journal.engine import LOCK_WAIT_MS, LOCK_WAIT_PATIENT_MS
from tg_actors.journal.repository import Journal
from tg_actors.journal.stores import Store
from tg_actors.journal.transaction import Transaction
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.patches import patched
from tg_actors.simulation.scheduler import MS, Process, Promise, Scheduler

if TYPE_CHECKING:
    from sqlalchemy import Connection


#: A read changes nothing for anybody: that others come in between is worth trying now and then only.
_READS_SEEN_FRAC = 0.3


class Disk:
    """The one write lock of the database, and what the disk does to commits."""

    def __init__(self, scheduler: Scheduler, dice: Dice) -> None:
        self.dice = dice
        self.full_until_ns = 0
        #: When the writer of each event took the lock, when it became durable, and who wrote it.
        self.written: dict[int, tuple[int, int, str]] = {}
        self._scheduler = scheduler
        self._holder: Process | None = None
        self._waiting: list[Promise[None]] = []

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written for now."""
        return self._scheduler.now_ns < self.full_until_ns

    def lock(self, process: Process, wait_ns: int) -> None:
        """Take the write lock, or fail as SQLite does when another writer keeps it too long.

        Raises:
            JournalError: it was not to be had in time.
        """
        end_ns = self._scheduler.now_ns + wait_ns
        while self._holder is not None:
            freed: Promise[None] = Promise()
            self._waiting.append(freed)
            if not process.wait(freed, end_ns - self._scheduler.now_ns) and self._holder is not None:
                self.dice.count("lock_timeout")
                raise JournalError("the journal is held by another writer", retryable=True)
        self._holder = process

    def unlock(self) -> None:
        """Give the lock back and wake who waits for it."""
        self._holder = None
        waiting, self._waiting = self._waiting, []
        for promise in waiting:
            promise.keep(None)


class GatedStore:
    """A store whose transactions other processes can see, wait for and outlive."""

    def __init__(self, store: Store, disk: Disk, process: Process) -> None:
        self._store = store
        self._disk = disk
        self._process = process

    @contextmanager
    def transaction(self, role: str, epoch: int, *, waits: bool) -> Iterator[Transaction]:
        """Hold the lock for the whole block; a kill or a disk fault before the commit undoes it."""
        process, disk = self._process, self._disk
        process.gate(f"begin as {role}")
        disk.lock(process, (LOCK_WAIT_PATIENT_MS if waits else LOCK_WAIT_MS) * MS)
        try:
            with self._store.transaction(role, epoch, waits=waits) as transaction:
                process.gate("locked")
                before, begun_ns = transaction.head.seq, process.scheduler.now_ns
                yield transaction
                process.gate(_named(transaction))
                _refuse_to_write(disk)
            now_ns = process.scheduler.now_ns
            for seq in range(before + 1, transaction.head.seq + 1):
                disk.written[seq] = (begun_ns, now_ns, process.name)
        finally:
            disk.unlock()
        process.gate("committed")
        if disk.dice.roll("commit_error_late"):
            raise JournalError("the journal cannot be written: the disk reports an error", retryable=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class SimulatedJournal(Journal):
    """The production journal of one simulated process; some reads pass a gate as well."""

    process: Process
    disk: Disk

    @classmethod
    def attach(
        cls, path: str, process: Process, disk: Disk, clock_ns: Callable[[], int]
    ) -> "SimulatedJournal":
        """Open the journal as a process of its own."""
        process.gate("open journal")
        # Opening looks at the schema under the write lock.
        disk.lock(process, LOCK_WAIT_PATIENT_MS * MS)
        try:
            journal = cast("SimulatedJournal", cls.open(path, clock_ns=clock_ns))
        finally:
            disk.unlock()
        journal.process, journal.disk = process, disk
        journal._store = GatedStore(journal._store, disk, process)
        return journal

    def tamper(self) -> None:
        """Change one old event behind the journal's back, as a broken disk or a clever hand would."""
        with self._writes.begin() as connection:
            connection.exec_driver_sql("UPDATE events SET wall_ns = wall_ns + 1 WHERE seq = 1")

    @contextmanager
    def _reading(self) -> "Iterator[Connection]":
        if self.disk.dice.happens(_READS_SEEN_FRAC):
            self.process.gate("read")
        with super()._reading() as connection:
            yield connection


def _refuse_to_write(disk: Disk) -> None:
    if disk.is_full:
        disk.dice.count("disk_full")
        raise JournalError("the journal cannot grow: the disk is full", retryable=False)
    if disk.dice.roll("commit_error"):
        raise JournalError("the journal cannot be written: the disk reports an error", retryable=False)


def _named(transaction: Transaction) -> str:
    """What a transaction is about to make true, for the trace."""
    written = [row["type"] for row in transaction.changes.inserts.get("events", ())]
    return f"commit {', '.join(map(str, written)) or 'nothing'}"


def _keep() -> None:
    """What ending a journal does to connections that others use."""


@contextmanager
def shared_statements() -> Iterator[Callable[[], None]]:
    """Let all journals of this operating-system process share connections and compiled statements.

    A simulated process opens its journal in a fraction of a millisecond then, instead of in five. Yields
    what closes every connection, for the time when the file is replaced.
    """
    engines = {
        (repository, "write_engine"): functools.cache(engine.write_engine),
        (readers, "read_engine"): functools.cache(engine.read_engine),
        (stores, "Writer"): functools.cache(changes.Writer),
    }
    closers: list[Callable[[], None]] = []

    def remembering(make: Callable[..., Any]) -> Callable[..., Any]:
        known: list[Any] = []

        def remember(*arguments: Any) -> Any:
            result = make(*arguments)
            if hasattr(result, "dispose") and result not in known:
                known.append(result)
                closers.append(result.dispose)
                # A process that ends gives its connections back to the others.
                result.dispose = _keep
            return result

        return remember

    with ExitStack() as stack:
        for (module, name), make in engines.items():
            stack.enter_context(patched(module, name, remembering(make)))

        def close_all() -> None:
            for close in closers:
                close()

        yield close_all
