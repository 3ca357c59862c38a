"""What leaves the learner answers as the learner does."""

import numpy as np
import pytest
from stable_baselines3.common.policies import ActorCriticPolicy

from tests.learning_words import SMALL, batch, small
from tg_actors.rl.environment import BatchVecEnv
from tg_actors.rl.export import CRITIC_ARRAYS, arrays_of, critic_of, load
from tg_actors.rl.learner import Learner
from tg_actors.rl.plans import TrainingPlan
from tg_actors.rl.policy import ARRAYS, NumpyPolicy


def learner(plan: TrainingPlan) -> Learner:
    played = Learner(plan, BatchVecEnv(batch(plan)))
    played.begin((1, 2, 3))
    played.rollout(0.0)
    return played


def test_ten_thousand_observations_are_answered_as_by_the_learner() -> None:
    played = learner(small(hidden=64))
    exported = NumpyPolicy(arrays_of(played.policy))
    observed = np.random.default_rng(1).standard_normal((10_000, exported.features)).astype(np.float32)
    theirs, _ = played.predict(observed, deterministic=True)
    assert (exported.act(observed) == theirs).all()
    assert len(np.unique(theirs, axis=0)) > 3


def test_what_is_loaded_is_what_was_exported() -> None:
    played, other = learner(SMALL), learner(small(seed=5))
    load(other.policy, {**arrays_of(played.policy), **critic_of(played.policy)})
    for name, array in arrays_of(other.policy).items():
        np.testing.assert_array_equal(array, arrays_of(played.policy)[name])
    observed = np.random.default_rng(2).standard_normal((50, 10)).astype(np.float32)
    tensor = other.policy.obs_to_tensor(observed)[0]
    assert (other.policy.predict_values(tensor) == played.policy.predict_values(tensor)).all()
    assert set(arrays_of(played.policy)) == set(ARRAYS)
    assert set(critic_of(played.policy)) == set(CRITIC_ARRAYS)


def test_exported_arrays_are_copies() -> None:
    played = learner(SMALL)
    arrays = arrays_of(played.policy)
    before = arrays["choice.bias"].copy()
    played.rollout(0.5)
    np.testing.assert_array_equal(arrays["choice.bias"], before)
    assert not np.array_equal(arrays_of(played.policy)["choice.bias"], before)


def test_other_networks_are_refused() -> None:
    env = BatchVecEnv(batch(SMALL))
    deep = ActorCriticPolicy(env.observation_space, env.action_space, lambda _: 1e-3, net_arch=[8, 8, 8])
    with pytest.raises(ValueError, match="2 hidden layers"):
        arrays_of(deep)
    arrays = arrays_of(learner(SMALL).policy)
    with pytest.raises(ValueError, match=r"choice\.bias is missing"):
        load(learner(SMALL).policy, {name: arrays[name] for name in ARRAYS if name != "choice.bias"})
