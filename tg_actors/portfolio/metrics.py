"""Figures of a series of daily returns or of a marked account. None where a figure is not defined.

Every function is pure arithmetic; what each figure is called and means stands in ``metrics_table``.
"""

import math
from datetime import UTC, datetime

import numpy as np

from tg_actors.domain.blocks import F64, I64

DAY_NS = 86_400_000_000_000
DAYS_PER_YEAR = 365
#: A yearly rate from fewer days says nothing.
DAYS_FOR_A_YEARLY_RATE_MIN = 30
#: Daily returns closer than this differ by rounding alone.
RETURN_RESOLUTION = 1e-12
#: The tail of the worst days: one in twenty.
_TAIL_FRAC = 0.05
_RETURNS_MIN = 2


def closing_marks(at_ns: I64) -> I64:
    """Return the index of the last mark of every UTC day, first to last day, ``(days,)``.

    A mark at midnight closes the day before: bars are marked when they close. A day without a mark keeps the
    last one before it.
    """
    if at_ns.size == 0:
        return np.empty(0, dtype=np.int64)
    days = (at_ns - 1) // DAY_NS
    last: I64 = np.searchsorted(days, np.arange(days[0], days[-1] + 1), side="right") - 1
    return last


def day_bounds(at_ns: I64) -> I64:
    """Return the indices of the marks between which each day's return lies, ``(days + 1,)`` or ``(days,)``.

    Closing marks, and before them the first mark where it closes no day: the first day may be a partial one,
    as the last one may be, or what it earned would be in the total and in no day.
    """
    closing = closing_marks(at_ns)
    opening = np.zeros(0 if closing.size == 0 or closing[0] == 0 else 1, dtype=np.int64)
    return np.concatenate((opening, closing))


def daily_returns(at_ns: I64, equity: F64) -> F64:
    """Return simple returns between daily closes, shape ``(m,)``; they compound to the total return.

    Days are bounded as in :func:`day_bounds`. Empty when any bound is not positive, for returns are then
    undefined.
    """
    closes = equity[day_bounds(at_ns)]
    if (closes <= 0).any():
        return equity[:0]
    daily: F64 = closes[1:] / closes[:-1] - 1.0
    return daily


def total_return(equity: F64) -> float | None:
    """Return last equity over first, less one."""
    return float(equity[-1]) / float(equity[0]) - 1.0 if equity.size and equity[0] > 0 else None


def yearly_return_365(at_ns: I64, equity: F64) -> float | None:
    """Return the compound yearly return; None under 30 days."""
    total = total_return(equity)
    days = float(at_ns[-1] - at_ns[0]) / DAY_NS if at_ns.size else 0.0
    if total is None or days < DAYS_FOR_A_YEARLY_RATE_MIN:
        return None
    return math.pow(max(0.0, 1.0 + total), DAYS_PER_YEAR / days) - 1.0


def drawdowns(equity: F64) -> F64:
    """Return the fraction lost from the running peak at every mark, ``(n,)``."""
    lost: F64 = 1.0 - equity / np.maximum.accumulate(equity)
    return lost


def max_drawdown(equity: F64) -> float | None:
    """Return the largest fraction lost from a running peak; in 0..1 while equity stays positive."""
    if equity.size == 0 or equity[0] <= 0:
        return None
    return float(drawdowns(equity).max())


def drawdown_days_max(at_ns: I64, equity: F64) -> float | None:
    """Return the longest time below a peak in days: from the last mark at it to the first one back at it.

    A drawdown that still goes on lasts until the last mark. None under two marks.
    """
    if equity.size < _RETURNS_MIN:
        return None
    peaks = np.flatnonzero(equity >= np.maximum.accumulate(equity))
    # Marks at a peak one after the other enclose no drawdown.
    ends = np.append(peaks, equity.size - 1)
    lasted = np.where(np.diff(ends) > 1, np.diff(at_ns[ends]), 0)
    unfinished = at_ns[-1] - at_ns[peaks[-1]]
    return float(max(lasted.max(), unfinished)) / DAY_NS


def ulcer_index(closes: F64) -> float | None:
    """Return the root of the mean squared drawdown of daily closes, a fraction (Martin 1987)."""
    if closes.size == 0 or (closes <= 0).any():
        return None
    return math.sqrt(float(np.square(drawdowns(closes)).mean()))


def volatility_daily_365(returns: F64) -> float | None:
    """Return the standard deviation (ddof 1) of daily returns as a yearly figure."""
    return float(returns.std(ddof=1)) * math.sqrt(DAYS_PER_YEAR) if returns.size >= _RETURNS_MIN else None


def sharpe_daily_365(returns: F64) -> float | None:
    """Return the yearly Sharpe ratio of daily returns (Sharpe 1994), None without two that differ."""
    if returns.size == 0 or np.ptp(returns) <= RETURN_RESOLUTION:
        return None
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(DAYS_PER_YEAR))


def sortino_daily_365(returns: F64) -> float | None:
    """Return the yearly Sortino ratio, downside deviation over all days; None without a losing day."""
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean())) if returns.size else 0.0
    return float(returns.mean()) / downside * math.sqrt(DAYS_PER_YEAR) if downside > 0 else None


def calmar_365(yearly_return: float | None, drawdown: float | None) -> float | None:
    """Return the yearly return per unit of the largest drawdown (Young 1991)."""
    return None if yearly_return is None or not drawdown else yearly_return / drawdown


def cvar_95_daily(returns: F64) -> float | None:
    """Return the mean loss on the worst 5 % of days, at least one day; positive is a loss.

    Expected shortfall (Rockafellar and Uryasev 2000). ``1 + floor(0.05 (n - 1))`` days are the worst ones.
    """
    if returns.size == 0:
        return None
    worst = 1 + int(_TAIL_FRAC * (returns.size - 1))
    return -float(np.sort(returns)[:worst].mean())


def skew_daily(returns: F64) -> float | None:
    """Return the skewness of the population of daily returns, 0 for a symmetric one."""
    return _standard_moment(returns, 3)


def excess_kurtosis_daily(returns: F64) -> float | None:
    """Return the kurtosis of the population of daily returns less 3: 0 for a normal one."""
    moment = _standard_moment(returns, 4)
    return None if moment is None else moment - 3.0


def tail_ratio_daily(returns: F64) -> float | None:
    """Return the 95th percentile of daily returns over the 5th, unsigned; above 1 good days are larger."""
    if returns.size == 0:
        return None
    low, high = np.abs(np.quantile(returns, [_TAIL_FRAC, 1.0 - _TAIL_FRAC])).tolist()
    return high / low if low > RETURN_RESOLUTION else None


def monthly_returns(at_ns: I64, equity: F64) -> list[tuple[int, int, float]]:
    """Return ``(year, month, return)`` for every calendar month (UTC), empty as :func:`daily_returns` is.

    A month ends with its last daily close; the first one begins with the first mark.
    """
    closing = closing_marks(at_ns)
    closes = equity[closing]
    if closes.size == 0 or equity[0] <= 0 or (closes <= 0).any():
        return []
    days = int((at_ns[0] - 1) // DAY_NS) + np.arange(closes.size)
    months = [_month(int(day)) for day in days]
    table = []
    before = float(equity[0])
    for k, month in enumerate(months):
        if k + 1 == len(months) or months[k + 1] != month:
            table.append((*month, float(closes[k]) / before - 1.0))
            before = float(closes[k])
    return table


def rolling_sharpe_daily_365(returns: F64, days: int) -> F64:
    """Return ``sharpe_daily_365`` of the last ``days`` returns after each, ``(n,)``; NaN where undefined.

    Raises:
        ValueError: a window of fewer than two days.
    """
    if days < _RETURNS_MIN:
        raise ValueError(f"a rolling Sharpe ratio needs at least 2 days, got {days}")
    rolling = np.full(returns.size, np.nan)
    if returns.size >= days:
        windows = np.lib.stride_tricks.sliding_window_view(returns, days)
        differ = np.ptp(windows, axis=1) > RETURN_RESOLUTION
        deviation = np.where(differ, windows.std(axis=1, ddof=1), np.nan)
        rolling[days - 1 :] = windows.mean(axis=1) / deviation * math.sqrt(DAYS_PER_YEAR)
    return rolling


def _standard_moment(returns: F64, order: int) -> float | None:
    if returns.size < _RETURNS_MIN or np.ptp(returns) <= RETURN_RESOLUTION:
        return None
    centred = returns - returns.mean()
    return float((centred**order).mean() / np.square(centred).mean() ** (order / 2.0))


def _month(day: int) -> tuple[int, int]:
    date = datetime.fromtimestamp(day * DAY_NS // 10**9, UTC)
    return date.year, date.month
