"""How sure is a figure of thirty days? Bootstrap intervals, and what luck alone achieves. Pure, seeded."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.performance import DAYS_PER_YEAR
from tg_actors.portfolio.resampling import stationary
from tg_actors.risk.gates import Spread
from tg_actors.risk.stages_plan import Criterion, Metric, Resampling

#: Returns of real markets have fat tails; four degrees of freedom are the usual daily picture.
_T_DEGREES = 4
#: Variance of Student's t with four degrees of freedom is 2.
_T_STD = math.sqrt(_T_DEGREES / (_T_DEGREES - 2))

#: A statistic of many samples at once: ``(samples, n)`` in, ``(samples,)`` out, NaN where undefined.
Statistic = Callable[[F64], F64]


def sharpe(returns: F64) -> F64:
    """Yearly Sharpe ratio per row of daily returns."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: F64 = returns.mean(axis=1) / returns.std(axis=1, ddof=1) * math.sqrt(DAYS_PER_YEAR)
    return np.where(np.isfinite(ratio), ratio, np.nan)


def drawdown(returns: F64) -> F64:
    """Largest loss from a running peak per row of daily returns, the start included."""
    worth = np.cumprod(1.0 + returns, axis=1)
    peak = np.maximum(np.maximum.accumulate(worth, axis=1), 1.0)
    worst: F64 = (1.0 - worth / peak).max(axis=1)
    return worst


def win_rate(profits: F64) -> F64:
    """Share of profits above zero per row of trades."""
    share: F64 = (profits > 0).mean(axis=1)
    return share


def profit_factor(profits: F64) -> F64:
    """Sum of profits over sum of losses per row of trades."""
    won, lost = np.maximum(profits, 0).sum(axis=1), np.maximum(-profits, 0).sum(axis=1)
    return np.where(lost > 0, won / np.where(lost > 0, lost, 1.0), np.nan)


def largest_loss(profits: F64) -> F64:
    """Largest loss per row of trades, in the unit of the profits."""
    worst: F64 = np.maximum(-profits.min(axis=1), 0.0)
    return worst


_OF_RETURNS: dict[Metric, Statistic] = {Metric.SHARPE: sharpe, Metric.DRAWDOWN: drawdown}
_OF_TRADES: dict[Metric, Statistic] = {
    Metric.WIN_RATE: win_rate,
    Metric.PROFIT_FACTOR: profit_factor,
    Metric.LARGEST_LOSS: largest_loss,
}


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a stage has shown: daily returns ``(days,)``, profits of closed trades as fractions ``(n,)``."""

    daily: F64
    profits: F64


def spreads(
    sample: Sample, criteria: Iterable[Criterion], resampling: Resampling, days_min: int
) -> dict[Criterion, Spread]:
    """Return interval and chance for every criterion that can be resampled.

    Figures of days: the interval is by the stationary bootstrap; a strategy without skill earns nothing
    on average, with the same volatility, in t(4) noise over as many days, or over ``days_min`` while
    there are none. Figures of trades: the interval is by drawing trades; a strategy without skill has
    the same trades less their mean. A chance is that of meeting the criterion by luck alone.
    """
    of_days, of_trades, luck_of_days, luck_of_trades = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(resampling.seed).spawn(4)
    )
    daily, profits, count = sample.daily, sample.profits, resampling.samples
    days = daily[stationary(of_days, daily.size, count, resampling.block_days_mean)]
    trades = profits[of_trades.integers(0, max(profits.size, 1), (count, profits.size))]
    lucky_days = without_skill(luck_of_days, daily, count, days_min)
    centred = profits - profits.mean() if profits.size else profits
    lucky_trades = centred[luck_of_trades.integers(0, max(profits.size, 1), (count, profits.size))]
    drawn = {
        **{metric: (statistic, days, lucky_days) for metric, statistic in _OF_RETURNS.items()},
        **{metric: (statistic, trades, lucky_trades) for metric, statistic in _OF_TRADES.items()},
    }
    found: dict[Criterion, Spread] = {}
    for criterion in criteria:
        if criterion.metric in drawn:
            statistic, seen, lucky = drawn[criterion.metric]
            low, high = _interval(seen, statistic, resampling.interval_frac)
            needs_scale = criterion.metric is not Metric.SHARPE and seen.shape[1] < _RETURNS_MIN
            found[criterion] = Spread(
                low, high, None if needs_scale else _chance(lucky, statistic, criterion)
            )
    return found


def without_skill(rng: np.random.Generator, daily: F64, samples: int, days_min: int) -> F64:
    """Draw daily returns of a strategy that earns nothing on average: ``(samples, days)``.

    The volatility is that of ``daily``; of fewer than two returns there is none, and any will do for a
    figure that does not depend on it.
    """
    known = daily.size >= _RETURNS_MIN
    volatility = float(daily.std(ddof=1)) if known else _ANY_VOLATILITY
    noise: F64 = rng.standard_t(_T_DEGREES, (samples, daily.size if known else days_min))
    return noise * (volatility / _T_STD)


_RETURNS_MIN = 2
_ANY_VOLATILITY = 0.01


def _interval(drawn: F64, statistic: Statistic, frac: float) -> tuple[float | None, float | None]:
    """Return the percentile interval of a statistic, None where fewer than two things were drawn from."""
    if drawn.shape[1] < _RETURNS_MIN:
        return None, None
    values = statistic(drawn)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None, None
    low, high = np.quantile(values, [(1 - frac) / 2, (1 + frac) / 2])
    return float(low), float(high)


def _chance(lucky: F64, statistic: Statistic, criterion: Criterion) -> float | None:
    """Return how often luck meets a criterion; what is undefined does not."""
    if lucky.shape[1] < _RETURNS_MIN:
        return None
    values = statistic(lucky)
    if criterion.at_least is not None:
        return float((values >= float(criterion.at_least)).mean())
    return float((values <= float(criterion.at_most or 0)).mean())
