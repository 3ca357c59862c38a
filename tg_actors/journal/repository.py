"""The journal: one database that knows everything, and the only door to write it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tg_actors.domain.approvals import Approval, ApprovalState
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.domain.orders import TradingState
from tg_actors.journal.engine import Place, create_file, locate, write_engine
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.halt_file import NAME, HaltFile
from tg_actors.journal.locks import Release, lock_for_writing
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Control, Durability, Event, Request
from tg_actors.journal.schema import upgrade_engine
from tg_actors.journal.stores import BatchStore, ClockNs, DurableStore, Store
from tg_actors.journal.transaction import Transaction

__all__ = ["Journal", "Transaction"]

#: Who writes when no lease is needed: a person through the command line.
_DESK_KEEPER = "control"


class Journal(JournalReader):
    """A journal open for writing, and for everything a reader can do.

    Any number of ``FULL`` journals may be open on one database; a ``BATCH`` journal is alone.
    A ``FULL`` journal may be shared by threads, a ``BATCH`` journal belongs to one.
    """

    def __init__(
        self,
        place: Place,
        engine: Engine,
        store: Store,
        release: Release,
        clock_ns: ClockNs,
        halt_file: Path | None = None,
    ) -> None:
        super().__init__(place, halt_file)
        #: UTC nanoseconds of the machine, as stamped on every event.
        self.wall_ns = clock_ns
        self._writes = engine
        self._store = store
        self._release = release

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        durability: Durability = Durability.FULL,
        *,
        clock_ns: ClockNs,
        batch: int = 256,
        halt_file: Path | None = None,
    ) -> "Journal":
        """Open a journal, creating it or upgrading its schema as needed.

        Args:
            url_or_path: a file (made with mode 0600) or ``postgresql://…``.
            durability: what a commit promises.
            clock_ns: UTC nanoseconds of the machine, stamped on every event.
            batch: transactions per commit of a ``BATCH`` journal.
            halt_file: the kill switch as a file; ``HALT`` beside a journal that is a file. A ``BATCH``
                journal looks for none: it sends nothing anywhere.

        Raises:
            UserError: the address is no journal's, or a newer program wrote it.
            JournalError: it is damaged, locked, read-only, in use, or the disk is full.
        """
        place = locate(url_or_path)
        if place.path is not None:
            create_file(place.path)
            halt_file = halt_file or place.path.with_name(NAME)
        release = lock_for_writing(place, durability)
        engine = write_engine(place, durability)
        try:
            with journal_errors(place.name):
                upgrade_engine(engine, place)
            store: Store = (
                DurableStore(engine, place.name, clock_ns, None if halt_file is None else HaltFile(halt_file))
                if durability is Durability.FULL
                else BatchStore(engine, place.name, clock_ns, batch)
            )
        except BaseException:
            engine.dispose()
            release()
            raise
        return cls(place, engine, store, release, clock_ns, halt_file)

    def close(self) -> None:
        """Commit what waits and give everything back.

        Raises:
            JournalError: the last batch could not be committed; it is lost.
        """
        try:
            self.settle()
        finally:
            super().close()
            self._writes.dispose()
            self._release()

    @contextmanager
    def transaction(self, role: str, epoch: int) -> Iterator[Transaction]:
        """Read and write as the holder of a lease; commit when the block ends well.

        The write lock is held from the first line: the kill switch, the lease and the permits
        cannot change before the block ends. Nothing may be sent before this returns.

        Raises:
            Fenced: a newer epoch holds the lease; stop for good.
            JournalError: the database failed or stayed locked; nothing was written.
        """
        with self._store.transaction(role, epoch, waits=False) as transaction:
            transaction.require_lease()
            yield transaction

    def take_lease(self, role: str, owner: str, wall_ns: int) -> int:
        """Become the one writer of a role: fence everyone before, count the start, return the epoch."""
        with self._store.transaction(role, 0, waits=True) as transaction:
            return transaction.grant_lease(owner, wall_ns)

    def set_trading_state(self, state: TradingState, reason: str, actor: str, at_ns: int) -> None:
        """Throw the kill switch from anywhere; once this returns no permit commits against it.

        Raises:
            UserError: a halt file is there, and this would loosen what it says.
        """
        with self._unleased() as transaction:
            transaction.set_trading_state(state, reason, actor, at_ns)

    def approve(self, ref: str, user: str, content_hash: str | None = None) -> Approval:
        """Grant the order that waits under an intent id, or the beginning of one.

        Args:
            ref: what ``tg approvals`` shows.
            user: who grants.
            content_hash: what the person has seen; a difference refuses. None when they saw the journal.

        Raises:
            UserError: nothing waits under that name, it is too late, or somebody has decided before.
        """
        return self._decide(ref, ApprovalState.GRANTED, user, "", content_hash)

    def reject(self, ref: str, user: str, reason: str) -> Approval:
        """Refuse the order that waits under an intent id, or the beginning of one.

        Raises:
            UserError: as :meth:`approve`; one that was granted and not yet sent can still be refused.
        """
        return self._decide(ref, ApprovalState.REFUSED, user, reason, None)

    def append(self, event_type: str, payload: Message, ref: str = "") -> int:
        """Write a fact that needs no lease, such as what a watcher has found; returns its number."""
        with self._unleased() as transaction:
            return transaction.append(event_type, payload, ref)

    def request(self, verb: str, argument: str, actor: str) -> int:
        """Leave a person's wish for the desk and return its number."""
        with self._unleased() as transaction:
            return transaction.add_request(verb, argument, actor)

    def set_identity(self, identity: Mapping[str, object]) -> None:
        """Say what run this journal belongs to."""
        with self._unleased() as transaction:
            transaction.set_identity(identity)

    def control(self) -> Control:
        """Return the kill switch with its reason and actor; who sees a halt file writes the halt down."""
        if (remembered := self._store.control()) is not None:
            return remembered
        if self.halt_file is None or not self.halt_file.is_there:
            return super().control()
        with self._unleased() as transaction:
            return transaction.control

    def events(self, types: Collection[str] | None = None, after_seq: int = 0) -> Iterator[Event]:
        """Yield events in order, of some types or all, those after a number."""
        remembered = self._store.events_after(after_seq)
        if remembered is None:
            yield from super().events(types, after_seq)
            return
        for row in list(remembered):
            if types is None or row["type"] in types:
                yield Event(**row)  # type: ignore[arg-type]  # a row of the events table

    def pending_requests(self) -> list[Request]:
        """Return what people asked for and the desk has not done, oldest first."""
        return super().pending_requests() if self._store.may_have_requests() else []

    def settle(self) -> None:
        """Commit a batch that waits, so that every reader sees it."""
        self._store.settle()

    def _decide(
        self, ref: str, state: ApprovalState, user: str, reason: str, content_hash: str | None
    ) -> Approval:
        found = [a for a in self.approvals() if ref and a.intent.intent_id.startswith(ref)]
        if len(found) != 1:
            many = "several orders wait" if found else "no order waits"
            raise UserError(f"{many} under {ref!r}: see `tg approvals`")
        with self._unleased() as transaction:
            now = transaction.approval(found[0].intent.intent_id) or found[0]
            if content_hash not in {None, now.content_hash}:
                raise UserError(f"order {now.short_id} is not the one you were shown: see `tg approvals`")
            if self.wall_ns() > now.expires_ns and now.is_open:
                raise UserError(f"order {now.short_id} waited too long and has lapsed: nothing is sent")
            moved = transaction.move_approval(now.intent.intent_id, state, user, reason)
        if moved is None:
            raise UserError(f"order {now.short_id} is {now.state} already, by {now.user or 'the desk'}")
        return moved

    def _unleased(self) -> AbstractContextManager[Transaction]:
        return self._store.transaction(_DESK_KEEPER, 0, waits=True)
