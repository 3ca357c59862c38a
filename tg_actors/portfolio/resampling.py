"""Resampling of series whose neighbours depend on each other: the stationary bootstrap. Pure, seeded."""

import math

import numpy as np

from tg_actors.domain.blocks import F64, I64

#: Lags in a row that must be silent, at least (Politis and White 2004, section 3.2).
_SILENT_LAGS_MIN = 5
#: Fewer returns show no dependence that could be measured.
_LENGTH_MIN = 8


def stationary(rng: np.random.Generator, n: int, samples: int, block_mean: float) -> I64:
    """Draw the indices of a stationary bootstrap, shape ``(samples, n)`` (Politis and Romano 1994).

    Blocks begin anywhere, run on around the end, and have lengths of geometric distribution.
    """
    if n == 0:
        return np.empty((samples, 0), dtype=np.int64)
    begins = rng.random((samples, n)) < 1.0 / block_mean
    begins[:, 0] = True
    place = np.arange(n)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    first = np.take_along_axis(rng.integers(0, n, (samples, n)), begun, axis=1)
    indices: I64 = (first + place - begun) % n
    return indices


def optimal_block(series: F64) -> float:
    """Return the mean block length that suits a series under the stationary bootstrap, at least 1.

    Politis and White (2004) with the correction of Patton, Politis and White (2009): a flat-top window
    over twice the first lag from which on ``max(5, log10 n)`` autocorrelations in a row stay within
    ``2 sqrt(log10(n) / n)``; at most ``min(3 sqrt(n), n / 3)``.

    Args:
        series: ``(n,)``; 1.0 is the answer to fewer than 8 numbers or to numbers that are all the same.
    """
    n = series.size
    if n < _LENGTH_MIN or np.ptp(series) == 0.0:
        return 1.0
    silent = max(_SILENT_LAGS_MIN, int(math.log10(n)))
    lags_max = min(math.ceil(math.sqrt(n)) + silent, n - 2)
    products, correlations = _autocovariances(series - series.mean(), lags_max)
    loud = np.abs(correlations[1:-1]) >= 2.0 * math.sqrt(math.log10(n) / n)
    runs = np.lib.stride_tricks.sliding_window_view(loud, silent).any(axis=1)
    first = int(np.argmin(runs)) + 1 if not runs.all() else lags_max
    window = min(2 * first, lags_max)
    lags = np.arange(1, window + 1)
    weights = np.minimum(1.0, 2.0 * (1.0 - lags / window)) * products[1 : window + 1] / n
    spread = products[0] / n + 2.0 * float(weights.sum())
    if spread == 0.0:
        return 1.0
    slope = 2.0 * float((lags * weights).sum())
    block = float(np.cbrt((slope / spread) ** 2 * n))
    return max(1.0, min(block, math.ceil(min(3.0 * math.sqrt(n), n / 3.0))))


def _autocovariances(centred: F64, lags_max: int) -> tuple[F64, F64]:
    """Return sums of products and correlations at lags 0 to ``lags_max``.

    A correlation is scaled by what either end itself varies, less one more number, as Patton's program does.
    """
    n = centred.size
    products = np.array([centred[k:] @ centred[: n - k] for k in range(lags_max + 1)])
    squares = np.concatenate(([0.0], np.cumsum(centred**2)))
    later = squares[n] - squares[1 : lags_max + 2]
    earlier = squares[n - 1 - np.arange(lags_max + 1)]
    scale = np.sqrt(np.maximum(later * earlier, np.finfo(np.float64).tiny))
    return products, products / scale
