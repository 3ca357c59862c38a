"""Which training runs next, on whom, and what happens when a trainer dies: events in, orders out. Pure.

A trial is one specialist with one seed on one fold. A specialist begins where the generalist of the same seed
and fold ended, so it waits for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS

#: Deaths of its trainer after which a trial is given up: it is the trial that kills.
DEATHS_MAX = 3


class Trial(Message):
    """One training: a specialist, a seed, a fold counted from 0."""

    specialist: str
    seed: int = Field(ge=0)
    fold: int = Field(ge=0)

    @property
    def key(self) -> str:
        """``aggressive-seed2-fold0``: its name in folders and on screens."""
        return f"{self.specialist}-seed{self.seed}-fold{self.fold}"

    @property
    def trunk(self) -> "Trial | None":
        """The trial whose end is this one's beginning."""
        if self.specialist == GENERALIST:
            return None
        return Trial(specialist=GENERALIST, seed=self.seed, fold=self.fold)


class Step(StrEnum):
    """Where a trial stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """This trainer shall train this trial now."""

    worker: str
    trial: Trial


def trials_of(names: Iterable[str], seeds: Sequence[int], folds: int) -> tuple[Trial, ...]:
    """Return the trials of some specialists and of the generalists that they need, trunks first."""
    wanted = {*names, GENERALIST}
    return tuple(
        Trial(specialist=name, seed=seed, fold=fold)
        for name in SPECIALISTS
        if name in wanted
        for fold in reversed(range(folds))
        for seed in seeds
    )


class Schedule:
    """The state of all trials of a training.

    WAITING -> RUNNING -> DONE, or FAILED; RUNNING -> WAITING when the trainer died and may try again. The
    trials of a failed trunk fail with it. Whoever is told of an event asks :meth:`orders` afterwards.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        workers: Iterable[str],
        done: Iterable[Trial] = (),
        deaths_max: int = DEATHS_MAX,
    ) -> None:
        """Take the trials in the order of their importance; ``done`` are those of an earlier start."""
        self._steps = dict.fromkeys(trials, Step.WAITING)
        for trial in done:
            if trial in self._steps:
                self._steps[trial] = Step.DONE
        self.workers = tuple(workers)
        self._free = list(self.workers)
        self._running: dict[str, Trial] = {}
        self._deaths: dict[Trial, int] = {}
        self._deaths_max = deaths_max
        self.reasons: dict[Trial, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing runs and nothing can run any more."""
        return not self._running and not any(step is Step.WAITING for step in self._steps.values())

    def count(self, step: Step) -> int:
        """How many trials stand there."""
        return sum(one is step for one in self._steps.values())

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return self.count(Step.DONE)

    def step_of(self, trial: Trial) -> Step:
        """Where a trial stands."""
        return self._steps[trial]

    def running(self) -> dict[str, Trial]:
        """Who trains what."""
        return dict(self._running)

    def orders(self) -> list[Order]:
        """Give every free trainer the next trial whose trunk is done; the trials run from here on."""
        given = []
        for trial in [one for one, step in self._steps.items() if step is Step.WAITING]:
            if not self._free:
                break
            if trial.trunk is None or self._steps.get(trial.trunk) is Step.DONE:
                worker = self._free.pop(0)
                self._steps[trial], self._running[worker] = Step.RUNNING, trial
                given.append(Order(worker, trial))
        return given

    def on_done(self, worker: str) -> Trial:
        """A trainer has ended its trial."""
        return self._released(worker, Step.DONE)

    def on_failed(self, worker: str, reason: str) -> Trial:
        """A trial cannot be trained: trying again would end the same way."""
        trial = self._released(worker, Step.FAILED)
        self._fail(trial, reason)
        return trial

    def on_died(self, worker: str) -> Trial:
        """A trainer's process died; its successor goes on, unless this trial has killed too many."""
        trial = self._running[worker]
        self._deaths[trial] = self._deaths.get(trial, 0) + 1
        self._released(worker, Step.WAITING)
        if self._deaths[trial] > self._deaths_max:
            self._fail(trial, f"its trainer died {self._deaths[trial]} times")
        return trial

    def _released(self, worker: str, step: Step) -> Trial:
        trial = self._running.pop(worker)
        self._steps[trial] = step
        self._free.append(worker)
        return trial

    def _fail(self, trial: Trial, reason: str) -> None:
        self._steps[trial], self.reasons[trial] = Step.FAILED, reason
        for other, step in self._steps.items():
            if other.trunk == trial and step is Step.WAITING:
                self._steps[other], self.reasons[other] = Step.FAILED, f"{trial.key} failed"
