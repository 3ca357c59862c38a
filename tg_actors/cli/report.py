"""``tg report``: what a run achieved so far, from its journal alone; as a page with ``--html``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, out, print_json

if TYPE_CHECKING:
    from tg_actors.journal.readers import JournalReader
    from tg_actors.reports.sheet import Sheet

app = typer.Typer(help="What a run achieved: figures, tearsheet, the day, the week.")

Definitions = Annotated[
    bool, typer.Option("--definitions", help="Say under every metric how it is computed.")
]
Html = Annotated[bool, typer.Option("--html", help="Write one self-contained page into the run's folder.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the page to this file.")]
Date = Annotated[str | None, typer.Option("--date", help="A UTC day in it; the newest if left out.")]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        min=1,
        max=10**9,
        help="Desks tried on this market; counted by the trial ledger if left out.",
    ),
]


@app.callback(invoke_without_command=True)
def report(
    context: typer.Context, run: Run = None, definitions: Definitions = False, json_: AsJson = False
) -> None:
    """Show equity, costs, drawdown, Sharpe and who earned it; the desk may go on meanwhile."""
    if context.invoked_subcommand is not None:
        return
    from tg_actors.cli.reporting import print_report
    from tg_actors.desk.report import make_report

    with reading(run) as (folder, journal):
        made = make_report(folder.name, journal)
    print_report(made, None, as_json=json_, definitions=definitions)


@app.command()
def tearsheet(
    run: Run = None, html: Html = False, out_: Out = None, trials: Trials = None, json_: AsJson = False
) -> None:
    """Tell a whole run: equity, drawdown, months, agents, instruments, regimes, trades, costs, evidence."""
    _tell("tearsheet", run, None, trials, html=html, path=out_, as_json=json_)


@app.command()
def daily(
    run: Run = None,
    date: Date = None,
    html: Html = False,
    out_: Out = None,
    trials: Trials = None,
    json_: AsJson = False,
) -> None:
    """Tell one UTC day of a run, the newest if left out."""
    _tell("daily", run, date, trials, html=html, path=out_, as_json=json_)


@app.command()
def weekly(
    run: Run = None,
    date: Date = None,
    html: Html = False,
    out_: Out = None,
    trials: Trials = None,
    json_: AsJson = False,
) -> None:
    """Tell one week of a run, Monday to Sunday UTC, the newest if left out."""
    _tell("weekly", run, date, trials, html=html, path=out_, as_json=json_)


def _tell(
    kind: str,
    run: str | None,
    date: str | None,
    trials: int | None,
    *,
    html: bool,
    path: Path | None,
    as_json: bool,
) -> None:
    with reading(run) as (folder, journal), out.status("reading the journal …"):
        sheet = _sheet(kind, folder.name, journal, date, trials)
    if html or path is not None:
        written = path or folder.path / f"{kind}.html"
        _write(sheet, kind, written)
        print_json({"html": str(written)}) if as_json else out.print(f"written to {written}", soft_wrap=True)
        return
    from tg_actors.cli.reporting import print_sheet
    from tg_actors.reports.plain import as_plain

    print_json(as_plain(sheet)) if as_json else print_sheet(sheet)


def _sheet(kind: str, name: str, journal: "JournalReader", date: str | None, trials: int | None) -> "Sheet":
    from tg_actors.reports.sheet import read_sheet
    from tg_actors.reports.spans import chosen

    span = None
    if kind != "tearsheet":
        curve = journal.equity_curve()
        span = chosen(kind, date, curve[-1][0] if curve else 0)
    return read_sheet(name, journal, span, trials or trials_of(journal))


def trials_of(journal: "JournalReader") -> int:
    """Count the desks that were tried on the market of a journal."""
    from tg_actors.runtime.trials import count_trials, market_key

    identity = journal.identity()
    return 1 if identity is None else count_trials(market_key(json.loads(identity["market"])))


def _write(sheet: "Sheet", kind: str, path: Path) -> None:
    from tg_actors.domain.errors import UserError
    from tg_actors.reports.page import render

    title = "Tearsheet" if kind == "tearsheet" else f"{kind.capitalize()} report, {sheet.span.name}"
    try:
        path.write_text(render(sheet, title), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write the page to {path} ({error.strerror}): give another --out") from error
