"""What every command shares: tables or JSON on stdout, one sentence per error on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

#: Everything a program may read goes to stdout; everything a person is told on the way to stderr.
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Run = Annotated[str | None, typer.Option("--run", help="Name of the run; the latest one if left out.")]


def print_json(content: object) -> None:
    """Write one JSON value on one line."""
    sys.stdout.write(json.dumps(content, separators=(",", ":"), default=str, allow_nan=False) + "\n")
    sys.stdout.flush()


def show(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], title: str, *, as_json: bool) -> None:
    """Print rows as a table or as a JSON list; an empty listing says so."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        out.print(f"{title}: none", style="dim")
        return
    table = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    out.print(table)


def utc(at_ns: int) -> str:
    """UTC time of an instant as a person reads it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
