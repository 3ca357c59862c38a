"""The simulated market against ../shared/facts/data.md, sections 5.1 to 5.3.

The bounds are wide enough for one path of 27 months, which real years leave as well.
"""

import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.simulation.currencies import currency
from tg_actors.market.timeframes import Timeframe

COINS = ("BTC", "ETH", "XRP", "SOL", "DOGE", "LINK", "ADA", "LTC")
BARS = 20_000


def feed(*coins: str, seed: int) -> SimulatedFeed:
    symbols = tuple(f"{coin}/USDT" for coin in coins)
    return SimulatedFeed(seed, symbols, Timeframe.HOUR_1, dict.fromkeys(symbols, 4.0))


def autocorrelation(series: F64, lag: int) -> float:
    centred = series - series.mean()
    return float((centred[:-lag] * centred[lag:]).mean() / (centred**2).mean())


def rank(series: F64) -> np.ndarray:
    return np.argsort(np.argsort(series))


def sharpe(profit: F64) -> float:
    return float(profit.mean() / profit.std() * np.sqrt(8_766))


@pytest.fixture(scope="module")
def bars() -> F64:
    market = feed(*COINS, seed=5)
    return np.array([market.rows(i, 0, BARS).ohlcv for i in range(len(COINS))])


@pytest.fixture(scope="module")
def returns(bars: F64) -> F64:
    return np.diff(np.log(bars[:, :, 3]), axis=1)


def test_volatility_of_a_year(returns: F64) -> None:
    expected = [currency(coin).vol_frac for coin in COINS]
    np.testing.assert_allclose(returns.std(axis=1) * np.sqrt(8_766), expected, rtol=0.4)


def test_tails_are_fat(returns: F64) -> None:
    centred = returns - returns.mean(axis=1, keepdims=True)
    kurtosis = (centred**4).mean(axis=1) / (centred**2).mean(axis=1) ** 2 - 3.0
    assert (kurtosis > 10.0).all()


@pytest.mark.parametrize(("lag", "low", "high"), [(1, 0.22, 0.40), (24, 0.13, 0.28), (168, 0.06, 0.20)])
def test_volatility_has_a_long_memory(returns: F64, lag: int, low: float, high: float) -> None:
    assert low < np.mean([autocorrelation(np.abs(one), lag) for one in returns]) < high


def test_returns_themselves_have_almost_none(returns: F64) -> None:
    assert abs(np.mean([autocorrelation(one, 1) for one in returns])) < 0.05


def test_one_factor_moves_all(returns: F64) -> None:
    correlation: F64 = np.asarray(np.corrcoef(returns))
    assert 0.55 < correlation[np.triu_indices(len(COINS), 1)].mean() < 0.75
    assert 0.75 < correlation[0, 1] < 0.92
    eigenvalues = np.linalg.eigvalsh(correlation)
    assert eigenvalues[-1] / len(COINS) > 0.55
    assert eigenvalues[-2] / len(COINS) < 0.12


def test_ranges_are_twice_the_moves(bars: F64, returns: F64) -> None:
    ranges = np.log(bars[:, 1:, 1] / bars[:, 1:, 2]).mean(axis=1)
    np.testing.assert_allclose(ranges / np.abs(returns).mean(axis=1), 2.2, atol=0.15)


def test_volume_goes_with_movement(bars: F64, returns: F64) -> None:
    ranks = [
        np.corrcoef(rank(np.abs(r)), rank(v))[0, 1] for r, v in zip(returns, bars[:, 1:, 4], strict=True)
    ]
    assert 0.35 < np.mean(ranks) < 0.60


def test_the_day_and_the_week_have_their_shape(returns: F64) -> None:
    moves: F64 = np.abs(returns).mean(axis=0)
    hours = np.arange(1, BARS)
    by_hour = np.array([moves[hours % 24 == hour].mean() for hour in range(24)])
    by_day = np.array([moves[hours // 24 % 7 == day].mean() for day in range(7)])
    assert 1.2 < by_hour[14] / by_hour.mean() < 1.6
    assert by_hour[4] / by_hour.mean() < 0.9
    assert by_day[5:].mean() < 0.85 * by_day[:5].mean()


def test_trends_can_be_followed_but_not_seen_in_one_bar() -> None:
    """Over many markets, so that it is no luck: gross Sharpe of the sign of the last two days."""
    in_trends, overall = [], []
    for seed in range(8):
        market = feed("BTC", seed=seed)
        moves = np.diff(np.log(market.rows(0, 0, 8_000).ohlcv[:, 3]))
        before = np.concatenate((np.zeros(48), np.convolve(moves, np.ones(48), "valid")))[: len(moves)]
        profit = np.sign(before) * moves
        trend = np.array([market.truth(k + 1).value.startswith("trend") for k in range(len(moves))])
        in_trends.append(sharpe(profit[trend]))
        overall.append(sharpe(profit))
    assert 0.5 < np.mean(in_trends) < 4.0
    assert np.mean(overall) < 2.5
