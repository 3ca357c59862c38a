"""Trials end to end on a market whose regimes mean opposite things: what is learned, and again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training_words import quick_room, regime_market, small_room
from tg_actors.domain.errors import UserError
from tg_actors.rl.classroom import (
    Classroom,
    checkpoint_of,
    load_finished,
    save_finished,
)
from tg_actors.rl.demonstrations import Teacher, demonstrate
from tg_actors.rl.evaluation import disagreement, fixed_states, play
from tg_actors.rl.market import F32
from tg_actors.rl.plans import TrainingProgress
from tg_actors.rl.policy import ARRAYS, NumpyPolicy
from tg_actors.rl.schooling import Learned, home_value, learn
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS, specialist
from tg_actors.rl.trials import Trial


def policy_of(arrays: dict[str, F32]) -> NumpyPolicy:
    return NumpyPolicy({name: arrays[name] for name in ARRAYS})


def taught(room: Classroom, name: str, trunk: Learned | None = None, **more: object) -> Learned:
    trial = Trial(specialist=name, seed=1, fold=0)
    return learn(trial, room, None if trunk is None else trunk.arrays, **more)  # type: ignore[arg-type]  # options


def test_four_specialists_are_distinct_and_better_at_home_than_their_trunk() -> None:
    room = small_room(regime_market(1, bars=4_000))
    trunk = taught(room, GENERALIST)
    learned = {name: taught(room, name, trunk) for name in SPECIALISTS if name != GENERALIST}
    minds = {name: policy_of(one.arrays) for name, one in learned.items()}
    judged = room.judged_on(0)
    apart = disagreement(minds, fixed_states(judged, 2_000, seed=0))
    assert min(apart.values()) >= 0.2
    for name, mind in minds.items():
        one = specialist(name)
        mine, its = (home_value(who, one, judged, room) for who in (mind, policy_of(trunk.arrays)))
        assert mine >= max(1.05 * its, 0.0), name
    held = play(minds["conservative"], judged, room.rules, "conservative").exposure
    assert held.max() <= 0.4


def test_a_trial_is_the_same_again_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    room = replace(quick_room(), ease=(0.5,))
    trial = Trial(specialist=GENERALIST, seed=1, fold=0)
    whole = learn(trial, room, None)
    told: list[TrainingProgress] = []

    class StoppedError(Exception):
        """Somebody pressed Ctrl-C."""

    def stop_in_the_last_part(news: TrainingProgress) -> None:
        told.append(news)
        if len(told) == 7:
            raise StoppedError

    checkpoint = checkpoint_of(tmp_path, trial)
    with pytest.raises(StoppedError):
        learn(trial, room, None, checkpoint=checkpoint, on_progress=stop_in_the_last_part)
    assert checkpoint.exists()
    rest: list[TrainingProgress] = []
    again = learn(trial, room, None, checkpoint=checkpoint, on_progress=rest.append)
    assert again.finished == whole.finished
    assert len(rest) < len(told)
    assert all(np.array_equal(again.arrays[name], whole.arrays[name]) for name in whole.arrays)
    save_finished(tmp_path, again.finished, again.arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["generalist-seed1-fold0.npz"]


def test_the_end_of_a_trial_is_kept_whole_and_a_torn_one_is_refused(tmp_path: Path) -> None:
    trial = Trial(specialist=GENERALIST, seed=1, fold=0)
    assert load_finished(tmp_path, trial) is None
    learned = learn(trial, quick_room(), None)
    save_finished(tmp_path, learned.finished, learned.arrays)
    found = load_finished(tmp_path, trial)
    assert found is not None
    assert found[0] == learned.finished
    assert all(np.array_equal(found[1][name], learned.arrays[name]) for name in learned.arrays)
    path = tmp_path / f"{trial.key}.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="cannot be read: remove it"):
        load_finished(tmp_path, trial)


def test_who_clones_begins_from_its_teachers_and_who_does_not_from_the_trunk() -> None:
    room = quick_room()
    market = room.learned_on(0)
    held = Teacher("hold", np.ones(market.close.shape), np.ones(market.close.shape))
    shown = demonstrate(market, room.rules, held, reward="contrarian", samples=4_000, seed=1)
    lazy = room.plan.model_copy(update={"learning_rate": 1e-9, "learning_rate_end": 1e-9})
    cloning = room.cloning.model_copy(update={"epochs": 20, "soften": 0.0})
    room = replace(room, shown={(0, "contrarian"): shown}, plan=lazy, cloning=cloning)
    trunk = taught(room, GENERALIST)
    copied = play(policy_of(taught(room, "contrarian", trunk).arrays), market, room.rules)
    assert copied.exposure.mean() > 0.9
    tuned = taught(room, "balanced", trunk)
    assert all(np.allclose(tuned.arrays[name], trunk.arrays[name], atol=1e-5) for name in ARRAYS)
