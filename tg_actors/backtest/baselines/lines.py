"""Running statistics along time: the arithmetic under the studies.

Every array is ``(n, T)``, one line per instrument, oldest first. All functions look back only: value
``t`` depends on no column after ``t``, to the bit. Leading NaN mean "not listed yet" and stay NaN.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

Mask = NDArray[np.bool_]


def filled(lines: F64) -> F64:
    """Carry the last number over NaN; what comes before the first number stays NaN."""
    known = ~np.isnan(lines)
    if known.all():
        return lines
    at = np.maximum.accumulate(np.where(known, np.arange(lines.shape[1]), 0), axis=1)
    return np.take_along_axis(lines, at, axis=1)


def lagged(lines: F64, bars: int) -> F64:
    """Return the value of ``bars`` bars ago, NaN before."""
    out = np.full_like(lines, np.nan)
    out[:, bars:] = lines[:, : max(lines.shape[1] - bars, 0)]
    return out


def rolling_sum(lines: F64, window: int) -> F64:
    """Sum of the newest ``window`` values, NaN while there are fewer."""
    known = ~np.isnan(lines)
    sums = np.cumsum(np.where(known, lines, 0.0), axis=1)
    counts = np.cumsum(known, axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    counts[:, window:] -= counts[:, :-window].copy()
    return np.where(counts == window, sums, np.nan)


def mean(lines: F64, window: int) -> F64:
    """Simple moving average."""
    return rolling_sum(lines, window) / window


def deviation(lines: F64, window: int) -> F64:
    """Moving standard deviation (ddof 0); what rounding alone makes of a constant is 0."""
    base = lines - _first(lines)
    centre = mean(base, window)
    variance = mean(base * base, window) - centre * centre
    return np.sqrt(np.where(variance < _ROUNDING * (1.0 + centre * centre), 0.0, variance))


#: Relative size of what cancellation leaves behind.
_ROUNDING = 1e-12


def exponential(lines: F64, alpha: float, warmup: int) -> F64:
    """Exponential average with weight ``alpha`` on the newest value, NaN for the first ``warmup`` values."""
    frame = pd.DataFrame(lines.T, copy=False)
    smooth: F64 = np.array(frame.ewm(alpha=alpha, adjust=False).mean().to_numpy().T, order="C")
    seen = np.cumsum(~np.isnan(lines), axis=1)
    return np.where(seen >= warmup, smooth, np.nan)


def highest(lines: F64, window: int) -> F64:
    """Largest of the newest ``window`` values, NaN while there are fewer.

    Blocks of ``window`` columns: a window is the end of one block and the beginning of the next, so two
    running maxima are enough (van Herk 1992; Gil and Werman 1993).
    """
    n, count = lines.shape
    blocks = -(-count // window)
    padded = np.full((n, blocks * window), -np.inf)
    padded[:, :count] = np.where(np.isnan(lines), np.inf, lines)  # a NaN spoils its window
    parts = padded.reshape(n, blocks, window)
    ahead = np.maximum.accumulate(parts, axis=2).reshape(n, -1)
    behind = np.maximum.accumulate(parts[:, :, ::-1], axis=2)[:, :, ::-1].reshape(n, -1)
    out = np.full((n, count), np.nan)
    if count >= window:
        top = np.maximum(ahead[:, window - 1 : count], behind[:, : count - window + 1])
        out[:, window - 1 :] = np.where(np.isinf(top), np.nan, top)
    return out


def lowest(lines: F64, window: int) -> F64:
    """Smallest of the newest ``window`` values, NaN while there are fewer."""
    return -highest(-lines, window)


def latch(enter: Mask, leave: Mask) -> F64:
    """Return 1 from a bar that enters to before the next that leaves, else 0; entering wins a tie."""
    return stance(enter, np.zeros_like(enter), leave)


def stance(long: Mask, short: Mask, flat: Mask) -> F64:
    """Return the newest of 1, -1 and 0 that was called for; 0 before any. A later argument loses a tie."""
    said = np.where(long, 1.0, np.where(short, -1.0, np.where(flat, 0.0, np.nan)))
    said[:, 0] = np.nan_to_num(said[:, 0])
    return filled(said)


def paused(lines: F64, every: int) -> F64:
    """Take a value on every ``every``-th bar only and keep it in between."""
    if every == 1:
        return lines
    at = np.arange(lines.shape[1]) // every * every
    kept: F64 = lines[:, at]
    return kept


def _first(lines: F64) -> F64:
    """First number of each line ``(n, 1)``, NaN where there is none."""
    at = np.argmax(~np.isnan(lines), axis=1)
    first: F64 = lines[np.arange(len(lines)), at][:, np.newaxis]
    return first
