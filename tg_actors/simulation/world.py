"""Everything of one run: clock, market, exchange, network, disk, and the desk's processes."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from tg_actors.domain.errors import OutsideError
from tg_actors.simulation.calls import Line
from tg_actors.simulation.disk import Disk
from tg_actors.simulation.exchange import Exchange
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.market import TICK_NS, Prices
from tg_actors.simulation.network import Network
from tg_actors.simulation.scenario import CLOSE_NS, DURATION_NS, OPENING_CASH, Scenario, draw, stream
from tg_actors.simulation.scheduler import START_NS, Process, Scheduler
from tg_actors.simulation.trace import Trace

if TYPE_CHECKING:
    from tg_actors.simulation.desk import SharedMarket


class World:
    """One seed's world; the nemesis changes it, the desk lives in it, the checker looks at it."""

    market: "SharedMarket"

    def __init__(self, seed: int, journal_path: str, *, keep_trace: bool = False) -> None:
        self.journal_path = journal_path
        self.trace = Trace(START_NS, keep=keep_trace)
        self.scheduler = Scheduler(stream(seed, 1), self.trace)
        self.dice = Dice(stream(seed, 2))
        self.scenario: Scenario = draw(seed, stream(seed, 3))
        self.prices = Prices(stream(seed, 4), DURATION_NS)
        self.exchange = Exchange(
            self.scheduler, self.prices, OPENING_CASH, self.dice, self.scenario.venue, CLOSE_NS
        )
        self.network = Network(self.scheduler, self.dice)
        self.disk = Disk(self.scheduler, self.dice)
        self.line = Line(self.dice)
        self.posts: Counter[str] = Counter()
        self.cycles = 0
        #: What the machine's clock shows, less what is true, since when: (time, nanoseconds).
        self.skews_ns: list[tuple[int, int]] = [(START_NS, 0)]
        #: When each executor process began.
        self.born_ns: dict[str, int] = {}
        #: From when to when the halt file lay there; None: to the end.
        self.halt_files: list[tuple[int, int | None]] = []
        #: What has really happened that must halt the desk, and when.
        self.causes: list[tuple[int, str]] = []
        #: Processes that ended by what is no outside failure: bugs.
        self.crashes: list[tuple[str, BaseException]] = []
        self.lives: Counter[str] = Counter()
        self.processes: dict[str, Process] = {}
        self._all: list[Process] = []
        self._over = False
        self.scheduler.after(TICK_NS, self.exchange.tick)

    def wall_ns(self) -> int:
        """What the desk's machine takes the time to be."""
        return self.scheduler.now_ns + self.skews_ns[-1][1]

    def set_clock(self, skew_ns: int) -> None:
        """Let somebody set the machine's clock: it steps."""
        self.skews_ns.append((self.scheduler.now_ns, skew_ns))
        self.trace.note(self.scheduler.now_ns, "machine", f"clock set {skew_ns} ns off")

    def spawn(self, role: str, main: Callable[["World", Process], None], delay_ns: int) -> Process:
        """Start the next life of a role; whoever ends on its own is replaced like one that was killed."""
        self.lives[role] += 1
        process = Process(
            f"{role}-{self.lives[role]}",
            self.scheduler,
            lambda process: main(self, process),
            lambda: self._ended(role, main, process),
        )
        self.processes[role] = process
        self._all.append(process)
        process.start(delay_ns)
        return process

    def run_aside(self, name: str, main: Callable[["World", Process], None]) -> None:
        """Start a process that nobody replaces, such as a command of a person."""
        self.lives[name] += 1
        label = f"{name}-{self.lives[name]}"
        process = Process(label, self.scheduler, lambda process: main(self, process), lambda: None)
        self._all.append(process)
        process.start()

    def end(self) -> None:
        """End every process that is left, so that nothing of this run outlives it."""
        self._over = True
        for process in self._all:
            process.kill()

    def _ended(self, role: str, main: Callable[["World", Process], None], process: Process) -> None:
        failure = process.failure
        if failure is not None and not isinstance(failure, OutsideError):
            self.crashes.append((process.name, failure))
        if self.processes[role] is process and not self._over:
            self.spawn(role, main, self.dice.between(10**9, 8 * 10**9))
