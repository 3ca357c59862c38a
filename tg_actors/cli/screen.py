"""What every command shares: tables or JSON on stdout, one sentence per error on stderr."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Everything a program may read goes to stdout; everything a person is told on the way to stderr.
err = Console(stderr=True)
#: Into a pipe a row is one line: what reads it is grep, not a person with a narrow screen.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200)

_NUMBER = re.compile(r"[-+]?[0-9][0-9.,]*%?")
_SHORT_CHARS = 24

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Run = Annotated[str | None, typer.Option("--run", help="Name of the run; the latest one if left out.")]


def print_json(content: object) -> None:
    """Write one JSON value on one line."""
    sys.stdout.write(json.dumps(content, separators=(",", ":"), default=str, allow_nan=False) + "\n")
    sys.stdout.flush()


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str, *, as_json: bool) -> None:
    """Print rows as a table or as a JSON list; an empty listing says so."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        out.print(f"{title}: none", style="dim")
        return
    table = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    cells = [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    for name, column in zip(columns, zip(*cells, strict=True), strict=True):
        right = all(_NUMBER.fullmatch(cell) for cell in column if cell) and any(column)
        # Long text gives way on a narrow screen, names and numbers do not.
        short = max(map(len, column)) <= _SHORT_CHARS
        table.add_column(
            name.replace("_", " "), justify="right" if right else "left", no_wrap=short, overflow="fold"
        )
    for texts in cells:
        table.add_row(*map(escape, texts))
    out.print(table)


def two_digits(value: float | None) -> str | None:
    """A score as a person reads it: sign and two digits."""
    return None if value is None else f"{value:+.2f}"


def amount(text: str | None) -> str | None:
    """Money or a price as a person reads it: eight significant digits at most; ``--json`` has them all."""
    return None if text is None else f"{float(text):.8g}" if "e" not in f"{float(text):.8g}" else text


def utc(at_ns: int) -> str:
    """UTC time of an instant as a person reads it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
