"""One trial, from its teachers to its best weights. Loads the learning libraries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tg_actors.rl.classroom import Classroom, Finished
from tg_actors.rl.cloning import Demonstrations, clone
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.evaluation import play
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.plans import TrainingProgress
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.ppo import train
from tg_actors.rl.specialists import Specialist, at_home, specialist, start_weights
from tg_actors.rl.trials import Trial


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a trial ended with: its story, and policy and critic."""

    finished: Finished
    arrays: dict[str, F32]


def learn(
    trial: Trial,
    room: Classroom,
    trunk: Mapping[str, F32] | None,
    *,
    checkpoint: Path | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    clock_ns: Callable[[], int] | None = None,
) -> Learned:
    """Train a trial; ``trunk`` is what its generalist ended with. A checkpoint of it is gone on from.

    Raises:
        ValueError: the market is too short for an episode.
        UserError: the checkpoint is damaged or of another training.
    """
    one, begin = specialist(trial.specialist), _begin(trial, room, trunk)
    told = partial(train, on_progress=on_progress, clock_ns=clock_ns)
    plan = room.plan_of(trial, one)
    for k, part in enumerate(room.ease if trial.trunk is None else ()):
        at = None if checkpoint is None else checkpoint.with_suffix(f".eased{k}")
        begin = told(plan, _batch(trial, room.eased(part), one), start_from=begin, checkpoint=at).weights
    chosen_on = room.chosen_on(trial.fold)
    trained = told(
        plan,
        _batch(trial, room, one),
        start_from=begin,
        checkpoint=checkpoint,
        evaluate=lambda policy: home_value(policy, one, chosen_on, room),
    )
    finished = Finished(
        trial=trial,
        value=0.0 if trained.value is None else trained.value,
        steps=trained.steps,
        best_steps=trained.best_steps,
        sha256=trained.sha256,
        is_stopped_early=trained.is_stopped_early,
        curve=trained.curve,
    )
    return Learned(finished, trained.weights)


def home_value(policy: NumpyPolicy, one: Specialist, market: LearningMarket, room: Classroom) -> float:
    """Return the mean reward a bar of a policy, every bar counted as far as it lies in its home."""
    paid = play(policy, market, room.rules, one.reward).reward
    weights = at_home(one, market)[market.first : market.first + len(paid)]
    return float((paid * weights).sum() / max(float(weights.sum()), 1e-9))


def _batch(trial: Trial, room: Classroom, one: Specialist) -> Episodes:
    market, rows = room.learned_on(trial.fold), room.plan.rows
    starts = start_weights(one, market, room.rules.bars)
    return Episodes(market, room.rules, rows, trial.seed, one.reward, starts)


def _begin(trial: Trial, room: Classroom, trunk: Mapping[str, F32] | None) -> Mapping[str, F32] | None:
    """What training starts from: teachers' habits where it clones, else the trunk."""
    one = specialist(trial.specialist)
    shown = room.shown.get((trial.fold, one.name)) if one.clones else None
    if shown is None:
        return trunk
    plan = room.cloning.model_copy(update={"seed": trial.seed})
    return clone(plan, Demonstrations(shown.observed, shown.actions.astype(np.int64), shown.weights)).arrays
