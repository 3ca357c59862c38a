"""What the coordinator knows about its actors: deaths, remedies, latencies. Pure."""

from collections import deque
from collections.abc import Callable

from tg_actors.desk.supervision import Remedy, Supervisor
from tg_actors.domain.message import Message

_LATENCIES_KEPT = 1_000
#: Failed calls to one dead process come in bursts. A process that is still not there after this long
#: has died again: a restart takes 2 to 6 seconds.
_SAME_DEATH_NS = 10_000_000_000


class ActorDied(Message):
    """The process of an actor is gone; Ray starts another, supervision says what follows."""

    actor: str
    deaths: int
    remedy: str


class ActorRestarted(Message):
    """An actor that had died answers again."""

    actor: str


class Wards:
    """The supervised actors. Counts a death once, however many calls fail on it."""

    def __init__(self, supervisor: Supervisor, names: tuple[str, ...], clock_ns: Callable[[], int]) -> None:
        self._supervisor = supervisor
        self._clock_ns = clock_ns
        self._down_ns: dict[str, int] = {}
        self.deaths = dict.fromkeys(names, 0)
        self.health = dict.fromkeys(names, "up")
        self._cycle_ms: deque[float] = deque(maxlen=_LATENCIES_KEPT)

    def failed(self, name: str) -> ActorDied | None:
        """Take note of a failed call; returns the death when this call is the first to see it."""
        now = self._clock_ns()
        is_same = now - self._down_ns.get(name, -_SAME_DEATH_NS) < _SAME_DEATH_NS
        if self.health[name] == "given up" or (is_same and self.health[name] == "down"):
            return None
        self._down_ns[name] = now
        self.deaths[name] += 1
        remedy = self._supervisor.on_death(name, now)
        self.health[name] = "given up" if remedy is Remedy.GIVE_UP else "down"
        return ActorDied(actor=name, deaths=self.deaths[name], remedy=remedy.value)

    def answered(self, name: str) -> bool:
        """Take note of an answer; returns whether the actor was down before."""
        was_down = self.health[name] == "down"
        if was_down:
            self.health[name] = "up"
        return was_down

    def late(self, name: str) -> None:
        """Take note that an actor owes an answer."""
        if self.health[name] == "up":
            self.health[name] = "late"

    def in_time(self, name: str) -> None:
        """Take note that an actor is in time again."""
        if self.health[name] == "late":
            self.health[name] = "up"

    def pardon(self, name: str) -> None:
        """A person restarts the actor."""
        self._supervisor.pardon(name)
        self.health[name] = "up"

    def cycle_took(self, seconds: float) -> None:
        """Remember the latency of a cycle."""
        self._cycle_ms.append(seconds * 1e3)

    def cycle_ms(self, quantile: float) -> float:
        """Latency quantile of the newest cycles in milliseconds, 0 before the first."""
        ordered = sorted(self._cycle_ms)
        return round(ordered[min(int(len(ordered) * quantile), len(ordered) - 1)], 2) if ordered else 0.0
