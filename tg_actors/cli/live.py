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

from tg_actors.cli.screen import amount, utc

if TYPE_CHECKING:
    from tg_actors.desk.status import DeskStatus

_STATE_STYLE = {"ACTIVE": "green", "REDUCE_ONLY": "yellow", "HALTED": "bold red"}
_HEALTH_STYLE = {"up": "green", "late": "yellow", "down": "red", "given up": "bold red"}


@contextmanager
def live_view(console: Console) -> Iterator[Live]:
    """A view that redraws itself twice a second and stays on screen at the end."""
    waiting = Text("waiting for the first cycle …", style="dim")
    try:
        with Live(waiting, console=console, refresh_per_second=2, redirect_stdout=False) as view:
            yield view
    finally:
        # Into a file the last picture ends without a line of its own, and an error would go on in it.
        if not console.is_terminal:
            console.line()


def draw(status: "DeskStatus") -> RenderableType:
    """One screen of the desk."""
    parts: list[RenderableType] = [_head(status), _agents(status)]
    if status.positions:
        parts.append(_positions(status))
    if status.alerts:
        parts.append(Text(f"alert: {status.alerts[-1]}", style="yellow"))
    return Panel(Group(*parts), title=f"TripleGain · {status.run}", title_align="left", border_style="dim")


def _head(status: "DeskStatus") -> RenderableType:
    change = float(status.equity) / float(status.equity_open) - 1 if float(status.equity_open) else 0.0
    money = Text.assemble(
        (f"{utc(status.at_ns)} UTC", "bold"),
        "   ",
        (status.trading_state, _STATE_STYLE.get(status.trading_state, "")),
        f"   equity {status.equity} {status.reporting_currency} ({change:+.2%})",
    )
    work = Text(
        f"orders {status.orders}   fills {status.fills}   denied {status.denied}   "
        f"cycle p50 {status.latency_ms_p50:.0f} ms, p99 {status.latency_ms_p99:.0f} ms",
        style="dim",
    )
    if status.cycles_total is None:
        end = Text(f"cycle {status.cycle + 1}, the market does not end: Ctrl-C stops", style="dim")
        return Group(money, work, end)
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=status.cycles_total, completed=status.cycle + 1, width=40),
        Text(f"cycle {status.cycle + 1} of {status.cycles_total}", style="dim"),
    )
    return Group(money, work, bar)


def _agents(status: "DeskStatus") -> Table:
    deaths = any(agent.deaths for agent in status.agents)
    table = Table(header_style="bold", box=None, padding=(0, 1))
    table.add_column("actor", no_wrap=True)
    table.add_column("health", no_wrap=True)
    if deaths:
        table.add_column("deaths", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("last opinion", ratio=1)
    table.add_column("ms", justify="right", no_wrap=True)
    for agent in status.agents:
        table.add_row(
            agent.name,
            Text(agent.health, style=_HEALTH_STYLE.get(agent.health, "")),
            *([str(agent.deaths)] if deaths else []),
            "" if agent.weight is None else f"{agent.weight:.2f}",
            # How many instruments it speaks of is told by `tg agents list`, which has the room.
            agent.opinion.partition(" (")[0],
            "" if agent.latency_ms is None else f"{agent.latency_ms:.0f}",
        )
    return table


def _positions(status: "DeskStatus") -> Table:
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("position", "quantity", "mark"):
        table.add_column(column)
    for position in status.positions:
        table.add_row(position.symbol, amount(position.quantity), amount(position.mark))
    return table
