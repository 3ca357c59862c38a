"""Risk parity and HRP against their definitions."""

import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.weights import (
    ALLOCATORS,
    capped,
    equal_risk_contribution,
    hierarchical_risk_parity,
    inverse_volatility,
)


def a_covariance(n: int, seed: int) -> F64:
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0.6, 0.5, (n, 3))
    matrix = loadings @ loadings.T + np.diag(rng.uniform(0.1, 1, n))
    sigma = rng.uniform(0.01, 0.2, n) / np.sqrt(matrix.diagonal())
    return matrix * np.outer(sigma, sigma)


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize("n", [1, 2, 3, 17, 60])
def test_weights_are_positive_and_sum_to_one(name: str, n: int) -> None:
    weights = ALLOCATORS[name](a_covariance(n, 1))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0).all()


@pytest.mark.parametrize("n", [2, 7, 60])
@pytest.mark.parametrize("seed", range(5))
def test_risk_parity_contributes_equally(n: int, seed: int) -> None:
    covariance = a_covariance(n, seed)
    weights = equal_risk_contribution(covariance)
    contributions = weights * (covariance @ weights)
    np.testing.assert_allclose(contributions / contributions.sum(), np.full(n, 1 / n), atol=1e-10)


def test_risk_parity_of_uncorrelated_names_is_inverse_volatility() -> None:
    covariance = np.diag([0.01, 0.04, 0.09])
    np.testing.assert_allclose(equal_risk_contribution(covariance), inverse_volatility(covariance))
    np.testing.assert_allclose(inverse_volatility(covariance), np.array([6, 3, 2]) / 11)


def test_risk_parity_takes_a_singular_covariance() -> None:
    weights = equal_risk_contribution(np.ones((4, 4)) * 0.01)
    np.testing.assert_allclose(weights, 0.25)


def hrp_as_printed(covariance: F64) -> F64:
    """The snippets of López de Prado (2016) with plain lists; single linkage by exhaustive search."""
    n = len(covariance)
    sigma = np.sqrt(np.diag(covariance))
    d = np.sqrt(np.maximum(1 - covariance / np.outer(sigma, sigma), 0) / 2)
    far = np.array([[np.sqrt(((d[:, i] - d[:, j]) ** 2).sum()) for j in range(n)] for i in range(n)])
    groups = [[k] for k in range(n)]
    while len(groups) > 1:
        ways = [
            (min(far[i, j] for i in a for j in b), min(a), min(b))
            for a in groups
            for b in groups
            if min(a) < min(b)
        ]
        _, first, second = min(ways)
        left = next(g for g in groups if min(g) == first)
        right = next(g for g in groups if min(g) == second)
        groups = [g for g in groups if g not in (left, right)] + [left + right]
    order, weights = groups[0], dict.fromkeys(range(n), 1.0)

    def risk(members: list[int]) -> float:
        inside = covariance[np.ix_(members, members)]
        w = 1 / np.diag(inside) / (1 / np.diag(inside)).sum()
        return float(w @ inside @ w)

    halves = [order]
    while halves:
        halves = [
            half
            for g in halves
            for half in (g[: len(g) // 2], g[len(g) // 2 :])
            if len(g) > 1
        ]  # fmt: skip
        for k in range(0, len(halves), 2):
            alpha = 1 - risk(halves[k]) / (risk(halves[k]) + risk(halves[k + 1]))
            for i in halves[k]:
                weights[i] *= alpha
            for i in halves[k + 1]:
                weights[i] *= 1 - alpha
    return np.array([weights[k] for k in range(n)])


@pytest.mark.parametrize("n", [2, 5, 10, 23])
@pytest.mark.parametrize("seed", range(4))
def test_hrp_is_that_of_the_paper(n: int, seed: int) -> None:
    covariance = a_covariance(n, seed)
    np.testing.assert_allclose(hierarchical_risk_parity(covariance), hrp_as_printed(covariance), rtol=1e-6)


def test_hrp_gives_two_like_names_half_of_what_two_strangers_get() -> None:
    matrix = np.eye(4)
    matrix[0, 2] = matrix[2, 0] = 0.9999
    weights = hierarchical_risk_parity(matrix * 0.01)
    np.testing.assert_allclose(weights, [1 / 6, 1 / 3, 1 / 6, 1 / 3], atol=1e-4)


def test_a_cap_hands_its_excess_to_the_others_in_proportion() -> None:
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    np.testing.assert_allclose(capped(weights, 0.4), [0.4, 0.36, 0.18, 0.06])
    # What is handed on may reach the cap as well.
    np.testing.assert_allclose(capped(weights, 0.35), [0.35, 0.35, 0.225, 0.075])
    np.testing.assert_array_equal(capped(weights, 0.5), weights)
    np.testing.assert_allclose(capped(weights, 0.1), [0.1] * 4)
    np.testing.assert_allclose(capped(weights * 0.5, 0.2), [0.2, 0.18, 0.09, 0.03])
