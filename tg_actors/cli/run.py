"""``tg run``: start a desk on Ray and trade."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.live import draw, live_view
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Name, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err

if TYPE_CHECKING:
    from tg_actors.cli.planning import PlannedRun
    from tg_actors.desk.session import Session
    from tg_actors.runtime.cluster import Cluster
    from tg_actors.runtime.home import RunFolder

_log = logging.getLogger(__name__)
_POLL_S = 0.5
#: Starting all actors on a busy laptop; more than that is a failure.
_START_S_MAX = 180.0


def run(
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    speed: Annotated[str | None, typer.Option("--speed", help="Multiple of real time, or 'max'.")] = None,
    cycles: Cycles = None,
    name: Name = None,
    address: Annotated[str | None, typer.Option("--address", help="Join this Ray cluster.")] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=1, max=65535, help="Serve /metrics on this loopback port."),
    ] = None,
    control_port: Annotated[
        int | None,
        typer.Option(
            "--control-port", min=0, max=65535, help="Open the HTTP kill switch here; 0 takes a free port."
        ),
    ] = None,
    live: Annotated[
        str | None,
        typer.Option("--live", metavar="DESK", help="Trade real money: type the desk's name."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Start the desk and trade on paper until the market ends or Ctrl-C; starting again resumes."""
    with err.status("reading the desk and its market …"):
        from tg_actors.cli.planning import open_journal, plan_run
        from tg_actors.desk.plan import Flags

        flags = Flags(market, data, instruments, timeframe, from_, to, seed, speed)
        planned = plan_run(desk, flags, name, backtest=False, live=live)
        if metrics_port is not None:
            plan = planned.plan.model_copy(update={"metrics_port": metrics_port})
            planned = dataclasses.replace(planned, plan=plan)
    from tg_actors.runtime.lock import sole_desk
    from tg_actors.telemetry.log import log_to

    with sole_desk(planned.folder.lock):
        log_to(planned.folder.logs)
        journal, before = open_journal(planned)
        journal.close()
        _log.info("start on the journal's cycle %d", before)
        if before:
            err.print(f"resuming {planned.folder.name} after {before} cycles")
        with _door(planned.folder, control_port):
            why, seconds = _trade(planned, cycles, address, dashboard=dashboard, quiet=json_)
        _log.info("end of the session after %.1f s: %s", seconds, why)
        _report(planned, why, seconds, before, as_json=json_)


@contextmanager
def _door(folder: "RunFolder", port: int | None) -> "Iterator[None]":
    """Keep the HTTP kill switch open beside the desk, when it was asked for."""
    if port is None:
        yield
        return
    from tg_actors.desk.door import control_door, token_file
    from tg_actors.runtime.clock import wall_ns

    with control_door(folder, port, wall_ns) as url:
        bearer = f'-H "Authorization: Bearer $(cat {token_file(folder)})"'
        err.print(f"kill switch: curl -X POST {bearer} {url}/v1/halt", highlight=False, soft_wrap=True)
        yield


def _trade(
    planned: "PlannedRun", cycles: int | None, address: str | None, *, dashboard: bool, quiet: bool
) -> tuple[str, float]:
    """Trade one session; returns why it ended and how many seconds it traded."""
    from tg_actors.runtime.cluster import ClusterSpec, cluster, ray_version

    _log.info("Ray %s", ray_version())
    from tg_actors.desk.paper import on_paper

    spec = ClusterSpec(f"triplegain-{planned.folder.name}", address, dashboard)
    with (
        planned.folder.logs.open("a", encoding="utf-8") as log,
        # Ray prints warnings to stdout whatever it is told; what programs read must stay clean.
        redirect_stdout(log),
        err.status("starting Ray (about ten seconds) …") as status,
        # Before Ray: the exchange must still be there while the actors end.
        on_paper(planned.config, planned.plan, planned.folder, status.update) as connected,
        cluster(spec, status.update) as joined,
    ):
        from tg_actors.desk.launch import crew_of, launch
        from tg_actors.desk.session import Session

        status.update("starting the actors …")
        plan = connected.model_copy(update={"dashboard_url": joined.dashboard_url})
        session = Session(launch(plan, crew_of(plan, planned.config.supervision)), cycles)
        session.prepare(_START_S_MAX)
        status.stop()
        _tell(joined, planned.folder)
        began = time.monotonic()
        session.start()
        why = _follow(session, quiet=quiet)
        return why, time.monotonic() - began


def _tell(joined: "Cluster", folder: "RunFolder") -> None:
    """Say where things are."""
    if joined.dashboard_url:
        err.print(f"Ray dashboard: {joined.dashboard_url}", highlight=False)
        err.print(f"  (it asks for the token in {joined.token_path})", highlight=False)
    err.print(
        f"list the actors: RAY_AUTH_MODE=token ray list actors --address {joined.address}", highlight=False
    )
    err.print(f"journal: {folder.journal}", highlight=False)


def _follow(session: "Session", *, quiet: bool) -> str:
    """Show the desk until it stops; the first Ctrl-C stops it cleanly, the second at once."""
    with Interrupts() as presses, nullcontext() if quiet else live_view(err) as view:
        asked = False
        while (why := session.wait(_POLL_S)) is None:
            if presses.count and not asked:
                asked = True
                err.print(
                    "stopping after this cycle; Ctrl-C again stops at once (nothing is lost either way)"
                )
                session.stop()
            status = None if view is None else session.status()
            if view is not None and status is not None:
                view.update(draw(status))
        return why


def _report(planned: "PlannedRun", why: str, seconds: float, cycles_before: int, *, as_json: bool) -> None:
    from tg_actors.cli.planning import session_figures
    from tg_actors.cli.reporting import print_report
    from tg_actors.desk.report import make_report
    from tg_actors.journal.readers import JournalReader

    with JournalReader.read_only(planned.folder.journal) as journal:
        report = make_report(planned.folder.name, journal)
    print_report(report, session_figures(report, why, seconds, cycles_before), as_json=as_json)
