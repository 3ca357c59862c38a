"""Families that join a move out of a range."""

import numpy as np

from tg_actors.backtest.baselines import lines as along
from tg_actors.backtest.baselines.family import SIDES, Family, grid, rising, sided
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.domain.blocks import F64


def _before(lines: F64) -> F64:
    """A channel that the newest bar is no part of."""
    return along.lagged(lines, 1)


def _donchian(studies: Studies, leave: int, enter: int, side: str) -> F64:
    close = studies.close
    up, down = close > _before(studies.highest(enter)), close < _before(studies.lowest(enter))
    longs = along.latch(up, close < _before(studies.lowest(leave)))
    shorts = along.latch(down, close > _before(studies.highest(leave)))
    return sided(longs - shorts, side)


def _keltner(studies: Studies, window: int, multiple: float, side: str) -> F64:
    middle, reach = studies.ema(window), multiple * studies.atr(window)
    longs = along.latch(studies.close > middle + reach, studies.close < middle)
    shorts = along.latch(studies.close < middle - reach, studies.close > middle)
    return sided(longs - shorts, side)


def _bollinger_break(studies: Studies, window: int, width: float, side: str) -> F64:
    score = studies.zscore(window)
    return sided(along.latch(score > width, score < 0) - along.latch(score < -width, score > 0), side)


def _atr_breakout(studies: Studies, window: int, multiple: float, hold: int, side: str) -> F64:
    moved = studies.close - along.lagged(studies.close, 1)
    reach = multiple * _before(studies.atr(window))
    up, down = moved > reach, moved < -reach
    over = along.lagged((up | down).astype(np.float64), hold) > 0
    return sided(along.stance(up, down, over), side)


def _chandelier(studies: Studies, window: int, multiple: float) -> F64:
    """In above the hanging stop, out below: the highest high less so many average ranges."""
    stop = _before(studies.highest(window) - multiple * studies.atr(window))
    return along.latch(studies.close > _before(studies.highest(window)), studies.close < stop)


def _volume_breakout(studies: Studies, window: int, surge: float, hold: int) -> F64:
    loud = studies.volume > surge * _before(studies.volume_mean(window))
    up = loud & (studies.close > _before(studies.highest(window)))
    over = along.lagged(up.astype(np.float64), hold) > 0
    return along.latch(up, over | (studies.close < _before(studies.lowest(window))))


def _squeeze(studies: Studies, window: int, quiet: float, side: str) -> F64:
    spread = studies.deviation(window)
    tight = _before(spread) < quiet * along.mean(spread, 4 * window)
    score = studies.zscore(window)
    longs = along.latch(tight & (score > 1.0), score < 0)
    return sided(longs - along.latch(tight & (score < -1.0), score > 0), side)


FAMILIES = (
    Family(
        "donchian",
        _donchian,
        rising(grid((12, 24, 48, 120, 240), (24, 48, 96, 240, 480, 960), SIDES)),
        "Donchian 1960; Faith 2007, Way of the Turtle: out by the shorter channel",
    ),
    Family(
        "keltner",
        _keltner,
        grid((24, 48, 96, 168, 336), (1.0, 1.5, 2.0, 3.0), SIDES),
        "Keltner 1960, Raschke's form with the average true range",
    ),
    Family(
        "bollinger_break",
        _bollinger_break,
        grid((24, 48, 96, 168, 336), (1.0, 1.5, 2.0), SIDES),
        "Bollinger 2001, the band as a trend signal",
    ),
    Family(
        "atr_breakout",
        _atr_breakout,
        grid((14, 48), (1.5, 2.5), (6, 24, 72), SIDES),
        "Wilder 1978, volatility system, held for a fixed time",
    ),
    Family(
        "chandelier",
        _chandelier,
        grid((24, 48, 120, 240), (2.0, 3.0, 5.0)),
        "LeBeau 1992, Computer Analysis of the Futures Market",
    ),
    Family(
        "volume_breakout",
        _volume_breakout,
        grid((24, 72, 168), (1.5, 3.0), (24, 72)),
        "Blume, Easley, O'Hara 1994, Journal of Finance 49: volume confirms",
    ),
    Family(
        "squeeze",
        _squeeze,
        grid((24, 48, 96), (0.5, 0.75), SIDES),
        "Bollinger 2001: wide moves come out of narrow bands",
    ),
)
