"""Laws of correlation matrices, clusters and weights on any closes, holes and all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.clusters import UNKNOWN, find_clusters
from tg_actors.portfolio.correlation import Threshold, correlate
from tg_actors.portfolio.weights import ALLOCATORS, capped

MARKET = Threshold(0.3, 0.8)


@st.composite
def markets(draw: st.DrawFn, *, holes: bool = True) -> F64:
    """Closes of a few names over a few months: common factors, holes, late listings, standstill."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, days = draw(st.integers(1, 8)), draw(st.integers(2, 120))
    loadings = rng.normal(0, draw(st.sampled_from([0.1, 1.0, 3.0])), (2, n))
    steps = rng.standard_normal((days, 2)) @ loadings + rng.standard_normal((days, n))
    closes: F64 = 100 * np.exp(np.cumsum(0.02 * steps, axis=0))
    if holes:
        closes[rng.random((days, n)) < draw(st.sampled_from([0.0, 0.05, 0.5]))] = np.nan
        closes[: rng.integers(0, days), rng.integers(0, n)] = np.nan
        if draw(st.booleans()):
            closes[:, 0] = 7.0
    return closes


@given(closes=markets(), window=st.sampled_from([30, 60, 90]))
def test_what_is_known_is_a_correlation_matrix(closes: F64, window: int) -> None:
    found = correlate(closes, window)
    inside = found.matrix[np.ix_(found.known, found.known)]
    assert np.isfinite(inside).all()
    np.testing.assert_array_equal(inside, inside.T)
    np.testing.assert_array_equal(inside.diagonal(), np.ones(len(inside)))
    assert (np.abs(inside) <= 1).all()
    if len(inside):
        assert np.linalg.eigvalsh(inside)[0] > -1e-7
    assert np.isnan(found.matrix[~found.known]).all()
    assert np.isfinite(found.volatility_frac[found.known]).all()
    assert 0 <= found.shrinkage_frac <= 1


@given(closes=markets(holes=False), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_names_does_not_matter(closes: F64, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(closes.shape[1])
    found, other = correlate(closes, 90), correlate(closes[:, order], 90)
    np.testing.assert_allclose(other.matrix, found.matrix[np.ix_(order, order)], atol=1e-7)


@given(closes=markets())
def test_clusters_are_a_partition_of_the_known_numbered_in_order(closes: F64) -> None:
    found = correlate(closes, 60)
    labels = find_clusters(found.matrix, MARKET)
    assert [label != UNKNOWN for label in labels] == found.known.tolist()
    first_seen = list(dict.fromkeys(label for label in labels if label != UNKNOWN))
    assert first_seen == list(range(len(first_seen)))


@given(closes=markets(), cap=st.floats(0.05, 1))
def test_weights_of_any_market_are_long_capped_and_whole(closes: F64, cap: float) -> None:
    found = correlate(closes, 60)
    if not found.known.any():
        return
    sigma = found.volatility_frac[found.known]
    covariance = found.matrix[np.ix_(found.known, found.known)] * np.outer(sigma, sigma)
    for allocate in ALLOCATORS.values():
        weights = capped(allocate(covariance), cap)
        assert (weights > 0).all()
        assert (weights <= cap + 1e-12).all()
        np.testing.assert_allclose(weights.sum(), min(1.0, cap * len(weights)), atol=1e-9)
