"""What a policy earns on a market, and what is shown to those who copy."""

from dataclasses import replace

import numpy as np
import pytest

from tests.rl_words import random_actions, walk
from tests.training_words import regime_market, small_room
from tg_actors.domain.blocks import I64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.demonstrations import Teacher, blend, demonstrate
from tg_actors.rl.episodes import ACCOUNT, BUY, HOLD, LEVELS, SELL, Episodes
from tg_actors.rl.evaluation import Following, disagreement, fixed_states, levels_of, play, towards
from tg_actors.rl.market import F32, LearningMarket, side_by_side
from tg_actors.rl.policy import ARRAYS, NumpyPolicy
from tg_actors.rl.reference import equity_of

RULES = EpisodeRules(bars=10)


def random_policy(features: int, seed: int) -> NumpyPolicy:
    rng = np.random.default_rng(seed)
    shapes = {"hidden_0": (8, features), "hidden_1": (8, 8), "choice": (8, 8)}
    arrays = {
        name: rng.standard_normal(
            shapes[name.split(".")[0]] if name.endswith("weight") else shapes[name.split(".")[0]][:1]
        ).astype(np.float32)
        for name in ARRAYS
    }
    return NumpyPolicy(arrays)


class Gambling:
    """Does anything and remembers it."""

    def __init__(self, seed: int) -> None:
        self._rng, self.done = np.random.default_rng(seed), list[I64]()

    def act(self, observed: F32) -> I64:
        self.done.append(random_actions(self._rng, len(observed)))
        return self.done[-1]


def test_what_is_played_is_what_the_plain_account_earns() -> None:
    market = replace(walk(3, 300), first=20)
    mind = Gambling(1)
    played = play(mind, market, RULES)
    for asset in range(3):
        actions = [(int(one[asset, 0]), int(one[asset, 1])) for one in mind.done]
        plain = equity_of(market, RULES, asset, 20, actions) / RULES.cash
        assert np.abs(played.equity[:, asset] - plain).max() < 1e-9
    assert played.equity.shape == (280, 3)
    assert played.turnover.sum() > 1.0


def test_holding_earns_the_market_less_one_fill_and_days_are_whole() -> None:
    market = walk(4, 24 * 8 + 5, worse=0.0)
    market = replace(market, funding=np.zeros_like(market.funding))
    played = play(Following(np.ones(market.close.shape)), market, EpisodeRules(fee_frac=0.0))
    assert np.allclose(played.equity[-1], market.close[-1] / market.open_[1])
    returns = played.daily_returns(24)
    assert len(returns) == 8
    assert np.isclose(np.prod(1 + returns), played.equity[24 * 8].mean())
    assert np.allclose(played.growth.sum(axis=0), np.log(played.equity[-1]))
    assert (played.exposure == 1.0).all()


def test_an_account_that_is_liquidated_stays_at_what_is_left() -> None:
    close = np.concatenate((np.full(5, 100.0), np.full(5, 40.0), np.full(10, 400.0)))[:, np.newaxis]
    market = LearningMarket(
        open_=close, close=close, observed=np.zeros((20, 1, 0), dtype=np.float32), names=()
    )
    rules = EpisodeRules(fee_frac=0.0, leverage_max=2.0, liquidation_level=0.5)
    played = play(Following(np.ones((20, 1))), market, rules)
    assert played.equity[4:, 0].max() <= 1.0
    assert np.ptp(played.equity[5:, 0]) == 0.0
    assert (played.exposure[6:] == 0.0).all()


def test_targets_become_levels_and_levels_actions() -> None:
    targets = np.array([[np.nan, 0.5], [0.39, np.nan], [-2.0, np.nan], [np.nan, 1.0]])
    assert levels_of(targets).tolist() == [[0, 2], [2, 2], [-5, 2], [-5, 5]]
    assert levels_of(targets, 2).max() == 2
    held, wanted = np.array([0, 5, 2, -5]), np.array([3, 0, 2, 5])
    actions = towards(held, wanted)
    assert actions[:, 0].tolist() == [BUY, SELL, HOLD, BUY]
    assert actions[[0, 1, 3], 1].tolist() == [2, 4, 4]


def test_policies_disagree_with_others_and_never_with_themselves() -> None:
    market = regime_market(1)
    minds = {name: random_policy(len(market.names) + len(ACCOUNT), seed) for seed, name in enumerate("abc")}
    states = fixed_states(market, 1_000, seed=1)
    assert np.array_equal(states, fixed_states(market, 1_000, seed=1))
    apart = disagreement({**minds, "a again": minds["a"]}, states)
    assert apart["a", "a again"] == 0.0
    assert apart["a", "b"] > 0.2
    assert len(apart) == 6


def test_a_teacher_is_shown_from_wherever_one_may_have_strayed() -> None:
    market = regime_market(2)
    targets = np.where(np.arange(len(market.close))[:, np.newaxis] % 40 < 20, 1.0, 0.2)
    worth = np.ones_like(targets)
    worth[:1_000] = 0.0
    teacher = Teacher("waves", np.repeat(targets, 6, axis=1), np.repeat(worth, 6, axis=1))
    rules = EpisodeRules(bars=64)
    shown = demonstrate(market, rules, teacher, reward="v2", samples=20_000, seed=1)
    assert np.isclose(shown.weights.mean(), 1.0)
    held = np.rint(shown.observed[:, -len(ACCOUNT) + 1] * LEVELS).astype(int)
    after = np.clip(held + np.array([1, -1, 0])[shown.actions[:, 0]] * (shown.actions[:, 1] + 1), 0, 5)
    assert set(after.tolist()) == {1, 5}
    assert len(set(held.tolist())) == LEVELS + 1
    again = demonstrate(market, rules, teacher, reward="v2", samples=20_000, seed=1)
    assert np.array_equal(shown.observed, again.observed)
    with pytest.raises(ValueError, match="nothing is worth copying"):
        demonstrate(
            market, rules, replace(teacher, worth=0.0 * teacher.worth), reward="v2", samples=99, seed=1
        )


def test_teachers_are_blended_by_what_they_are_worth() -> None:
    one = Teacher("one", np.full((2, 1), 1.0), np.array([[3.0], [0.0]]))
    other = Teacher("other", np.full((2, 1), np.nan), np.array([[1.0], [0.0]]))
    mixed = blend([one, other])
    assert mixed.targets.tolist() == [[0.75], [0.0]]
    assert mixed.worth.tolist() == [[4.0], [0.0]]
    with pytest.raises(ValueError, match="nobody teaches"):
        blend([])


def test_markets_stand_side_by_side_and_their_parts_know_no_more_than_they_should() -> None:
    one, other = regime_market(1), regime_market(2)
    both = side_by_side([one, other])
    assert both.close.shape == (2_000, 12)
    assert np.array_equal(both.column("signal")[:, 6:], other.column("signal"))
    with pytest.raises(ValueError, match="one length"):
        side_by_side([one, regime_market(3, bars=100)])
    with pytest.raises(ValueError, match="nothing called 'moon'"):
        one.column("moon")
    room = small_room(one)
    later = replace(one, close=one.close * (1 + (np.arange(2_000) >= 1_000)[:, np.newaxis]))
    assert np.array_equal(room.learned_on(0).move_frac, small_room(later).learned_on(0).move_frac)
    assert np.array_equal(room.judged_on(0).move_frac, room.learned_on(0).move_frac)
    assert len(Episodes(room.learned_on(0), room.rules, 8, 1).names) == len(one.names) + len(ACCOUNT)
