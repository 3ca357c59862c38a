"""How fast a recorded or simulated market is played: N times real time, or as fast as the desk goes."""

import time
from collections.abc import Callable
from threading import Event

_NS = 1_000_000_000
#: While waiting for the next bar, people are obeyed this often.
_LOOK_UP_S = 0.25


class Pace:
    """Waits for the next bar; ``speed`` None never waits."""

    def __init__(self, bar_ns: int, speed: float | None) -> None:
        self._period_s = 0.0 if speed is None else bar_ns / _NS / speed
        self._due_s: float | None = None

    def wait(self, stop: Event, meanwhile: Callable[[], None]) -> None:
        """Return when the next bar closes or ``stop`` is set; calls ``meanwhile`` now and then.

        A desk that falls behind does not race to catch up: the next bar is due a period after now.
        """
        if not self._period_s:
            return
        now = time.monotonic()
        due = now if self._due_s is None else max(self._due_s, now - self._period_s)
        self._due_s = due + self._period_s
        while (left := due - time.monotonic()) > 0 and not stop.wait(min(left, _LOOK_UP_S)):
            meanwhile()
