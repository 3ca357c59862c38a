"""What a trainer needs to train any trial of a training, and what it leaves behind. No learning library."""

import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.demonstrations import Shown
from tg_actors.rl.market import F32, LearningMarket, usual_moves
from tg_actors.rl.plans import CloningPlan, TrainingPlan, TrainingProgress
from tg_actors.rl.specialists import Specialist
from tg_actors.rl.trials import Trial

_TOLD = "told"


class Fold(Message):
    """Bars, counted from 0, ends exclusive: learn before ``train_end``, choose, then be judged.

    What lies between the parts is left out, so that nothing learned is known from what follows.
    """

    train_end: int = Field(gt=0)
    choose_first: int
    choose_end: int
    judge_first: int
    judge_end: int


@dataclass(frozen=True, slots=True, eq=False)
class Classroom:
    """Everything that all trials share; ``shown`` holds demonstrations by fold and specialist.

    ``plan`` is the generalist's; ``part_frac`` of its steps are a specialist's. Before it meets the market's
    costs the generalist trains at each of the parts ``ease`` of them, each for as many steps: at full costs
    it learns to stand still before it has seen what could be earned.
    """

    market: LearningMarket
    rules: EpisodeRules
    folds: tuple[Fold, ...]
    plan: TrainingPlan
    cloning: CloningPlan
    shown: Mapping[tuple[int, str], Shown]
    part_frac: float = 0.5
    ease: tuple[float, ...] = ()

    def eased(self, part: float) -> "Classroom":
        """Return the room where a fill costs a part of what it does here."""
        market = replace(self.market, worse=self.market.worse * part)
        rules = replace(self.rules, fee_frac=self.rules.fee_frac * part)
        return replace(self, market=market, rules=rules, ease=())

    def learned_on(self, fold: int) -> LearningMarket:
        """Return the bars to learn on, their usual moves taken from nothing else."""
        part = self.market.slice(0, self.folds[fold].train_end)
        return replace(part, move_frac=usual_moves(part.close[part.first :]))

    def chosen_on(self, fold: int) -> LearningMarket:
        """Return the bars on which weights and seeds are chosen, in the moves of those before."""
        one = self.folds[fold]
        part = self.market.slice(one.choose_first, one.choose_end)
        return replace(part, move_frac=self.learned_on(fold).move_frac)

    def judged_on(self, fold: int) -> LearningMarket:
        """Return the bars that nothing was learned from or chosen on."""
        one = self.folds[fold]
        part = self.market.slice(one.judge_first, one.judge_end)
        return replace(part, move_frac=self.learned_on(fold).move_frac)

    def plan_of(self, trial: Trial, one: Specialist) -> TrainingPlan:
        """Return the plan of a trial: its seed, the discount of its reward, its steps."""
        steps = self.plan.steps if trial.trunk is None else max(round(self.plan.steps * self.part_frac), 1)
        update = {"seed": trial.seed, "gamma": one.gamma, "steps": steps}
        return self.plan.model_copy(update=update)


class Finished(Message):
    """A trial that has ended. ``value`` is what it was worth where weights are chosen, more is better."""

    trial: Trial
    value: float
    steps: int
    best_steps: int
    sha256: str
    is_stopped_early: bool
    curve: tuple[TrainingProgress, ...] = ()


def checkpoint_of(folder: Path, trial: Trial) -> Path:
    """Where a trial that runs writes how far it is."""
    return folder / f"{trial.key}.checkpoint"


def save_finished(folder: Path, finished: Finished, arrays: Mapping[str, F32]) -> None:
    """Keep the end of a trial, policy and critic, whole or not there; its checkpoints are forgotten."""
    file = io.BytesIO()
    kept: dict[str, Any] = {_TOLD: np.frombuffer(finished.model_dump_json().encode(), dtype=np.uint8)}
    np.savez(file, **kept | dict(arrays))
    path = _path(folder, finished.trial)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with beside.open("wb") as new:
        new.write(file.getvalue())
        new.flush()
        os.fsync(new.fileno())
    beside.replace(path)
    for left in folder.glob(f"{checkpoint_of(folder, finished.trial).stem}.*"):
        if left != path:
            left.unlink(missing_ok=True)


def load_finished(folder: Path, trial: Trial) -> tuple[Finished, dict[str, F32]] | None:
    """Read the end of a trial, None where it has none yet.

    Raises:
        UserError: the file is damaged.
    """
    path = _path(folder, trial)
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        finished = Finished.model_validate_json(arrays.pop(_TOLD).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ValidationError) as error:
        raise UserError(f"the trained trial {path} cannot be read: remove it to train it again") from error
    return finished, arrays


def _path(folder: Path, trial: Trial) -> Path:
    return folder / f"{trial.key}.npz"
