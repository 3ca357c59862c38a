"""``tg drill``: throw the kill switch into bursts of permits, again and again, and time it."""

import os
import tempfile
from typing import Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, err, out, print_json


def drill(
    count: Annotated[int, typer.Option("--count", min=1, help="How many halts.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the market and of the moments.")] = 1,
    json_: AsJson = False,
) -> None:
    """Halt an executor that permits as fast as it can: by row, by file and by command, in turns.

    A permit above a halt row is a violation, and the exit status 1. No desk of yours is touched.
    """
    from tg_actors.chaos.drills import drill as throw

    with tempfile.TemporaryDirectory(prefix="tg-drill-") as home:
        # The commands that are drilled find their desk there, and nothing of the user's.
        os.environ["TG_HOME"] = home
        figures = throw(count, seed, (lambda _: None) if json_ else err.print)
    if json_:
        print_json(figures)
    else:
        _show(figures)
    if figures["violations"]:
        raise typer.Exit(1)


def _show(figures: dict[str, Any]) -> None:
    for sentence in figures["violation_list"]:
        out.print(f"[red]violation[/red] {sentence}", highlight=False)
    for name, value in figures.items():
        if name not in {"violation_list", "by_door"}:
            out.print(f"{name:26} {value}", highlight=False)
    for door, row in figures["by_door"].items():
        out.print(f"  {door:24} {row}", highlight=False)
