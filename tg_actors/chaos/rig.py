"""One desk of a chaos run with everything around it: exchange, faulty network, driver, journal."""

import contextlib
import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tg_actors.chaos.driver import DriverOrder
from tg_actors.chaos.faults import FaultMix
from tg_actors.chaos.household import Household, python
from tg_actors.chaos.load import SUPERVISION, lively_desk, lively_plan
from tg_actors.chaos.proxy import FaultProxy
from tg_actors.chaos.raylets import RESOURCE
from tg_actors.desk.paper import on_paper
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.errors import JournalError, OutsideError
from tg_actors.domain.orders import TradingState
from tg_actors.exchange.server.faults import FaultPlan
from tg_actors.execution.venues.connection import CcxtConnection
from tg_actors.execution.wire import ROLE
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.keys import read_key

_ASK_S_MAX = 5.0
_STOP_S_MAX = 120.0
OPERATOR = "chaos"
#: The real client of a venue that enforces deadlines and forgets names; ``on_paper`` finds address and key.
KRAKEN = CcxtConnection(exchange="kraken", key="practice")


class Rig:
    """A desk under attack. Its journal and its exchange's ledger outlive everybody else."""

    def __init__(
        self, plan: DeskPlan, folder: RunFolder, household: Household, proxy: FaultProxy, exchange: "Exchange"
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.proxy = proxy
        self.journal = Journal.open(plan.journal, clock_ns=wall_ns)
        if self.journal.identity() is None:
            self.journal.set_identity({"executor": plan.account.executor.model_dump_json()})
        self.exchange = exchange
        self.starts = 0
        self.job_id = ""
        self.is_trading = threading.Event()
        self._household = household
        self._driver: subprocess.Popen[str] | None = None

    @property
    def name(self) -> str:
        """The desk's name."""
        return self.plan.desk

    def start_driver(self, address: str) -> None:
        """Start the desk's driver on a cluster; returns at once."""
        self.starts += 1
        self.is_trading.clear()
        order = DriverOrder(
            plan=self.plan,
            supervision=SUPERVISION,
            address=address,
            # Names of actors that die with an earlier driver must not be found by the next one.
            namespace=f"{self.name}-{self.starts}",
        )
        file = self.folder.path / "order.json"
        file.write_text(order.model_dump_json(), encoding="utf-8")
        child = self._household.start(
            python("tg_actors.chaos.driver", str(file)), self.folder.path / "driver.log", talks=True
        )
        self._driver = child
        threading.Thread(target=self._hear, args=(child,), daemon=True).start()

    def is_driven(self) -> bool:
        """Whether the driver lives."""
        return self._driver is not None and self._driver.poll() is None

    def kill_driver(self) -> None:
        """``kill -9`` of what a person started."""
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait()

    def stop_driver(self) -> bool:
        """Ask for a clean stop; False when the driver did not end in time or not well."""
        if self._driver is None or self._driver.stdin is None:
            return False
        with contextlib.suppress(BrokenPipeError):
            self._driver.stdin.close()
        try:
            return self._driver.wait(_STOP_S_MAX) == 0
        except subprocess.TimeoutExpired:
            return False

    def executor(self) -> tuple[int, int]:
        """Epoch and process id of the newest executor; (0, 0) before the first."""
        lease = self.journal.lease(ROLE)
        return (0, 0) if lease is None else (lease.epoch, int(lease.owner.removeprefix("pid ")))

    def say(self, state: TradingState, why: str) -> None:
        """Throw the kill switch or release it, as a person does."""
        self.journal.set_trading_state(state, why, OPERATOR, 0)

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """The exchange's own ledger, as its command prints it for anybody.

        Raises:
            OutsideError: it cannot be read.
        """
        command = python("tg_actors.cli.main", "exchange", "ledger", "--json")
        state = str(self.folder.path / "exchange")
        done = subprocess.run(  # noqa: S603 - our own command
            [*command, "--state", state], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise OutsideError(
                f"the exchange's ledger cannot be read: {done.stderr.strip()}", retryable=False
            )
        content: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
        return content

    def _hear(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdout is not None  # noqa: S101 - asked for when it was started
        for line in child.stdout:
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if said["state"] == "trading" and child is self._driver:
                    self.job_id = said["job_id"]
                    self.is_trading.set()


class Exchange:
    """The operator's view of a practice exchange that may die and forget its faults at any moment."""

    def __init__(self, connection: CcxtConnection) -> None:
        if connection.operator is None:
            raise TypeError("the market of a chaos desk is moved through an operator's door")
        self._door = connection.operator
        self._token = read_key(self._door.key).secret
        self._plan = FaultPlan()
        self._seen: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    @property
    def faults(self) -> Counter[str]:
        """Every fault that was seen to be injected, over all lives of the process."""
        return self._before + self._seen

    def follow(self, plan: FaultPlan) -> None:
        """Let the exchange err from now on, also after its next start."""
        self._plan = plan
        self.tend()

    def tend(self) -> None:
        """Count its faults, and remind it of its plan; a dead exchange is asked again later."""
        with contextlib.suppress(OSError, ValueError):
            status = self._ask("GET", "status", None)
            seen = Counter({kind: int(count) for kind, count in status["faults_injected"].items()})
            if any(seen[kind] < count for kind, count in self._seen.items()):
                self._before += self._seen  # a new process counts from nothing
            self._seen = seen
            if FaultPlan.model_validate_json(json.dumps(status["faults"])) != self._plan:
                self._ask("PUT", "faults", self._plan.model_dump(mode="json"))

    def _ask(self, method: str, path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own address on loopback
            f"{self._door.url}/practice/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_ASK_S_MAX) as answer:  # noqa: S310 - likewise
            said: dict[str, Any] = json.load(answer)
            return said


@contextmanager
def rigged(name: str, seed: int, folder: Path, household: Household, mix: FaultMix) -> Iterator[Rig]:
    """Set up a desk with its own exchange behind a faulty network; the driver is started later.

    Raises:
        OutsideError: the exchange does not start.
    """
    config = lively_desk(name, seed)
    place = RunFolder(folder / name)
    place.path.mkdir(parents=True, mode=0o700)
    plan = lively_plan(config, place.path, KRAKEN, RESOURCE)
    with on_paper(config, plan, place, lambda _: None) as plan_on_paper:
        connection = plan_on_paper.account.connection
        if not isinstance(connection, CcxtConnection) or connection.url is None:
            raise OutsideError("the chaos desk has no exchange of its own", retryable=False)
        url = urllib.parse.urlsplit(connection.url)
        with FaultProxy(url.hostname or "", url.port or 0, mix, seed) as proxy:
            rig = Rig(
                _through(proxy, plan_on_paper, connection), place, household, proxy, Exchange(connection)
            )
            try:
                yield rig
            finally:
                rig.journal.close()


def _through(proxy: FaultProxy, plan: DeskPlan, connection: CcxtConnection) -> DeskPlan:
    """Let the desk reach its venue, and the door that moves the market, only through the proxy."""
    here = {"netloc": f"127.0.0.1:{proxy.port}"}
    url = urllib.parse.urlsplit(connection.url or "")._replace(**here).geturl()
    door = connection.operator
    if door is not None:
        door = door.model_copy(update={"url": urllib.parse.urlsplit(door.url)._replace(**here).geturl()})
    faulty = connection.model_copy(update={"url": url, "operator": door})
    return plan.model_copy(update={"account": plan.account.model_copy(update={"connection": faulty})})


def exchange_processes(household: Household) -> list[psutil.Process]:
    """The exchanges of this run."""
    return [process for process in household.everybody() if _serves(process)]


def _serves(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "exchange" in process.cmdline() and "serve" in process.cmdline()
    return False


def hold_the_write_lock(journal: Journal, seconds: float) -> None:
    """Keep everybody else from writing the journal, as a hanging backup or a person's SQL shell does."""
    with contextlib.suppress(JournalError), journal.transaction(role=OPERATOR, epoch=0):
        time.sleep(seconds)


def can_be_written(journal: Journal) -> bool:
    """Whether the write lock is free right now, or within the quarter of a second that a permit waits."""
    try:
        with journal.transaction(role=OPERATOR, epoch=0):
            return True
    except JournalError:
        return False
