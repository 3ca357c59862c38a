"""The same words as other programs mean them, so that figures can be compared with theirs.

Formulas follow what those programs document and were checked digit by digit against them; where they answer
-100, infinity or 0, the answer here is None. None of these decides anything in this program.
"""

import math

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.instruments import Side
from tg_actors.portfolio.metrics import (
    DAY_NS,
    DAYS_PER_YEAR,
    RETURN_RESOLUTION,
    max_drawdown,
    total_return,
)
from tg_actors.portfolio.metrics_record import Record
from tg_actors.portfolio.trades import ClosedTrade

#: Days of a year on a stock exchange.
EXCHANGE_DAYS_PER_YEAR = 252
_RETURNS_MIN = 2
#: 1970-01-01 was a Thursday, day 3 of a week that begins with Monday.
_EPOCH_WEEKDAY = 3
_FRIDAY = 4
#: backtesting.py takes a market for one that never closes above this part of weekend bars.
_WEEKEND_FRAC = 2 / 7 * 0.6


def freqtrade_sharpe(record: Record) -> float | None:
    """Return profit per day of the span over the deviation (ddof 0) of profits *per trade*, yearly by 365."""
    parts = _freqtrade_profits(record)
    return _yearly(_freqtrade_mean(record, parts), float(parts.std()) if parts.size else 0.0)


def freqtrade_sortino(record: Record) -> float | None:
    """Return profit per day of the span over the deviation (ddof 0) *among the losing trades*, by 365."""
    parts = _freqtrade_profits(record)
    losses = parts[parts < 0]
    return _yearly(_freqtrade_mean(record, parts), float(losses.std()) if losses.size else 0.0)


def freqtrade_calmar(record: Record) -> float | None:
    """Return profit per day in percent over the relative drawdown of closed trades, times sqrt(365)."""
    parts = _freqtrade_profits(record)
    if not parts.size:
        return None
    return _yearly(100.0 * _freqtrade_mean(record, parts), _freqtrade_drawdown(1.0 + np.cumsum(parts)))


def freqtrade_balance_sharpe(record: Record) -> float | None:
    """Return mean over deviation (ddof 0) of daily returns, yearly by 365."""
    returns = record.between_closes
    return _yearly(float(returns.mean()), float(returns.std())) if returns.size else None


def freqtrade_balance_sortino(record: Record) -> float | None:
    """Return the mean of daily returns over the deviation (ddof 0) *among the negative ones*, by 365."""
    losses = record.between_closes[record.between_closes < 0]
    return _yearly(float(record.between_closes.mean()), float(losses.std())) if losses.size else None


def freqtrade_balance_calmar(record: Record) -> float | None:
    """Return the whole return per day in percent over the relative drawdown of all marks, times sqrt(365)."""
    total = total_return(record.equity)
    if total is None:
        return None
    return _yearly(100.0 * total / _freqtrade_days(record), _freqtrade_drawdown(record.equity))


def nautilus_sharpe(record: Record) -> float | None:
    """Return mean over deviation (ddof 1) of returns per closed position, summed per UTC day, by 252."""
    daily = _nautilus_returns(record)
    return _ratio_252(daily, float(daily.std(ddof=1)) if daily.size >= _RETURNS_MIN else 0.0)


def nautilus_sortino(record: Record) -> float | None:
    """Return mean over downside deviation of returns per closed position, summed per UTC day, by 252."""
    daily = _nautilus_returns(record)
    return _ratio_252(daily, _downside(daily))


def backtesting_py_sharpe(record: Record) -> float | None:
    """Return the compound yearly return over a volatility that is compounded too."""
    returns = record.between_closes
    if returns.size < _RETURNS_MIN:
        return None
    growth, days = 1.0 + _geometric(returns), _backtesting_py_days(record)
    spread = (float(returns.var(ddof=1)) + growth**2) ** days - growth ** (2 * days)
    return float((growth**days - 1.0) / math.sqrt(spread)) if spread > RETURN_RESOLUTION else None


def backtesting_py_sortino(record: Record) -> float | None:
    """Return the compound yearly return over the yearly downside deviation."""
    days = _backtesting_py_days(record)
    downside = _downside(record.between_closes) * math.sqrt(days)
    return _backtesting_py_yearly(record) / downside if downside > 0.0 else None


def backtesting_py_calmar(record: Record) -> float | None:
    """Return the compound yearly return over the largest drawdown of all marks."""
    drawdown = max_drawdown(record.equity)
    return _backtesting_py_yearly(record) / drawdown if drawdown and record.between_closes.size else None


def quantstats_sharpe(record: Record) -> float | None:
    """Return mean over deviation (ddof 1) of daily returns, yearly by 252."""
    returns = record.between_closes
    return _ratio_252(returns, float(returns.std(ddof=1)) if returns.size >= _RETURNS_MIN else 0.0)


def quantstats_sortino(record: Record) -> float | None:
    """Return mean over downside deviation of daily returns, yearly by 252."""
    return _ratio_252(record.between_closes, _downside(record.between_closes))


def quantstats_calmar(record: Record) -> float | None:
    """Return the compound return of a year of 252 days over the largest drawdown of daily closes."""
    returns = record.between_closes
    drawdown = max_drawdown(record.closes)
    if not drawdown or not returns.size:
        return None
    grown = float(np.prod(1.0 + returns))
    return (math.pow(grown, EXCHANGE_DAYS_PER_YEAR / returns.size) - 1.0) / drawdown


def _freqtrade_profits(record: Record) -> F64:
    """Profits of closed trades as parts of the opening balance, in the order of their ends."""
    if not record.equity.size or not record.profits:
        return np.empty(0)
    ended = sorted(zip(record.trades, record.profits, strict=True), key=lambda pair: pair[0].closed_ns)
    parts: F64 = np.array([float(profit) for _, profit in ended]) / float(record.equity[0])
    return parts


def _freqtrade_days(record: Record) -> int:
    span = (record.at_ns[-1] - record.at_ns[0]) // DAY_NS if record.at_ns.size else 0
    return max(1, int(span))


def _freqtrade_mean(record: Record, parts: F64) -> float:
    return float(parts.sum()) / _freqtrade_days(record)


def _freqtrade_drawdown(worth: F64) -> float:
    """Relative loss where the *absolute* loss from a peak is largest."""
    peak = np.maximum.accumulate(worth)
    worst = int((peak - worth).argmax())
    return float(1.0 - worth[worst] / peak[worst])


def _nautilus_returns(record: Record) -> F64:
    """Sum per UTC day on which a position was closed; days without one do not count."""
    days = np.array([trade.closed_ns // DAY_NS for trade in record.trades], dtype=np.int64)
    gained = np.array([_price_return(trade) for trade in record.trades])
    _, which = np.unique(days, return_inverse=True)
    sums = np.zeros(int(which.max()) + 1 if which.size else 0)
    np.add.at(sums, which, gained)
    return sums


def _price_return(trade: ClosedTrade) -> float:
    sign = 1.0 if trade.side is Side.BUY else -1.0
    return sign * (float(trade.exit) / float(trade.entry) - 1.0)


def _backtesting_py_days(record: Record) -> int:
    """Days of a year: 365 where enough of the marks fall on weekends."""
    weekdays = (record.at_ns // DAY_NS + _EPOCH_WEEKDAY) % 7
    is_open = record.at_ns.size > 0 and float((weekdays > _FRIDAY).mean()) > _WEEKEND_FRAC
    return DAYS_PER_YEAR if is_open else EXCHANGE_DAYS_PER_YEAR


def _backtesting_py_yearly(record: Record) -> float:
    return float((1.0 + _geometric(record.between_closes)) ** _backtesting_py_days(record)) - 1.0


def _geometric(returns: F64) -> float:
    if not returns.size or (returns <= -1.0).any():
        return 0.0
    return math.expm1(float(np.log1p(returns).mean()))


def _downside(returns: F64) -> float:
    return math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean())) if returns.size else 0.0


def _ratio_252(returns: F64, deviation: float) -> float | None:
    if deviation <= RETURN_RESOLUTION:
        return None
    return float(returns.mean()) / deviation * math.sqrt(EXCHANGE_DAYS_PER_YEAR)


def _yearly(mean: float, deviation: float) -> float | None:
    return mean / deviation * math.sqrt(DAYS_PER_YEAR) if deviation > RETURN_RESOLUTION else None
