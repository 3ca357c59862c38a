"""The charts and tables of a sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.instruments import Side
from tg_actors.portfolio import metrics
from tg_actors.portfolio.performance import DAY_NS
from tg_actors.portfolio.trades import ClosedTrade
from tg_actors.reports.charts import Axes, Chart, Line, Marker
from tg_actors.reports.sheet import Sheet

#: Price charts on one page, of the most traded instruments; more would make a page nobody scrolls.
CHARTS_MAX = 12
#: A quarter: fewer days say little of a ratio, more say it late.
ROLLING_DAYS = 90
#: Trades marked on one chart, the newest: beyond that signs cover each other.
MARKED_MAX = 120
_NS_PER_S = 1_000_000_000
_MONTHS = 12
#: Labels on an axis of a small chart.
_SMALL_TICKS = 3


def equity_chart(sheet: Sheet) -> Chart:
    """Equity of the account beside holding the desk's instruments in equal parts."""
    held = buy_and_hold(sheet)
    series = [sheet.equity, *([held] if held is not None else [])]
    axes = Axes.around(sheet.at_ns, series, _money_format(sheet.equity))
    lines = [Line("desk, after costs", "desk", axes.path(sheet.at_ns, sheet.equity))]
    if held is not None:
        lines.append(Line("buy and hold, equal parts, no costs", "hold", axes.path(sheet.prices.at_ns, held)))
    return axes.chart("Equity", sheet.report.currency, lines)


def buy_and_hold(sheet: Sheet) -> F64 | None:
    """Equity of buying every instrument paid in the reporting currency for an equal part at the first mark.

    Shape ``(m,)`` at ``sheet.prices.at_ns``; None when none has a price from the first mark on. An
    instrument that loses its price is held at its last one.
    """
    currency = f"/{sheet.report.currency}"
    mids = [m for symbol, m in sheet.prices.mids.items() if symbol.endswith(currency) and m[0] > 0]
    if not mids:
        return None
    growth = np.mean([_filled(prices) / prices[0] for prices in mids], axis=0)
    held: F64 = growth * sheet.equity[0]
    return held


def drawdown_chart(sheet: Sheet) -> Chart:
    """Fraction lost from the highest equity so far, at every mark."""
    lost = -100.0 * (1.0 - sheet.equity / np.maximum.accumulate(sheet.equity))
    axes = Axes.around(sheet.at_ns, [lost], "{:.1f} %")
    axes.high = 0.0
    line = Line("drawdown", "drawdown", axes.path(sheet.at_ns, lost, filled=True))
    return axes.chart("Drawdown", "% from the peak", [line])


def rolling_chart(sheet: Sheet) -> Chart | None:
    """``sharpe_daily_365`` of the last 90 days after each day; None where there are not more than those."""
    returns = metrics.daily_returns(sheet.at_ns, sheet.equity)
    if returns.size <= ROLLING_DAYS:
        return None
    rolling = metrics.rolling_sharpe_daily_365(returns, ROLLING_DAYS)[ROLLING_DAYS - 1 :]
    closes_ns = sheet.at_ns[metrics.day_bounds(sheet.at_ns)][ROLLING_DAYS:]
    # Zero is in sight: what matters is on which side of it the line is.
    axes = Axes.around(closes_ns, [rolling, np.zeros(1)], "{:.1f}", ticks=_SMALL_TICKS)
    lines = [
        Line("sharpe_daily_365", "desk", axes.path(closes_ns, rolling)),
        Line("zero", "hold", axes.path(closes_ns, np.zeros(len(closes_ns)))),
    ]
    return axes.chart(f"Sharpe ratio of the last {ROLLING_DAYS} days", "sharpe_daily_365", lines)


def price_charts(sheet: Sheet) -> list[Chart]:
    """Price of the most traded instruments with every entry and exit of a closed trade."""
    by_symbol: dict[str, list[ClosedTrade]] = {}
    for trade in sheet.trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    busiest = sorted(by_symbol, key=lambda symbol: (-len(by_symbol[symbol]), symbol))[:CHARTS_MAX]
    return [_price_chart(sheet, symbol, by_symbol[symbol]) for symbol in busiest]


def _price_chart(sheet: Sheet, symbol: str, trades: Sequence[ClosedTrade]) -> Chart:
    at_ns, mids = sheet.prices.at_ns, sheet.prices.mids[symbol]
    marked = trades[-MARKED_MAX:]
    levels = np.array([float(price) for trade in marked for price in (trade.entry, trade.exit)])
    axes = Axes.around(at_ns, [mids, levels], _price_format(mids), ticks=_SMALL_TICKS)
    all_of_them = len(marked) == len(trades)
    note = "" if all_of_them else f"the newest {len(marked)} of {len(trades)} trades are marked"
    line = Line(symbol, "price", axes.path(at_ns, mids))
    return axes.chart(symbol, symbol.partition("/")[2], [line], _markers(axes, marked), note)


def _markers(axes: Axes, trades: Sequence[ClosedTrade]) -> list[Marker]:
    markers = []
    for trade in trades:
        bought = trade.side is Side.BUY
        won = "won" if trade.pnl > 0 else "lost"
        opened, closed = _when(trade.opened_ns), _when(trade.closed_ns)
        verb = "bought" if bought else "sold short"
        entry = f"{verb} {trade.quantity} at {float(trade.entry):.6g}, {opened}"
        leave = f"closed at {float(trade.exit):.6g}, {closed}: {float(trade.pnl):+.2f} after fees"
        for at_ns, price, sign, style, tip in (
            (trade.opened_ns, trade.entry, "▲" if bought else "▼", "entry", entry),
            (trade.closed_ns, trade.exit, "●", won, leave),
        ):
            x, y = axes.x(at_ns), axes.y(float(price))
            if 0.0 <= x <= 1.0:
                markers.append(Marker(100.0 * x, 100.0 * y, sign, style, tip))
    return markers


@dataclass(frozen=True, slots=True)
class Year:
    """Returns of one calendar year: twelve months, None where the run had no mark, and the whole."""

    year: int
    months: tuple[float | None, ...]
    total: float


def monthly_returns(sheet: Sheet) -> list[Year]:
    """Simple returns by calendar month, UTC, none where equity was lost; first and last may be partial."""
    returns = {
        (year, month): made for year, month, made in metrics.monthly_returns(sheet.at_ns, sheet.equity)
    }
    return [_year(year, returns) for year in sorted({year for year, _ in returns})]


def _year(year: int, returns: dict[tuple[int, int], float]) -> Year:
    months = tuple(returns.get((year, month)) for month in range(1, _MONTHS + 1))
    return Year(year, months, float(np.prod([1.0 + r for r in months if r is not None]) - 1.0))


def days_covered(sheet: Sheet) -> float:
    """How long the sheet is, in days."""
    return float(sheet.at_ns[-1] - sheet.at_ns[0]) / DAY_NS


def _filled(prices: F64) -> F64:
    """Carry the last known price forward."""
    known = np.where(np.isfinite(prices) & (prices > 0), np.arange(len(prices)), 0)
    return prices[np.maximum.accumulate(known)]


def _money_format(values: F64) -> str:
    return "{:,.0f}" if float(np.ptp(values)) > 10.0 else "{:,.2f}"  # noqa: PLR2004 - cents matter below


def _price_format(values: F64) -> str:
    """Enough digits that neighbouring ticks differ."""
    known = values[np.isfinite(values)]
    spread = float(np.ptp(known)) if known.size else 1.0
    digits = 0 if spread >= 10.0 else int(max(0, min(10, np.ceil(1.0 - np.log10(spread or 1.0)))))  # noqa: PLR2004
    return f"{{:,.{digits}f}}"


def _when(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M")
