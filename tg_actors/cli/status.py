"""``tg status``: what the desk is doing, from its journal and its status file."""

import json
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from tg_actors.cli.reading import reading, running_desks
from tg_actors.cli.screen import AsJson, Run, out, print_json, regime_text, utc

if TYPE_CHECKING:
    from tg_actors.domain.decisions import Decision
    from tg_actors.journal.readers import JournalReader
    from tg_actors.runtime.home import RunFolder

#: What is told a line each, in this order, where there is something to tell.
_LINES = (
    "mode",
    "venue",
    "stage",
    "stage_paused",
    "trading_state",
    "halt_file",
    "cycles",
    "at",
    "equity",
    "regime",
    "orders_open",
    "approvals_waiting",
    "pending_requests",
    "dashboard_url",
)


def status(run: Run = None, json_: AsJson = False) -> None:
    """Show whether the desk runs, its mode, venue, stage, trading state, equity, what waits, and alerts."""
    with reading(run) as (folder, journal):
        shown = _shown(folder, journal)
    if json_:
        print_json(shown)
        return
    running = f"running (process {shown['desk_pid']})" if shown["desk_pid"] else "not running"
    out.print(f"[bold]{folder.name}[/bold]: {running}")
    for key in _LINES:
        if shown[key] is not None:
            out.print(f"  {key.replace('_', ' ')}: {escape(str(shown[key]))}", highlight=False)
    if shown["trading_state_reason"]:
        out.print(f"  reason: {escape(shown['trading_state_reason'])}", highlight=False)
    if shown["approvals_waiting"]:
        out.print("  an order waits for you: tg approvals", highlight=False)
    for other in shown["also_running"]:
        out.print(f"  also running: {other} (tg status --run {other})", highlight=False)
    for alert in shown["alerts"]:
        out.print(f"  [yellow]alert[/yellow]: {escape(str(alert))}")


def _shown(folder: "RunFolder", journal: "JournalReader") -> dict[str, Any]:
    from tg_actors.desk.gates_view import stage_of
    from tg_actors.domain.money import money_text
    from tg_actors.journal.halt_file import NAME
    from tg_actors.runtime.lock import holder

    control, last = journal.control(), journal.last_decision()
    identity, stage = journal.identity() or {}, stage_of(journal)
    live = folder.read_status()
    desk_pid = holder(folder.lock)
    halt_file = folder.path / NAME
    return {
        "run": folder.name,
        "desk_pid": desk_pid,
        "mode": identity.get("mode"),
        "venue": identity.get("venue"),
        "account": json.loads(identity.get("executor", "{}")).get("account"),
        "stage": None if stage is None else stage.stage,
        "stage_paused": (stage.paused or None) if stage is not None else None,
        "trading_state": control.state.value,
        "trading_state_reason": control.reason,
        "halt_file": str(halt_file) if halt_file.exists() else None,
        "cycles": journal.cycles_count(),
        "at": None if last is None else utc(last.at_ns),
        "equity": None if last is None else money_text(round(last.equity, 2)),
        "regime": None if last is None else _regime(last),
        "orders_open": len(journal.orders(live_only=True)),
        "approvals_waiting": len(journal.approvals(open_only=True)),
        "pending_requests": len(journal.pending_requests()),
        "alerts": live.get("alerts", []),
        "dashboard_url": live.get("dashboard_url") if desk_pid else None,
        "also_running": [name for name in running_desks() if name != folder.name],
    }


def _regime(last: "Decision") -> str:
    view = last.regime_view
    return regime_text(last.regime, None if view is None else view.model_dump())
