"""The nemesis: carries out a schedule of deeds against a running cluster, and keeps count."""

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

from tg_actors.chaos.household import Household, send
from tg_actors.chaos.raylets import Node, Raylets, wait_until_gone
from tg_actors.chaos.recovery import Blow
from tg_actors.chaos.rig import Rig, can_be_written, exchange_processes, hold_the_write_lock
from tg_actors.chaos.schedule import TOPOLOGY, Deed, Stroke
from tg_actors.domain.errors import OutsideError
from tg_actors.domain.orders import TradingState
from tg_actors.runtime.clock import wall_ns

#: Executors are where orders are lost or doubled: this part of all kills is theirs at least.
_EXECUTOR_SHARE = 0.3
_AT_ONCE_MAX = 5
_FINE = 2**32
_TAKEOVER_S_MAX, _START_S_MAX = 45.0, 120.0
#: A resumed zombie that finds a newer epoch ends itself within its watchdog's second, or two.
_ZOMBIE_S_MAX = 20.0
_HALT_S, _LOCK_S, _HEADLESS_S, _HAUNT_S = 2.0, 1.5, 4.0, 3.0
_PAUSES_MAX = 20
_LOOK_S = 0.5
_TEND_S = 2.0
_JOB = "RAY_JOB_ID"


@dataclass(slots=True)
class Record:
    """What was done. ``kills`` by class of actor; ``blows`` for the recovery times."""

    kills: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    zombies: int = 0
    undead: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    driver_restarts: int = 0
    blows: list[Blow] = field(default_factory=list)


class Nemesis:
    """Hits whom the schedule says; deeds that change the nodes are done on a thread of their own."""

    def __init__(
        self, rigs: Sequence[Rig], raylets: Raylets, household: Household, tell: Callable[[str], None]
    ) -> None:
        self.record = Record()
        self._rigs = tuple(rigs)
        self._raylets = raylets
        self._nodes = len(raylets.nodes)
        self._household = household
        self._tell = tell
        #: At most one of each kind.
        self._waiting: dict[Deed, Stroke] = {}
        self._over = threading.Event()
        self._tended_s = 0.0
        #: Held while drivers or nodes are exchanged, so that nobody revives what is meant to be dead.
        self._rebuilding = threading.Lock()
        self._deeds: dict[Deed, Callable[[Stroke], None]] = {
            Deed.KILL: self._kill,
            Deed.HALT: self._halt,
            Deed.LOCK: self._lock,
            Deed.EXCHANGE: self._kill_exchange,
            Deed.ZOMBIE: self._raise_a_zombie,
            Deed.RAYLET: self._kill_raylet,
            Deed.DRIVER: self._kill_driver,
            Deed.HEAD: self._kill_head,
        }

    def rage(self, strokes: Sequence[Stroke], seconds: float, is_over: Callable[[], bool]) -> None:
        """Carry out all strokes in their time; ends after ``seconds`` or when ``is_over`` says so."""
        began = time.monotonic()
        builder = threading.Thread(target=self._rebuild, name="topology", daemon=True)
        builder.start()
        for stroke in strokes:
            if not self._wait_until(began + stroke.at_s, is_over):
                break
            if stroke.deed not in TOPOLOGY:
                self._do(stroke)
            else:  # a slow machine does fewer of them, not all at the end
                self._waiting[stroke.deed] = stroke
        self._wait_until(began + seconds, is_over)
        self._over.set()
        builder.join()

    def _wait_until(self, due_s: float, is_over: Callable[[], bool]) -> bool:
        """Tend the desks until it is time; False when it is over before."""
        while not (over := is_over()) and (left := due_s - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(left, _LOOK_S))
        return not over

    def tend(self) -> None:
        """Start drivers that have ended again, as a person or systemd does, and remind the exchanges."""
        if time.monotonic() - self._tended_s < _TEND_S:
            return
        self._tended_s = time.monotonic()
        if self._rebuilding.acquire(blocking=False):
            try:
                for rig in self._rigs:
                    if not rig.is_driven():
                        self.record.driver_restarts += 1
                        rig.start_driver(self._raylets.address)
            finally:
                self._rebuilding.release()
        for rig in self._rigs:
            rig.exchange.tend()

    def _rebuild(self) -> None:
        while not self._over.is_set():
            rarest = next((deed for deed in TOPOLOGY if deed in self._waiting), None)
            if rarest is not None:
                self._do(self._waiting.pop(rarest))
            elif not self._mend():
                self._over.wait(_LOOK_S)

    def _mend(self) -> bool:
        """Replace nodes that died without our doing: a busy machine makes Ray believe that of the living."""
        dead = [node for node in tuple(self._raylets.nodes) if not node.is_alive()]
        missing = self._nodes - len(self._raylets.nodes) + len(dead)
        for node in dead:
            self._raylets.bury(node)
        if missing <= 0:
            return False
        self.record.deeds["nodes_lost"] += missing
        try:
            self._raylets.add_node()
        except OutsideError as error:
            self._tell(str(error))
        return True

    def _do(self, stroke: Stroke) -> None:
        try:
            self._deeds[stroke.deed](stroke)
        except OutsideError as error:
            self.record.failures.append(f"{stroke.deed}: {error}")
            self._tell(f"{stroke.deed} failed: {error}")

    def _kill(self, stroke: Stroke) -> None:
        """Kill one to five actors at the same moment, as a kernel short of memory does."""
        rng = np.random.default_rng(int(stroke.extent * _FINE))
        actors = [process for node in self._healthy() for process in node.workers()]
        for _ in range(1 + int(stroke.whom * _AT_ONCE_MAX)):
            executors = [process for process in actors if actor_class(process) == "ExecutorActor"]
            chosen = executors if executors and rng.random() < _EXECUTOR_SHARE else actors
            if not chosen:
                return
            victim = chosen[int(rng.integers(len(chosen)))]
            actors.remove(victim)
            self._strike(victim)

    def _strike(self, victim: psutil.Process) -> None:
        name, desk = actor_class(victim), self._desk_of(victim)
        struck_ns = wall_ns()
        if name and send(signal.SIGKILL, [victim]):
            self.record.kills[name] += 1
            if desk:
                self.record.blows.append(Blow(desk, name, struck_ns))

    def _halt(self, stroke: Stroke) -> None:
        rig = self._rig(stroke)
        rig.say(TradingState.HALTED, "drill in the middle of chaos")
        self.record.deeds["halts"] += 1
        time.sleep(_HALT_S * stroke.extent)
        rig.say(TradingState.ACTIVE, "drill over")

    def _lock(self, stroke: Stroke) -> None:
        hold_the_write_lock(self._rig(stroke).journal, _LOCK_S * stroke.extent)
        self.record.deeds["journal_locks"] += 1

    def _kill_exchange(self, stroke: Stroke) -> None:
        exchanges = exchange_processes(self._household)
        if exchanges and send(signal.SIGKILL, [exchanges[int(stroke.whom * len(exchanges))]]):
            self.record.deeds["exchange_kills"] += 1

    def _raise_a_zombie(self, stroke: Stroke) -> None:
        before = {rig.name: rig.executor() for rig in self._rigs}
        node, held = self._node_of_an_executor(before)
        if node is None:
            return
        everybody = node.everybody()
        zombies = [process for process in everybody if process.pid in {before[name][1] for name in held}]
        node.is_paused = True
        struck_ns = wall_ns()
        self._pause(everybody, [rig for rig in self._rigs if rig.name in held])
        try:
            self.record.blows += [Blow(name, "ExecutorActor", struck_ns) for name in held]
            self._raylets.add_node()
            replaced = [rig for rig in self._rigs if rig.name in held and self._is_replaced(rig, before)]
            time.sleep(_HAUNT_S * stroke.extent)
        finally:
            send(signal.SIGCONT, everybody)
        self.record.zombies += len(replaced)
        gone = {rig.name for rig in replaced}
        old = [p for p in zombies if p.pid in {before[name][1] for name in gone}]
        if not wait_until_gone(old, _ZOMBIE_S_MAX):
            self.record.undead += [
                f"executor {p.pid} lived on after its replacement" for p in old if p.is_running()
            ]
        self._raylets.bury(node)
        self._tell(f"zombie: {len(replaced)}, {self.record.zombies} in all")

    def _pause(self, everybody: list[psutil.Process], rigs: list[Rig]) -> None:
        """Stop a whole node, at a moment when nobody there holds the write lock of a journal.

        A paused holder keeps every successor out until it is resumed or killed: safe, but nothing then
        acts beside anybody. A file is written by one machine; one that sleeps takes all its nodes along.
        """
        for _ in range(_PAUSES_MAX):
            send(signal.SIGSTOP, everybody)
            if all(can_be_written(rig.journal) for rig in rigs):
                return
            send(signal.SIGCONT, everybody)
            time.sleep(0.02)
        send(signal.SIGSTOP, everybody)

    def _kill_raylet(self, stroke: Stroke) -> None:
        nodes = self._healthy()
        if not nodes:
            return
        node = nodes[int(stroke.whom * len(nodes))]
        actors = node.workers()
        blows = [
            Blow(desk, actor_class(actor), wall_ns()) for actor in actors if (desk := self._desk_of(actor))
        ]
        if not send(signal.SIGKILL, [node.raylet]):
            return
        self.record.deeds["raylet_kills"] += 1
        self.record.blows += blows
        node.is_paused = True
        self._raylets.add_node()
        if not wait_until_gone(actors, _ZOMBIE_S_MAX):
            self.record.undead.append(f"actors lived on after their raylet {node.raylet.pid}")
        self._raylets.bury(node)
        self._tell(f"raylet killed, {self.record.deeds['raylet_kills']} in all")

    def _kill_driver(self, stroke: Stroke) -> None:
        with self._rebuilding:
            rig = self._rig(stroke)
            self.record.blows.append(Blow(rig.name, "CoordinatorActor", wall_ns()))
            rig.kill_driver()
            rig.start_driver(self._raylets.address)
            self.record.deeds["driver_kills"] += 1

    def _kill_head(self, stroke: Stroke) -> None:
        """Kill the GCS; its desks trade on without a head while a new cluster with new desks starts."""
        with self._rebuilding:
            old = tuple(self._raylets.nodes)
            actors = [process for node in old for process in node.workers()]
            struck_ns = wall_ns()
            if not send(signal.SIGKILL, self._raylets.head()):
                return
            self.record.deeds["head_kills"] += 1
            self.record.blows += [Blow(rig.name, "CoordinatorActor", struck_ns) for rig in self._rigs]
            self._tell("head killed: a new cluster starts beside what is left of the old one")
            time.sleep(_HEADLESS_S * stroke.extent)
            self._start_anew(old)
        executors = [p for p in actors if actor_class(p) == "ExecutorActor"]
        if not wait_until_gone(executors, _ZOMBIE_S_MAX):
            self.record.undead.append("an executor of the old cluster lived on beside its replacement")
        for node in old:
            self._raylets.bury(node)
        self._tell("the new cluster trades")

    def _start_anew(self, old: Sequence[Node]) -> None:
        for rig in self._rigs:
            rig.kill_driver()
        for node in old:
            node.is_paused = True
        self._raylets.start_head()
        for _ in old:
            self._raylets.add_node()
        for rig in self._rigs:
            rig.start_driver(self._raylets.address)
        if not all(rig.is_trading.wait(_START_S_MAX) for rig in self._rigs):
            raise OutsideError("a desk did not start on the new cluster", retryable=True)

    def _healthy(self) -> list[Node]:
        return [node for node in tuple(self._raylets.nodes) if not node.is_paused and node.is_alive()]

    def _node_of_an_executor(self, before: dict[str, tuple[int, int]]) -> tuple[Node | None, list[str]]:
        """The healthy node with the most executors, and whose they are."""
        best: tuple[Node | None, list[str]] = (None, [])
        for node in self._healthy():
            here = {process.pid for process in node.workers()}
            held = [name for name, (_, pid) in before.items() if pid in here]
            if len(held) > len(best[1]):
                best = (node, held)
        return best

    def _is_replaced(self, rig: Rig, before: dict[str, tuple[int, int]]) -> bool:
        end = time.monotonic() + _TAKEOVER_S_MAX
        while time.monotonic() < end:
            if rig.executor()[0] > before[rig.name][0]:
                return True
            time.sleep(0.2)
        self.record.failures.append(f"{rig.name}: no other executor took over within {_TAKEOVER_S_MAX:g} s")
        return False

    def _desk_of(self, process: psutil.Process) -> str:
        with contextlib.suppress(psutil.Error):
            job = process.environ().get(_JOB, "")
            return next((rig.name for rig in self._rigs if rig.job_id == job), "")
        return ""

    def _rig(self, stroke: Stroke) -> Rig:
        return self._rigs[int(stroke.whom * len(self._rigs))]


def actor_class(process: psutil.Process) -> str:
    """The class of the actor that a process holds, of ``ray::ClassName.method``; empty when it has gone."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return command[0].removeprefix("ray::").split(".")[0].split(":")[0] if command else ""
    return ""
