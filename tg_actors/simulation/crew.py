"""Several operating-system processes playing seeds; outcomes come back in the order of the seeds."""

import functools
import itertools
import multiprocessing
import os
import signal
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tg_actors.simulation.arena import Arena
from tg_actors.simulation.run import Outcome

#: Seeds that travel together: enough to be worth the way, few enough to stop soon.
_TOGETHER = 4
#: Parts that are handed out per process before the first comes back.
_AHEAD = 3


def played(seeds: Sequence[int], guard: str | None, workers: int, room: Path | None) -> Iterator[Outcome]:
    """Play seeds in some processes; ends them when the caller stops looking.

    Args:
        seeds: what to play.
        guard: which guard is switched off, None for none.
        workers: processes; with one everything happens in this process.
        room: folder in which each makes a folder of its own, None for the system's.
    """
    with tempfile.TemporaryDirectory(dir=room, prefix="tg-simulate-") as folder:
        if workers == 1 or len(seeds) <= _TOGETHER:
            yield from Arena(Path(folder)).play(seeds, guard)
        else:
            yield from _shared_out(seeds, guard, workers, folder)


def _shared_out(seeds: Sequence[int], guard: str | None, workers: int, folder: str) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    parts = (seeds[k : k + _TOGETHER] for k in range(0, len(seeds), _TOGETHER))
    waiting: deque[Future[list[Outcome]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts) as pool:
        try:
            for part in itertools.islice(parts, _AHEAD * workers):
                waiting.append(pool.submit(_play_some, part, guard, folder))
            while waiting:
                yield from waiting.popleft().result()
                for part in itertools.islice(parts, 1):
                    waiting.append(pool.submit(_play_some, part, guard, folder))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _play_some(seeds: Sequence[int], guard: str | None, folder: str) -> list[Outcome]:
    return list(_arena(folder).play(seeds, guard))


@functools.cache
def _arena(folder: str) -> Arena:
    """The one arena of this process."""
    mine = Path(folder) / str(os.getpid())
    mine.mkdir()
    return Arena(mine)


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that has a terminal; it tells the others to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
