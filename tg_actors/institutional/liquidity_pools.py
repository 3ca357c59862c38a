"""Where stops rest: swing points not traded through yet, and their sweep. Pure arrays ``(bars, n)``.

Above a swing high lie the stops of those who are short and the orders of those who buy breakouts: a pool
of liquidity; below a swing low likewise. A *sweep* is a bar that trades beyond a pool and closes back
inside: the orders there were taken, and nothing followed (L. Connors, L. Raschke, Street Smarts, 1995,
"Turtle Soup"; C. Osler, Stop-loss orders and price cascades in currency markets, 2005).

Lows are handled as highs of prices turned upside down (``-low``, ``-close``). The high of a missing bar is
minus infinity (:func:`tops`): below any other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Liquidity beyond swing points on one side: distance in ATRs and number of swings ``(n,)``.

    ``distance`` is NaN and ``swings`` 0 where there is none.
    """

    distance: F64
    swings: F64


def tops(high: F64) -> F64:
    """Highs with minus infinity for missing bars."""
    return np.where(np.isnan(high), -np.inf, high)


def swing_highs(high: F64, bars: int) -> Mask:
    """Bars ``(w, n)`` above all of the ``bars`` before them and below none of the ``bars`` after them.

    Of equal highs in a row the first one is the swing. It is known ``bars`` bars later: nothing here looks
    beyond the last row, and the newest bars can be none yet.
    """
    found = np.zeros(high.shape, dtype=np.bool_)
    if len(high) <= 2 * bars:
        return found
    top = _rolling_max(high, bars)
    middle = high[bars : len(high) - bars]
    before, after = top[: len(middle)], top[bars + 1 :]
    found[bars : len(high) - bars] = (middle > before) & ~(after > middle) & (before > -np.inf)
    return found


def pools_and_sweeps(high: F64, close: F64, swings: Mask, atr: F64, bars: int) -> tuple[Pools, F64]:
    """The nearest pool above the newest close, and how strongly the newest ``bars`` bars swept pools above.

    A pool is the swings that no later bar has exceeded; those within half an ATR of the nearest belong to it.
    The strength ``(n,)`` of a sweep, 0..1, is the way back from its extreme, full at one ATR, times ``taken /
    (1 + taken)``: a single swing gives half of what many do. It halves with every bar and is void once a bar
    closes beyond its extreme; the strongest one counts. Of ``close`` the newest ``bars`` rows are enough.
    """
    w = len(high)
    levels = np.where(swings, high, np.inf)
    first = max(w - bars, 1)
    # The highest high after each bar, of the bars before the one that is looked at.
    later = np.full(high.shape, -np.inf)
    later[: first - 1] = np.maximum.accumulate(high[first - 1 : 0 : -1], axis=0)[::-1]
    strength = np.zeros(high.shape[1])
    for bar in range(first, w):
        # A bar that trades beyond a swing came after it was known: else it would be none.
        level, closed = levels[:bar], close[bar - w]
        taken = ((high[bar] > level) & (closed < level) & (later[:bar] <= level)).sum(axis=0)
        back = np.clip((high[bar] - closed) / atr, 0.0, 1.0)
        is_void = np.fmax.reduce(close[bar - w :], axis=0) > high[bar]
        now = back * taken / (1.0 + taken) * 0.5 ** (w - 1 - bar)
        strength = np.maximum(strength, np.where(is_void | ~np.isfinite(back), 0.0, now))
        np.maximum(later[:bar], high[bar], out=later[:bar])
    above = np.where((later <= levels) & (levels > close[-1]), levels, np.inf)
    return _nearest(above, close[-1], atr), strength


def _nearest(level: F64, close: F64, atr: F64) -> Pools:
    nearest = level.min(axis=0)
    with np.errstate(invalid="ignore"):
        count = (level <= nearest + 0.5 * atr).sum(axis=0) * np.isfinite(nearest)
        distance = (nearest - close) / atr
    return Pools(np.where(np.isfinite(distance), distance, np.nan), count.astype(np.float64))


def _rolling_max(values: F64, width: int) -> F64:
    """Maximum of every ``width`` rows in a row, ``(w - width + 1, n)``."""
    out, done = values, 1
    while done < width:
        step = min(done, width - done)
        out = np.maximum(out[: len(out) - step], out[step:])
        done += step
    return out
