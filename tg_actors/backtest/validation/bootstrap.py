"""Intervals for any figure of a series of returns, by the stationary bootstrap. Pure, seeded."""

import math
from collections.abc import Callable

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_PER_YEAR, RETURN_RESOLUTION
from tg_actors.portfolio.resampling import optimal_block, stationary

#: Many samples at once: ``(samples, n)`` in, ``(samples,)`` out, NaN where undefined.
Statistic = Callable[[F64], F64]

_LENGTH_MIN = 2
#: Numbers of one slice of the samples; 16 MB.
_SLICE_NUMBERS = 2_000_000


class Interval(Message):
    """Between ``low`` and ``high`` lies a figure with probability ``level_frac``."""

    low: float
    high: float
    level_frac: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the figure is known."""
        return self.low > 0.0 or self.high < 0.0


def sharpe_yearly_365(returns: F64) -> F64:
    """``sharpe_daily_365`` of each row of daily returns."""
    # One day drawn again and again has no deviation but what rounding leaves of it.
    differ = np.ptp(returns, axis=1) > RETURN_RESOLUTION
    deviation = np.where(differ, returns.std(axis=1, ddof=1), np.nan)
    ratio: F64 = returns.mean(axis=1) / deviation * math.sqrt(DAYS_PER_YEAR)
    return ratio


def mean(returns: F64) -> F64:
    """Mean of each row."""
    found: F64 = returns.mean(axis=1)
    return found


def total_return(returns: F64) -> F64:
    """Compound return of each row, a fraction."""
    found: F64 = np.prod(1.0 + returns, axis=1) - 1.0
    return found


def drawdown(returns: F64) -> F64:
    """Largest loss of each row from a running peak, the start included, a fraction."""
    worth = np.cumprod(1.0 + returns, axis=1)
    found: F64 = (1.0 - worth / np.maximum(np.maximum.accumulate(worth, axis=1), 1.0)).max(axis=1)
    return found


def resampled(
    returns: F64, statistic: Statistic, seed: int, samples: int = 2_000, block_mean: float | None = None
) -> F64:
    """Return the statistic of ``samples`` resampled series, ``(samples,)``; undefined ones are NaN.

    ``block_mean`` None takes :func:`~tg_actors.portfolio.resampling.optimal_block`. The same seed gives the
    same numbers.
    """
    rng = np.random.default_rng(seed)
    block = optimal_block(returns) if block_mean is None else block_mean
    step = max(1, _SLICE_NUMBERS // max(returns.size, 1))
    parts = [
        statistic(returns[stationary(rng, returns.size, min(step, samples - at), block)])
        for at in range(0, samples, step)
    ]
    return np.concatenate(parts)


def interval(
    returns: F64,
    statistic: Statistic = sharpe_yearly_365,
    *,
    seed: int,
    samples: int = 2_000,
    level_frac: float = 0.95,
    block_mean: float | None = None,
) -> Interval | None:
    """Return the percentile interval of a statistic; None of fewer than two returns or where undefined."""
    if returns.size < _LENGTH_MIN:
        return None
    values = resampled(returns, statistic, seed, samples, block_mean)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.quantile(values, [(1.0 - level_frac) / 2.0, (1.0 + level_frac) / 2.0])
    return Interval(low=float(low), high=float(high), level_frac=level_frac)
