"""Is the best of many better than chance, and what do many p-values say together? Pure, seeded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.resampling import optimal_block, stationary

#: Numbers of one slice of resampled means; 16 MB.
_SLICE_NUMBERS = 2_000_000
#: Fewer show no dependence between days, and Hansen's threshold takes a logarithm twice.
_DAYS_MIN = 8


@dataclass(frozen=True, slots=True)
class BestOfMany:
    """Whether the best of many strategies beats the benchmark, the search for it taken into account.

    ``reality_check``: White (2000). ``spa_lower <= spa_consistent <= spa_upper``: Hansen (2005); the
    consistent one is the test. Small values speak for the best strategy; ``best`` is its column.
    """

    best: int
    reality_check: float
    spa_lower: float
    spa_consistent: float
    spa_upper: float


def superior_ability(
    excess: F64, *, seed: int, samples: int = 1_000, block_mean: float | None = None
) -> BestOfMany:
    """Test whether any of many strategies is better than the benchmark.

    Hansen's test divides every mean by its own deviation and does not let clearly bad strategies weigh on the
    good ones; White's does neither.

    Args:
        excess: daily return of each strategy less that of the benchmark, ``(n, strategies)``.
        seed: of the stationary bootstrap.
        samples: of the bootstrap.
        block_mean: mean block length; None takes the longest that suits any of the strategies.

    Raises:
        ValueError: fewer than eight days.
    """
    n = excess.shape[0]
    if n < _DAYS_MIN:
        raise ValueError(f"{n} days show no superior ability: at least {_DAYS_MIN} are needed")
    block = max(map(optimal_block, excess.T)) if block_mean is None else block_mean
    means = excess.mean(axis=0)
    deviation = _deviations(excess - means, block)
    moves = deviation > 0.0
    scale = math.sqrt(n) / np.where(moves, deviation, np.inf)
    bad = means < -deviation * math.sqrt(2.0 * math.log(math.log(n))) / math.sqrt(n)
    centres = {
        "spa_lower": np.maximum(means, 0.0),
        "spa_consistent": np.where(bad, 0.0, means),
        "spa_upper": means,
    }
    best = float((scale * means).max(initial=0.0))
    white = float(means.max())
    beyond = dict.fromkeys((*centres, "reality_check"), 0)
    for drawn in _resampled_means(excess, seed, samples, block):
        beyond["reality_check"] += int(((drawn - means).max(axis=1) >= white).sum())
        for name, centre in centres.items():
            beyond[name] += int(((scale * (drawn - centre)).max(axis=1, initial=0.0) >= best).sum())
    chances = {name: count / samples for name, count in beyond.items()}
    return BestOfMany(best=int((scale * means).argmax()), **chances)


def _resampled_means(excess: F64, seed: int, samples: int, block: float) -> Iterator[F64]:
    """Means of resampled series, ``(samples, strategies)`` in slices: how often each day came, times it."""
    rng = np.random.default_rng(seed)
    n = excess.shape[0]
    step = max(1, _SLICE_NUMBERS // n)
    for at in range(0, samples, step):
        rows = stationary(rng, n, min(step, samples - at), block)
        offset = rows + n * np.arange(len(rows))[:, np.newaxis]
        counts = np.bincount(offset.ravel(), minlength=n * len(rows)).reshape(len(rows), n)
        yield counts @ excess / n


def _deviations(centred: F64, block: float) -> F64:
    """Long-run standard deviation of each column under the stationary bootstrap (Hansen 2005, section 3)."""
    n = centred.shape[0]
    variance = np.square(centred).mean(axis=0)
    stay = 1.0 - 1.0 / block
    for lag in range(1, n if block > 1.0 else 1):
        weight = (1.0 - lag / n) * stay**lag + lag / n * stay ** (n - lag)
        variance += 2.0 * weight * (centred[lag:] * centred[: n - lag]).sum(axis=0) / n
    deviation: F64 = np.sqrt(np.maximum(variance, 0.0))
    return deviation


def holm(p_values: F64) -> F64:
    """Adjust p-values for the chance of *any* false discovery (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    ranked = p_values[order] * np.arange(p_values.size, 0, -1)
    return _unsorted(np.maximum.accumulate(ranked), order)


def benjamini_hochberg(p_values: F64) -> F64:
    """Adjust p-values for the expected *part* of false discoveries (Benjamini and Hochberg 1995)."""
    order = np.argsort(p_values, kind="stable")
    ranked = p_values[order] * p_values.size / np.arange(1, p_values.size + 1)
    return _unsorted(np.minimum.accumulate(ranked[::-1])[::-1], order)


def _unsorted(ranked: F64, order: NDArray[np.intp]) -> F64:
    adjusted = np.empty_like(ranked)
    adjusted[order] = np.minimum(ranked, 1.0)
    return adjusted
