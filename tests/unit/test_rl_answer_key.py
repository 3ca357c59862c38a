"""The market with an answer key: its values are exact, its rules rank as they should, its episodes are it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from tg_actors.cli.main import app
from tg_actors.domain.blocks import F64, I64
from tg_actors.rl import answer_key
from tg_actors.rl.answer_key import BLIND, NULL, REACHED, REGIMES, RULES, STANDARD, STATES
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes, observed_states
from tg_actors.rl.episodes import ACTIONS, HOLD


@pytest.fixture(scope="module")
def best() -> tuple[I64, F64]:
    return answer_key.best_policy(STANDARD)


def share(policy: I64, best: tuple[I64, F64]) -> float:
    """Its value as a part of the optimum."""
    worth = answer_key.score(STANDARD, answer_key.values_of(STANDARD, policy))
    return worth / answer_key.score(STANDARD, best[1])


def test_the_best_policy_solves_bellmans_equation(best: tuple[I64, F64]) -> None:
    policy, values = best
    assert values.size == STATES == 220
    np.testing.assert_allclose(answer_key.values_of(STANDARD, policy), values, atol=1e-9)
    around = np.einsum("gh,sr,hre->gse", STANDARD.regimes, STANDARD.signals, values)
    worth = STANDARD.rewards() + STANDARD.gamma * around[:, :, np.newaxis, :]
    worth = np.where(REACHED, worth, -np.inf)
    np.testing.assert_allclose(worth.max(axis=3), values, atol=1e-9)


def test_no_change_of_one_state_is_better(best: tuple[I64, F64]) -> None:
    policy, values = best
    rng = np.random.default_rng(1)
    for _ in range(25):
        other = policy.copy()
        other[tuple(rng.integers(0, size) for size in policy.shape)] = rng.integers(0, 11)
        assert (answer_key.values_of(STANDARD, other) <= values + 1e-9).all()


def test_blind_rules_earn_next_to_nothing_and_a_knowing_one_nearly_all(best: tuple[I64, F64]) -> None:
    assert max(share(RULES[name](), best) for name in BLIND) <= 0.05
    assert share(RULES["momentum"](), best) < -0.5
    assert 0.9 <= share(RULES["knowing"](), best) < 1.0


def test_specialists_switched_by_regime_are_the_optimum_and_alone_are_not(best: tuple[I64, F64]) -> None:
    alone = {name: answer_key.specialist(STANDARD, name) for name in REGIMES}
    assert max(share(policy, best) for policy in alone.values()) < 0.2
    switched = np.stack([alone[name][g] for g, name in enumerate(REGIMES)])
    assert share(switched, best) >= 0.95


def test_where_nothing_can_be_won_the_best_is_to_be_flat() -> None:
    policy, values = answer_key.best_policy(NULL)
    assert (policy[:, :, 5] == 5).all()
    assert answer_key.score(NULL, values) == 0.0
    assert answer_key.score(NULL, answer_key.values_of(NULL, RULES["momentum"]())) < 0.0


def test_chances_of_actions_are_valued_exactly(best: tuple[I64, F64]) -> None:
    actions = np.zeros((*best[0].shape, *ACTIONS))
    actions[..., HOLD, :] = 1 / ACTIONS[1]
    chances = answer_key.exposure_chances(actions)
    assert answer_key.score(STANDARD, answer_key.values_of_chances(STANDARD, chances)) == pytest.approx(0.0)
    actions[...] = 1 / 15
    chances = answer_key.exposure_chances(actions)
    np.testing.assert_allclose(chances.sum(axis=3), 1.0)
    assert answer_key.score(STANDARD, answer_key.values_of_chances(STANDARD, chances)) < 0.0


def test_episodes_earn_what_the_answer_key_says(best: tuple[I64, F64]) -> None:
    """The mean discounted reward of long episodes is the exact value, within four standard errors."""
    key = replace(STANDARD, gamma=0.95)
    policy, values = answer_key.best_policy(key)
    episodes = AnswerKeyEpisodes(key, 4_000, 7, bars=1_000, scale=1.0, explores=False)
    episodes.reset()
    episodes._left[:] = 1_000
    total, weight = np.zeros(episodes.n), 1.0
    for _ in range(200):
        wanted = policy[episodes.regime, episodes.signal, episodes.exposure]
        change = wanted - episodes.exposure
        verb = np.select([change > 0, change < 0], [0, 1], HOLD)
        size = np.clip(np.abs(change), 1, 5) - 1
        assert (np.abs(change) <= 5).all()
        total += weight * episodes.step(np.column_stack([verb, size])).reward
        weight *= key.gamma
    error = total.std() / np.sqrt(episodes.n)
    assert abs(total.mean() - answer_key.score(key, values)) < 4 * error + 1e-4


def test_episodes_show_the_state_and_end_staggered() -> None:
    episodes = AnswerKeyEpisodes(STANDARD, 64, 3, bars=50)
    seen, states = episodes.reset(), observed_states()
    rng = np.random.default_rng(1)
    ends = []
    for _ in range(120):
        assert (seen == states[episodes.regime, episodes.signal, episodes.exposure]).all()
        stepped = episodes.step(np.column_stack([rng.integers(0, size, 64) for size in ACTIONS]))
        seen = stepped.observed
        ends.append(len(stepped.ended))
        assert stepped.last.shape == (len(stepped.ended), len(episodes.names))
    assert sum(ends) > 64
    assert max(ends) < 12


def test_the_command_prints_exact_values() -> None:
    told = json.loads(CliRunner().invoke(app, ["rl", "answer-key", "--json"]).stdout)
    worth = {row["policy"]: row["of_best_frac"] for row in told["policies"]}
    assert told["states"] == 220
    assert worth["best"] == pytest.approx(1.0)
    assert worth["knowing"] > 0.9
    assert worth["contrarian"] < 0.05
    assert "sees regime" in CliRunner().invoke(app, ["rl", "answer-key"]).stdout
