"""Our own validation on random walks and on a planted edge: the small version of ``tg backtest noise``."""

import math

import numpy as np
import pytest

from tg_actors.backtest.market_bars import read_bars
from tg_actors.backtest.noise import (
    FOLLOWERS,
    candidates,
    judge,
    noise_test,
    passed_max,
    planted,
    random_walk,
)
from tg_actors.backtest.population import TradingCosts
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.timeframes import Timeframe

FREE = TradingCosts(0.0, 0.0)
HOURS = 6_000


def simulated(seed: int) -> SimulatedFeed:
    return SimulatedFeed(seed, ("BTC/USDT",), Timeframe("1h"), {"BTC/USDT": 1.0})


def test_noise_passes_no_more_often_than_it_may_and_an_edge_is_found() -> None:
    report = noise_test(
        (random_walk(seed, HOURS) for seed in range(60)),
        (planted(read_bars(simulated(seed), HOURS), 0.1, seed) for seed in range(4)),
        candidates(16),
        FREE,
    )
    assert report.is_honest
    assert report.noise.out_of_sample <= report.passed_max == 7
    assert report.noise.deflated <= 3
    # Whoever believes the best of sixteen is fooled by almost every second random walk.
    assert report.noise.naive >= 15
    assert (report.planted.out_of_sample, report.planted.deflated) == (4, 4)
    assert report.chosen_right_frac >= 0.8
    assert (report.strategies, report.bars, report.nominal_frac) == (16, HOURS, 0.05)


def test_costs_leave_noise_no_chance() -> None:
    judged = [
        judge(random_walk(seed, HOURS), candidates(8), TradingCosts(0.002, 5.0), seed) for seed in range(4)
    ]
    assert not any(one.out_of_sample.is_supported for one in judged)
    assert all("fee 20 bps and slippage 5 bps" in one.out_of_sample.costs for one in judged)


def test_a_random_walk_is_one() -> None:
    walk = random_walk(1, 40_000)
    returns = np.diff(walk.close[:, 0]) / walk.close[:-1, 0]
    assert abs(returns.mean()) < 3 * returns.std() / math.sqrt(returns.size)
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.05
    # Volatility clusters and tails are fat, as in real markets.
    assert np.corrcoef(np.abs(returns[1:]), np.abs(returns[:-1]))[0, 1] > 0.1
    assert (np.abs(returns) > 5 * returns.std()).mean() > 1e-4
    assert (walk.high >= np.maximum(walk.open_, walk.close)).all()
    assert (walk.low <= np.minimum(walk.open_, walk.close)).all()
    assert np.array_equal(random_walk(1, 40_000).close, walk.close)


def test_the_planted_drift_follows_the_averages_of_the_very_market() -> None:
    base = read_bars(simulated(5), 3_000)
    market = planted(base, 0.5, 5)
    close = market.close[:, 0]
    moved = np.diff(base.close[:, 0]) / base.close[:-1, 0]
    added = np.diff(close) / close[:-1] - moved
    sums = np.concatenate(([0.0], np.cumsum(close)))
    side = [
        np.sign((sums[t] - sums[t - 20]) / 20 - (sums[t] - sums[t - 100]) / 100) for t in range(100, 3_000)
    ]
    assert added[:99] == pytest.approx(0, abs=1e-12)
    assert added[99:] == pytest.approx(0.5 * moved.std() * np.array(side), abs=1e-9)


def test_candidates_are_distinct_and_of_many_families() -> None:
    chosen = candidates(40)
    assert len({one.name for one in chosen}) == 40
    assert len({one.family.name for one in candidates(16)}) == 16
    assert {one.family.name for one in candidates(16)} & FOLLOWERS


@pytest.mark.parametrize(("markets", "most"), [(10, 3), (60, 7), (200, 18)])
def test_how_many_may_pass_is_a_quantile_of_the_binomial_law(markets: int, most: int) -> None:
    def chance(passed: int) -> float:
        return math.comb(markets, passed) * 0.05**passed * 0.95 ** (markets - passed)

    assert passed_max(markets, 0.05) == most
    assert sum(map(chance, range(most + 1))) >= 0.99 > sum(map(chance, range(most)))
