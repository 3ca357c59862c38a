"""Ray shell of the execution room: recover, then forward. The only process that may send orders."""

import os
import time
from pathlib import Path

import ray
from pydantic import Field

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, Settlement
from tg_actors.domain.errors import JournalError, VenueError
from tg_actors.domain.message import Message
from tg_actors.execution.sender import ExecutionReport
from tg_actors.execution.start import AccountSpec, opener, start_executor
from tg_actors.execution.wire import ROLE, Clock
from tg_actors.journal.repository import Journal
from tg_actors.runtime.actors import Watchdog, reborn
from tg_actors.runtime.clock import LiveClock, PacedClock, wall_ns
from tg_actors.runtime.keys import read_key
from tg_actors.runtime.threads import OneAtATime, Ticker


class ExecutorActorSpec(Message):
    """Where the journal lies, which account to trade, and how long the coordinator may be silent.

    ``speed`` is that of the market as a multiple of real time, None for one that waits for the desk;
    ``live`` a market that waits for nobody, also while the desk is off. ``halt_file`` is the kill
    switch as a file where the journal is none. Between cycles the venue is tended ``tend_every_s``.
    """

    journal: str
    account: AccountSpec
    coordinator_silence_s_max: float
    speed: float | None = Field(default=None, gt=0)
    live: bool = False
    halt_file: str | None = None
    tend_every_s: float = Field(default=1.0, gt=0)


class ExecutorActor:
    """Mailbox around :class:`~tg_actors.execution.executor.Executor`; every start is a recovery.

    It fences itself: once a newer epoch holds the lease, its node is gone, or the coordinator has
    been silent for too long, it stops permitting and ends its process.
    """

    @reborn(JournalError, VenueError)
    def __init__(self, spec: ExecutorActorSpec) -> None:
        self._spec = spec
        halt_file = None if spec.halt_file is None else Path(spec.halt_file)
        self._journal = Journal.open(spec.journal, clock_ns=wall_ns, halt_file=halt_file)
        owner = f"pid {os.getpid()}"
        clock = _clock(spec)
        started = start_executor(
            spec.account, self._journal, owner, wall_ns(), opener(spec.account, read_key), clock=clock
        )
        self._executor, self._epoch, self._alerts = started.executor, started.epoch, started.alerts
        self._heard_s: float | None = None
        self._turn = OneAtATime()
        Watchdog(also=self._why_stop)
        if clock is not None:  # at full speed nothing happens between two cycles
            Ticker("tend", spec.tend_every_s, self._turn, self._tend)

    @ray.method
    def settle(self, snapshot: MarketSnapshot) -> Settlement:
        """Take in what the venue did up to this snapshot."""
        with self._turn:
            self._heard_s = time.monotonic()
            settlement = self._executor.settle(snapshot)
            if self._alerts:
                settlement = settlement.model_copy(update={"alerts": self._alerts + settlement.alerts})
                self._alerts = ()
            return settlement

    @ray.method
    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what risk approved; a repeated decision sends nothing twice."""
        with self._turn:
            self._heard_s = time.monotonic()
            return self._executor.execute(decision)

    @ray.method
    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Cancel entries and close every position."""
        with self._turn:
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

    def _tend(self) -> None:
        self._alerts += self._executor.tend(self._executor.at_ns)

    def _why_stop(self) -> str | None:
        try:
            lease = self._journal.lease(ROLE)
        except JournalError:
            lease = None  # without a journal no permit commits; the next call ends this process
        if lease is not None and lease.epoch != self._epoch:
            return "a newer epoch holds the lease"
        silent_s = 0.0 if self._heard_s is None else time.monotonic() - self._heard_s
        return "the coordinator is silent" if silent_s > self._spec.coordinator_silence_s_max else None


def _clock(spec: ExecutorActorSpec) -> Clock | None:
    if spec.live:
        return LiveClock()
    return None if spec.speed is None else PacedClock(spec.speed)
