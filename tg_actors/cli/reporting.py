"""Print a run's report: for people a page, for programs one JSON object."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tg_actors.cli.screen import amount, out, print_json, utc

if TYPE_CHECKING:
    from tg_actors.backtest.validation.evidence import Evidence
    from tg_actors.desk.report import Report
    from tg_actors.reports.sheet import Sheet

#: Halts and alerts printed, the newest; the page and --json have more.
_INCIDENTS_MAX = 10
_CENT = 0.01
_METRICS = (
    "total_return_frac",
    "max_drawdown_frac",
    "sharpe_daily_365",
    "sortino_daily_365",
    "calmar_365",
    "win_rate_closed_trades",
    "profit_factor_closed_trades",
    "expectancy_closed_trades",
    "sqn_closed_trades",
    "mae_median_frac",
    "mfe_median_frac",
    "exposure_time_frac",
    "turnover",
)
_VENUE_FIGURES = (
    ("orders", "orders, protective stops included"),
    ("filled", "filled"),
    ("partial", "partly filled"),
    ("unfilled", "unfilled"),
    ("rejected", "rejected"),
    ("fill_rate_frac", "fill rate"),
    ("slippage_bps_mean", "slippage bps, mean"),
    ("ack_ms_median", "first answer ms, median"),
)


def print_report(
    report: "Report", session: dict[str, Any] | None, *, as_json: bool, definitions: bool = False
) -> None:
    """Print what the run achieved; ``session`` says how long this session took and why it ended."""
    if as_json:
        print_json({**report.as_json(), **(session or {})})
        return
    _head(report)
    out.print(_metrics(report, definitions=definitions))
    out.print(_agents(report))
    out.print(_venues(report))
    out.print(f"  digest {report.digest}", highlight=False)
    if session is not None:
        cycles, seconds = session["cycles_session"], session["seconds"]
        out.print(f"  this session: {cycles} cycles in {seconds:.1f} s, {session['why']}")
    if not definitions:
        out.print("  how each is computed: tg report --definitions", style="dim", highlight=False)


def _head(report: "Report") -> None:
    when = f"{utc(report.first_ns)} to {utc(report.last_ns)} UTC" if report.cycles else "no cycle yet"
    slippage = report.slippage_bps_mean
    out.print(f"\n[bold]{report.run}[/bold]\n  {when}", highlight=False)
    out.print(
        f"  {report.cycles} cycles, {report.bars} bars, {report.orders} orders, {report.fills} fills, "
        f"trading state {report.trading_state}"
    )
    out.print(
        f"  equity {float(report.equity_open):.2f} -> "
        f"[bold]{float(report.equity):.2f} {report.currency}[/bold], "
        f"fees {report.performance.fees:.2f} {report.currency}"
        + ("" if slippage is None else f", mean slippage {slippage:.2f} bps")
    )


def _metrics(report: "Report", *, definitions: bool) -> Table:
    from tg_actors.portfolio.performance import DEFINITIONS

    figures = report.performance.model_dump()
    table = Table(header_style="bold", box=None, padding=(0, 2))
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    if definitions:
        table.add_column("definition", overflow="fold")
    for name in _METRICS:
        value = "undefined" if figures[name] is None else f"{figures[name]:.4f}"
        table.add_row(name, value, *([DEFINITIONS[name]] if definitions else []))
    return table


def _venues(report: "Report") -> Table:
    """One column per venue: there are many figures and few venues."""
    table = Table(
        title="What the venues did", title_justify="left", header_style="bold", box=None, padding=(0, 2)
    )
    rows = [venue.as_json() for venue in report.venues]
    table.add_column("venue", no_wrap=True)
    for row in rows:
        table.add_column(row["venue"], justify="right")
    for name, words in _VENUE_FIGURES:
        table.add_row(words, *("undefined" if row[name] is None else f"{row[name]:g}" for row in rows))
    paid = [", ".join(f"{amount(fee)} {currency}" for currency, fee in row["fees"].items()) for row in rows]
    table.add_row("fees", *(text or "0" for text in paid))
    return table


def _agents(report: "Report") -> Table:
    table = Table(
        title="Who earned it (after fees)",
        title_justify="left",
        header_style="bold",
        box=None,
        padding=(0, 2),
    )
    table.add_column("agent", no_wrap=True)
    for column in (f"pnl {report.currency}", f"fees {report.currency}", "trades", "share of turnover"):
        table.add_column(column, justify="right")
    for agent in report.agents:
        table.add_row(
            agent.agent,
            f"{agent.pnl:.2f}",
            f"{agent.fees:.2f}",
            str(agent.trades),
            f"{agent.turnover_frac:.1%}",
        )
    return table


def print_sheet(sheet: "Sheet") -> None:
    """Print a run, or a part of it, as a page of text."""
    when = f"{utc(int(sheet.at_ns[0]))} to {utc(int(sheet.at_ns[-1]))} UTC"
    out.print(f"\n[bold]{sheet.report.run}[/bold], {sheet.span.name}\n  {when}", highlight=False)
    out.print(
        f"  equity {sheet.equity[0]:.2f} -> [bold]{sheet.equity[-1]:.2f} {sheet.report.currency}[/bold] "
        f"({sheet.equity_change:+.2f}), fees {sheet.performance.fees:.2f}, "
        f"{len(sheet.trades)} closed trades, trading state {sheet.report.trading_state}"
    )
    print_evidence(sheet.evidence)
    currency = sheet.report.currency
    agents = [(x.agent, f"{x.pnl:+.2f}", f"{x.fees:.2f}", str(x.trades)) for x in sheet.agents]
    _lines("Who earned it (after fees)", ("agent", f"pnl {currency}", "fees", "trades"), agents)
    traded = [x for x in sheet.instruments if x.trades or x.pnl or x.fees]
    rows = [(x.symbol, f"{x.pnl:+.2f}", f"{x.fees:.2f}", str(x.trades)) for x in traded]
    if abs(sheet.cash_drift) >= _CENT / 2:
        rows.append(("price of cash held", f"{sheet.cash_drift:+.2f}", "", ""))
    _lines("By instrument", ("instrument", f"pnl {currency}", "fees", "closed trades"), rows)
    regimes = [
        (x.regime, f"{x.time_frac:.1%}", f"{x.pnl:+.2f}", str(x.trades_opened)) for x in sheet.by_regime
    ]
    _lines("By regime", ("regime", "time", f"equity {currency}", "trades opened"), regimes)
    for incident in sheet.incidents[-_INCIDENTS_MAX:]:
        when = utc(incident.at_ns) if incident.at_ns else "before the first bar"
        out.print(f"  {when}  {incident.what}", highlight=False, markup=False)
    out.print("  as a page: --html", style="dim", highlight=False)


def print_evidence(evidence: "Evidence") -> None:
    """Print what may be said of a result."""
    out.print(f"  {evidence.sentence}", highlight=False, markup=False, soft_wrap=True)


def print_variants(values: Mapping[str, float | None]) -> None:
    """Print what other programs would call this run's figures, and how they compute them."""
    from tg_actors.portfolio.metrics_table import VARIANTS

    rows = [
        (name, "undefined" if value is None else f"{value:.4f}", VARIANTS[name].definition)
        for name, value in values.items()
    ]
    table = Table(
        title="In the words of other programs",
        title_justify="left",
        header_style="bold",
        box=None,
        padding=(0, 2),
    )
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("definition", overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _lines(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2))
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    out.print(table)
