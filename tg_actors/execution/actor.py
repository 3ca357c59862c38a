"""Ray shell of the execution room: recover, then forward. The only process that may send orders."""

import os
import threading
import time
import traceback

import ray

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, Settlement
from tg_actors.domain.errors import JournalError
from tg_actors.domain.message import Message
from tg_actors.execution.sender import ExecutionReport
from tg_actors.execution.start import AccountSpec, start_executor
from tg_actors.execution.wire import ROLE
from tg_actors.journal.repository import Journal
from tg_actors.runtime.actors import Watchdog
from tg_actors.runtime.clock import wall_ns


class ExecutorActorSpec(Message):
    """Where the journal lies, which account to trade, and how long the coordinator may be silent."""

    journal: str
    account: AccountSpec
    coordinator_silence_s_max: float


class ExecutorActor:
    """Mailbox around :class:`~tg_actors.execution.executor.Executor`; every start is a recovery.

    It fences itself: once a newer epoch holds the lease, its node is gone, or the coordinator has
    been silent for too long, it stops permitting and ends its process.
    """

    def __init__(self, spec: ExecutorActorSpec) -> None:
        self._spec = spec
        self._journal = Journal.open(spec.journal, clock_ns=wall_ns)
        owner = f"pid {os.getpid()}"
        started = start_executor(spec.account, self._journal, owner, wall_ns())
        self._executor, self._epoch, self._alerts = started.executor, started.epoch, started.alerts
        self._heard_s: float | None = None
        self._busy = threading.Lock()
        Watchdog(also=self._why_stop)

    @ray.method
    def settle(self, snapshot: MarketSnapshot) -> Settlement:
        """Take in what the venue did up to this snapshot."""
        with _or_die(self._busy):
            self._heard_s = time.monotonic()
            settlement = self._executor.settle(snapshot)
            if self._alerts:
                settlement = settlement.model_copy(update={"alerts": self._alerts + settlement.alerts})
                self._alerts = ()
            return settlement

    @ray.method
    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what risk approved; a repeated decision sends nothing twice."""
        with _or_die(self._busy):
            self._heard_s = time.monotonic()
            return self._executor.execute(decision)

    @ray.method
    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Cancel entries and close every position."""
        with _or_die(self._busy):
            self._heard_s = time.monotonic()
            self._executor.settle(snapshot)
            return self._executor.flatten(snapshot)

    @ray.method
    def hear(self, heartbeat: int) -> int:
        """Take note that the coordinator lives; answers with the process id."""
        del heartbeat
        self._heard_s = time.monotonic()
        return os.getpid()

    def __repr__(self) -> str:
        return f"ExecutorActor:{self._spec.account.executor.account}"

    def _why_stop(self) -> str | None:
        try:
            lease = self._journal.lease(ROLE)
        except JournalError:
            lease = None  # without a journal no permit commits; the next call ends this process
        if lease is not None and lease.epoch != self._epoch:
            return "a newer epoch holds the lease"
        silent_s = 0.0 if self._heard_s is None else time.monotonic() - self._heard_s
        return "the coordinator is silent" if silent_s > self._spec.coordinator_silence_s_max else None


class _or_die:  # noqa: N801 - reads as a clause
    """One call at a time; whatever goes wrong ends this process, and a clean one recovers.

    A fenced or journal-less executor must not answer, and after a bug its memory may hold what was
    never committed. No waiting call gets in between.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            traceback.print_exception(error)
            os._exit(1)
        self._lock.release()
