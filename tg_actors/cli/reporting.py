"""Print a run's report: for people a page, for programs one JSON object."""

from typing import TYPE_CHECKING, Any

from rich.table import Table

from tg_actors.cli.screen import out, print_json, utc

if TYPE_CHECKING:
    from tg_actors.desk.report import Report

_METRICS = (
    "total_return_frac",
    "max_drawdown_frac",
    "sharpe_daily_365",
    "sortino_daily_365",
    "calmar_365",
    "win_rate_closed_trades",
    "profit_factor_closed_trades",
    "expectancy_closed_trades",
    "exposure_time_frac",
    "turnover",
)


def print_report(report: "Report", session: dict[str, Any], *, as_json: bool) -> None:
    """Print what the run achieved; ``session`` says how long this session took and why it ended."""
    if as_json:
        print_json({**report.as_json(), **session})
        return
    from tg_actors.portfolio.performance import DEFINITIONS

    out.print(f"\n[bold]{report.run}[/bold]: {utc(report.first_ns)} to {utc(report.last_ns)} UTC")
    out.print(
        f"  {report.cycles} cycles, {report.bars} bars, {report.orders} orders, {report.fills} fills, "
        f"trading state {report.trading_state}"
    )
    out.print(
        f"  equity {report.equity_open:.2f} -> [bold]{report.equity:.2f} {report.currency}[/bold], "
        f"fees {report.performance.fees:.2f} {report.currency}"
        + ("" if report.slippage_bps_mean is None else f", mean slippage {report.slippage_bps_mean:.2f} bps")
    )
    figures = report.performance.model_dump()
    metrics = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("metric", "value", "definition"):
        metrics.add_column(column, overflow="fold")
    for name in _METRICS:
        value = figures[name]
        metrics.add_row(name, "undefined" if value is None else f"{value:.4f}", DEFINITIONS[name])
    out.print(metrics)
    out.print(_agents(report))
    out.print(f"  digest {report.digest}", highlight=False)
    out.print(
        f"  this session: {session['cycles_session']} cycles in {session['seconds']:.1f} s, {session['why']}"
    )


def _agents(report: "Report") -> Table:
    table = Table(
        title="Who earned it (after fees)",
        title_justify="left",
        header_style="bold",
        box=None,
        padding=(0, 2),
    )
    for column in (
        "agent",
        f"pnl {report.currency}",
        f"fees {report.currency}",
        "trades",
        "share of turnover",
    ):
        table.add_column(column)
    for agent in report.agents:
        table.add_row(
            agent.agent,
            f"{agent.pnl:.2f}",
            f"{agent.fees:.2f}",
            str(agent.trades),
            f"{agent.turnover_frac:.1%}",
        )
    return table
