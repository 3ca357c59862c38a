"""The table of metrics: their names, how each is computed, its unit. ``docs/metrics.md`` shows it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from tg_actors.portfolio import metrics, metrics_peers, metrics_trades
from tg_actors.portfolio.metrics_record import Record


class Metric(NamedTuple):
    """One figure of a :class:`Record`; ``of`` answers None where the figure is not defined."""

    of: Callable[[Record], float | Decimal | int | None]
    definition: str
    unit: str


def _calmar(record: Record) -> float | None:
    return metrics.calmar_365(
        metrics.yearly_return_365(record.at_ns, record.equity), metrics.max_drawdown(record.equity)
    )


def _exposure_time(record: Record) -> float | None:
    """Weigh each mark by the time until the next one."""
    lasted = np.diff(record.at_ns)
    total = float(lasted.sum())
    return float(lasted[record.exposed[:-1]].sum()) / total if total > 0 else None


def _turnover(record: Record) -> float | None:
    mean = float(record.equity.mean()) if record.equity.size else 0.0
    return float(record.traded_notional) / mean if mean > 0 else None


def _excursion(side: str, statistic: Callable[[list[float]], float]) -> Callable[[Record], float | None]:
    def figure(record: Record) -> float | None:
        values = [float(getattr(excursion, side)) for excursion in record.excursions]
        return float(statistic(values)) if values else None

    return figure


_FRAC, _RATIO, _MONEY, _COUNT = "fraction", "ratio", "reporting currency", "count"

METRICS: Mapping[str, Metric] = {
    "total_return_frac": Metric(
        lambda record: metrics.total_return(record.equity),
        "last equity / first equity - 1; equity marked at mid prices",
        _FRAC,
    ),
    "yearly_return_365_frac": Metric(
        lambda record: metrics.yearly_return_365(record.at_ns, record.equity),
        "(1 + total_return_frac) ^ (365 / days) - 1; undefined under 30 days",
        _FRAC,
    ),
    "volatility_daily_365_frac": Metric(
        lambda record: metrics.volatility_daily_365(record.returns),
        "standard deviation (ddof 1) of daily returns * sqrt(365)",
        _FRAC,
    ),
    "max_drawdown_frac": Metric(
        lambda record: metrics.max_drawdown(record.equity),
        "largest 1 - equity / highest equity so far, over every mark, not only daily ones",
        _FRAC,
    ),
    "drawdown_days_max": Metric(
        lambda record: metrics.drawdown_days_max(record.at_ns, record.equity),
        "longest time from a peak until equity is back at it; one that goes on lasts until the last mark",
        "days",
    ),
    "ulcer_index_frac": Metric(
        lambda record: metrics.ulcer_index(record.closes),
        "square root of the mean squared drawdown of daily closes (Martin 1987)",
        _FRAC,
    ),
    "sharpe_daily_365": Metric(
        lambda record: metrics.sharpe_daily_365(record.returns),
        "mean / standard deviation (ddof 1) of daily returns * sqrt(365), no risk-free rate; "
        "a day's close is the last mark at or before midnight UTC, the first and the last day may be partial",
        _RATIO,
    ),
    "sortino_daily_365": Metric(
        lambda record: metrics.sortino_daily_365(record.returns),
        "mean of daily returns / sqrt(mean of squared negative daily returns) * sqrt(365), target 0",
        _RATIO,
    ),
    "calmar_365": Metric(
        _calmar, "compound yearly return (365 days) / max_drawdown_frac; undefined under 30 days", _RATIO
    ),
    "cvar_95_daily_frac": Metric(
        lambda record: metrics.cvar_95_daily(record.returns),
        "mean loss on the worst 5 % of days, the worst one at least; positive is a loss "
        "(expected shortfall, Rockafellar and Uryasev 2000)",
        _FRAC,
    ),
    "skew_daily": Metric(
        lambda record: metrics.skew_daily(record.returns),
        "skewness of daily returns (population); negative where the bad days are the large ones",
        _RATIO,
    ),
    "excess_kurtosis_daily": Metric(
        lambda record: metrics.excess_kurtosis_daily(record.returns),
        "kurtosis of daily returns (population) - 3; 0 for a normal distribution, above it fat tails",
        _RATIO,
    ),
    "tail_ratio_daily": Metric(
        lambda record: metrics.tail_ratio_daily(record.returns),
        "95th percentile of daily returns / 5th percentile, unsigned",
        _RATIO,
    ),
    "win_rate_closed_trades": Metric(
        lambda record: metrics_trades.win_rate(record.trades),
        "closed trades with a profit after fees / closed trades",
        _FRAC,
    ),
    "profit_factor_closed_trades": Metric(
        lambda record: metrics_trades.profit_factor(record.profits),
        "sum of profits / sum of losses over closed trades, after fees",
        _RATIO,
    ),
    "payoff_ratio_closed_trades": Metric(
        lambda record: metrics_trades.payoff_ratio(record.profits),
        "mean profit of winning trades / mean loss of losing trades, after fees",
        _RATIO,
    ),
    "expectancy_closed_trades": Metric(
        lambda record: metrics_trades.expectancy(record.profits),
        "mean profit after fees per closed trade, reporting currency",
        _MONEY,
    ),
    "sqn_closed_trades": Metric(
        lambda record: metrics_trades.sqn(record.profits),
        "system quality number: sqrt(closed trades) * mean profit / standard deviation (ddof 1) of profits, "
        "after fees, trades not capped at 100 (Tharp 2008)",
        _RATIO,
    ),
    "mae_median_frac": Metric(
        _excursion("adverse_frac", np.median),
        "maximum adverse excursion, median over closed trades: how far the price ran against a trade, as a "
        "part of its entry price, over the bars wholly inside it, of a journal over its marks (Sweeney 1996)",
        _FRAC,
    ),
    "mae_worst_frac": Metric(_excursion("adverse_frac", max), "the largest of them", _FRAC),
    "mfe_median_frac": Metric(
        _excursion("favourable_frac", np.median),
        "maximum favourable excursion, median over closed trades: how far the price ran for a trade",
        _FRAC,
    ),
    "mfe_best_frac": Metric(_excursion("favourable_frac", max), "the largest of them", _FRAC),
    "exposure_time_frac": Metric(_exposure_time, "part of the time in which any position was open", _FRAC),
    "turnover": Metric(_turnover, "notional traded / mean equity", _RATIO),
    "fees": Metric(lambda record: record.fees, "fees paid, reporting currency", _MONEY),
    "trades": Metric(lambda record: len(record.trades), "closed trades: positions from flat to flat", _COUNT),
}

#: What other programs would print for the same run.
VARIANTS: Mapping[str, Metric] = {
    "sharpe_freqtrade_trades": Metric(
        metrics_peers.freqtrade_sharpe,
        "freqtrade: profits / opening balance / days of the span, over the standard deviation (ddof 0) "
        "of profits per trade, * sqrt(365): a mean per day over a deviation per trade",
        _RATIO,
    ),
    "sortino_freqtrade_trades": Metric(
        metrics_peers.freqtrade_sortino,
        "freqtrade: the same mean over the standard deviation (ddof 0) among losing trades: equal losses are "
        "no risk",
        _RATIO,
    ),
    "calmar_freqtrade_trades": Metric(
        metrics_peers.freqtrade_calmar,
        "freqtrade: profit per day in percent / relative drawdown of closed trades * sqrt(365); "
        "losses of open positions are not seen",
        _RATIO,
    ),
    "sharpe_freqtrade_balance": Metric(
        metrics_peers.freqtrade_balance_sharpe,
        "freqtrade, from balances: mean / standard deviation (ddof 0) of daily returns * sqrt(365)",
        _RATIO,
    ),
    "sortino_freqtrade_balance": Metric(
        metrics_peers.freqtrade_balance_sortino,
        "freqtrade, from balances: mean of daily returns / standard deviation (ddof 0) among negative ones",
        _RATIO,
    ),
    "calmar_freqtrade_balance": Metric(
        metrics_peers.freqtrade_balance_calmar,
        "freqtrade, from balances: return per day in percent / relative drawdown where the absolute one is "
        "largest * sqrt(365)",
        _RATIO,
    ),
    "sharpe_nautilus_252": Metric(
        metrics_peers.nautilus_sharpe,
        "nautilus_trader: price returns of closed positions, unweighted, without fees, summed per UTC day on "
        "which one closed, mean / standard deviation (ddof 1) * sqrt(252)",
        _RATIO,
    ),
    "sortino_nautilus_252": Metric(
        metrics_peers.nautilus_sortino,
        "nautilus_trader: the same returns over their downside deviation",
        _RATIO,
    ),
    "sharpe_backtesting_py": Metric(
        metrics_peers.backtesting_py_sharpe,
        "backtesting.py: compound yearly return / volatility compounded over 365 days (252 without weekends)",
        _RATIO,
    ),
    "sortino_backtesting_py": Metric(
        metrics_peers.backtesting_py_sortino,
        "backtesting.py: compound yearly return / (downside deviation * sqrt(365 or 252))",
        _RATIO,
    ),
    "calmar_backtesting_py": Metric(
        metrics_peers.backtesting_py_calmar,
        "backtesting.py: compound yearly return (365 or 252) / largest drawdown of all marks",
        _RATIO,
    ),
    "sharpe_quantstats": Metric(
        metrics_peers.quantstats_sharpe, "quantstats: as sharpe_daily_365 with sqrt(252)", _RATIO
    ),
    "sortino_quantstats": Metric(
        metrics_peers.quantstats_sortino,
        "quantstats: as sortino_daily_365 with sqrt(252)",
        _RATIO,
    ),
    "calmar_quantstats": Metric(
        metrics_peers.quantstats_calmar,
        "quantstats: compound return of 252 days / largest drawdown of daily closes",
        _RATIO,
    ),
}


def variants(record: Record) -> dict[str, float | None]:
    """Return what other programs would say of a run, by the names of :data:`VARIANTS`."""
    found = {name: metric.of(record) for name, metric in VARIANTS.items()}
    return {name: None if value is None else float(value) for name, value in found.items()}


def metrics_table(table: Mapping[str, Metric]) -> str:
    """The rows as Markdown, for ``docs/metrics.md``."""
    rows = [f"| `{name}` | {metric.unit} | {metric.definition} |" for name, metric in table.items()]
    return "\n".join(["| metric | unit | definition |", "|---|---|---|", *rows])
