"""Where episodes begin: mostly at home, and otherwise as they always did."""

from dataclasses import replace

import numpy as np
import pytest

from tests.rl_words import random_actions, walk
from tests.training_words import regime_market
from tg_actors.domain.errors import UserError
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.specialists import SPECIALISTS, at_home, specialist, start_weights

RULES = EpisodeRules(bars=64)


def begun(episodes: Episodes, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    bars, assets = [], []
    for _ in range(rounds):
        episodes.reset()
        bars.append(episodes.start.copy())
        assets.append(episodes.asset.copy())
    return np.concatenate(bars), np.concatenate(assets)


@pytest.mark.parametrize("name", [name for name, one in SPECIALISTS.items() if one.home])
def test_seven_of_ten_episodes_begin_at_home(name: str) -> None:
    market, one = regime_market(1), specialist(name)
    weights = start_weights(one, market, RULES.bars)
    bars, assets = begun(Episodes(market, RULES, 600, 1, one.reward, weights), 40)
    share = at_home(one, market)[bars, assets].mean()
    assert abs(share - 0.7) < 0.02
    assert at_home(one, market)[: -RULES.bars].mean() < 0.6


def test_a_generalist_begins_anywhere_and_so_does_who_is_always_or_never_at_home() -> None:
    market = regime_market(1)
    assert start_weights(specialist("generalist"), market, RULES.bars) is None
    nowhere = replace(market, observed=np.zeros_like(market.observed))
    assert start_weights(specialist("aggressive"), nowhere, RULES.bars) is None


def test_episodes_begin_only_where_they_may_and_on_the_very_bars_for_one_seed() -> None:
    market, starts = walk(1, 400), np.zeros((400, 3))
    starts[100, 0], starts[[7, 8], 1], starts[335, 2] = 2.0, (1.0, 3.0), 1e-9
    bars, assets = begun(Episodes(market, RULES, 300, 5, starts=starts), 20)
    assert set(bars[assets == 0]) == {100}
    assert set(bars[assets == 2]) == {335}
    seen = bars[assets == 1]
    assert set(seen) == {7, 8}
    assert abs((seen == 8).mean() - 0.75) < 0.04
    again, _ = begun(Episodes(market, RULES, 300, 5, starts=starts), 20)
    assert np.array_equal(bars, again)


def test_weights_that_are_all_alike_begin_evenly() -> None:
    market = walk(1, 400)
    bars, _ = begun(Episodes(market, RULES, 300, 5, starts=np.ones((400, 3))), 60)
    counts, _ = np.histogram(bars, bins=12, range=(0, 336))
    assert counts.min() > 0.85 * counts.mean()


def test_an_episode_that_began_at_home_goes_on_as_any_other() -> None:
    market, starts = walk(1, 400), np.zeros((400, 3))
    starts[50] = 1.0
    here, there = (Episodes(market, RULES, 6, 1, starts=one) for one in (starts, None))
    here.reset(staggered=False)
    there.reset(50, staggered=False)
    rng = np.random.default_rng(1)
    for _ in range(RULES.bars - 1):
        actions = random_actions(rng, 6)
        assert np.array_equal(here.step(actions).reward, there.step(actions).reward)


@pytest.mark.parametrize(
    "starts", [np.ones((399, 3)), np.zeros((400, 3)), np.full((400, 3), -1.0), np.full((400, 3), np.nan)]
)
def test_weights_that_are_none_are_refused(starts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="starts are"):
        Episodes(walk(1, 400), RULES, 6, 1, starts=starts)


def test_there_is_no_other_specialist() -> None:
    assert specialist("rl-balanced") is specialist("balanced")
    with pytest.raises(UserError, match="there is no specialist 'brave'"):
        specialist("brave")
