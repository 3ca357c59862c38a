"""Standings among the baselines as a person reads them."""

from collections.abc import Callable, Sequence
from typing import Any

from tg_actors.cli.screen import show

#: One table of all columns is too wide to be read.
_TABLES = (
    (("name", "return", "sharpe_daily_365", "interval", "drawdown"), "result"),
    (
        ("name", "beats", "beats_by_return", "ahead_a_year", "ahead_interval"),
        "baselines beaten, ahead of holding",
    ),
    (("name", "windows_ahead", "timing_p", "deflated", "verdict"), "or luck"),
)


def standing_row(standing: dict[str, Any]) -> dict[str, Any]:
    """A standing as a person reads it."""
    evidence = standing["evidence"]
    return {
        "name": standing["name"],
        "return": percent(evidence["total_return_frac"]),
        "sharpe_daily_365": number(evidence["sharpe_daily_365"]),
        "interval": around(evidence["sharpe_interval"], number),
        "drawdown": percent(standing["drawdown_frac"]),
        "beats": percent(standing["sharpe_percentile"]),
        "beats_by_return": percent(standing["return_percentile"]),
        "ahead_a_year": percent(standing["ahead_yearly_frac"]),
        "ahead_interval": around(standing["ahead_interval"], percent),
        "windows_ahead": f"{standing['windows_ahead']} of {standing['windows']}",
        "timing_p": number(standing["timing_p_value"]),
        "deflated": percent(evidence["dsr_frac"]),
        "verdict": evidence["verdict"],
    }


def print_standings(standings: Sequence[dict[str, Any]], title: str) -> None:
    """Show standings as tables that fit a screen of 80 columns."""
    rows = [standing_row(standing) for standing in standings]
    for columns, about in _TABLES:
        show(rows, columns, f"{title}: {about}", as_json=False)


def percent(frac: float | None) -> str:
    """A fraction in percent, one digit."""
    return "undefined" if frac is None else f"{frac:.1%}"


def number(value: float | None) -> str:
    """Two digits."""
    return "undefined" if value is None else f"{value:.2f}"


def around(interval: dict[str, Any] | None, said: Callable[[float], str]) -> str:
    """An interval, both ends in the same words."""
    return "undefined" if interval is None else f"{said(interval['low'])} to {said(interval['high'])}"
