"""Clocks of shells: the machine's, and a desk's own time between two snapshots."""

import time
from collections.abc import Callable


def wall_ns() -> int:
    """UTC nanoseconds since the epoch."""
    return time.time_ns()


class PacedClock:
    """Desk time of a market that is played at ``speed`` times real time.

    It stands at the newest snapshot's time plus what has passed since that snapshot came, and never
    goes back. A market that waits while the desk is off waits here too: a start begins anew.
    """

    def __init__(self, speed: float, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._speed = speed
        self._monotonic_ns = monotonic_ns
        self._snapshot_ns: int | None = None
        self._came_ns = 0
        self._newest_ns = 0

    def desk_ns(self, at_ns: int) -> int:
        """Return the desk's time now, for work on the snapshot of ``at_ns``."""
        now_ns = self._monotonic_ns()
        if self._snapshot_ns is None or at_ns > self._snapshot_ns:
            self._snapshot_ns, self._came_ns = at_ns, now_ns
        passed_ns = int((now_ns - self._came_ns) * self._speed)
        self._newest_ns = max(self._newest_ns, at_ns, self._snapshot_ns + passed_ns)
        return self._newest_ns

    def wall_ns(self) -> int:
        """UTC nanoseconds of the machine."""
        return wall_ns()


class LiveClock:
    """Desk time of a market that waits for nobody: the machine's, whatever the newest snapshot says."""

    def __init__(self, clock_ns: Callable[[], int] = wall_ns) -> None:
        self._clock_ns = clock_ns
        self._newest_ns = 0

    def desk_ns(self, at_ns: int) -> int:
        """Return the machine's time, never before ``at_ns`` and never going back."""
        self._newest_ns = max(self._newest_ns, at_ns, self._clock_ns())
        return self._newest_ns

    def wall_ns(self) -> int:
        """UTC nanoseconds of the machine."""
        return self._clock_ns()
