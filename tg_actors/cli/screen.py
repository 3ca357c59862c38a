"""What every command shares: tables or JSON on stdout, one sentence per error on stderr."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Everything a program may read goes to stdout; everything a person is told on the way to stderr.
err = Console(stderr=True)
#: Into a pipe a row is one line: what reads it is grep, not a person with a narrow screen.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200)

_NUMBER = re.compile(r"(?:[-+]?[0-9][0-9.]*)?")
_GAP = 2
#: What is left for each of the columns that wrap, at least.
_ROOM = 14

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
        title=title,
        title_justify="left",
        header_style="bold",
        box=None,
        padding=(0, _GAP, 0, 0),
        pad_edge=False,
    )
    cells = [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    down = [(name, *column) for name, column in zip(columns, zip(*cells, strict=True), strict=True)]
    widths = [max(map(len, column)) for column in down]
    whole = _whole(widths)
    for k, (name, *column) in enumerate(down):
        right = all(_NUMBER.fullmatch(cell) for cell in column)
        table.add_column(
            name.replace("_", " "), justify="right" if right else "left", no_wrap=k in whole, overflow="fold"
        )
    for texts in cells:
        table.add_row(*map(escape, texts))
    out.print(table)


def _whole(widths: Sequence[int]) -> set[int]:
    """Columns that are shown in one piece: the narrow ones first, while the others keep some room."""
    whole: set[int] = set()
    left = out.width + _GAP
    order = sorted(range(len(widths)), key=widths.__getitem__)
    for done, k in enumerate(order, start=1):
        left -= widths[k] + _GAP
        if left < sum(min(widths[j], _ROOM) + _GAP for j in order[done:]):
            break
        whole.add(k)
    return whole


def two_digits(value: float | None) -> str | None:
    """A score as a person reads it: sign and two digits."""
    return None if value is None else f"{value:+.2f}"


def amount(text: str | None) -> str | None:
    """Money or a price with six significant digits, as a person reads it; ``--json`` has them all."""
    if text is None:
        return None
    whole, _, fraction = text.partition(".")
    kept = 6 - len(whole.lstrip("-0"))
    if kept <= 0 or not fraction:
        return whole
    zeros = len(fraction) - len(fraction.lstrip("0")) if whole.lstrip("-") == "0" else 0
    return f"{whole}.{fraction[: zeros + kept]}".rstrip("0").rstrip(".")


def regime_text(regime: str, view: Mapping[str, Any] | None) -> str:
    """A regime as a person reads it: ``trend_up 0.81 since 2024-03-01 12:00:00``, or its name alone."""
    if view is None:
        return regime
    return f"{regime} {view['probability']:.2f} since {utc(view['since_ns'])}"


def utc(at_ns: int) -> str:
    """UTC time of an instant as a person reads it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
