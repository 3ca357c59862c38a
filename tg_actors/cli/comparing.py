"""``tg backtest compare``: runs side by side, and whether their difference is more than luck."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from tg_actors.cli.reading import reading
from tg_actors.cli.report import trials_of
from tg_actors.cli.screen import out
from tg_actors.desk.report import make_report
from tg_actors.domain.errors import UserError
from tg_actors.reports.differences import Marks, difference
from tg_actors.reports.sheet import evidence_of

_METRICS = (
    "total_return_frac",
    "max_drawdown_frac",
    "sharpe_daily_365",
    "sortino_daily_365",
    "calmar_365",
    "win_rate_closed_trades",
    "profit_factor_closed_trades",
    "exposure_time_frac",
    "turnover",
    "trades",
)
_RUNS_MIN = 2


def compare(runs: Sequence[str]) -> dict[str, Any]:
    """Read runs and hold each against the first, on the days that both have.

    Raises:
        UserError: fewer than two runs, one twice, one that is not there, or no common day.
    """
    if len(runs) < _RUNS_MIN or len(set(runs)) < len(runs):
        raise UserError("give two or more different runs to compare: tg backtest list shows what there is")
    columns, marks = [], []
    for name in runs:
        with reading(name) as (folder, journal):
            report = make_report(folder.name, journal)
            evidence = evidence_of(journal, report, trials_of(journal))
            marks.append(Marks.of(folder.name, journal.equity_curve()))
        columns.append(
            {
                "run": folder.name,
                "first_ns": report.first_ns,
                "last_ns": report.last_ns,
                "currency": report.currency,
                **report.performance.model_dump(mode="json"),
                "evidence": evidence.model_dump(mode="json"),
            }
        )
    first = marks[0]
    return {"runs": columns, "differences": [difference(other, first).as_json() for other in marks[1:]]}


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """Print runs as columns, then one sentence per difference."""
    table = Table(header_style="bold", box=None, padding=(0, 2))
    table.add_column("metric", no_wrap=True)
    for run in comparison["runs"]:
        table.add_column(run["run"], justify="right", overflow="fold")
    for name in _METRICS:
        table.add_row(name, *(_cell(run[name]) for run in comparison["runs"]))
    table.add_row("verdict", *(run["evidence"]["verdict"] for run in comparison["runs"]))
    out.print(table)
    for line in comparison["differences"]:
        out.print(f"  {line['sentence']}", markup=False, highlight=False, soft_wrap=True)


def _cell(value: float | None) -> str:
    if value is None:
        return "undefined"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
