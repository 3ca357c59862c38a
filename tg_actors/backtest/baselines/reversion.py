"""Families that expect a return: oscillators, bands, z-scores, pairs, grids."""

import numpy as np

from tg_actors.backtest.baselines import lines as along
from tg_actors.backtest.baselines.family import SIDES, Family, grid, sided
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.domain.blocks import F64

_WINDOWS = (12, 24, 48, 96, 168, 336)


def _revert(score: F64, enter: float, leave: float, side: str) -> F64:
    """Long below ``-enter`` until above ``-leave``, short above ``enter`` until below ``leave``."""
    with np.errstate(invalid="ignore"):
        low, high = score < -enter, score > enter
        # Between the two nothing new is said; past the inner line of its own side a position is over.
        over_long, over_short = score >= -leave, score <= leave
    longs, shorts = along.latch(low, over_long), along.latch(high, over_short)
    return sided(longs - shorts, side)


def _rsi(studies: Studies, window: int, reach: float, side: str) -> F64:
    return _revert(studies.rsi(window) - 50.0, reach, 0.0, side)


def _bollinger(studies: Studies, window: int, width: float, side: str) -> F64:
    return _revert(studies.zscore(window), width, 0.0, side)


def _zscore(studies: Studies, window: int, enter: float, leave: float, side: str) -> F64:
    return _revert(studies.zscore(window), enter, leave, side)


def _zscore_scaled(studies: Studies, window: int, full: float, every: int) -> F64:
    size = np.clip(-np.nan_to_num(studies.zscore(window)) / full, 0.0, 1.0)
    return along.paused(np.round(size * 5.0) / 5.0, every)


def _stochastic(studies: Studies, window: int, reach: float, side: str) -> F64:
    smooth = along.mean(studies.place(window), 3)
    return _revert(smooth - 0.5, reach, 0.0, side)


def _vwap_reversion(studies: Studies, window: int, width: float, side: str) -> F64:
    apart = np.log(studies.close / studies.vwap(window))
    usual = along.deviation(studies.returns, 168) * np.sqrt(window)
    return _revert(apart / np.where(usual > 0, usual, np.nan), width, 0.0, side)


def _short_term_reversal(studies: Studies, lookback: int, part: float, every: int, side: str) -> F64:
    rank = studies.rank(lookback)
    worst, best = rank <= part, rank >= 1.0 - part
    return along.paused(sided(np.where(worst, 1.0, np.where(best, -1.0, 0.0)), side), every)


def _dip(studies: Studies, window: int, trend: int, fall: float) -> F64:
    """Buy a fall of so many deviations in a rising market; out at the average."""
    score = studies.zscore(window)
    rising = studies.close > studies.sma(trend)
    return along.latch(
        (score < -fall) & rising, (score >= 0.0) | (studies.close < studies.lowest(trend) * 1.01)
    )


def _pairs(studies: Studies, against: str, window: int, enter: float, side: str) -> F64:
    return _revert(studies.spread(against, window), enter, 0.5, side)


def _grid_trading(studies: Studies, window: int, levels: int) -> F64:
    """Hold the more the lower the price lies in its range: one step at each line of the grid."""
    place = np.clip(studies.place(window), 0.0, 1.0)
    return np.nan_to_num(1.0 - np.round(place * levels) / levels)


FAMILIES = (
    Family(
        "rsi",
        _rsi,
        grid((7, 14, 24, 48), (10.0, 15.0, 20.0, 25.0), SIDES),
        "Wilder 1978, New Concepts in Technical Trading Systems",
    ),
    Family(
        "bollinger",
        _bollinger,
        grid(_WINDOWS, (1.5, 2.0, 2.5), SIDES),
        "Bollinger 2001: beyond the band, back to its middle",
    ),
    Family(
        "zscore",
        _zscore,
        grid(_WINDOWS, (1.0, 1.75, 2.25), (0.25, 0.75), SIDES),
        "Poterba, Summers 1988, Journal of Financial Economics 22: mean reversion in prices",
    ),
    Family(
        "zscore_scaled",
        _zscore_scaled,
        grid((24, 96, 336), (2.0, 3.0), (1, 24)),
        "the farther below its mean, the larger",
    ),
    Family(
        "stochastic",
        _stochastic,
        grid((12, 24, 48, 96, 168), (0.3, 0.4, 0.45), SIDES),
        "Lane 1984, Stocks & Commodities 2:3",
    ),
    Family(
        "vwap_reversion",
        _vwap_reversion,
        grid((24, 72, 168), (0.5, 1.0, 1.5), SIDES),
        "distance from the volume-weighted price in usual moves",
    ),
    Family(
        "short_term_reversal",
        _short_term_reversal,
        grid((6, 24, 72, 168), (0.1, 0.2, 0.34), (6, 24), SIDES),
        "Jegadeesh 1990, Journal of Finance 45: losers of the last days",
    ),
    Family(
        "dip",
        _dip,
        grid((12, 24, 48), (168, 480, 960), (1.0, 2.0)),
        "buy the dip of a rising market",
    ),
    Family(
        "pairs",
        _pairs,
        grid(("next", "market"), (72, 168, 336, 720), (1.5, 2.0, 2.5), SIDES),
        "Gatev, Goetzmann, Rouwenhorst 2006, Review of Financial Studies 19; each leg in its own sleeve",
    ),
    Family(
        "grid", _grid_trading, grid((48, 168, 336, 720), (2, 4, 8)), "grid trading in the range of a window"
    ),
)
