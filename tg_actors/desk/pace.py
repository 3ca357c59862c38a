"""When the next cycle is due: at N times real time, as fast as the desk goes, or when a live bar closes."""

import time
from collections.abc import Callable
from threading import Event
from typing import Protocol

_NS = 1_000_000_000
#: While waiting for the next bar, people are obeyed this often.
_LOOK_UP_S = 0.25


class Metronome(Protocol):
    """Says when a cycle may be decided."""

    def wait(self, cycle: int, stop: Event, meanwhile: Callable[[], None]) -> None:
        """Return once the bar of ``cycle`` has closed or ``stop`` is set; calls ``meanwhile`` meanwhile."""
        ...


class LivePace:
    """Waits for the close of a bar by the machine's clock; cycles that were slept through come at once."""

    def __init__(self, start_ns: int, bar_ns: int) -> None:
        self._start_ns = start_ns
        self._bar_ns = bar_ns

    def wait(self, cycle: int, stop: Event, meanwhile: Callable[[], None]) -> None:
        """Return when the bar of ``cycle`` has closed or ``stop`` is set."""
        close_ns = self._start_ns + (cycle + 1) * self._bar_ns
        while (left := (close_ns - time.time_ns()) / _NS) > 0 and not stop.wait(min(left, _LOOK_UP_S)):
            meanwhile()


class Pace:
    """Waits for the next bar; ``speed`` None never waits."""

    def __init__(self, bar_ns: int, speed: float | None) -> None:
        self._period_s = 0.0 if speed is None else bar_ns / _NS / speed
        self._due_s: float | None = None

    def wait(self, cycle: int, stop: Event, meanwhile: Callable[[], None]) -> None:
        """Return when the next bar closes, whichever ``cycle`` it is, or ``stop`` is set.

        A desk that falls behind does not race to catch up: the next bar is due a period after now.
        """
        del cycle  # this market is as far as the desk is
        if not self._period_s:
            return
        now = time.monotonic()
        due = now if self._due_s is None else max(self._due_s, now - self._period_s)
        self._due_s = due + self._period_s
        while (left := due - time.monotonic()) > 0 and not stop.wait(min(left, _LOOK_UP_S)):
            meanwhile()
