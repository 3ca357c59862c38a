"""The desk's processes: each life of coordinator and executor is one greenlet that runs the real cores."""

from collections.abc import Callable

from tg_actors.desk.coordinator import ROLE as COORDINATOR
from tg_actors.desk.coordinator import Coordinator, remember
from tg_actors.desk.inline import InlineRoster
from tg_actors.desk.staging import Staging
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.execution.executor import Executor
from tg_actors.execution.start import start_executor
from tg_actors.meta.ensemble import EqualWeightEnsemble
from tg_actors.runtime.clock import LiveClock
from tg_actors.simulation.calls import Call, CalledExecution, Mailbox
from tg_actors.simulation.disk import SimulatedJournal
from tg_actors.simulation.market import BAR_NS
from tg_actors.simulation.scenario import AGENTS, DESK, STORM_END_NS, SeededAgent, rogue_risk
from tg_actors.simulation.scheduler import NS, START_NS, Process
from tg_actors.simulation.venue import SimulatedVenue
from tg_actors.simulation.world import World

#: An executor without calls looks after its orders this often.
_TEND_NS = 5 * NS
#: What a bar's data takes to reach the desk.
_DATA_LAG_NS = NS // 5


class SharedMarket:
    """The market room: every cycle has one snapshot, made when it is first asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._snapshots: dict[int, MarketSnapshot] = {}

    def observe(self, process: Process, cycle: int) -> MarketSnapshot:
        """Return the snapshot of a cycle, waiting for the close of its bar."""
        if cycle not in self._snapshots:
            newest_ns = max((s.at_ns for s in self._snapshots.values()), default=START_NS)
            now_ns = process.scheduler.now_ns
            close_ns = max(newest_ns + BAR_NS, now_ns - (now_ns - START_NS) % BAR_NS)
            if close_ns + _DATA_LAG_NS > now_ns:
                process.let_pass(close_ns + _DATA_LAG_NS - now_ns)
            # Another coordinator may have asked meanwhile.
            if cycle not in self._snapshots:
                self._snapshots[cycle] = self._world.prices.snapshot(cycle, close_ns)
        return self._snapshots[cycle]

    def seen(self) -> list[tuple[int, int]]:
        """Every snapshot there was: cycle and market time."""
        return [(cycle, snapshot.at_ns) for cycle, snapshot in sorted(self._snapshots.items())]

    def mids_at(self, cycle: int) -> MarketSnapshot | None:
        """The snapshot that a cycle has seen, None when it has seen none."""
        return self._snapshots.get(cycle)


class ObservedMarket:
    """The market port of one coordinator process."""

    def __init__(self, shared: SharedMarket, process: Process) -> None:
        self._shared = shared
        self._process = process

    def observe(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a cycle; the market never ends."""
        return self._shared.observe(self._process, cycle)


def live_as_executor(world: World, process: Process) -> None:
    """One life of the executor: recover, then answer calls until something goes wrong."""
    mailbox = Mailbox(process)
    if world.processes["executor"] is process:
        # One that was frozen before it began has been replaced: nobody calls it any more.
        world.line.mailbox = mailbox
    with attach(world, process) as journal:
        clock = LiveClock(world.wall_ns)
        world.born_ns[process.name] = world.scheduler.now_ns
        venue = SimulatedVenue(process, world.network, world.exchange, world.posts, clock.wall_ns)
        executor = start_executor(
            world.scenario.account,
            journal,
            process.name,
            clock.wall_ns(),
            lambda *_: (venue, -1),
            clock=clock,
        ).executor
        while True:
            call = mailbox.receive(_TEND_NS)
            if call is None:
                executor.tend(executor.at_ns)
            else:
                _answer(executor, call, process)


def _answer(executor: Executor, call: Call, process: Process) -> None:
    verbs: dict[str, Callable[..., object]] = {"settle": executor.settle, "execute": executor.execute}
    if call.verb == "flatten":
        executor.settle(call.argument)
        result: object = executor.flatten(call.argument)
    else:
        result = verbs[call.verb](call.argument)
    process.gate(f"reply to {call.verb}")
    process.scheduler.after(NS // 1000, lambda: call.answer.keep(result))


def live_as_coordinator(world: World, process: Process) -> None:
    """One life of the coordinator: take its lease, finish what was begun, decide bar after bar."""
    with attach(world, process) as journal:
        epoch = journal.take_lease(COORDINATOR, process.name, world.wall_ns())
        memory = remember(journal)
        coordinator = Coordinator(
            DESK,
            journal,
            epoch,
            ObservedMarket(world.market, process),
            InlineRoster([SeededAgent(name, world.scenario, STORM_END_NS) for name in AGENTS]),
            EqualWeightEnsemble(AGENTS),
            rogue_risk(world.scenario, memory.risk),
            CalledExecution(process, world.line),
            staging=Staging(None, ()),
        )
        coordinator.start(memory)
        while True:
            coordinator.step()
            world.cycles += 1


def attach(world: World, process: Process) -> SimulatedJournal:
    """Open the desk's journal from one more process."""
    return SimulatedJournal.attach(world.journal_path, process, world.disk, world.wall_ns)
