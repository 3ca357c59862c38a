"""The batch of episodes: its arithmetic, its endings, and that it shows nothing of the future."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.rl_words import beside_the_reference, random_actions, walk
from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import BUY, HOLD, SELL, Episodes
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.reference import equity_of

MARGIN = EpisodeRules(leverage_max=5.0, shorts=True, liquidation_level=0.4, borrow_frac=1e-5, bars=200)
SPOT = EpisodeRules(bars=200)
ALL_IN, ALL_OUT, STAY = (BUY, 4), (SELL, 4), (HOLD, 0)


def flat_market(close: F64, open_: F64 | None = None, **arrays: Any) -> LearningMarket:
    """One instrument and nothing observed; opens are the closes before where none are given."""
    before = np.concatenate((close[:1], close[:-1])) if open_ is None else open_
    return LearningMarket(
        open_=before[:, np.newaxis],
        close=close[:, np.newaxis],
        observed=np.zeros((len(close), 1, 0), dtype=np.float32),
        names=(),
        **{name: array[:, np.newaxis] for name, array in arrays.items()},
    )


def played(market: LearningMarket, rules: EpisodeRules, *actions: tuple[int, int]) -> Episodes:
    episodes = Episodes(market, rules, 1, 0)
    episodes.reset(0, staggered=False)
    for action in actions:
        episodes.step(np.array([action]))
    return episodes


@pytest.mark.parametrize("rules", [MARGIN, SPOT, replace(MARGIN, leverage_max=1.0, liquidation_level=0.0)])
def test_the_batch_is_the_scalar_reference(rules: EpisodeRules) -> None:
    market = walk(1, 1_200)
    batch, scalar, liquidated = beside_the_reference(market, rules, n=256, steps=1_500)
    assert np.abs(batch - scalar).max() <= 1e-9 * rules.cash
    assert batch.min() >= 0.0
    assert (liquidated > 50) is (rules is MARGIN)


def test_rewards_of_growth_sum_to_the_growth_of_equity() -> None:
    market = replace(walk(2, 400), move_frac=np.full(3, 0.02))
    episodes = Episodes(market, replace(SPOT, bars=301), 64, 3)
    episodes.reset(0, staggered=False)
    rng = np.random.default_rng(1)
    total, weight, gamma, grown = np.zeros(64), 1.0, 0.99, np.zeros(64)
    for _ in range(300):
        stepped = episodes.step(random_actions(rng, 64))
        move = np.log(stepped.passage.after / stepped.passage.before)
        grown += move
        total += weight * (stepped.reward - move / 0.02)
        weight *= gamma
    np.testing.assert_allclose(grown, np.log(episodes.accounts.equity / SPOT.cash), rtol=0, atol=1e-9)
    # What shaping has paid is what it takes back at the end.
    np.testing.assert_allclose(total + weight * episodes.reward.owed(), 0.0, atol=1e-9)
    assert np.abs(episodes.reward.owed()).min() > 1e-6


def test_a_fee_is_taken_from_every_fill() -> None:
    market = flat_market(np.full(10, 100.0))
    rules = EpisodeRules(fee_frac=0.01, bars=8, cash=1_000.0)
    # 40 % is bought and sold again: one percent of 400 each time.
    assert played(market, rules, (BUY, 1)).accounts.equity[0] == pytest.approx(996.0, rel=1e-12)
    assert played(market, rules, (BUY, 1), ALL_OUT).accounts.equity[0] == pytest.approx(992.0, rel=1e-12)
    # All in: what is left after the fee is what the cash covers.
    everything = played(market, rules, ALL_IN).accounts
    assert everything.cash[0] == pytest.approx(0.0, abs=1e-9)
    assert everything.equity[0] == pytest.approx(1_000.0 / 1.01, rel=1e-12)


def test_slippage_is_adverse_on_both_sides() -> None:
    market = flat_market(np.full(10, 100.0), worse=np.full(10, 0.01))
    rules = EpisodeRules(fee_frac=0.0, bars=8, cash=1_000.0, shorts=True)
    bought = played(market, rules, (BUY, 1)).accounts
    assert bought.equity[0] == pytest.approx(1_000.0 - 4.0, rel=1e-12)
    sold = played(market, rules, (SELL, 1)).accounts
    assert sold.equity[0] == pytest.approx(1_000.0 - 4.0, rel=1e-12)


def test_interest_and_funding_accumulate() -> None:
    bars = 501
    market = flat_market(np.full(bars + 2, 100.0))
    rules = EpisodeRules(fee_frac=0.0, borrow_frac=0.001, shorts=True, bars=bars, cash=1_000.0)
    short = played(market, rules, ALL_OUT, *[STAY] * 499).accounts
    assert short.equity[0] == pytest.approx(1_000.0 - 500 * 1.0, rel=1e-12)
    paying = flat_market(np.full(bars + 2, 100.0), funding=np.full(bars + 2, 2e-4))
    free = replace(rules, borrow_frac=0.0)
    assert played(paying, free, ALL_OUT, *[STAY] * 499).accounts.equity[0] == pytest.approx(1_100.0)
    long = played(paying, free, (BUY, 1), *[STAY] * 499).accounts
    assert long.equity[0] == pytest.approx(1_000.0 - 500 * 0.08)


def test_liquidation_comes_on_the_very_bar_that_the_level_names() -> None:
    # Five times long from 100 with 1,000: of a margin of 1,000 there are 400 left at a price of 88.
    falling = np.concatenate((np.full(2, 100.0), 99.0 - np.arange(20.0)))
    rules = EpisodeRules(leverage_max=5.0, liquidation_level=0.4, fee_frac=0.0, bars=20, cash=1_000.0)
    episodes = Episodes(flat_market(falling), rules, 1, 0)
    episodes.reset(0, staggered=False)
    while not (stepped := episodes.step(np.array([ALL_IN if not episodes.level[0] else STAY]))).terminated[0]:
        assert falling[episodes.bar[0]] > 88.0
    assert stepped.passage.after[0] == pytest.approx(400.0)
    alone = equity_of(flat_market(falling), rules, 0, 0, [ALL_IN, *[STAY] * 19])
    assert (alone[falling[:21] <= 88.0] == alone[-1]).all()
    assert alone[-1] == pytest.approx(400.0)


def test_a_gap_ends_at_the_open_and_never_below_zero() -> None:
    close = np.array([100.0, 100.0, 60.0, 100.0, 100.0, 100.0])
    open_ = np.array([100.0, 100.0, 55.0, 60.0, 100.0, 100.0])
    rules = EpisodeRules(leverage_max=5.0, liquidation_level=0.4, fee_frac=0.001, bars=4, cash=1_000.0)
    episodes = Episodes(flat_market(close, open_), rules, 1, 0)
    episodes.reset(0, staggered=False)
    episodes.step(np.array([ALL_IN]))
    gap = episodes.step(np.array([ALL_IN]))
    assert gap.terminated.tolist() == [True]
    assert gap.truncated.tolist() == [False]
    assert gap.passage.after.tolist() == [0.0]
    assert np.isfinite(gap.reward).all()
    # A smaller gap closes at the open, where the account still has something, not at the worse close.
    mild = equity_of(flat_market(close, np.where(open_ == 55.0, 85.0, open_)), rules, 0, 0, [ALL_IN, STAY])
    held = 5 * 1_000.0 / (100.0 * (1 + 5 * 0.001))
    assert mild[-1] == pytest.approx(1_000.0 - held * 0.1 - held * 15.0 - held * 0.085, rel=1e-9)


def test_flat_is_reachable_and_exposure_is_cut() -> None:
    market = flat_market(np.full(20, 100.0))
    spot = EpisodeRules(bars=15)
    assert played(market, spot, ALL_IN, ALL_IN, (SELL, 1), (SELL, 4)).level.tolist() == [0]
    assert played(market, spot, ALL_OUT).level.tolist() == [0]
    assert played(market, replace(spot, shorts=True), ALL_OUT, ALL_OUT).level.tolist() == [-5]
    held = Episodes(market, spot, 1, 0, "conservative")
    held.reset(0, staggered=False)
    held.step(np.array([ALL_IN]))
    assert held.level.tolist() == [2]


def test_actions_move_the_account_and_stay_as_they_were() -> None:
    market = walk(3, 300)
    episodes = Episodes(market, SPOT, 8, 1)
    episodes.reset()
    actions = np.tile(ALL_IN, (8, 1))
    kept = actions.copy()
    episodes.step(actions)
    assert (episodes.accounts.quantity > 0).all()
    assert (actions == kept).all()


def test_the_future_changes_nothing_up_to_now() -> None:
    market, cut = walk(4, 300), 100
    after = np.arange(300)[:, np.newaxis] > cut
    other = replace(
        market,
        open_=np.where(after, 3.0 * market.open_, market.open_),
        close=np.where(after, 3.0 * market.close, market.close),
        worse=np.where(after, 0.5, market.worse),
        funding=np.where(after, 0.01, market.funding),
        observed=np.where(after[:, :, np.newaxis], np.float32(7.0), market.observed),
    )
    both = [Episodes(each, SPOT, 6, 1) for each in (market, other)]
    seen = [[episodes.reset(0, staggered=False)] for episodes in both]
    rng = np.random.default_rng(2)
    for _ in range(cut + 5):
        actions = random_actions(rng, 6)
        for episodes, rows in zip(both, seen, strict=True):
            rows.append(episodes.step(actions).observed)
    same = [a.tobytes() == b.tobytes() for a, b in zip(*seen, strict=True)]
    assert same[: cut + 1] == [True] * (cut + 1)
    assert not any(same[cut + 1 :])


def test_the_same_seed_plays_the_same_and_ends_are_staggered() -> None:
    market = walk(5, 400)
    one, two = (Episodes(market, SPOT, 128, 9) for _ in range(2))
    assert one.reset().tobytes() == two.reset().tobytes()
    rng = np.random.default_rng(3)
    ends = []
    for _ in range(250):
        actions = random_actions(rng, 128)
        a, b = one.step(actions), two.step(actions)
        assert a.observed.tobytes() == b.observed.tobytes()
        assert a.reward.tobytes() == b.reward.tobytes()
        ends.append(len(a.ended))
    assert sum(ends) >= 128
    assert max(ends) < 10


def test_an_episode_that_ends_keeps_its_last_observation() -> None:
    market = walk(6, 300)
    episodes = Episodes(market, EpisodeRules(bars=5), 3, 1)
    episodes.reset(0, staggered=False)
    for _ in range(4):
        assert not len(episodes.step(np.tile(ALL_IN, (3, 1))).ended)
    stepped = episodes.step(np.tile(ALL_IN, (3, 1)))
    assert stepped.truncated.all()
    assert not stepped.terminated.any()
    assert (stepped.last[:, :4] == market.observed[5]).all()
    assert (stepped.last[:, 5] == 1.0).all()
    assert (stepped.observed[:, 4:] == 0.0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"close": np.array([[1.0], [np.nan]])},
        {"worse": np.array([[0.0], [-0.01]])},
        {"names": ("one",)},
        {"move_frac": np.zeros(1)},
        {"funding": np.array([[0.0], [np.inf]])},
        {"open_": np.ones((3, 1))},
    ],
)
def test_a_market_that_is_not_sound_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        replace(flat_market(np.ones(2)), **wrong)


def test_rules_out_of_range_are_refused() -> None:
    ranges: tuple[dict[str, Any], ...] = (
        {"fee_frac": 1.0},
        {"leverage_max": 0.5},
        {"liquidation_level": 0.4},
        {"cash": 0.0},
    )
    for wrong in ranges:
        with pytest.raises(ValueError, match=r"\w"):
            EpisodeRules(**wrong)
    with pytest.raises(ValueError, match="hold no episode"):
        Episodes(walk(1, 100), EpisodeRules(bars=100), 1, 0)
