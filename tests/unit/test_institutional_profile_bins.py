from pathlib import Path

import numpy as np
import pytest

from tests.flow_words import bars
from tg_actors.institutional.volume_profile_bins import Profiles, of_bars, of_trades
from tg_actors.market.history import HistoryStore
from tg_actors.market.timeframes import Timeframe, instant_ns


def by_hand(low: np.ndarray, high: np.ndarray, volume: np.ndarray, bins: int) -> np.ndarray:
    """One profile, bin by bin and bar by bar, as the rule reads."""
    edges = np.linspace(low.min(), high.max(), bins + 1)
    profile = np.zeros(bins)
    for floor, ceiling, traded in zip(low, high, volume, strict=True):
        for k in range(bins):
            overlap = min(ceiling, edges[k + 1]) - max(floor, edges[k])
            profile[k] += traded * max(overlap, 0.0) / (ceiling - floor)
    return profile


@pytest.mark.parametrize("bins", [16, 64, 300])
def test_every_bin_holds_what_the_rule_of_even_spread_says(bins: int) -> None:
    rng = np.random.default_rng(3)
    market = bars(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (90, 4)), axis=0)), rng)
    low, high, volume = market[..., 2].T, market[..., 1].T, market[..., 4].T
    found = of_bars(low, high, volume, bins)
    for i in range(4):
        np.testing.assert_allclose(found.volume[i], by_hand(low[i], high[i], volume[i], bins), atol=1e-9)
    np.testing.assert_array_equal(found.low, low.min(axis=1))
    np.testing.assert_array_equal(found.high, high.max(axis=1))


def test_more_bars_than_are_spread_at_once_make_the_same_profiles() -> None:
    rng = np.random.default_rng(4)
    market = bars(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (500, 40)), axis=0)), rng)
    low, high, volume = market[..., 2].T, market[..., 1].T, market[..., 4].T
    together = of_bars(low, high, volume, 64)
    alone = [of_bars(low[i : i + 1], high[i : i + 1], volume[i : i + 1], 64) for i in range(40)]
    np.testing.assert_array_equal(together.volume, np.concatenate([profile.volume for profile in alone]))


def test_a_bar_without_a_range_lies_in_its_bin_alone() -> None:
    found = of_bars(np.array([[0.0, 2.5, 8.0]]), np.array([[8.0, 2.5, 8.0]]), np.array([[0.0, 3.0, 2.0]]), 4)
    # Without volume the first bar says nothing, not even how wide the grid is: 2.5 to 8.
    np.testing.assert_allclose(found.volume, [[3.0, 0.0, 0.0, 2.0]], atol=1e-9)
    assert (found.low[0], found.high[0]) == (2.5, 8.0)


def test_one_price_alone_is_a_profile_of_one_bin() -> None:
    found = of_bars(np.full((1, 3), 5.0), np.full((1, 3), 5.0), np.ones((1, 3)), 8)
    assert found.volume.tolist() == [[3.0] + [0.0] * 7]
    assert found.price(np.array([0.5])).tolist() == [5.0]


def test_missing_bars_add_nothing_and_no_bars_make_no_profile() -> None:
    nan = np.nan
    low, high = np.array([[1.0, nan, 1.0], [nan] * 3]), np.array([[2.0, nan, 3.0], [nan] * 3])
    volume = np.array([[4.0, nan, nan], [nan] * 3])
    found = of_bars(low, high, volume, 4)
    np.testing.assert_allclose(found.volume, [[1.0] * 4, [0.0] * 4], atol=1e-12)
    assert np.isnan(found.low[1])
    assert np.isnan(found.high[1])


def test_trades_count_where_they_happened() -> None:
    found = of_trades(np.array([10.0, 10.9, 12.0, 14.0]), np.array([1.0, 2.0, 3.0, 4.0]), 4)
    np.testing.assert_allclose(found.volume, [[3.0, 0.0, 3.0, 4.0]])


DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="no ../shared/data")
@pytest.mark.parametrize("symbol", ["BTC/USDT", "AAVE/USDT"])
def test_hours_spread_evenly_lie_nearly_where_their_five_minutes_do(symbol: str) -> None:
    start_ns, days = instant_ns("2024-02-01"), 60
    rows = HistoryStore(DATA).load(symbol, Timeframe.MIN_5, start_ns, start_ns + days * 86_400 * 10**9)
    fine = rows.ohlcv.reshape(days, 288, 5)
    low, high, volume = fine[..., 2], fine[..., 1], fine[..., 4]
    hours = (days, 24, 12)
    low_h, high_h = low.reshape(hours).min(axis=2), high.reshape(hours).max(axis=2)
    volume_h = volume.reshape(hours).sum(axis=2)
    typical = (low_h + high_h + fine[..., 3].reshape(hours)[..., -1]) / 3.0
    truth, even = of_bars(low, high, volume, 32), of_bars(low_h, high_h, volume_h, 32)
    at_once = _at_one_price(typical, volume_h, truth)
    total = volume.sum(axis=1, keepdims=True)
    wrong, worse = (
        np.abs(one - truth.volume).sum(axis=1) / (2 * total[:, 0]) for one in (even.volume, at_once)
    )
    assert wrong.mean() < 0.11
    assert worse.mean() > 0.35


def _at_one_price(price: np.ndarray, volume: np.ndarray, grid: Profiles) -> np.ndarray:
    """The rule that is not used: all of a bar's volume at its typical price."""
    bins = grid.volume.shape[1]
    at = np.minimum(((price - grid.low[:, np.newaxis]) / grid.step[:, np.newaxis]).astype(int), bins - 1)
    return np.array([np.bincount(row, weights, bins) for row, weights in zip(at, volume, strict=True)])
