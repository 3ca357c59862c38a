"""Long-only portfolio weights from a covariance: who holds how much of the risk. Pure.

All take ``covariance (n, n)``, finite with a positive diagonal, and return weights ``(n,)`` that sum to 1.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.clusters import distance, leaves, link

Allocator = Callable[[F64], F64]

_NEWTON_STEPS_MAX = 100
_DECREMENT_MIN = 1e-13


def equal(covariance: F64) -> F64:
    """The same for everybody."""
    n = len(covariance)
    return np.full(n, 1.0 / n)


def inverse_volatility(covariance: F64) -> F64:
    """In proportion to ``1 / sigma``: equal risks if nothing were correlated."""
    return _normed(1.0 / np.sqrt(covariance.diagonal()))


def equal_risk_contribution(covariance: F64) -> F64:
    """Every name contributes the same to the portfolio's variance (risk parity).

    ``w_i (S w)_i`` is equal for all ``i``: the minimum of ``n/2 x'Cx - sum(log x)`` on the correlations
    ``C``, ``w`` in proportion to ``x / sigma`` (Spinu 2013). That function is self-concordant: Newton's
    method with steps damped by ``1 / (1 + decrement)`` stays positive and converges from anywhere.

    Raises:
        ValueError: not positive semi-definite, so that there is no minimum.
    """
    n, sigma = len(covariance), np.sqrt(covariance.diagonal())
    scaled = n * covariance / np.outer(sigma, sigma)
    x = np.full(n, 1.0 / n)
    for _ in range(_NEWTON_STEPS_MAX):
        gradient = scaled @ x - 1.0 / x
        step = np.linalg.solve(scaled + np.diag(1.0 / x**2), gradient)
        decrement = float(np.sqrt(max(gradient @ step, 0.0)))
        x = x - step / (1.0 + decrement)
        if decrement < _DECREMENT_MIN:
            break
    if not (x > 0).all():
        raise ValueError("equal risk contribution needs a positive semi-definite covariance")
    return _normed(x / sigma)


def hierarchical_risk_parity(covariance: F64) -> F64:
    """Split along the tree of correlations, each half in inverse proportion to its variance.

    López de Prado (2016), "Building diversified portfolios that outperform out of sample": single linkage
    on the distance of the columns of ``sqrt((1 - rho) / 2)``, leaves in the order of the tree, recursive
    bisection of that order with inverse-variance portfolios.
    """
    n, sigma = len(covariance), np.sqrt(covariance.diagonal())
    weights = np.ones(n)
    if n == 1:
        return weights
    apart = distance(covariance / np.outer(sigma, sigma))
    # Summed along one axis, not by a product, so that equal columns are at distance 0 exactly.
    columns = np.sqrt(((apart[:, :, np.newaxis] - apart[:, np.newaxis, :]) ** 2).sum(axis=0))
    queue = [leaves(link(columns, average=False))]
    while queue:
        group = queue.pop()
        left, right = group[: len(group) // 2], group[len(group) // 2 :]
        risk_left, risk_right = _variance(covariance, left), _variance(covariance, right)
        weights[left] *= risk_right / (risk_left + risk_right)
        weights[right] *= risk_left / (risk_left + risk_right)
        queue += [half for half in (left, right) if len(half) > 1]
    return _normed(weights)


def _normed(weights: F64) -> F64:
    part: F64 = weights / weights.sum()
    return part


def _variance(covariance: F64, members: Sequence[int]) -> float:
    """Variance of the inverse-variance portfolio of a group."""
    inside = covariance[np.ix_(members, members)]
    inverse = 1.0 / inside.diagonal()
    weights = inverse / inverse.sum()
    return float(weights @ inside @ weights)


def capped(weights: F64, cap_frac: float) -> F64:
    """Cut weights at a cap and hand the excess to the others in proportion; their order stays.

    What is left when everybody stands at the cap is not handed out: the sum is then ``n * cap_frac``.
    """
    total, fixed = float(weights.sum()), np.zeros(len(weights), dtype=bool)
    result = weights.astype(np.float64)
    while (over := (result > cap_frac) & ~fixed).any():
        fixed |= over
        free = float(weights[~fixed].sum())
        rest = total - cap_frac * int(fixed.sum())
        grown = weights * max(rest, 0.0) / free if free > 0 else weights
        result = np.where(fixed, cap_frac, grown)
    return result


#: By the names that configuration uses.
ALLOCATORS: dict[str, Allocator] = {
    "equal": equal,
    "inverse_volatility": inverse_volatility,
    "erc": equal_risk_contribution,
    "hrp": hierarchical_risk_parity,
}
