"""Families that follow what has moved: moving averages, MACD, momentum over time and across instruments."""

import numpy as np

from tg_actors.backtest.baselines import lines as along
from tg_actors.backtest.baselines.family import SIDES, Family, grid, rising, sided, switch
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.domain.blocks import F64

_FAST = (6, 12, 24, 48, 96)
_SLOW = (24, 48, 120, 240, 480, 960)
_LOOKBACKS = (6, 12, 24, 48, 72, 120, 168, 240, 336, 504, 720, 1_080, 1_440)


def _sma_cross(studies: Studies, fast: int, slow: int, side: str) -> F64:
    return switch(studies.sma(fast) - studies.sma(slow), side)


def _ema_cross(studies: Studies, fast: int, slow: int, side: str) -> F64:
    return switch(studies.ema(fast) - studies.ema(slow), side)


def _wma_cross(studies: Studies, fast: int, slow: int, side: str) -> F64:
    return switch(studies.wma(fast) - studies.wma(slow), side)


def _dema_cross(studies: Studies, fast: int, slow: int, side: str) -> F64:
    return switch(studies.dema(fast) - studies.dema(slow), side)


def _price_above(studies: Studies, window: int, band_frac: float, side: str) -> F64:
    distance = studies.close / studies.sma(window) - 1.0
    up, down = distance > band_frac, distance < -band_frac
    return sided(along.stance(up, down, np.zeros_like(up)), side)


def _ma_slope(studies: Studies, window: int, every: int, side: str) -> F64:
    average = studies.sma(window)
    return along.paused(switch(average - along.lagged(average, every), side), every)


def _triple_ema(studies: Studies, fast: int, side: str) -> F64:
    first, second, third = (studies.ema(fast * k) for k in (1, 2, 4))
    up, down = (first > second) & (second > third), (first < second) & (second < third)
    return sided(along.stance(up, down, ~(up | down)), side)


def _macd(studies: Studies, fast: int, slow: int, signal: int, side: str) -> F64:
    line = studies.macd(fast, slow)
    return switch(line - along.exponential(line, 2.0 / (signal + 1.0), signal), side)


def _tsmom(studies: Studies, lookback: int, every: int, side: str) -> F64:
    return along.paused(switch(studies.momentum(lookback), side), every)


def _tsmom_scaled(studies: Studies, lookback: int, volatility: float, side: str) -> F64:
    size = np.minimum(volatility / np.maximum(studies.volatility(lookback), 1e-6), 1.0)
    stance = switch(studies.momentum(lookback), side)
    return along.paused(np.round(np.nan_to_num(stance * size) * 10.0) / 10.0, 24)


def _roc_threshold(studies: Studies, lookback: int, sigmas: float, side: str) -> F64:
    moved = studies.momentum(lookback)
    usual = along.deviation(studies.returns, 240) * np.sqrt(lookback)
    up, down = moved > sigmas * usual, moved < -sigmas * usual
    return sided(along.stance(up, down, np.sign(moved) != np.sign(along.lagged(moved, 1))), side)


def _efficient_trend(studies: Studies, window: int, efficiency_min: float, side: str) -> F64:
    straight = studies.efficiency(window) > efficiency_min
    moved = studies.momentum(window)
    aimless = studies.efficiency(window) < efficiency_min / 2.0
    return sided(along.stance(straight & (moved > 0), straight & (moved < 0), aimless), side)


def _xsmom(studies: Studies, lookback: int, part: float, every: int, side: str) -> F64:
    rank = studies.rank(lookback)
    top, bottom = rank >= 1.0 - part, rank <= part
    return along.paused(sided(np.where(top, 1.0, np.where(bottom, -1.0, 0.0)), side), every)


def _dual_momentum(studies: Studies, lookback: int, part: float, every: int) -> F64:
    chosen = (studies.rank(lookback) >= 1.0 - part) & (studies.momentum(lookback) > 0)
    return along.paused(chosen.astype(np.float64), every)


def _volume_flow(studies: Studies, window: int, level: float, side: str) -> F64:
    flow = studies.flow(window)
    return sided(along.stance(flow > level, flow < -level, flow * along.lagged(flow, 1) < 0), side)


_PAIRS = rising(grid(_FAST, _SLOW, SIDES))

FAMILIES = (
    Family("sma_cross", _sma_cross, _PAIRS, "Brock, Lakonishok, LeBaron 1992, Journal of Finance 47"),
    Family("ema_cross", _ema_cross, _PAIRS, "Appel 1979; exponential in place of simple averages"),
    Family("wma_cross", _wma_cross, _PAIRS, "linearly weighted averages; as sma_cross"),
    Family("dema_cross", _dema_cross, _PAIRS, "Mulloy 1994, Stocks & Commodities 12:1"),
    Family(
        "price_above",
        _price_above,
        grid((24, 48, 120, 240, 480, 960), (0.0, 0.01, 0.03), SIDES),
        "Faber 2007, Journal of Wealth Management 9: a band around one average",
    ),
    Family(
        "ma_slope",
        _ma_slope,
        grid((24, 48, 120, 240, 480), (6, 24, 72), SIDES),
        "direction of one moving average",
    ),
    Family("triple_ema", _triple_ema, grid((6, 12, 24, 48, 96), SIDES), "three averages in order"),
    Family(
        "macd",
        _macd,
        rising(grid((8, 12, 24, 48), (21, 26, 52, 120), (9, 18), SIDES)),
        "Appel 1979: the difference of two averages against its own average",
    ),
    Family(
        "tsmom",
        _tsmom,
        grid(_LOOKBACKS, (1, 24, 168), SIDES),
        "Moskowitz, Ooi, Pedersen 2012, Journal of Financial Economics 104",
    ),
    Family(
        "tsmom_scaled",
        _tsmom_scaled,
        grid((72, 168, 336, 720), (0.2, 0.4, 0.8), SIDES),
        "Moskowitz, Ooi, Pedersen 2012, sized by volatility",
    ),
    Family(
        "roc_threshold",
        _roc_threshold,
        grid((6, 24, 72), (1.0, 2.0), SIDES),
        "only moves beyond so many standard deviations count",
    ),
    Family(
        "efficient_trend",
        _efficient_trend,
        grid((24, 48, 96), (0.15, 0.25), SIDES),
        "Kaufman 1995, Smarter Trading: the efficiency ratio",
    ),
    Family(
        "xsmom",
        _xsmom,
        grid((24, 72, 168, 336, 720), (0.1, 0.2, 0.34), (24, 168), SIDES),
        "Jegadeesh, Titman 1993, Journal of Finance 48: winners against losers",
    ),
    Family(
        "dual_momentum",
        _dual_momentum,
        grid((168, 336, 720, 1_440), (0.2, 0.34), (24, 168)),
        "Antonacci 2012: winners, while they rise at all",
    ),
    Family(
        "volume_flow",
        _volume_flow,
        grid((24, 72, 168), (0.1, 0.2), SIDES),
        "after Granville 1963, on-balance volume",
    ),
)
