"""What learning libraries see of the batch: Gymnasium's check passes, SB3's contract is kept."""

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tests.rl_words import random_actions, walk
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.answer_key import STANDARD
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.environment import BatchVecEnv
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.reference import equity_of
from tg_actors.rl.view import TradingView

RULES = EpisodeRules(bars=60, leverage_max=3.0, shorts=True, liquidation_level=0.4)
MARKET = walk(1, 400)


def test_gymnasium_finds_nothing_wrong() -> None:
    check_env(TradingView(MARKET, RULES), skip_render_check=True)


def test_the_view_is_the_reference() -> None:
    view = TradingView(MARKET, RULES)
    rng = np.random.default_rng(3)
    view.reset(seed=1, options={"start": 50})
    actions = random_actions(rng, 60)
    told = [view.step(action) for action in actions]
    expected = equity_of(MARKET, RULES, 0, 50, [(verb, size) for verb, size in actions.tolist()])
    np.testing.assert_allclose([info["equity"] for *_, info in told], expected[1:], rtol=1e-9)
    assert [truncated for _, _, _, truncated, _ in told] == [False] * 59 + [True]
    assert all(observed in view.observation_space for observed, *_ in told)
    with pytest.raises(ValueError, match="no whole episode"):
        view.reset(options={"start": 399})


def test_a_vec_env_resets_by_itself_and_keeps_the_last_observation() -> None:
    env = BatchVecEnv(Episodes(MARKET, RULES, 32, 1))
    observed: Any = env.reset()
    rng = np.random.default_rng(4)
    rewards, ended = np.zeros(32), 0
    for _ in range(130):
        before = observed.copy()
        kept = observed
        observed, reward, dones, infos = env.step(random_actions(rng, 32))
        assert kept.tobytes() == before.tobytes()
        assert reward.dtype == observed.dtype == np.float32
        assert all(env.observation_space.contains(row) for row in observed)
        rewards += reward
        for row, (done, info) in enumerate(zip(dones, infos, strict=True)):
            assert bool(info) is bool(done)
            if not done:
                continue
            ended += 1
            assert info["episode"]["r"] == pytest.approx(rewards[row], abs=1e-3)
            assert info["TimeLimit.truncated"] in {True, False}
            assert info["terminal_observation"].shape == observed[row].shape
            assert not np.array_equal(info["terminal_observation"], observed[row])
            rewards[row] = 0.0
    assert ended >= 64


def test_a_seed_given_to_the_vec_env_repeats_it() -> None:
    first = []
    for _ in range(2):
        env = BatchVecEnv(AnswerKeyEpisodes(STANDARD, 16, 0))
        env.seed(5)
        first.append(env.reset().tobytes())
        assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * 16
        env.close()
    assert first[0] == first[1]


def test_a_learner_of_stable_baselines_takes_a_step() -> None:
    """The smallest run there is: shapes, dtypes and spaces fit."""
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(1)
    env = BatchVecEnv(Episodes(MARKET, RULES, 16, 1))
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=64, n_epochs=1, seed=1, device="cpu")
    before = [weights.clone() for weights in model.policy.parameters()]
    model.learn(512)
    assert any(not torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True))
    assert len(model.ep_info_buffer or ()) > 0


def test_neither_the_command_nor_the_batch_loads_a_learning_library() -> None:
    code = (
        "import sys, tg_actors.cli.main, tg_actors.rl.audit, tg_actors.rl.observation;"
        "tg_actors.rl.audit.audit_all(('v2',), bars=20);"
        "print(sorted({'torch', 'stable_baselines3', 'gymnasium'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
