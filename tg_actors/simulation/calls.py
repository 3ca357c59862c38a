"""Calls between coordinator and executor: as over Ray, they may be lost, late, doubled, or meet the dead."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, Settlement
from tg_actors.domain.errors import OutsideError
from tg_actors.execution.sender import ExecutionReport
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.scheduler import MS, NS, Process, Promise

_TRAVEL_NS = (MS, 20 * MS)
_DELAY_NS = (200 * MS, 20 * NS)
#: A call without an answer is repeated after this long, and given up after so many times.
_REPEAT_NS = 15 * NS
_ATTEMPTS_MAX = 8


@dataclass(slots=True)
class Call:
    """One call on its way."""

    verb: str
    argument: Any
    answer: Promise[Any]


class Mailbox:
    """What waits for one executor process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._calls: list[Call] = []
        self._arrived: Promise[None] = Promise()

    def deliver(self, call: Call) -> None:
        """Put a call in; the dead never read it."""
        self._calls.append(call)
        self._arrived.keep(None)

    def receive(self, timeout_ns: int) -> Call | None:
        """Take the oldest call, waiting for one if need be; None when none came."""
        if not self._calls:
            self._arrived = Promise()
            self._process.wait(self._arrived, timeout_ns)
        return self._calls.pop(0) if self._calls else None


class Line:
    """The desk's handle on its executor: always the newest incarnation, over a line of its own."""

    def __init__(self, dice: Dice) -> None:
        self.mailbox: Mailbox | None = None
        self.cut_until_ns = 0
        self._dice = dice

    def send(self, process: Process, call: Call) -> None:
        """Send a call to whoever is executor when it leaves."""
        scheduler, mailbox = process.scheduler, self.mailbox
        if mailbox is None or scheduler.now_ns < self.cut_until_ns or self._dice.roll("call_lost"):
            return
        delay_ns = self._dice.between(*(_DELAY_NS if self._dice.roll("call_delayed") else _TRAVEL_NS))
        scheduler.after(delay_ns, lambda: mailbox.deliver(call))
        if self._dice.roll("call_duplicated"):
            scheduler.after(delay_ns + self._dice.between(*_DELAY_NS), lambda: mailbox.deliver(call))


class CalledExecution:
    """The coordinator's execution port: idempotent calls, repeated until somebody answers."""

    def __init__(self, process: Process, line: Line) -> None:
        self._process = process
        self._line = line
        self._snapshot: MarketSnapshot | None = None

    def begin_settle(self, snapshot: MarketSnapshot) -> Callable[[], Settlement]:
        """Settle; the returned call waits for the result."""
        self._snapshot = snapshot
        return lambda: self._settle(snapshot)

    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send; an executor that has just started must settle the cycle first."""
        if not decision.judgement.approved or self._snapshot is None:
            return ExecutionReport()
        alerts: tuple[str, ...] = ()
        for _ in range(_ATTEMPTS_MAX):
            report: ExecutionReport = self._ask("execute", decision)
            if not report.unsettled:
                return replace(report, alerts=alerts)
            alerts += self._settle(self._snapshot).alerts
        raise OutsideError("the executor never gets around to it", retryable=True)

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Close everything."""
        report: ExecutionReport = self._ask("flatten", snapshot)
        return report

    def _settle(self, snapshot: MarketSnapshot) -> Settlement:
        settlement: Settlement = self._ask("settle", snapshot)
        return settlement

    def _ask(self, verb: str, argument: Any) -> Any:
        for _ in range(_ATTEMPTS_MAX):
            self._process.gate(f"call {verb}")
            answer: Promise[Any] = Promise()
            self._line.send(self._process, Call(verb, argument, answer))
            if self._process.wait(answer, _REPEAT_NS):
                return answer.value
        raise OutsideError("the executor does not answer", retryable=True)
