"""The live terminal view of a running desk: equity, positions, agents, progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tg_actors.cli.screen import utc

if TYPE_CHECKING:
    from tg_actors.desk.status import DeskStatus

_STATE_STYLE = {"ACTIVE": "green", "REDUCE_ONLY": "yellow", "HALTED": "bold red"}
_HEALTH_STYLE = {"up": "green", "late": "yellow", "down": "red", "given up": "bold red"}


@contextmanager
def live_view(console: Console) -> Iterator[Live]:
    """A view that redraws itself twice a second and stays on screen at the end."""
    with Live(
        Text("waiting for the first cycle …", style="dim"), console=console, refresh_per_second=2
    ) as view:
        yield view


def draw(status: "DeskStatus") -> RenderableType:
    """One screen of the desk."""
    parts: list[RenderableType] = [_head(status), _agents(status)]
    if status.positions:
        parts.append(_positions(status))
    if status.alerts:
        parts.append(Text(f"alert: {status.alerts[-1]}", style="yellow"))
    return Panel(Group(*parts), title=f"TripleGain · {status.run}", title_align="left", border_style="dim")


def _head(status: "DeskStatus") -> RenderableType:
    grid = Table.grid(padding=(0, 3))
    change = float(status.equity) / float(status.equity_open) - 1 if float(status.equity_open) else 0.0
    grid.add_row(
        Text(f"{utc(status.at_ns)} UTC", style="bold"),
        Text(status.trading_state, style=_STATE_STYLE.get(status.trading_state, "")),
        Text(f"equity {status.equity} {status.reporting_currency} ({change:+.2%})"),
        Text(f"orders {status.orders}  fills {status.fills}  denied {status.denied}"),
        Text(f"cycle p50 {status.latency_ms_p50} ms  p99 {status.latency_ms_p99} ms", style="dim"),
    )
    if status.cycles_total is None:
        return Group(
            grid, Text(f"cycle {status.cycle + 1}, the market does not end: Ctrl-C stops", style="dim")
        )
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=status.cycles_total, completed=status.cycle + 1, width=50),
        Text(f"cycle {status.cycle + 1} of {status.cycles_total}", style="dim"),
    )
    return Group(grid, bar)


def _agents(status: "DeskStatus") -> Table:
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("actor", "health", "deaths", "weight", "last opinion", "answered in"):
        table.add_column(column)
    for agent in status.agents:
        table.add_row(
            agent.name,
            Text(agent.health, style=_HEALTH_STYLE.get(agent.health, "")),
            str(agent.deaths) if agent.deaths else "",
            "" if agent.weight is None else f"{agent.weight:.2f}",
            agent.opinion,
            "" if agent.latency_ms is None else f"{agent.latency_ms} ms",
        )
    return table


def _positions(status: "DeskStatus") -> Table:
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("position", "quantity", "mark"):
        table.add_column(column)
    for position in status.positions:
        table.add_row(position.symbol, position.quantity, position.mark)
    return table
