"""Correlation matrices against direct formulas, calendars, shrinkage, thresholds, leads and lags."""

from itertools import pairwise

import numpy as np
import pytest

from tests.correlation_words import on_sessions, walks
from tg_actors.domain.blocks import F64
from tg_actors.portfolio.correlation import (
    Threshold,
    correlate,
    find_lead_lags,
    nearest_correlation,
    off_diagonal,
)


def returns(closes: F64) -> F64:
    return np.diff(np.log(closes), axis=0)


def ledoit_wolf(x: F64) -> float:
    """The intensity as the appendix of the paper writes it: sums over i, j and t, nothing clever."""
    t, n = x.shape
    y = (x - x.mean(axis=0)) / x.std(axis=0)
    s = y.T @ y / t
    target = (s.sum() - n) / (n * (n - 1))
    pi = rho = gamma = 0.0
    for i in range(n):
        for j in range(n):
            pi_ij = ((y[:, i] * y[:, j] - s[i, j]) ** 2).mean()
            pi += pi_ij
            if i == j:
                rho += pi_ij
                continue
            theta_i = ((y[:, i] ** 2 - s[i, i]) * (y[:, i] * y[:, j] - s[i, j])).mean()
            theta_j = ((y[:, j] ** 2 - s[j, j]) * (y[:, i] * y[:, j] - s[i, j])).mean()
            rho += target / 2 * (theta_i + theta_j)
            gamma += (target - s[i, j]) ** 2
    return float(min(max((pi - rho) / gamma / t, 0.0), 1.0))


LOADINGS = [[0.9, 0.0], [0.9, 0.1], [0.8, 0.0], [0.1, 0.8], [0.2, 0.7], [0.3, 0.3]]


def test_sample_is_the_textbook_correlation_of_log_returns() -> None:
    closes = walks(LOADINGS, seed=3)
    found = correlate(closes, 90)
    assert found.count.tolist() == [[90] * 6] * 6
    np.testing.assert_allclose(found.sample, np.corrcoef(returns(closes[-91:]).T), atol=1e-12)
    np.testing.assert_allclose(found.volatility_frac, returns(closes[-91:]).std(axis=0), atol=1e-12)


@pytest.mark.parametrize("window", [30, 60, 90])
@pytest.mark.parametrize("seed", range(5))
def test_shrinkage_is_that_of_ledoit_and_wolf(window: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((100, 6)) @ np.triu(np.ones((6, 6))) * 0.02
    closes = 100 * np.exp(np.cumsum(x, axis=0))
    found = correlate(closes, window)
    frac = ledoit_wolf(returns(closes[-(window + 1) :]))
    assert found.shrinkage_frac == pytest.approx(frac, abs=1e-12)
    assert 0 < frac < 1 or window == 30, "in a month of noise all of it may be noise"
    mean = off_diagonal(found.sample).mean()
    np.testing.assert_allclose(
        off_diagonal(found.matrix), frac * mean + (1 - frac) * off_diagonal(found.sample), atol=1e-8
    )


def test_days_before_the_window_change_nothing() -> None:
    closes = walks(LOADINGS, seed=4)
    other = closes.copy()
    other[:-61] = 7.0
    np.testing.assert_array_equal(correlate(closes, 60).matrix, correlate(other, 60).matrix)


def test_a_coins_weekend_is_compounded_into_the_session_it_is_compared_with() -> None:
    closes = walks([[0.9], [0.9], [0.5]], seed=5)
    closes[:, 2:] = on_sessions(closes[:, 2:])
    found = correlate(closes, 90)
    open_days = np.flatnonzero(np.isfinite(closes[-91:, 2]))
    coin = np.array([np.log(closes[-91:][b, 0] / closes[-91:][a, 0]) for a, b in pairwise(open_days)])
    index = np.array([np.log(closes[-91:][b, 2] / closes[-91:][a, 2]) for a, b in pairwise(open_days)])
    assert found.sample[0, 2] == pytest.approx(np.corrcoef(coin, index)[0, 1], abs=1e-12)
    assert found.count[0, 2] == len(open_days) - 1 == found.count[2, 2]
    # Coins among themselves use every day.
    assert found.count[0, 1] == 90


def test_a_name_with_too_few_days_is_unknown_and_leaves_the_others_as_they_are() -> None:
    closes = walks(LOADINGS, seed=6)
    young = closes.copy()
    young[:-30, 2] = np.nan
    found, rest = correlate(young, 90), correlate(np.delete(closes, 2, axis=1), 90)
    assert found.known.tolist() == [True, True, False, True, True, True]
    assert np.isnan(found.matrix[2]).all()
    assert np.isnan(found.matrix[:, 2]).all()
    assert np.isnan(found.volatility_frac[2])
    kept = np.delete(np.delete(found.matrix, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(kept, rest.matrix)
    # In a shorter window it has days enough.
    assert correlate(young, 30).known[:2].all()


def test_what_never_moves_is_unknown() -> None:
    closes = walks(LOADINGS, seed=6)
    closes[:, 1] = 5.0
    assert correlate(closes, 90).known.tolist() == [True, False, True, True, True, True]


def test_nothing_is_known_of_no_days() -> None:
    found = correlate(np.full((1, 3), 100.0), 90)
    assert not found.known.any()
    assert np.isnan(found.matrix).all()
    assert np.isnan(found.mean)


def test_a_matrix_of_torn_pairs_becomes_a_correlation_matrix() -> None:
    torn = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert np.linalg.eigvalsh(torn)[0] < -0.5
    fixed = nearest_correlation(torn)
    assert np.linalg.eigvalsh(fixed)[0] >= -1e-12
    np.testing.assert_allclose(fixed.diagonal(), 1.0)
    np.testing.assert_array_equal(fixed, fixed.T)
    # One that is sound is left alone.
    assert nearest_correlation(fixed * 0.9 + 0.1 * np.eye(3)) is not fixed
    sound = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert nearest_correlation(sound) is sound


def test_threshold_is_relative_to_the_market_within_its_bounds() -> None:
    matrix = np.array([[1.0, 0.6, 0.7], [0.6, 1.0, 0.65], [0.7, 0.65, 1.0]])
    pairs = np.array([0.6, 0.7, 0.65])
    assert Threshold(0.1, 0.99).of(matrix) == pytest.approx(pairs.mean() + pairs.std())
    assert Threshold(0.1, 0.99, sigmas=0.0).of(matrix) == pytest.approx(0.65)
    assert Threshold(0.75, 0.99).of(matrix) == 0.75
    assert Threshold(0.1, 0.66).of(matrix) == 0.66
    assert Threshold(0.3, 0.66).of(np.full((2, 2), np.nan)) == 0.3


def test_who_leads_is_found_and_by_how_much() -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((91, 4)) * 0.03
    x[2:, 3] = 0.8 * x[:-2, 1] + 0.6 * x[2:, 3]
    found = find_lead_lags(100 * np.exp(np.cumsum(x, axis=0)), (1, 2, 3), 0.05)
    assert [tuple(place) for place in np.argwhere(found.correlation)] == [(1, 1, 3)]
    assert found.correlation[1, 1, 3] == pytest.approx(0.8, abs=0.1)
    assert len(found) == 1


def test_leads_among_strangers_are_found_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(9)
    falsely = 0
    for _ in range(400):
        closes = 100 * np.exp(np.cumsum(rng.standard_normal((91, 5)) * 0.03, axis=0))
        falsely += bool(len(find_lead_lags(closes, (1, 2, 3), 0.05)))
    # 20 are expected; 36 would be 3.7 standard deviations away.
    assert 2 <= falsely <= 36
