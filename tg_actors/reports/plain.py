"""A sheet as plain data for programs; what the page shows, without its charts."""

from typing import Any

from tg_actors.reports.figures import monthly_returns
from tg_actors.reports.sheet import Sheet


def as_plain(sheet: Sheet) -> dict[str, Any]:
    """Return the figures of a sheet; times in UTC nanoseconds, amounts in ``currency``."""
    return {
        "run": sheet.report.run,
        "span": sheet.span.name,
        "first_ns": int(sheet.at_ns[0]),
        "last_ns": int(sheet.at_ns[-1]),
        "currency": sheet.report.currency,
        "equity_open": float(sheet.equity[0]),
        "equity": float(sheet.equity[-1]),
        "cash_drift": sheet.cash_drift,
        "performance": sheet.performance.model_dump(mode="json"),
        "evidence": sheet.evidence.model_dump(mode="json"),
        "agents": [line.model_dump(mode="json") for line in sheet.agents],
        "instruments": [
            {"symbol": x.symbol, "pnl": x.pnl, "fees": x.fees, "trades": x.trades, "wins": x.wins}
            for x in sheet.instruments
        ],
        "regimes": [
            {"regime": x.regime, "time_frac": x.time_frac, "pnl": x.pnl, "trades_opened": x.trades_opened}
            for x in sheet.by_regime
        ],
        "months": [
            {"year": year.year, "months": list(year.months), "total": year.total}
            for year in monthly_returns(sheet)
        ],
        "denials": dict(sheet.denials),
        "incidents": [{"at_ns": x.at_ns, "what": x.what} for x in sheet.incidents],
        "trading_state": sheet.report.trading_state,
        "digest": sheet.report.digest,
    }
