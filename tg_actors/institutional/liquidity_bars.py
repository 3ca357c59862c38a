"""What bars alone tell about who is taking and who is giving: zones and effort without result. Pure arrays.

All functions take ``(bars, n)`` and return ``(n,)``; missing bars are NaN and left out.
"""

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.institutional.weighing import squash

#: A full score for accumulation: volume closes on average a third of the range above the middle.
_FLOW_GAIN = 3.0
_EFFORT_BARS = 3


def true_range(high: F64, low: F64, close: F64, bars: int) -> F64:
    """Mean true range of the newest ``bars`` bars (J. Welles Wilder, 1978), NaN where nothing is known."""
    before = close[-bars - 1 : -1]
    ranges = np.fmax(high[-bars:], before) - np.fmin(low[-bars:], before)
    known = np.isfinite(ranges)
    total = np.where(known, ranges, 0.0).sum(axis=0)
    return np.where(total > 0.0, total / np.maximum(known.sum(axis=0), 1), np.nan)


def zone(high: F64, low: F64, close: F64, volume: F64, atr: F64) -> F64:
    """Accumulation (above 0) or distribution (below 0) while the price stands still, -1..1.

    ``squash(3 flow) * narrowness``: ``flow`` is the volume-weighted mean of the close's place in its bar, -1
    at the low and 1 at the high (M. Chaikin's accumulation/distribution); ``narrowness`` is 1 where the
    whole range is half of what a random walk of so many bars covers or less, 0 where it is all of it:
    Wyckoff's trading range, in which large interest changes hands.
    """
    width = high - low
    place = np.divide(2.0 * close - high - low, width, out=np.zeros_like(close), where=width > 0.0)
    weight = np.where(np.isfinite(place) & np.isfinite(volume), volume, 0.0)
    total = weight.sum(axis=0)
    flow = np.divide(
        (np.nan_to_num(place) * weight).sum(axis=0), total, out=np.zeros_like(total), where=total > 0
    )
    walk = np.sqrt(len(close))
    covered = (np.fmax.reduce(high, axis=0) - np.fmin.reduce(low, axis=0)) / atr
    narrow = np.clip(2.0 * (walk - covered) / walk, 0.0, 1.0)
    result: F64 = squash(_FLOW_GAIN * flow) * narrow
    return result


def effort(close: F64, volume: F64, atr: F64) -> F64:
    """Absorption as bars show it: much volume and no way made, against the move before, -1..1.

    ``-effort * stillness * squash(2 move)``: ``effort`` is the newest three bars' mean volume over the
    median, from 0 where they are equal to 1 at four times; ``stillness`` is 1 where they made no way and 0
    from one ATR on; ``move`` is the way of the bars before in units of a random walk (R. Wyckoff's law of
    effort and result).
    """
    recent, before = volume[-_EFFORT_BARS:], volume[:-_EFFORT_BARS]
    usual = _median(before)
    mean = np.where(np.isfinite(recent), recent, 0.0).mean(axis=0)
    ratio = np.divide(mean, usual, out=np.ones_like(mean), where=usual > 0.0)
    loud = np.clip((ratio - 1.0) / 3.0, 0.0, 1.0)
    way = np.abs(close[-1] - close[-_EFFORT_BARS - 1]) / atr
    move = (close[-_EFFORT_BARS - 1] - close[0]) / (atr * np.sqrt(len(close) - _EFFORT_BARS))
    result: F64 = -loud * np.clip(1.0 - way, 0.0, 1.0) * squash(2.0 * move)
    return np.nan_to_num(result, nan=0.0)


def _median(values: F64) -> F64:
    """Median along the first axis; NaN counts as infinite, which moves it little where few are missing."""
    ordered = np.sort(values, axis=0)
    middle: F64 = ordered[len(ordered) // 2]
    return middle
