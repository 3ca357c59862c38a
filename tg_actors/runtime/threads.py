"""One call at a time, work on a timer: what a shell with threads needs, and nothing is swallowed."""

import os
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager


class OneAtATime:
    """A lock whose holder ends this process when it fails; a clean process recovers.

    A fenced or journal-less actor must not answer, and after a bug its memory may hold what was never
    committed. No waiting call gets in between.
    """

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        self._lock = threading.Lock()
        self._end = end

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            traceback.print_exception(error)
            self._end(1)
        self._lock.release()


class Ticker:
    """Calls ``work`` every so many seconds on a thread of its own, inside ``turn``, until stopped."""

    def __init__(
        self, name: str, every_s: float, turn: AbstractContextManager[None], work: Callable[[], object]
    ) -> None:
        self._every_s = every_s
        self._turn = turn
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after the work it is doing."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            with self._turn:
                self._work()
