"""``tg report``: what a run achieved so far, from its journal alone."""

from typing import Annotated

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run

Definitions = Annotated[
    bool, typer.Option("--definitions", help="Say under every metric how it is computed.")
]


def report(run: Run = None, definitions: Definitions = False, json_: AsJson = False) -> None:
    """Show equity, costs, drawdown, Sharpe and who earned it; the desk may go on meanwhile."""
    from tg_actors.cli.reporting import print_report
    from tg_actors.desk.report import make_report

    with reading(run) as (folder, journal):
        made = make_report(folder.name, journal)
    print_report(made, None, as_json=json_, definitions=definitions)
