"""Kill-switch drills: halts thrown into bursts of permits, through every door there is."""

import contextlib
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tg_actors.chaos.evidence import Fact, fact_of
from tg_actors.chaos.judge import permits_after_halt
from tg_actors.chaos.load import lively_desk, lively_plan
from tg_actors.chaos.recovery import quantile
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.errors import OutsideError
from tg_actors.domain.orders import TradingState
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.venues.connection import InlineConnection
from tg_actors.journal.records import Event
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder, run_folder

#: The command line starts a Python each time: seconds, not milliseconds, so only now and then.
_CLI_EVERY = 50
_TELL_EVERY = 100
_WAIT_S_MAX = 30.0
_BURST_S_MAX = 0.05
_OPERATOR = "drill"
_RUN = "drill"
_HALT_FILE = "HALT"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Drill:
    """One halt: the door, how long from the command until its row was committed."""

    door: str
    latency_s: float


def drill(count: int, seed: int, tell: Tell) -> dict[str, Any]:
    """Throw ``count`` halts into the bursts of one executor; ``TG_HOME`` must be a folder of our own.

    Raises:
        OutsideError: the executor does not start, or neither permits nor denies any more.
    """
    folder = run_folder(_RUN)
    plan = unlimited_plan(seed, folder)
    rng = np.random.default_rng(seed)
    drills: list[Drill] = []
    with Journal.open(plan.journal, clock_ns=wall_ns) as journal:
        journal.set_identity({"executor": plan.account.executor.model_dump_json(), "kind": "desk"})
        with _bursting(plan, folder) as is_alive:
            tail = _Tail(journal, is_alive)
            for number in range(count):
                door = _door(number)
                tail.wait_for("OrderPermitted", {})
                time.sleep(float(rng.uniform(0, _BURST_S_MAX)))
                drills.append(Drill(door, _throw(journal, folder, tail, door)))
                # It tried again, and was told no.
                tail.wait_for("IntentDenied", {"code": "TRADING_HALTED"})
                _resume(journal, folder)
                tail.skip()
                if (number + 1) % _TELL_EVERY == 0:
                    tell(f"{number + 1} drills")
        facts = [
            fact_of(e.seq, e.epoch, e.role, e.type, e.ref, e.wall_ns, e.payload) for e in journal.events()
        ]
    return _figures(drills, facts)


def _door(number: int) -> str:
    if number % _CLI_EVERY == _CLI_EVERY - 1:
        return "cli"
    return "row" if number % 2 == 0 else "file"


class _Tail:
    """The newest events of a journal that grows, each seen once."""

    def __init__(self, journal: Journal, is_alive: Callable[[], bool]) -> None:
        self._journal = journal
        self._is_alive = is_alive
        self.seq = 0

    def skip(self) -> None:
        """Forget what stands there now."""
        for event in self._journal.events(None, self.seq):
            self.seq = event.seq

    def wait_for(self, kind: str, content: Mapping[str, object]) -> Event:
        """Wait for the next event of a type with this content.

        Raises:
            OutsideError: it does not come.
        """
        end = time.monotonic() + _WAIT_S_MAX
        while time.monotonic() < end and self._is_alive():
            for event in self._journal.events({kind}, self.seq):
                self.seq = event.seq
                if content.items() <= event.content().items():
                    return event
            time.sleep(0.001)
        raise OutsideError(f"the bursting executor has stopped: no {kind} any more", retryable=False)


def _throw(journal: Journal, folder: RunFolder, tail: _Tail, door: str) -> float:
    """Halt through a door; returns the seconds until the row was seen to be committed."""
    began = time.perf_counter()
    _DOORS[door](journal, folder)
    # A file is nobody's commit: the executor that sees it first writes the row.
    tail.wait_for("TradingStateChanged", {"state": "HALTED"})
    return time.perf_counter() - began


def _row(journal: Journal, _: RunFolder) -> None:
    journal.set_trading_state(TradingState.HALTED, "drill", _OPERATOR, 0)


def _file(_: Journal, folder: RunFolder) -> None:
    (folder.path / _HALT_FILE).touch()


def _cli(_: Journal, __: RunFolder) -> None:
    command = [sys.executable, "-m", "tg_actors.cli.main", "halt", "--run", _RUN, "--reason", "drill"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise OutsideError(f"tg halt failed: {done.stderr.strip()}", retryable=False)


_DOORS: dict[str, Callable[[Journal, RunFolder], None]] = {"row": _row, "file": _file, "cli": _cli}


def _resume(journal: Journal, folder: RunFolder) -> None:
    (folder.path / _HALT_FILE).unlink(missing_ok=True)
    journal.set_trading_state(TradingState.ACTIVE, "drill over", _OPERATOR, 0)


def unlimited_plan(seed: int, folder: RunFolder) -> DeskPlan:
    """A lively desk without limits: nothing but the kill switch holds a permit back."""
    plan = lively_plan(lively_desk("drill", seed), folder.path, InlineConnection(), None)
    limits = HardLimits.model_validate(
        {**plan.account.executor.limits.model_dump(), "gross_exposure_frac_max": 10**9}, strict=False
    )
    executor = plan.account.executor.model_copy(update={"limits": limits})
    account = plan.account.model_copy(update={"executor": executor, "durable": False})
    return plan.model_copy(update={"account": account})


@contextmanager
def _bursting(plan: DeskPlan, folder: RunFolder) -> Iterator[Callable[[], bool]]:
    """Let an executor burst in a process of its own while the block runs; yields whether it lives."""
    file = folder.path / "plan.json"
    file.write_text(plan.model_dump_json(), encoding="utf-8")
    with (folder.path / "burst.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "tg_actors.chaos.burst", str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield lambda: child.poll() is None
    finally:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
        try:
            child.wait(_WAIT_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _figures(drills: Sequence[Drill], facts: Sequence[Fact]) -> dict[str, Any]:
    by_door: dict[str, list[float]] = defaultdict(list)
    for one in drills:
        by_door[one.door].append(one.latency_s * 1e3)
    violations = list(permits_after_halt(facts))
    # The doors of this process; a command line's milliseconds are mostly those of a starting Python.
    quick = [latency for door, latencies in by_door.items() if door != "cli" for latency in latencies]
    return {
        "drills": len(drills),
        "permits": sum(fact.type == "OrderPermitted" for fact in facts),
        "denials": sum(fact.type == "IntentDenied" for fact in facts),
        "halts": sum(
            fact.type == "TradingStateChanged" and fact.content["state"] == TradingState.HALTED
            for fact in facts
        ),
        "permits_after_halt": len(violations),
        "command_to_commit_ms_p50": _ms(quantile(quick, 0.5)),
        "command_to_commit_ms_p99": _ms(quantile(quick, 0.99)),
        "by_door": {door: _door_figures(latencies) for door, latencies in sorted(by_door.items())},
        "violations": len(violations),
        "violation_list": violations,
    }


def _door_figures(latencies_ms: Sequence[float]) -> Mapping[str, float | int | None]:
    return {
        "drills": len(latencies_ms),
        "ms_p50": _ms(quantile(latencies_ms, 0.5)),
        "ms_p99": _ms(quantile(latencies_ms, 0.99)),
        "ms_max": _ms(max(latencies_ms)),
    }


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
