"""Virtual time and simulated processes: greenlets that yield at every effect, driven by a seed.

The production code is synchronous. Each simulated process runs it in a greenlet; every effect passes a
*gate*, where the scheduler takes over: it may go on at once or later, be killed, or be frozen and go
on as a zombie. Nothing else ever interleaves, so that equal seeds give equal runs.
"""

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from greenlet import getcurrent, greenlet

from tg_actors.simulation.trace import Trace

_T = TypeVar("_T")

MS = 1_000_000
NS = 1_000_000_000
#: Every run begins here, at a full minute of some November day.
START_NS = 28_333_334 * 60 * NS
#: How long a process takes from one effect to the next: mostly little, now and then a pause for breath.
_STEP_NS_MAX = 2 * MS
_HICCUP_NS_MAX = 400 * MS
_HICCUP_FRAC = 0.03


class Killed(BaseException):
    """Unwinds a killed process. No effect passes a gate any more, so nothing is done on the way out."""


class Scheduler:
    """A heap of things to come and the clock that jumps to the next of them."""

    def __init__(self, rng: np.random.Generator, trace: Trace) -> None:
        self.now_ns = START_NS
        self.trace = trace
        self._rng = rng
        self.hub = getcurrent()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when_ns: int, action: Callable[[], None]) -> None:
        """Do something at a time; things of the same time happen in the order in which they were asked."""
        self._count += 1
        heapq.heappush(self._heap, (max(when_ns, self.now_ns), self._count, action))

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Do something a while from now."""
        self.at(self.now_ns + delay_ns, action)

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due before a time."""
        while self._heap and self._heap[0][0] <= until_ns:
            when_ns, _, action = heapq.heappop(self._heap)
            self.now_ns = when_ns
            action()
        self.now_ns = until_ns

    def step_ns(self) -> int:
        """Draw how long a process takes until its next effect: this is what orders the runnable ones."""
        if self._rng.random() < _HICCUP_FRAC:
            return int(self._rng.random() * _HICCUP_NS_MAX)
        return int(self._rng.random() * _STEP_NS_MAX)

    def leave(self) -> None:
        """Give control from a process back to the scheduler."""
        self.hub.switch()


class Promise(Generic[_T]):
    """Something that one process waits for and somebody else keeps."""

    def __init__(self) -> None:
        self.kept = False
        self.value: _T | None = None
        self._wake: Callable[[], None] | None = None

    def keep(self, value: _T) -> None:
        """Hand over the value; only the first time counts."""
        if self.kept:
            return
        self.kept, self.value = True, value
        if self._wake is not None:
            self._wake()

    def when_kept(self, wake: Callable[[], None]) -> None:
        """Call somebody once the value is there."""
        self._wake = wake


class Process:
    """One operating-system process of the desk: a greenlet with a fate."""

    def __init__(
        self, name: str, scheduler: Scheduler, main: Callable[["Process"], None], on_end: Callable[[], None]
    ) -> None:
        self.name = name
        self.scheduler = scheduler
        self.dead = False
        self.failure: BaseException | None = None
        #: Where it stands: the last gate it came to.
        self.place = ""
        self._main = main
        self._on_end = on_end
        self._frozen_until_ns = 0
        self._awaited = 0
        self._greenlet = greenlet(self._live, scheduler.hub)

    def start(self, delay_ns: int = 0) -> None:
        """Begin to run a while from now."""
        self._resume_in(delay_ns)

    def gate(self, what: str) -> None:
        """Come to an effect: here, and only here, others may run, and this process may die or freeze."""
        self._stop_if_dead()
        self.place = what
        self.scheduler.trace.note(self.scheduler.now_ns, self.name, what)
        self._resume_in(self.scheduler.step_ns())
        self._yield()

    def let_pass(self, delay_ns: int) -> None:
        """Let virtual time pass."""
        self._stop_if_dead()
        self._resume_in(delay_ns)
        self._yield()

    def wait(self, promise: Promise[_T], timeout_ns: int) -> bool:
        """Wait until a promise is kept, or for as long as the timeout; whether it was kept."""
        self._stop_if_dead()
        if not promise.kept:
            token = self._resume_in(timeout_ns)
            promise.when_kept(lambda: self.scheduler.after(0, lambda: self._wake(token)))
            self._yield()
        return promise.kept

    def kill(self) -> None:
        """Let it end where it stands: open transactions roll back, nothing else happens."""
        if self.dead:
            return
        self.dead = True
        self._awaited += 1
        self.scheduler.trace.note(self.scheduler.now_ns, self.name, f"KILLED at {self.place or 'its start'}")
        if self._greenlet:
            self._greenlet.throw(Killed)
        self._on_end()

    def freeze(self, duration_ns: int) -> None:
        """Stop it for a while, as a paused node does; it goes on as if nothing had happened."""
        self._frozen_until_ns = self.scheduler.now_ns + duration_ns
        self.scheduler.trace.note(
            self.scheduler.now_ns, self.name, f"FROZEN for {duration_ns / NS:.1f} s at {self.place}"
        )

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still by somebody else's will."""
        return self.scheduler.now_ns < self._frozen_until_ns

    def _live(self) -> None:
        try:
            self._main(self)
        except Killed:
            return
        except Exception as error:  # noqa: BLE001 - what ends a process is judged by whoever looks at it
            self.failure = error

    def _resume_in(self, delay_ns: int) -> int:
        self._awaited += 1
        token = self._awaited
        self.scheduler.after(delay_ns, lambda: self._wake(token))
        return token

    def _wake(self, token: int) -> None:
        """Go on, unless that was long ago or the process is dead; a frozen one goes on when it thaws."""
        if self.dead or token != self._awaited:
            return
        if self.is_frozen:
            self.scheduler.at(self._frozen_until_ns, lambda: self._wake(token))
            return
        self._awaited += 1
        self._greenlet.switch()
        if self._greenlet.dead and not self.dead:
            self.dead = True
            self.scheduler.trace.note(self.scheduler.now_ns, self.name, f"ended{_why(self.failure)}")
            self._on_end()

    def _yield(self) -> None:
        self.scheduler.leave()
        self._stop_if_dead()

    def _stop_if_dead(self) -> None:
        if self.dead:
            raise Killed


def _why(failure: BaseException | None) -> str:
    """Name a failure without its text, which may hold a path of this machine."""
    return "" if failure is None else f" by {type(failure).__name__}"
