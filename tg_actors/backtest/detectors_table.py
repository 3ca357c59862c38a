"""What the detectors found, as rows for people and as the tables of ``docs/detectors.md``."""

from collections.abc import Iterable, Sequence
from typing import Any

from tg_actors.backtest.detectors import Finding, LookAhead, Recursion, WarmUp

#: Starts that the table shows.
_SHOWN = (50, 200, 500, 1_000, 3_000)


def look_ahead_row(found: LookAhead) -> dict[str, Any]:
    """One subject in words."""
    ahead = max((leak.bars_ahead for leak in found.leaks), default=0)
    first = found.leaks[0] if found.leaks else None
    return {
        "subject": found.subject,
        "finding": found.finding.value,
        "bars": found.bars,
        "compared": found.compared,
        "bars_ahead": ahead or "",
        "caught_by": ", ".join(dict.fromkeys(leak.change.value for leak in found.leaks)),
        "where": "" if first is None else ", ".join(first.columns),
    }


def recursion_row(found: Recursion) -> dict[str, Any]:
    """One subject in words: the largest difference of its opinions per start."""
    by_bars = {warm_up.bars: warm_up for warm_up in found.warm_ups}
    return {
        "subject": found.subject,
        **{f"start_{bars}": _difference(by_bars[bars]) for bars in _SHOWN if bars in by_bars},
        "bars_needed": _needed(found),
    }


def as_json(found: LookAhead | Recursion) -> dict[str, Any]:
    """The whole finding for programs."""
    content = {**found.model_dump(mode="json"), "finding": found.finding.value}
    return {**content, "bars_needed": found.bars_needed} if isinstance(found, Recursion) else content


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a Markdown table; the first row names the columns."""
    names: Iterable[str] = rows[0]
    lines = [[name.replace("_", " ") for name in names], ["---"] * len(rows[0])]
    lines += [[str(row.get(name, "")) for name in rows[0]] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _needed(found: Recursion) -> str:
    if found.finding is Finding.SILENT:
        return ""
    return "more" if found.bars_needed is None else str(found.bars_needed)


def _difference(warm_up: WarmUp) -> str:
    if not warm_up.defined:
        return "silent"
    text = f"{warm_up.difference:.1e}" if warm_up.difference else "0"
    return text if not warm_up.undefined else f"{text}, {warm_up.undefined} undefined"
