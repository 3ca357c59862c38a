"""A sheet as one HTML file that needs nothing else: no script, no font, no picture, no network."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tg_actors.backtest.validation.evidence import DEFINITIONS as EVIDENCE
from tg_actors.execution import accounting
from tg_actors.portfolio.performance import DEFINITIONS
from tg_actors.reports.figures import (
    days_covered,
    drawdown_chart,
    equity_chart,
    monthly_returns,
    price_charts,
    rolling_chart,
)
from tg_actors.reports.sheet import Sheet
from tg_actors.reports.weights import weights_chart

_NS_PER_S = 1_000_000_000
#: Trades listed on a page, the newest; all of them are in ``tg trades``.
_TRADES_MAX = 200
_PERCENT = frozenset({"frac"})
#: Shown large at the top.
_HEADLINE = ("total_return_frac", "max_drawdown_frac", "sharpe_daily_365", "trades", "win_rate_closed_trades")


def render(sheet: Sheet, title: str) -> str:
    """Return the page. Whatever came from outside (names, reasons) is escaped."""
    figures = sheet.performance.model_dump()
    return _ENVIRONMENT.get_template("page.html").render(
        title=title,
        sheet=sheet,
        report=sheet.report,
        identity=_identity(sheet),
        is_simulated='"kind":"simulated"' in sheet.identity.get("market", ""),
        days=days_covered(sheet),
        headline=[(name, figures[name]) for name in _HEADLINE],
        evidence=sheet.evidence,
        evidence_definitions=EVIDENCE,
        metrics=[(name, value, DEFINITIONS[name]) for name, value in figures.items()],
        equity=equity_chart(sheet),
        drawdown=drawdown_chart(sheet),
        rolling=rolling_chart(sheet),
        weights=weights_chart(sheet),
        years=monthly_returns(sheet),
        prices=price_charts(sheet),
        trades=list(reversed(sheet.trades[-_TRADES_MAX:])),
        venues=[venue.as_json() for venue in sheet.report.venues],
        venue_definitions=accounting.DEFINITIONS,
    )


def _identity(sheet: Sheet) -> list[tuple[str, str]]:
    """Where the run comes from: market, mode, venue."""
    known = sheet.identity
    market = json.loads(known["market"]) if "market" in known else {}
    source = market.get("source", {})
    return [
        ("kind", str(known.get("kind", "unknown"))),
        ("mode", str(known.get("mode", "unknown"))),
        ("venue", str(known.get("venue", "unknown"))),
        ("market", ", ".join(f"{k} {v}" for k, v in source.items() if v is not None and k != "data")),
        ("timeframe", str(market.get("timeframe", "unknown"))),
        ("instruments", ", ".join(market.get("symbols", ()))),
    ]


def _number(value: Any, digits: int = 2) -> str:
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.{digits}f}"


def _signed(value: float | Decimal, digits: int = 2) -> str:
    return f"{float(value):+,.{digits}f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "undefined" if value is None else f"{100.0 * value:.{digits}f} %"


def _metric(name: str, value: Any) -> str:
    """A metric with the unit that its name ends in."""
    if value is not None and not _PERCENT.isdisjoint(name.split("_")):
        return _percent(float(value), 2)
    return _number(value)


def _utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M")


def _breakable(name: str) -> str:
    """Let a long name break after its underscores, nowhere else."""
    return name.replace("_", "_\u200b")


def _tint(value: float | None) -> str:
    """Style class of a return: its sign, and how large it is in three steps."""
    if value is None:
        return "none"
    steps = sum(abs(value) >= edge for edge in (0.01, 0.05, 0.15))
    return f"{'up' if value >= 0 else 'down'}{steps}"


def _total(values: Iterable[float | Decimal]) -> float:
    return float(sum(float(value) for value in values))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tg_actors.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {
        "number": _number,
        "signed": _signed,
        "percent": _percent,
        "utc": _utc,
        "tint": _tint,
        "breakable": _breakable,
        "total": _total,
    }
    environment.filters.update(filters)
    environment.globals.update(metric=_metric)
    return environment


_ENVIRONMENT = _environment()
