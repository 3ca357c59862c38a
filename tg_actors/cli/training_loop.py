"""Trials of a training, one by one here or by trainers on Ray: asks the schedule, tells what happens."""

import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tg_actors.cli.screen import err
from tg_actors.cli.training import Telling
from tg_actors.domain.errors import UserError
from tg_actors.rl.classroom import Classroom, checkpoint_of, load_finished, save_finished
from tg_actors.rl.trials import Schedule

if TYPE_CHECKING:
    from tg_actors.runtime.actors import Handle

_POLL_S = 0.5
_NEWS_MAX = 200
#: How long Ray may take to start a trainer again.
_BACK_S = 180.0
_STOPPED = "stopped: the same command goes on from there"


def train_inline(
    room: Classroom, folder: Path, schedule: Schedule, told: Telling, stop: Callable[[], bool]
) -> None:
    """Train in this process; it ends between two rollouts when somebody wants to stop.

    Raises:
        UserError: a checkpoint is damaged.
    """
    import time

    from tg_actors.rl.schooling import learn

    while not schedule.is_over:
        for order in schedule.orders():
            trial = order.trial

            def tell(news: Any, trial: Any = trial) -> None:
                told.progressed(trial, [news])
                if stop():
                    err.print(_STOPPED)
                    raise typer.Abort

            trunk = None if trial.trunk is None else load_finished(folder, trial.trunk)
            try:
                learned = learn(
                    trial,
                    room,
                    None if trunk is None else trunk[1],
                    checkpoint=checkpoint_of(folder, trial),
                    on_progress=tell,
                    clock_ns=time.monotonic_ns,
                )
            except (UserError, ValueError) as error:
                schedule.on_failed(order.worker, str(error))
                continue
            save_finished(folder, learned.finished, learned.arrays)
            schedule.on_done(order.worker)
            told.ended(learned.finished)


def train_on_ray(
    room: Classroom, folder: Path, schedule: Schedule, told: Telling, stop: Callable[[], bool]
) -> None:
    """Train by one actor per worker of the schedule; who dies comes back and goes on from its checkpoint.

    Raises:
        UserError: a checkpoint is damaged.
        OutsideError: Ray could not be started.
    """
    from tg_actors.runtime.cluster import ClusterSpec, cluster, ray_version

    ray_version()
    with redirect_stdout(sys.stderr), cluster(ClusterSpec("triplegain-training", dashboard=False), err.print):
        from tg_actors.rl.actor import TrainerActor
        from tg_actors.runtime.actors import put, spawn

        trainers = {
            name: spawn(TrainerActor, f"TrainerActor:{name}", str(folder), name, concurrency=2)
            for name in schedule.workers
        }
        Loop(schedule, trainers, put(room), told).run(stop)


class Loop:
    """Hands out trials and collects what comes back."""

    def __init__(self, schedule: Schedule, trainers: "dict[str, Handle]", room: Any, told: Telling) -> None:
        self._schedule, self._trainers, self._room, self._told = schedule, trainers, room, told
        self._asked: dict[str, Any] = {}

    def run(self, stop: Callable[[], bool]) -> None:
        """Go on until everything is over or somebody wants to stop."""
        from tg_actors.rl.actor import Assignment

        while not self._schedule.is_over:
            for order in self._schedule.orders():
                asked = Assignment(order.trial, self._room)
                self._asked[order.worker] = self._trainers[order.worker].learn.remote(asked)
            self._collect()
            self._hear(self._schedule.running())
            if stop():
                err.print(_STOPPED)
                raise typer.Abort

    def _collect(self) -> None:
        from tg_actors.runtime.actors import DEATHS, gather

        gathered = gather(self._asked, _POLL_S)
        # What they have told last, before the same trainers begin something else.
        self._hear([*gathered.came, *gathered.failed])
        for worker, finished in gathered.came.items():
            del self._asked[worker]
            self._schedule.on_done(worker)
            self._told.ended(finished)
        for worker, failure in gathered.failed.items():
            del self._asked[worker]
            if isinstance(failure, DEATHS):
                self._await(worker)
                self._told.died(self._schedule.on_died(worker))
            else:
                cause = getattr(failure, "cause", failure)
                if not isinstance(cause, UserError | ValueError):
                    raise failure
                self._schedule.on_failed(worker, str(cause))

    def _await(self, worker: str) -> None:
        """Wait until a trainer that died is back: asked before, it would refuse, which is no other death."""
        from tg_actors.runtime.actors import persist

        trainer = self._trainers[worker]
        persist(lambda: trainer.news.remote(_NEWS_MAX), _BACK_S, _nothing, _nothing)

    def _hear(self, workers: Iterable[str]) -> None:
        """Ask some of those who train for news; who cannot answer right now is asked again."""
        from tg_actors.runtime.actors import gather

        running = self._schedule.running()
        asked = {worker: self._trainers[worker].news.remote(_NEWS_MAX) for worker in workers}
        for worker, news in gather(asked, _POLL_S).came.items():
            if news:
                self._told.progressed(running[worker], news)


def _nothing() -> None:
    """Every failed attempt is expected here."""
