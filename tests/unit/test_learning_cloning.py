"""Cloning learns what was shown, forgets what does not count, and stops before it learns by heart."""

import numpy as np
import pytest

from tg_actors.domain.blocks import I64
from tg_actors.rl import answer_key
from tg_actors.rl.answer_key import STANDARD
from tg_actors.rl.answer_key_play import actions_to, demonstrated, optimum, policy_of, worth
from tg_actors.rl.cloning import Demonstrations, clone
from tg_actors.rl.episodes import HOLD, VERBS
from tg_actors.rl.market import F32
from tg_actors.rl.plans import CloningPlan
from tg_actors.rl.policy import NumpyPolicy

PLAN = CloningPlan(epochs=25, batch=128)


@pytest.fixture(scope="module")
def shown() -> tuple[F32, I64]:
    best, _ = answer_key.best_policy(STANDARD)
    return demonstrated(STANDARD, best, rows=64, bars=80, seed=3, astray_frac=0.3)


def test_a_clone_of_optimal_play_is_worth_nearly_all_of_it_though_a_third_went_astray(
    shown: tuple[F32, I64],
) -> None:
    cloned = clone(PLAN, Demonstrations(*shown))
    assert worth(STANDARD, policy_of(NumpyPolicy(cloned.arrays))) >= 0.9 * optimum(STANDARD)
    assert cloned.losses[cloned.best_epoch] == min(cloned.losses) < cloned.losses[0]


def test_the_same_plan_gives_the_same_weights(shown: tuple[F32, I64]) -> None:
    few = Demonstrations(shown[0][:500], shown[1][:500])
    one, two = (clone(CloningPlan(epochs=2, hidden=8, seed=seed), few).arrays for seed in (1, 1))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    other = clone(CloningPlan(epochs=2, hidden=8, seed=2), few).arrays
    assert any(one[name].tobytes() != other[name].tobytes() for name in one)


def test_what_counts_nothing_is_not_learned(shown: tuple[F32, I64]) -> None:
    """Two say the opposite of each other in every state; the one that counts is believed."""
    observed = np.repeat(shown[0][:400], 2, axis=0)
    actions = np.tile(np.array([[0, 4], [1, 0]]), (400, 1))
    for believed in (0, 1):
        weights = np.tile([1.0 - believed, float(believed)], 400)
        cloned = clone(CloningPlan(epochs=20, hidden=8), Demonstrations(observed, actions, weights))
        assert (NumpyPolicy(cloned.arrays).act(shown[0][:50]) == actions[believed]).all()


def test_the_size_of_a_hold_teaches_nothing(shown: tuple[F32, I64]) -> None:
    observed = shown[0][:400]
    one, two = (
        clone(
            CloningPlan(epochs=2, hidden=8), Demonstrations(observed, np.tile([HOLD, size], (400, 1)))
        ).arrays
        for size in (0, 4)
    )
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


@pytest.mark.parametrize("soften", [0.1, 0.4])
def test_softened_targets_leave_a_clone_exploring(soften: float) -> None:
    """A verb that was always shown is chosen as often as its softened target says."""
    observed = np.random.default_rng(1).standard_normal((600, 4)).astype(np.float32)
    cloned = clone(
        CloningPlan(epochs=40, batch=64, learning_rate=1e-2, hidden=8, soften=soften, patience=40),
        Demonstrations(observed, np.tile([0, 2], (600, 1))),
    )
    logits = NumpyPolicy(cloned.arrays).logits(observed)[:, :VERBS]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances[:, 0].mean(), 1.0 - soften * (VERBS - 1) / VERBS, atol=0.02)


def test_cloning_ends_when_what_was_held_out_is_done_no_better() -> None:
    rng = np.random.default_rng(1)
    noise = Demonstrations(
        rng.standard_normal((300, 6)).astype(np.float32),
        np.column_stack((rng.integers(0, 3, 300), rng.integers(0, 5, 300))),
    )
    cloned = clone(CloningPlan(epochs=200, patience=3, soften=0.0), noise)
    assert len(cloned.losses) == cloned.best_epoch + 4 < 200
    assert cloned.losses[-1] > cloned.losses[cloned.best_epoch]


def test_demonstrations_that_make_no_sense_are_refused() -> None:
    seen, done = np.zeros((4, 2), dtype=np.float32), np.zeros((4, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="one action"):
        Demonstrations(seen, done[:3])
    with pytest.raises(ValueError, match="not a number"):
        Demonstrations(np.full((4, 2), np.nan, dtype=np.float32), done)
    with pytest.raises(ValueError, match="not negative"):
        Demonstrations(seen, done, np.array([1.0, 1.0, 1.0, -1.0]))
    with pytest.raises(ValueError, match="too few"):
        clone(CloningPlan(), Demonstrations(seen, done, np.array([1.0, 0.0, 0.0, 0.0])))


def test_actions_reach_the_exposures_wanted_as_far_as_one_goes() -> None:
    acts = actions_to(np.array([5, 5, 5, 0, 10]), np.array([5, 8, 0, 10, 9]))
    assert acts.tolist() == [[2, 0], [0, 2], [1, 4], [0, 4], [1, 0]]
