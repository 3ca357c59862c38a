"""What will happen by itself: expiries of orders and dead-man timers, in the order they are due."""

import heapq
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What is due; at one instant the lower comes first."""

    EXPIRY = 0
    DEAD_MAN = 1


class Alarm(NamedTuple):
    """One thing that is due. ``number`` is the order's, 0 for an account's timer."""

    at_ns: int
    kind: Kind
    account: str
    number: int = 0


class Alarms:
    """A heap of alarms. Nothing is taken back: whoever is called checks whether it still holds."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []

    def set(self, alarm: Alarm) -> None:
        """Add one."""
        heapq.heappush(self._heap, alarm)

    def first_ns(self) -> int | None:
        """Return when the next one is due."""
        return self._heap[0].at_ns if self._heap else None

    def pop(self) -> Alarm:
        """Take the next one; IndexError when there is none."""
        return heapq.heappop(self._heap)
