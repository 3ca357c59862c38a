"""Swing points, pools beyond them and sweeps, against a plain search bar by bar."""

import numpy as np
import pytest

from tests.liquidity_words import walk
from tg_actors.institutional import liquidity_bars as bars
from tg_actors.institutional.liquidity_pools import pools_and_sweeps, swing_highs, tops


def columns(seed: int, n: int = 4, length: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ohlcv = walk(n, seed, length)
    return ohlcv[..., 1], ohlcv[..., 2], ohlcv[..., 3]


def plain_swings(high: np.ndarray, k: int) -> list[int]:
    """Swing highs of one instrument, by their definition; a missing bar is below any other."""
    known = np.where(np.isnan(high), -np.inf, high)
    return [
        t
        for t in range(k, len(high) - k)
        if np.isfinite(high[t]) and np.isfinite(high[t - k : t]).any()
        if high[t] > known[t - k : t].max() and high[t] >= known[t + 1 : t + k + 1].max()
    ]


@pytest.mark.parametrize("k", [1, 3, 4, 7])
def test_swing_highs_are_those_of_the_definition(k: int) -> None:
    high, _, _ = columns(k)
    high[30:34, 0] = np.nan
    found = swing_highs(tops(high), k)
    for i in range(high.shape[1]):
        assert np.flatnonzero(found[:, i]).tolist() == plain_swings(high[:, i], k)


def test_of_equal_highs_in_a_row_the_first_is_the_swing() -> None:
    high = np.array([1.0, 1.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0])[:, np.newaxis]
    assert np.flatnonzero(swing_highs(high, 2)[:, 0]).tolist() == [2]
    assert not swing_highs(np.ones((20, 1)), 2).any()


def test_a_window_too_short_for_a_swing_has_none() -> None:
    assert not swing_highs(np.ones((8, 2)), 4).any()


@pytest.mark.parametrize("seed", range(6))
def test_the_nearest_pool_is_the_lowest_high_that_nobody_has_reached(seed: int) -> None:
    high, low, close = columns(seed)
    atr = bars.true_range(high, low, close, 30)
    pools, _ = pools_and_sweeps(high, close, swing_highs(high, 3), atr, 3)
    for i in range(high.shape[1]):
        alive = [
            high[t, i]
            for t in plain_swings(high[:, i], 3)
            if high[t + 1 :, i].max() <= high[t, i] and high[t, i] > close[-1, i]
        ]
        if not alive:
            assert np.isnan(pools.distance[i])
            assert pools.swings[i] == 0
            continue
        assert pools.distance[i] == pytest.approx((min(alive) - close[-1, i]) / atr[i])
        assert pools.swings[i] == sum(one <= min(alive) + 0.5 * atr[i] for one in alive)


def plain_sweep(high: np.ndarray, close: np.ndarray, atr: float, k: int, newest: int) -> float:
    best = 0.0
    w = len(high)
    for bar in range(w - newest, w):
        pools = [high[t] for t in plain_swings(high, k) if t + k < bar and high[t + 1 : bar].max() <= high[t]]
        taken = sum(high[bar] > one and close[bar] < one for one in pools)
        if close[bar:].max() > high[bar]:
            continue
        back = min((high[bar] - close[bar]) / atr, 1.0)
        best = max(best, back * taken / (1 + taken) * 0.5 ** (w - 1 - bar))
    return best


def test_sweeps_are_those_of_a_plain_search() -> None:
    swept = 0
    for seed in range(30):
        high, low, close = columns(seed)
        atr = bars.true_range(high, low, close, 30)
        _, found = pools_and_sweeps(high, close, swing_highs(high, 3), atr, 3)
        expected = [plain_sweep(high[:, i], close[:, i], atr[i], 3, 3) for i in range(high.shape[1])]
        assert found.tolist() == pytest.approx(expected)
        swept += sum(one > 0 for one in expected)
    assert swept > 5


def test_a_sweep_needs_its_close_back_inside() -> None:
    """One swing high at 110; the last bar trades to 111."""
    high = np.full((40, 1), 101.0)
    high[20] = 110.0
    close = np.full((40, 1), 100.0)
    atr = np.array([2.0])
    for last_close, strength in ((109.0, 0.5), (110.5, 0.0), (100.0, 0.5), (110.2, 0.0)):
        high[-1], close[-1] = 111.0, last_close
        _, found = pools_and_sweeps(high, close, swing_highs(high, 4), atr, 3)
        assert found[0] == pytest.approx(strength), last_close


def test_true_range_is_wilders() -> None:
    high, low, close = columns(1, n=1)
    close[100:] *= 1.05  # bars that open with a gap
    ranges = [
        max(high[t, 0] - low[t, 0], abs(high[t, 0] - close[t - 1, 0]), abs(low[t, 0] - close[t - 1, 0]))
        for t in range(90, 120)
    ]
    assert bars.true_range(high, low, close, 30)[0] == pytest.approx(np.mean(ranges))


def test_closes_at_the_top_of_a_narrow_range_are_accumulation() -> None:
    high, low = np.full((36, 1), 101.0), np.full((36, 1), 99.0)
    volume = np.ones((36, 1))
    up = bars.zone(high, low, high - 0.2, volume, np.array([2.0]))
    down = bars.zone(high, low, low + 0.2, volume, np.array([2.0]))
    assert up[0] == pytest.approx(-down[0])
    assert up[0] > 0.8
    wide = high * np.linspace(1.0, 1.3, 36)[:, np.newaxis]
    assert bars.zone(wide, low, wide, volume, np.array([2.0]))[0] == 0.0


def test_much_volume_without_way_stands_against_the_move_before() -> None:
    close = np.concatenate((np.linspace(120.0, 100.0, 33), np.full(3, 100.0)))[:, np.newaxis]
    volume = np.ones((36, 1))
    volume[-3:] = 4.0
    atr = np.array([1.0])
    assert bars.effort(close, volume, atr)[0] > 0.8
    assert bars.effort(200.0 - close, volume, atr)[0] < -0.8
    assert bars.effort(close, np.ones((36, 1)), atr)[0] == 0.0
    moving = close.copy()
    moving[-1] = 98.0
    assert bars.effort(moving, volume, atr)[0] == 0.0
