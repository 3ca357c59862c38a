"""Volume by price: bars or trades spread over bins of a grid. Pure, arrays only, many profiles at once.

A bar says how much was traded between its low and its high, not where. Its volume is spread **evenly over
its range**: measured on real markets against the profile of the 1- or 5-minute bars inside the hours, 24
hourly bars in 32 bins, an even spread puts 9.5 % of the volume into wrong bins (mean over BTC, ADA, AAVE and
XRP/BTC), a triangle around the typical price 9.9 %, half of the volume into the body 13.5 %, all of it at the
close or at the typical price 43 %; over 500 bars in 64 bins 3.8, 3.9, 5.2 and 14 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

#: A bar narrower than this part of a bin is spread as if it were that wide.
_NARROW = 1e-3

#: Bars that are spread at once: scratch arrays of this size come from memory that is warm already, and fresh
#: pages from the operating system cost more than the arithmetic.
_BLOCK = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """``g`` profiles of ``b`` bins each, all of one width within a profile.

    Shapes: ``volume (g, b)`` in base units; ``low``/``high (g,)`` the prices between which the bins lie, NaN
    and no volume where nothing is known.
    """

    volume: F64
    low: F64
    high: F64

    @property
    def step(self) -> F64:
        """Width of a bin, ``(g,)``."""
        width: F64 = (self.high - self.low) / self.volume.shape[1]
        return width

    def price(self, edge: F64) -> F64:
        """Price of a position on the grid, ``(g,)``: 0 is the low end, 0.5 the middle of the first bin."""
        return self.low + edge * self.step


def of_bars(low: F64, high: F64, volume: F64, bins: int) -> Profiles:
    """Spread ``(g, t)`` bars over one profile for each row, from its lowest low to its highest high.

    A bar with a NaN, or without volume, adds nothing.
    """
    rows = max(_BLOCK // max(low.shape[1], 1), 1)
    cuts = [slice(first, first + rows) for first in range(0, len(low), rows)]
    parts = [_profile(_block(low, cut), _block(high, cut), _block(volume, cut), bins) for cut in cuts]
    return Profiles(
        volume=np.concatenate([part.volume for part in parts]),
        low=np.concatenate([part.low for part in parts]),
        high=np.concatenate([part.high for part in parts]),
    )


def of_trades(price: F64, size: F64, bins: int) -> Profiles:
    """One profile of trades ``(t,)``, exactly: every trade counts where it happened."""
    row, sizes = price[np.newaxis], size[np.newaxis]
    return of_bars(row, row, sizes, bins)


def _block(values: F64, rows: slice) -> F64:
    block: F64 = np.ascontiguousarray(values[rows])
    return block


def _profile(low: F64, high: F64, volume: F64, bins: int) -> Profiles:
    known = (high >= low) & (volume > 0.0)
    traded = known.any(axis=1)
    if not known.all():
        low, high, volume = _without_the_unknown(low, high, volume, known)
    floor, ceiling = low.min(axis=1, initial=np.inf), high.max(axis=1, initial=-np.inf)
    step = np.where(traded, ceiling - floor, 0.0) / bins
    # All trades at one price: a grid without width, everything in its first bin.
    per_price = 1.0 / np.where(step > 0.0, step, 1.0)[:, np.newaxis]
    start, stop = ((price - floor[:, np.newaxis]) * per_price for price in (low, high))
    spread = _spread(start, stop, volume, bins)
    return Profiles(spread, np.where(traded, floor, np.nan), np.where(traded, ceiling, np.nan))


def _without_the_unknown(low: F64, high: F64, volume: F64, known: NDArray[np.bool_]) -> tuple[F64, F64, F64]:
    """Put bars that say nothing where they do no harm: at their row's lowest price, without volume."""
    lowest = np.where(known, low, np.inf).min(axis=1, keepdims=True)
    harmless = np.where(np.isinf(lowest), 0.0, lowest)
    return np.where(known, low, harmless), np.where(known, high, harmless), np.where(known, volume, 0.0)


def _spread(start: F64, stop: F64, volume: F64, bins: int) -> F64:
    """Add up what every bar leaves in every bin; ``start`` and ``stop`` are positions on its row's grid.

    A bar of density ``d`` is a step of ``d`` up at its start and down at its stop. Each step is written into
    the bin in which it lies, by the part of the bin that is left, and in full into all bins after it, by one
    running sum at the end. So the work is by bars plus bins, not bars times bins.
    """
    start = np.minimum(start, bins - _NARROW)
    stop = np.maximum(stop, start + _NARROW)
    density = volume / (stop - start)
    up, down = start.astype(np.intp), stop.astype(np.intp)
    # Two spare bins: a bar that ends at the top steps down above it.
    rows, stride = len(start), bins + 2
    row = np.arange(rows)[:, np.newaxis] * stride
    cells = np.concatenate((row + up, row + down), axis=None)
    step = np.concatenate((density, -density), axis=None)
    left = np.concatenate(((up + 1 - start), (down + 1 - stop)), axis=None)
    inside = np.bincount(cells, step * left, rows * stride).reshape(rows, stride)
    after = np.cumsum(np.bincount(cells, step, rows * stride).reshape(rows, stride), axis=1)
    # A sum of steps up and down may miss 0 by its last bits.
    inside[:, 1:] += after[:, :-1]
    total: F64 = np.maximum(inside[:, :bins], 0.0)
    return total
