"""Ray shell of training: one process, one torch thread, one trial at a time. Decides nothing."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import ray

from tg_actors.rl.classroom import (
    Classroom,
    Finished,
    checkpoint_of,
    load_finished,
    save_finished,
)
from tg_actors.rl.plans import TrainingProgress
from tg_actors.rl.schooling import learn
from tg_actors.rl.trials import Trial
from tg_actors.runtime.actors import Watchdog


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial, and where the room that all trials share has been put."""

    trial: Trial
    room: "ray.ObjectRef[Classroom]"


class TrainerActor:
    """Mailbox around :func:`~tg_actors.rl.schooling.learn`; its memory is the folder of the training.

    A trial writes a checkpoint after every chunk and its end into the folder: a new process that is given
    the same trial goes on from there, and answers at once where the end is there already.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = Path(folder), name
        self._news: deque[TrainingProgress] = deque(maxlen=1_000)
        Watchdog()

    @ray.method
    def learn(self, asked: Assignment) -> Finished:
        """Train a trial, from its checkpoint where there is one; a repeated call is harmless."""
        trial = asked.trial
        found = load_finished(self._folder, trial)
        if found is not None:
            return found[0]
        trunk = None if trial.trunk is None else load_finished(self._folder, trial.trunk)
        learned = learn(
            trial,
            ray.get(asked.room),
            None if trunk is None else trunk[1],
            checkpoint=checkpoint_of(self._folder, trial),
            on_progress=self._news.append,
            clock_ns=time.monotonic_ns,
        )
        save_finished(self._folder, learned.finished, learned.arrays)
        return learned.finished

    @ray.method
    def news(self, most: int) -> list[TrainingProgress]:
        """Take what has been told since the last call, the oldest first; it is answered while one trains."""
        return [self._news.popleft() for _ in range(min(most, len(self._news)))]

    def __repr__(self) -> str:
        return f"TrainerActor:{self._name}"
