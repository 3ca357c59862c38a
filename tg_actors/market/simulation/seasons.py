"""The week of the market: how volatility and volume follow the hours of the day and the days."""

import numpy as np

from tg_actors.domain.blocks import F64, I64

#: Absolute return by hour UTC and by weekday from Monday, ratio to its mean; BTC 2021 to 2024.
_NIGHT = (1.16, 1.06, 0.91, 0.85, 0.74, 0.79, 0.83, 0.89, 0.96, 0.87, 0.84, 0.87)
_DAY = (1.05, 1.16, 1.38, 1.25, 1.12, 1.07, 1.05, 1.07, 1.10, 1.02, 0.97, 0.97)
_WEEKDAYS = (1.12, 1.10, 1.13, 1.04, 1.09, 0.72, 0.81)

_HOUR_NS = 3_600 * 10**9
_WEEK_H = 168
#: The epoch began on a Thursday.
_EPOCH_WEEK_HOUR = 3 * 24


def _integral() -> F64:
    """Variance passed since Monday 00:00, at each full hour of a week; the mean hour counts 1."""
    variance = np.outer(np.array(_WEEKDAYS) ** 2, np.array(_NIGHT + _DAY) ** 2).ravel()
    return np.concatenate(([0.0], np.cumsum(variance / variance.mean())))


_INTEGRAL = _integral()


def season(open_ns: I64, bar_ns: int) -> F64:
    """Factor of the standard deviation of each bar, ``(m,)``; its mean square over a week is 1."""
    hours = bar_ns / _HOUR_NS
    begin = open_ns / _HOUR_NS + _EPOCH_WEEK_HOUR
    return np.sqrt((_variance_until(begin + hours) - _variance_until(begin)) / hours)


def _variance_until(week_hours: F64) -> F64:
    weeks, rest = np.divmod(week_hours, _WEEK_H)
    return weeks * _WEEK_H + np.interp(rest, np.arange(_WEEK_H + 1), _INTEGRAL)
