"""What is large in an order book: resting size against a robust norm of its neighbourhood. Pure arrays.

The best level of a liquid market is 6 to 19 times deeper than the next by nature, and most levels behind
it are dust of robots, so single levels tell little. Levels are therefore added up in *bands* of equal
width in price, the best level left out, and a band is compared with the others of its side:

    score = (size - median) / (1.4826 MAD),   both over the bands that are not empty,

where 1.4826 MAD is the standard deviation if sizes were normal (F. Hampel, 1974). The median stays where
it is for a wall, or for many as long as they are fewer than half of the bands.
"""

import numpy as np

from tg_actors.domain.blocks import F64

#: Makes a median absolute deviation a standard deviation of normal numbers.
MAD_SD = 1.4826
#: Bands a side is divided into.
BANDS = 40
#: Fewer bands with anything in them are no norm.
BANDS_MIN = 8
#: A spread of sizes below this part of their median is a book drawn with a ruler, not a calm one.
_SPREAD_FRAC_MIN = 0.1


def reach(price: F64) -> F64:
    """How far a book is seen on both sides, as a part of its mid price; ``price (n, 2, levels)``.

    Returns:
        ``(n,)``: the nearer one of the two farthest levels, NaN where a side has less than two levels.
    """
    mid = price[:, :, 0].mean(axis=1)
    last = np.fmax.reduce(np.abs(price - mid[:, np.newaxis, np.newaxis]), axis=2)
    nearer: F64 = last.min(axis=1) / mid
    return np.where(np.isfinite(price[:, :, :2]).all(axis=(1, 2)) & (nearer > 0.0), nearer, np.nan)


def bands(price: F64, size: F64, reach_frac: F64, count: int = BANDS) -> F64:
    """Add levels up in bands of equal width from the mid price outwards, without the best level.

    Shapes: ``price``/``size (n, 2, levels)``, ``reach_frac (n,)`` where the last band ends.

    Returns:
        ``(n, 2, count)`` in units of ``size``; what lies beyond is left out.
    """
    n = len(price)
    mid = price[:, :, 0].mean(axis=1)
    out = np.zeros(n * 2 * count)
    with np.errstate(invalid="ignore"):
        away = np.abs(price / mid[:, np.newaxis, np.newaxis] - 1.0) / reach_frac[:, np.newaxis, np.newaxis]
        # The level that defines the reach stands on the edge of the last band and belongs to it.
        band = np.minimum(away * count, count * (1.0 - 1e-9))
        known = (away <= 1.0 + 1e-9) & np.isfinite(size)
    known[:, :, 0] = False
    flat = np.arange(n * 2).reshape(n, 2, 1) * count + np.where(known, band, 0.0).astype(np.int64)
    out += np.bincount(flat[known], weights=size[known], minlength=len(out))
    return out.reshape(n, 2, count)


def norm(sizes: F64) -> tuple[F64, F64]:
    """Median and spread of the bands ``(..., count)`` that hold anything, NaN where too few do."""
    held = np.where(sizes > 0.0, sizes, np.nan)
    few = np.isfinite(held).sum(axis=-1) < BANDS_MIN
    middle = _median(held)
    spread = MAD_SD * _median(np.abs(held - middle[..., np.newaxis]))
    spread = np.maximum(spread, _SPREAD_FRAC_MIN * middle)
    return np.where(few, np.nan, middle), np.where(few, np.nan, spread)


def scores(sizes: F64) -> F64:
    """Score of every band ``(..., count)``; 0 where there is no norm."""
    middle, spread = norm(sizes)
    return np.nan_to_num((sizes - middle[..., np.newaxis]) / spread[..., np.newaxis], nan=0.0)


def _median(values: F64) -> F64:
    """Median along the last axis without NaN (which sorts last); NaN where there is nothing."""
    ordered = np.sort(values, axis=-1)
    held = np.isfinite(ordered).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum((held - 1) // 2, 0)[..., np.newaxis], axis=-1)
    high = np.take_along_axis(ordered, np.minimum(held // 2, values.shape[-1] - 1)[..., np.newaxis], axis=-1)
    middle: F64 = (low[..., 0] + high[..., 0]) / 2.0
    return np.where(held > 0, middle, np.nan)
