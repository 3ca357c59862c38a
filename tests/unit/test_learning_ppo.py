"""Training is reproducible to the last bit: by seed, over processes, and over a crash in the middle."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.learning_words import SMALL, batch, small
from tg_actors.domain.errors import UserError
from tg_actors.rl import ppo
from tg_actors.rl.plans import TrainingPlan, TrainingProgress
from tg_actors.rl.policy import NumpyPolicy

CHILD = """
import sys
from tests.learning_words import crashing, small
from pathlib import Path
from tg_actors.rl import ppo
plan, die_after = small(), int(sys.argv[1])
checkpoint = None if sys.argv[2] == "-" else Path(sys.argv[2])
print(ppo.train(plan, crashing(plan, die_after), checkpoint=checkpoint).sha256)
"""


def child(die_after: int, checkpoint: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(die_after), checkpoint]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def whole() -> ppo.Trained:
    return ppo.train(SMALL, batch(SMALL))


def test_the_same_seed_gives_the_same_weights_and_another_one_others(whole: ppo.Trained) -> None:
    again = ppo.train(SMALL, batch(SMALL))
    assert again.sha256 == whole.sha256
    assert again.curve == whole.curve
    assert ppo.train(small(seed=2), batch(SMALL)).sha256 != whole.sha256


def test_another_process_that_is_killed_and_goes_on_ends_with_the_very_same_weights(
    whole: ppo.Trained, tmp_path: Path
) -> None:
    """The child dies by ``os._exit`` in its third chunk; what it left behind is all there is."""
    checkpoint = tmp_path / "trial.npz"
    dead = child(die_after=5 * SMALL.n_steps, checkpoint=str(checkpoint))
    assert dead.returncode == 9
    assert checkpoint.exists()
    told: list[TrainingProgress] = []
    resumed = ppo.train(SMALL, batch(SMALL), checkpoint=checkpoint, on_progress=told.append)
    assert resumed.sha256 == whole.sha256
    assert resumed.curve == whole.curve
    assert [progress.steps for progress in told] == [p.steps for p in whole.curve[4:]]
    assert child(die_after=-1, checkpoint="-").stdout.strip() == whole.sha256


def test_a_finished_checkpoint_trains_no_further(whole: ppo.Trained, tmp_path: Path) -> None:
    checkpoint = tmp_path / "trial.npz"
    told: list[TrainingProgress] = []
    ppo.train(SMALL, batch(SMALL), checkpoint=checkpoint)
    again = ppo.train(SMALL, batch(SMALL), checkpoint=checkpoint, on_progress=told.append)
    assert again.sha256 == whole.sha256
    assert not told
    assert [path.name for path in tmp_path.iterdir()] == ["trial.npz"]


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "trial.npz"
    ppo.train(SMALL, batch(SMALL), checkpoint=checkpoint)
    with pytest.raises(UserError, match="of another plan"):
        ppo.train(small(seed=2), batch(SMALL), checkpoint=checkpoint)
    torn = checkpoint.read_bytes()
    for damaged in (torn[: len(torn) // 2], b"", b"weights"):
        checkpoint.write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be read"):
            ppo.train(SMALL, batch(SMALL), checkpoint=checkpoint)


def test_the_callers_random_numbers_are_left_alone() -> None:
    import torch

    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the old global state is what must not move
    before = torch.random.get_rng_state(), np.random.get_state()[1].tobytes()  # type: ignore[index]  # noqa: NPY002 - the legacy state is what is checked
    ppo.train(small(steps=SMALL.rollout_steps), batch(SMALL))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]  # type: ignore[index]  # noqa: NPY002 - the legacy state is what is checked


def test_progress_tells_where_it_stands(whole: ppo.Trained) -> None:
    assert [told.steps for told in whole.curve] == [SMALL.rollout_steps * k for k in range(1, 9)]
    assert whole.steps == whole.curve[-1].steps_total == whole.best_steps
    assert all(0.0 < told.entropy <= np.log(15) + 1e-6 for told in whole.curve)
    assert all(told.fps is None and told.value is None for told in whole.curve)
    ticks = iter(range(0, 10**12, 10**9))
    plan = small(steps=SMALL.rollout_steps)
    timed = ppo.train(plan, batch(SMALL), clock_ns=lambda: next(ticks))
    assert [told.fps for told in timed.curve] == [SMALL.rollout_steps]


def test_training_ends_early_and_keeps_the_best_weights() -> None:
    """Values rise twice, then no more: three evaluations without a better one end it."""
    values = iter((0.1, 0.5, 0.4, 0.5, 0.3, 9.0))
    seen: list[bytes] = []

    def evaluate(policy: NumpyPolicy) -> float:
        seen.append(policy.arrays["choice.weight"].tobytes())
        return next(values)

    plan = small(steps=64 * SMALL.rollout_steps, patience_chunks=3)
    trained = ppo.train(plan, batch(plan), evaluate=evaluate)
    assert trained.is_stopped_early
    assert (trained.value, len(seen)) == (0.5, 5)
    assert trained.arrays["choice.weight"].tobytes() == seen[1]
    assert trained.best_steps == 2 * plan.chunk_rollouts * plan.rollout_steps < trained.steps


def test_a_policy_to_start_from_stays_while_its_critic_warms_up_and_the_anchor_holds_it() -> None:
    start = ppo.train(small(seed=9, steps=4 * SMALL.rollout_steps), batch(SMALL))
    warming = small(steps=2 * SMALL.rollout_steps, critic_rollouts=2)
    only_critic = ppo.train(warming, batch(SMALL), start_from=start.arrays)
    assert only_critic.sha256 == start.sha256
    assert ppo.train(warming, batch(SMALL), start_from=start.weights).sha256 != start.sha256

    def moved(anchor: float) -> float:
        plan = small(anchor=anchor, anchor_until_frac=1.0, entropy=0.1, entropy_floor=0.1)
        trained = ppo.train(plan, batch(plan), start_from=start.weights)
        return float(np.abs(trained.arrays["choice.weight"] - start.arrays["choice.weight"]).mean())

    assert moved(10.0) < 0.7 * moved(0.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="the batch has"):
        ppo.train(TrainingPlan(), batch(SMALL))
    start = dict(ppo.train(small(steps=1), batch(SMALL)).arrays)
    start["hidden_0.weight"] = start["hidden_0.weight"][:, :-1]
    with pytest.raises(ValueError, match=r"hidden_0\.weight"):
        ppo.train(SMALL, batch(SMALL), start_from=start)
    with pytest.raises(ValueError, match="no multiple"):
        TrainingPlan(batch=1_000)
    with pytest.raises(ValueError, match="fall"):
        TrainingPlan(entropy=0.0, entropy_floor=0.1)
