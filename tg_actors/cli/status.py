"""``tg status``: what the desk is doing, from its journal and its status file."""

from typing import Any

from tg_actors.cli.reading import reading, running_desks
from tg_actors.cli.screen import AsJson, Run, out, print_json, utc


def status(run: Run = None, json_: AsJson = False) -> None:
    """Show whether the desk runs, its trading state, equity, positions and newest alerts."""
    from tg_actors.domain.money import money_text
    from tg_actors.runtime.lock import holder

    with reading(run) as (folder, journal):
        control, last = journal.control(), journal.last_decision()
        shown: dict[str, Any] = {
            "run": folder.name,
            "desk_pid": holder(folder.lock),
            "trading_state": control.state.value,
            "trading_state_reason": control.reason,
            "cycles": journal.cycles_count(),
            "at": None if last is None else utc(last.at_ns),
            "equity": None if last is None else money_text(round(last.equity, 2)),
            "orders_open": len(journal.orders(live_only=True)),
            "pending_requests": len(journal.pending_requests()),
        }
    live = folder.read_status()
    shown["alerts"] = live.get("alerts", [])
    shown["dashboard_url"] = live.get("dashboard_url") if shown["desk_pid"] else None
    shown["also_running"] = [name for name in running_desks() if name != folder.name]
    if json_:
        print_json(shown)
        return
    running = f"running (process {shown['desk_pid']})" if shown["desk_pid"] else "not running"
    out.print(f"[bold]{folder.name}[/bold]: {running}")
    for key in (
        "trading_state",
        "cycles",
        "at",
        "equity",
        "orders_open",
        "pending_requests",
        "dashboard_url",
    ):
        if shown[key] is not None:
            out.print(f"  {key.replace('_', ' ')}: {shown[key]}")
    if control.reason:
        out.print(f"  reason: {control.reason}")
    for other in shown["also_running"]:
        out.print(f"  also running: {other} (tg status --run {other})", highlight=False)
    for alert in shown["alerts"]:
        out.print(f"  [yellow]alert[/yellow]: {alert}")
