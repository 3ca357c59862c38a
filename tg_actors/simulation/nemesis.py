"""What goes wrong from outside: kills, pauses, partitions, full disks, and people who halt and resume."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from tg_actors.domain.orders import TradingState
from tg_actors.simulation import people
from tg_actors.simulation.desk import live_as_coordinator, live_as_executor
from tg_actors.simulation.scenario import STORM_END_NS, STORM_NS
from tg_actors.simulation.scheduler import NS, Process
from tg_actors.simulation.world import World

MAINS: dict[str, Callable[[World, Process], None]] = {
    "executor": live_as_executor,
    "coordinator": live_as_coordinator,
}
#: Mean seconds between two strikes of each kind, at most as frequent; a seed draws its own, or none.
_PAUSE_NS = (2 * NS, 50 * NS)
_REPLACED_NS = (5 * NS, 9 * NS)
_RESUME_NS = 150 * NS
#: How many runs know each kind of strike; and those after which the desk is to stay halted.
_STRIKES_FRAC = 0.6
_ONCE_FRAC = 0.06


class Nemesis:
    """Strikes at seeded times until the storm ends."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.struck: Counter[str] = Counter()
        self._world = world
        self._rng = rng
        kinds: dict[str, tuple[float, Callable[[], None]]] = {
            "kill executor": (80, lambda: self._kill("executor")),
            "kill coordinator": (150, lambda: self._kill("coordinator")),
            "kill both": (250, self._kill_both),
            "pause executor": (110, lambda: self._pause("executor")),
            "pause coordinator": (180, lambda: self._pause("coordinator")),
            "cut venue": (150, self._cut_venue),
            "cut line": (150, self._cut_line),
            "maintenance": (250, self._maintain),
            "disk full": (250, self._fill_disk),
            "operator": (250, self._operate),
            "halt file": (900, self._halt_by_file),
            "clock": (900, self._set_clock),
        }
        for name, (seconds, strike) in kinds.items():
            if rng.random() < _STRIKES_FRAC:
                self._arm(name, seconds * (0.5 + 2 * rng.random()), strike)
        for name, strike in (("meddle", self._meddle), ("tamper", self._tamper)):
            if rng.random() < _ONCE_FRAC:
                world.scheduler.after(self._between(60 * NS, STORM_NS * 3 // 4), self._once(name, strike))

    def _once(self, name: str, strike: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            self.struck[name] += 1
            strike()

        return act

    def _arm(self, name: str, seconds: float, strike: Callable[[], None]) -> None:
        """Strike again and again, at exponentially distributed intervals."""
        delay_ns = int(self._rng.exponential(seconds) * NS)
        when_ns = self._world.scheduler.now_ns + delay_ns
        if when_ns >= STORM_END_NS:
            return

        def act() -> None:
            self.struck[name] += 1
            strike()
            self._arm(name, seconds, strike)

        self._world.scheduler.at(when_ns, act)

    def _kill(self, role: str) -> None:
        self.struck["kills"] += 1
        self._world.processes[role].kill()

    def _kill_both(self) -> None:
        self._kill("executor")
        self._kill("coordinator")

    def _pause(self, role: str) -> None:
        """Freeze a process; what watches over it starts another in its place, so that two will live."""
        process = self._world.processes[role]
        if process.dead or process.is_frozen:
            return
        process.freeze(self._between(*_PAUSE_NS))

        def replace() -> None:
            if self._world.processes[role] is process and process.is_frozen and not process.dead:
                self.struck["zombies"] += 1
                self._world.spawn(role, MAINS[role], 0)

        self._world.scheduler.after(self._between(*_REPLACED_NS), replace)

    def _cut_venue(self) -> None:
        self._world.network.cut_until_ns = self._world.scheduler.now_ns + self._between(NS, 40 * NS)

    def _cut_line(self) -> None:
        self._world.line.cut_until_ns = self._world.scheduler.now_ns + self._between(NS, 40 * NS)

    def _maintain(self) -> None:
        self._world.network.maintenance_until_ns = self._world.scheduler.now_ns + self._between(NS, 60 * NS)

    def _fill_disk(self) -> None:
        self._world.disk.full_until_ns = self._world.scheduler.now_ns + self._between(NS, 40 * NS)

    def _operate(self) -> None:
        """A person halts, or lets only exits through, and resumes a while later."""
        state = TradingState.HALTED if self._happens(0.7) else TradingState.REDUCE_ONLY
        verb = "flatten" if state is TradingState.REDUCE_ONLY and self._happens(0.5) else None
        people.say(self._world, state, verb)
        self._later(lambda: people.say(self._world, TradingState.ACTIVE, "rearm"))

    def _halt_by_file(self) -> None:
        if people.halt_file(self._world).exists():
            return
        people.put_halt_file(self._world)
        self._later(lambda: people.take_halt_file(self._world))
        self._world.scheduler.after(_RESUME_NS, lambda: people.say(self._world, TradingState.ACTIVE, "rearm"))

    def _later(self, act: Callable[[], None]) -> None:
        self._world.scheduler.after(self._between(20 * NS, 120 * NS), act)

    def _set_clock(self) -> None:
        """The machine's clock is set wrong, by up to ten seconds, or right again."""
        self._world.set_clock(0 if self._happens(0.5) else self._between(-10 * NS, 10 * NS))

    def _meddle(self) -> None:
        kinds = ("withdrawal", "deposit", "order")
        self._world.exchange.meddle(kinds[int(self._rng.integers(len(kinds)))])

    def _tamper(self) -> None:
        """Somebody changes the journal; who starts next must see it."""
        people.tamper(self._world)
        self._world.scheduler.after(5 * NS, lambda: self._kill("executor"))

    def _happens(self, chance: float) -> bool:
        return bool(self._rng.random() < chance)

    def _between(self, low_ns: int, high_ns: int) -> int:
        return low_ns + int(self._rng.random() * (high_ns - low_ns))


def calm(world: World) -> None:
    """End every fault: the quiet phase begins."""
    world.dice.calm = True
    now_ns = world.scheduler.now_ns
    world.network.cut_until_ns = world.network.maintenance_until_ns = now_ns
    world.line.cut_until_ns = world.disk.full_until_ns = now_ns
    world.set_clock(0)


def let_loose(world: World, rng: np.random.Generator) -> Nemesis:
    """Start the desk and its nemesis."""
    for role, main in MAINS.items():
        world.spawn(role, main, 0)
    nemesis = Nemesis(world, rng)
    if world.scenario.account.executor.approval.above_notional is not None:
        people.approve_orders(world, rng)
    world.scheduler.at(STORM_END_NS, lambda: calm(world))
    return nemesis
