"""Performance with named definitions; what is not defined is ``None``, never a lucky zero."""

from collections.abc import Sequence
from decimal import Decimal

from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO
from tg_actors.portfolio.metrics import (
    DAY_NS,
    DAYS_FOR_A_YEARLY_RATE_MIN,
    DAYS_PER_YEAR,
    RETURN_RESOLUTION,
    daily_returns,
    max_drawdown,
    sharpe_daily_365,
    sortino_daily_365,
)
from tg_actors.portfolio.metrics_record import EquityPoint, Record
from tg_actors.portfolio.metrics_table import METRICS
from tg_actors.portfolio.metrics_trades import Excursion
from tg_actors.portfolio.trades import ClosedTrade

__all__ = [
    "DAYS_FOR_A_YEARLY_RATE_MIN",
    "DAYS_PER_YEAR",
    "DAY_NS",
    "DEFINITIONS",
    "RETURN_RESOLUTION",
    "EquityPoint",
    "Performance",
    "daily_returns",
    "max_drawdown",
    "measure",
    "sharpe_daily_365",
    "sortino_daily_365",
]

DEFINITIONS: dict[str, str] = {name: metric.definition for name, metric in METRICS.items()}


class Performance(Message):
    """What a desk achieved; every field is explained in :data:`DEFINITIONS`. None is undefined."""

    total_return_frac: float | None
    yearly_return_365_frac: float | None
    volatility_daily_365_frac: float | None
    max_drawdown_frac: float | None
    drawdown_days_max: float | None
    ulcer_index_frac: float | None
    sharpe_daily_365: float | None
    sortino_daily_365: float | None
    calmar_365: float | None
    cvar_95_daily_frac: float | None
    skew_daily: float | None
    excess_kurtosis_daily: float | None
    tail_ratio_daily: float | None
    win_rate_closed_trades: float | None
    profit_factor_closed_trades: float | None
    payoff_ratio_closed_trades: float | None
    expectancy_closed_trades: Decimal | None
    sqn_closed_trades: float | None
    mae_median_frac: float | None
    mae_worst_frac: float | None
    mfe_median_frac: float | None
    mfe_best_frac: float | None
    exposure_time_frac: float | None
    turnover: float | None
    fees: Decimal
    trades: int


def measure(
    curve: Sequence[EquityPoint],
    trades: Sequence[ClosedTrade],
    fees: Decimal = ZERO,
    traded_notional: Decimal = ZERO,
    excursions: Sequence[Excursion] = (),
) -> Performance:
    """Return all metrics of one run.

    Args:
        curve: marks of the whole account in order of time.
        trades: the round trips that ended.
        fees: all fees, also those of open positions, in the reporting currency.
        traded_notional: sum of all fills' notionals in the reporting currency.
        excursions: of every trade, in their order, where the bars are at hand.
    """
    record = Record.of(curve, trades, fees, traded_notional, excursions)
    return Performance.model_validate({name: metric.of(record) for name, metric in METRICS.items()})
