"""The search itself, by Optuna; nothing else here knows Optuna. Every trial lies in a SQLite file.

A study is a pure function of its name, its seed and the size of its batches: the sampler is seeded anew for
each batch from the trials that are there, so a search that was stopped goes on as if it had not been.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tg_actors.backtest.tuning_space import Knob

#: Trials before the sampler (TPE, Bergstra et al. 2011) begins to learn from them.
STARTUP_TRIALS = 10


class Studies:
    """The file of all studies. Close it when done.

    With None nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = RDBStorage("sqlite://" if path is None else f"sqlite:///{path}")

    def close(self) -> None:
        """Let go of the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def open(
        self, identity: str, knobs: Sequence[Knob], first: dict[str, float], seed: Sequence[int]
    ) -> "Search":
        """Open the search that ``identity`` describes, wherever it stands; ``first`` is tried first."""
        name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        study = optuna.create_study(
            storage=self._storage, study_name=name, direction="maximize", load_if_exists=True
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)  # its process ended before it was told
        if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            study.enqueue_trial(first, skip_if_exists=True)
        return Search(study, knobs, seed)


class Search:
    """One study: ask for values, tell what they are worth."""

    def __init__(self, study: optuna.Study, knobs: Sequence[Knob], seed: Sequence[int]) -> None:
        self._study = study
        self._ranges = {knob.path: _range(knob) for knob in knobs}
        self._seed = tuple(seed)
        self._asked: list[int] = []

    @property
    def done(self) -> int:
        """Trials that have been told."""
        return len(self._complete())

    def ask(self, count: int) -> list[dict[str, float]]:
        """Return the values of the next ``count`` trials."""
        seed = int(np.random.SeedSequence((*self._seed, self.done)).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
        )
        trials = [self._study.ask(fixed_distributions=self._ranges) for _ in range(count)]
        self._asked = [trial.number for trial in trials]
        return [dict(trial.params) for trial in trials]

    def tell(self, scores: Sequence[float]) -> None:
        """Say what the trials that were asked for last are worth, in their order."""
        for number, score in zip(self._asked, scores, strict=True):
            self._study.tell(number, score)
        self._asked = []

    def best(self) -> tuple[dict[str, float], float]:
        """Return values and worth of the best trial; of equals the first."""
        best = max(self._complete(), key=lambda trial: (trial.value, -trial.number))
        return dict(best.params), float(best.value or 0.0)

    def _complete(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _range(knob: Knob) -> BaseDistribution:
    if knob.is_whole:
        return IntDistribution(int(knob.low), int(knob.high), log=knob.is_log)
    return FloatDistribution(knob.low, knob.high, log=knob.is_log)
