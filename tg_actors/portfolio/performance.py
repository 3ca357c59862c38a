"""Performance with named definitions; what is not defined is ``None``, never a lucky zero."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO
from tg_actors.portfolio.trades import ClosedTrade

DAY_NS = 86_400_000_000_000
DAYS_PER_YEAR = 365
#: A yearly rate from fewer days says nothing.
DAYS_FOR_A_YEARLY_RATE_MIN = 30
#: Daily returns closer than this differ by rounding alone.
RETURN_RESOLUTION = 1e-12


class EquityPoint(NamedTuple):
    """The marked account at one instant, in the reporting currency; ``at_ns`` strictly rising."""

    at_ns: int
    equity: Decimal
    gross_exposure: Decimal = ZERO


class Performance(Message):
    """What a desk achieved; every field is explained in :data:`DEFINITIONS`. None is undefined."""

    total_return_frac: float | None
    max_drawdown_frac: float | None
    sharpe_daily_365: float | None
    sortino_daily_365: float | None
    calmar_365: float | None
    win_rate_closed_trades: float | None
    profit_factor_closed_trades: float | None
    expectancy_closed_trades: Decimal | None
    exposure_time_frac: float | None
    turnover: float | None
    fees: Decimal
    trades: int


DEFINITIONS: dict[str, str] = {
    "total_return_frac": "last equity / first equity - 1; equity marked at mid prices",
    "max_drawdown_frac": "largest 1 - equity / highest equity so far, over every mark, not only daily ones",
    "sharpe_daily_365": "mean / standard deviation (ddof 1) of daily returns * sqrt(365), no risk-free rate; "
    "a day's close is the last mark at or before midnight UTC, the last day may be partial",
    "sortino_daily_365": "mean of daily returns / sqrt(mean of squared negative daily returns) * sqrt(365), "
    "target 0",
    "calmar_365": "compound yearly return (365 days) / max_drawdown_frac; undefined under 30 days",
    "win_rate_closed_trades": "closed trades with a profit after fees / closed trades",
    "profit_factor_closed_trades": "sum of profits / sum of losses over closed trades, after fees",
    "expectancy_closed_trades": "mean profit after fees per closed trade, reporting currency",
    "exposure_time_frac": "part of the time in which any position was open",
    "turnover": "notional traded / mean equity",
    "fees": "fees paid, reporting currency",
    "trades": "closed trades: positions from flat to flat",
}


def measure(
    curve: Sequence[EquityPoint],
    trades: Sequence[ClosedTrade],
    fees: Decimal = ZERO,
    traded_notional: Decimal = ZERO,
) -> Performance:
    """Return all metrics of one run.

    Args:
        curve: marks of the whole account in order of time.
        trades: the round trips that ended.
        fees: all fees, also those of open positions, in the reporting currency.
        traded_notional: sum of all fills' notionals in the reporting currency.
    """
    equity = np.array([float(point.equity) for point in curve])
    at_ns = np.array([point.at_ns for point in curve], dtype=np.int64)
    exposed = np.array([point.gross_exposure > ZERO for point in curve], dtype=bool)
    returns = daily_returns(at_ns, equity)
    total_return = _total_return(equity)
    drawdown = max_drawdown(equity)
    profits = [trade.pnl_reporting for trade in trades if trade.pnl_reporting is not None]
    known = len(profits) == len(trades) > 0
    return Performance(
        total_return_frac=total_return,
        max_drawdown_frac=drawdown,
        sharpe_daily_365=sharpe_daily_365(returns),
        sortino_daily_365=sortino_daily_365(returns),
        calmar_365=_calmar(total_return, drawdown, at_ns),
        win_rate_closed_trades=sum(t.pnl > ZERO for t in trades) / len(trades) if trades else None,
        profit_factor_closed_trades=_profit_factor(profits) if known else None,
        expectancy_closed_trades=sum(profits, ZERO) / len(profits) if known else None,
        exposure_time_frac=_time_frac(at_ns, exposed),
        turnover=_ratio(float(traded_notional), float(equity.mean())) if equity.size else None,
        fees=fees,
        trades=len(trades),
    )


def daily_returns(at_ns: I64, equity: F64) -> F64:
    """Return simple returns between daily closes, shape ``(days - 1,)``.

    A mark at midnight closes the day before: bars are marked when they close. A day without a mark
    keeps the last close. Empty when any close is not positive, for returns are then undefined.
    """
    if equity.size == 0:
        return equity
    days = (at_ns - 1) // DAY_NS
    # Index of the last mark of every calendar day from the first to the last one.
    last = np.searchsorted(days, np.arange(days[0], days[-1] + 1), side="right") - 1
    closes: F64 = equity[last]
    if (closes <= 0).any():
        return equity[:0]
    daily: F64 = closes[1:] / closes[:-1] - 1.0
    return daily


def max_drawdown(equity: F64) -> float | None:
    """Return the largest fraction lost from a running peak; in 0..1 while equity stays positive."""
    if equity.size == 0 or equity[0] <= 0:
        return None
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


def sharpe_daily_365(returns: F64) -> float | None:
    """Return the yearly Sharpe ratio of daily returns (Sharpe 1994), None without two that differ."""
    if returns.size == 0 or np.ptp(returns) <= RETURN_RESOLUTION:
        return None
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(DAYS_PER_YEAR))


def sortino_daily_365(returns: F64) -> float | None:
    """Return the yearly Sortino ratio, downside deviation over all days; None without a losing day."""
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean())) if returns.size else 0.0
    return float(returns.mean()) / downside * math.sqrt(DAYS_PER_YEAR) if downside > 0 else None


def _total_return(equity: F64) -> float | None:
    return float(equity[-1]) / float(equity[0]) - 1.0 if equity.size and equity[0] > 0 else None


def _calmar(total_return: float | None, drawdown: float | None, at_ns: I64) -> float | None:
    days = float(at_ns[-1] - at_ns[0]) / DAY_NS if at_ns.size else 0.0
    if total_return is None or not drawdown or days < DAYS_FOR_A_YEARLY_RATE_MIN:
        return None
    yearly = math.pow(max(0.0, 1.0 + total_return), DAYS_PER_YEAR / days) - 1.0
    return yearly / drawdown


def _profit_factor(profits: Sequence[Decimal]) -> float | None:
    won = sum((p for p in profits if p > ZERO), ZERO)
    lost = -sum((p for p in profits if p < ZERO), ZERO)
    return _ratio(float(won), float(lost))


def _time_frac(at_ns: I64, exposed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float | None:
    """Weigh each mark by the time until the next one."""
    lasted = np.diff(at_ns)
    return _ratio(float(lasted[exposed[:-1]].sum()), float(lasted.sum()))


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None
