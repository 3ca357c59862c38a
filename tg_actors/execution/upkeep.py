"""What is done between two cycles, and how often. A table; time comes from outside."""

from collections.abc import Callable
from dataclasses import dataclass

_NS = 1_000_000_000

#: Does one piece of work at a desk time; returns alerts.
Work = Callable[[int], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Chore:
    """One piece of work and how often it is due, in the machine's time."""

    name: str
    every_s: int
    work: Work


class Upkeep:
    """Does what is due, in the order of its table. Nothing is made up for: late is once."""

    def __init__(self, chores: tuple[Chore, ...]) -> None:
        self._chores = chores
        self._due_ns: dict[str, int] = {}

    def tend(self, at_ns: int, wall_ns: int) -> tuple[str, ...]:
        """Do all that is due and return its alerts; at the first call everything is."""
        alerts: tuple[str, ...] = ()
        for chore in self._chores:
            if wall_ns >= self._due_ns.get(chore.name, wall_ns):
                self._due_ns[chore.name] = wall_ns + chore.every_s * _NS
                alerts += chore.work(at_ns)
        return alerts
