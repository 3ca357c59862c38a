"""Bandits choose as their papers, and as another library, say."""

import json
from itertools import pairwise
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bandit_words import ARMS, EVERY, KINDS, REGIMES, a_bandit, one_of
from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import Bandit
from tg_actors.meta.bandits.contextual import DiscountedLeader, LinUcb
from tg_actors.meta.bandits.sampling import Exp3
from tg_actors.meta.bandits.study import ENTRANTS, TEXTBOOK, a_world, play, reached, regret_of, study
from tg_actors.meta.bandits.ucb import DiscountedUcb, SlidingWindowUcb, Ucb1, UcbTuned

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "mabwiser.json").read_text())
ANY = one_of(0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def followed(bandit: Bandit, table: dict[str, Any]) -> list[int]:
    """Try every arm once, then let it choose, as the library was asked."""
    rewards = np.array(table["rewards_1024"]) / 1024
    chosen = []
    for step, regime in enumerate(table["regime"]):
        arm = step if step < ARMS else bandit.select(one_of(regime), EVERY, rng())
        bandit.update(arm, float(rewards[step, arm]), one_of(regime))
        chosen.append(arm)
    return chosen[ARMS:]


@pytest.mark.parametrize("table", GOLDEN["tables"])
def test_ucb1_and_linucb_choose_what_mabwiser_chooses(table: dict[str, Any]) -> None:
    assert followed(Ucb1(ARMS, c=2.0 * GOLDEN["alpha"] ** 2), table) == table["ucb1"]
    assert followed(LinUcb(ARMS, REGIMES, GOLDEN["alpha"], ridge=1.0), table) == table["linucb"]


def history(steps: int, seed: int = 1) -> list[tuple[int, float]]:
    drawn = rng(seed)
    return [(int(drawn.integers(ARMS)), float(drawn.random())) for _ in range(steps)]


def taught(bandit: Bandit, seen: list[tuple[int, float]]) -> F64:
    for arm, reward in seen:
        bandit.update(arm, reward, ANY)
    return bandit.scores(ANY, rng())


def by_definition(weighed: list[tuple[int, float, float]], c: float) -> list[float]:
    """Weighted mean plus sqrt(c ln(sum of weights) / arm's weights), summed up from the whole history."""
    total = sum(weight for _, _, weight in weighed)
    bounds = []
    for arm in range(ARMS):
        count = sum(weight for one, _, weight in weighed if one == arm)
        mean = sum(weight * reward for one, reward, weight in weighed if one == arm) / count
        bounds.append(mean + sqrt(c * log(total) / count))
    return bounds


@pytest.mark.parametrize("steps", [20, 150])
def test_discounted_ucb_is_its_sum(steps: int) -> None:
    seen = history(steps)
    weighed = [(arm, reward, 0.97 ** (steps - 1 - k)) for k, (arm, reward) in enumerate(seen)]
    assert taught(DiscountedUcb(ARMS, 0.5, 0.97), seen) == pytest.approx(by_definition(weighed, 0.5))


@pytest.mark.parametrize("steps", [20, 150])
def test_sliding_window_ucb_is_its_sum(steps: int) -> None:
    seen = history(steps)
    weighed = [(arm, reward, 1.0) for arm, reward in seen[-30:]]
    assert taught(SlidingWindowUcb(ARMS, 0.5, 30), seen) == pytest.approx(by_definition(weighed, 0.5))


def test_an_arm_that_left_the_window_is_tried_again() -> None:
    bandit = SlidingWindowUcb(ARMS, 0.5, 5)
    scores = taught(bandit, [(0, 0.9), *[(1, 0.1)] * 5])
    assert np.isinf(scores).tolist() == [True, False, True, True]
    assert bandit.state["total"][0] == 0


def test_ucb_tuned_is_its_formula() -> None:
    seen = history(60)
    expected = []
    for arm in range(ARMS):
        own = np.array([reward for one, reward in seen if one == arm])
        spread = own.var() + sqrt(2 * log(60) / len(own))
        expected.append(own.mean() + sqrt(log(60) / len(own) * min(0.25, spread)))
    assert taught(UcbTuned(ARMS), seen) == pytest.approx(expected)


def test_exp3_divides_by_the_chance_of_having_looked() -> None:
    bandit = Exp3(ARMS, gamma=0.2)
    arm = bandit.select(ANY, EVERY, rng())
    assert bandit.state["chance"].tolist() == [0.25] * ARMS
    bandit.update(arm, 0.8, ANY)
    raised = np.exp(0.2 * (0.8 / 0.25) / ARMS)
    after = bandit.chances(EVERY)
    assert after[arm] == pytest.approx(0.8 * raised / (raised + 3) + 0.05)
    assert after.sum() == pytest.approx(1)


def test_the_lead_changes_hands_only_for_more_than_it_costs() -> None:
    bandit = DiscountedLeader(2, 1, 1.0, switching_cost=0.1, prior=1.0)
    both = np.ones(2, dtype=np.bool_)
    bandit.update_all(np.array([0.6, 0.5]), ANY)
    assert bandit.select(ANY, both, rng()) == 0
    bandit.update_all(np.array([0.5, 0.7]), ANY)  # a mean that is better by less than the cost
    assert bandit.select(ANY, both, rng()) == 0
    bandit.update_all(np.array([0.0, 1.0]), ANY)
    assert bandit.select(ANY, both, rng()) == 1
    assert bandit.select(ANY, np.array([True, False]), rng()) == 0, "a leader that may not be chosen"


def test_a_regime_forgets_only_while_it_lasts() -> None:
    bandit = DiscountedLeader(ARMS, REGIMES, 0.5, 0.0, 1.0)
    bandit.update_all(np.full(ARMS, 1.0), one_of(1))
    for _ in range(20):
        bandit.update_all(np.full(ARMS, 0.0), one_of(2))
    assert bandit.means(one_of(1)).tolist() == [0.75] * ARMS
    assert bandit.means(one_of(0)).tolist() == [0.5] * ARMS


@pytest.mark.parametrize("name", KINDS)
def test_a_crew_that_changes_keeps_what_its_arms_have_shown(name: str) -> None:
    bandit, crew = a_bandit(name), a_bandit(name)
    for step, (arm, reward) in enumerate(history(80)):
        bandit.select(one_of(step % REGIMES), EVERY, rng(step))
        bandit.update(arm, reward, one_of(step % REGIMES))
    rows = (2, None, 0, 1)  # the last has left, another has come
    crew.adopt(bandit, rows)
    for regime in range(REGIMES):
        context = one_of(regime)
        for new, old in enumerate(rows):
            assert crew.means(context)[new] == (0.5 if old is None else bandit.means(context)[old])
            assert crew.pulls(context)[new] == (0.0 if old is None else bandit.pulls(context)[old])
    crew.update(1, 1.0, ANY)
    assert crew.means(ANY)[1] > 0.5, "it goes on learning"
    assert crew.select(ANY, EVERY, rng()) in range(ARMS)


def test_a_leader_who_has_left_leads_nobody() -> None:
    bandit, crew = a_bandit("leader"), a_bandit("leader")
    bandit.update_all(np.array([0.2, 0.9, 0.1, 0.3]), ANY)
    assert bandit.select(ANY, EVERY, rng()) == 1
    crew.adopt(bandit, (1, 2, None, 0))
    assert crew.state["leader"].tolist() == [0.0]
    crew.adopt(bandit, (0, 2, None, 3))
    assert crew.state["leader"].tolist() == [-1.0]


@pytest.mark.parametrize("name", KINDS)
def test_never_an_arm_that_is_masked(name: str) -> None:
    bandit, drawn = a_bandit(name), rng(3)
    for step in range(200):
        mask = drawn.random(ARMS) < 0.5
        if not mask.any():
            with pytest.raises(ValueError, match="no arm"):
                bandit.select(ANY, mask, drawn)
            assert bandit.weights(ANY, mask, 1.0).tolist() == [0.0] * ARMS
            continue
        context = one_of(step % REGIMES)
        arm = bandit.select(context, mask, drawn)
        assert mask[arm]
        bandit.update(arm, float(drawn.random()), context)
        weights = bandit.weights(context, mask, 1.0)
        assert weights.sum() == pytest.approx(1)
        assert not weights[~mask].any()


@pytest.mark.parametrize("name", KINDS)
def test_a_memory_that_is_handed_over_goes_on_alike(name: str) -> None:
    first, second, drawn = a_bandit(name), a_bandit(name), rng(5)
    for step in range(120):
        rewards = np.where(drawn.random(ARMS) < 0.8, drawn.random(ARMS), np.nan)
        first.update_all(rewards, one_of(step % REGIMES))
    second.load(first.state_dict())
    for step in range(60):
        context = one_of(step % REGIMES)
        one, other = (bandit.select(context, EVERY, rng(step)) for bandit in (first, second))
        assert one == other
        for bandit in (first, second):
            bandit.update(one, 0.1 * one, context)
    assert {name: array.tobytes() for name, array in first.state_dict().items()} == {
        name: array.tobytes() for name, array in second.state_dict().items()
    }


def test_a_memory_of_another_bandit_is_refused() -> None:
    with pytest.raises(ValueError, match="another bandit"):
        a_bandit("leader").load(a_bandit("exp3").state_dict())
    with pytest.raises(ValueError, match="another bandit"):
        Ucb1(ARMS).load(Ucb1(ARMS + 1).state_dict())


@pytest.mark.parametrize("name", KINDS)
def test_a_warm_start_is_believed(name: str) -> None:
    bandit = a_bandit(name)
    means_before = np.array([0.3, 0.7, 0.4, 0.5])
    pulls = np.array([100.0, 60.0, 100.0, 0.0])
    bandit.warm(means_before, np.full(ARMS, 0.05), pulls, np.full(REGIMES, 1 / REGIMES))
    means = [bandit.means(one_of(regime)) for regime in range(REGIMES)]
    assert [int(np.argmax(one)) for one in means] == [1] * REGIMES


@pytest.mark.parametrize("name", [name for name in KINDS if name != "exp3"])
def test_weights_without_evidence_are_equal_and_with_it_lean(name: str) -> None:
    bandit = a_bandit(name)
    assert bandit.weights(ANY, EVERY, 1.0).tolist() == [0.25] * ARMS
    drawn = rng(8)
    for _ in range(300):
        bandit.update_all(np.array([0.3, 0.4, 0.5, 0.6]) + 0.05 * drawn.standard_normal(ARMS), ANY)
    weights = bandit.weights(ANY, EVERY, 1.0)
    assert np.argmax(weights) == 3
    assert bandit.weights(ANY, EVERY, 0.0).tolist() == [0.25] * ARMS
    assert bandit.weights(ANY, EVERY, 2.0)[3] >= weights[3]


def test_regret_of_ucb1_stays_within_its_published_bound() -> None:
    means, steps = np.array([0.9, 0.6, 0.5]), 2_000
    gaps = means.max() - means
    bound = 8 * sum(log(steps) / gap for gap in gaps if gap) + (1 + np.pi**2 / 3) * gaps.sum()
    regrets = []
    for seed in range(10):
        bandit, drawn, regret = Ucb1(3, c=2.0), rng(seed), 0.0
        for _ in range(steps):
            arm = bandit.select(ANY, np.ones(3, dtype=np.bool_), drawn)
            bandit.update(arm, float(drawn.random() < means[arm]), ANY)
            regret += gaps[arm]
        regrets.append(regret)
    assert np.mean(regrets) <= bound
    assert np.mean(regrets) < 0.5 * gaps.mean() * steps, "it learns"


def test_the_ranking_of_the_algorithms() -> None:
    leaders = ("leader by regime, all watched", "leader, all watched")
    windowed = ("discounted_ucb c=0.1", "sliding_window_ucb c=0.1")
    wanted = (*leaders, "per_regime ucb1 c=0.1", *windowed, TEXTBOOK, "exp3")
    told = study(range(5), 3_000, {name: ENTRANTS[name] for name in wanted})
    rows = {row.name: row for row in told}
    order = ["leader by regime, all watched", "per_regime ucb1 c=0.1", TEXTBOOK, "exp3", "random"]
    for better, worse in pairwise(order):
        one, other = rows[better], rows[worse]
        assert one.regret + one.error < other.regret - other.error, (better, worse)
    for worse in windowed:
        one, other = rows["leader, all watched"], rows[worse]
        assert one.regret + one.error < other.regret - other.error, worse
    assert set(reached(told)) == {*leaders, "per_regime ucb1 c=0.1"}
    assert rows["leader, all watched"].regret <= 0.35 * rows[TEXTBOOK].regret
    assert rows["leader by regime, all watched"].regret_wrong > rows["leader, all watched"].regret_wrong


def test_a_world_is_its_seed() -> None:
    one, other = a_world(4, 500), a_world(4, 500)
    assert one.rewards.tobytes() == other.rewards.tobytes()
    entrant = ENTRANTS["gaussian_thompson discounted"]
    assert play(entrant, one, one.told, 4).tolist() == play(entrant, other, other.told, 4).tolist()
    assert regret_of(one, np.argmax(one.expected, axis=1)) == 0
    assert (one.told != one.told_wrong).any(axis=1).mean() == pytest.approx(0.2, abs=0.05)
