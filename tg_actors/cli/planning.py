"""From the flags of ``tg run`` and ``tg backtest run`` to a planned run in its folder."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tg_actors.desk.config import DeskConfig, load_desk
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market, run_name
from tg_actors.domain.errors import UserError
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder, run_folder

if TYPE_CHECKING:
    from tg_actors.desk.report import Report


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A desk, its plan, and the folder where its journal lies."""

    config: DeskConfig
    plan: DeskPlan
    folder: RunFolder


def plan_run(desk: str, flags: Flags, name: str | None, *, backtest: bool) -> PlannedRun:
    """Read the desk, open its market once to see that it can be had, and find the run's folder.

    Raises:
        UserError: whatever a user can get wrong.
    """
    config = flagged(load_desk(desk), flags)
    spec, feed = plan_market(config)
    folder = run_folder(name or run_name(config, spec, feed, backtest=backtest))
    plan = make_plan(config, spec, feed, folder.path, str(folder.journal), durable=not backtest)
    return PlannedRun(config, plan, folder)


def identify(planned: PlannedRun, journal: Journal) -> int:
    """Write what run this journal belongs to, or make sure that it is this one; returns its cycles.

    Raises:
        UserError: the journal belongs to another market or account.
    """
    plan, mine = planned.plan, planned.plan.account.executor
    identity: dict[str, Any] = {
        "desk": plan.desk,
        "market": plan.market.model_dump_json(include={"symbols", "timeframe", "source"}),
        "executor": mine.model_dump_json(),
    }
    known = journal.identity()
    if known is None:
        journal.set_identity(identity)
        return 0
    theirs = ExecutorSpec.model_validate_json(known["executor"])
    if known["desk"] != plan.desk or _market(known["market"]) != _market(identity["market"]):
        raise UserError(
            f"the journal in {planned.folder.path} is of another market: give this run another --name"
        )
    if (theirs.account, theirs.opening_cash) != (mine.account, mine.opening_cash):
        raise UserError(
            f"the journal in {planned.folder.path} was opened with other cash or another account: "
            "change the desk file back, or give this run another --name"
        )
    return journal.cycles_count()


def _market(text: str) -> dict[str, Any]:
    """The market of an identity without where it ends: an end may be moved."""
    market: dict[str, Any] = json.loads(text)
    market["source"].pop("to_utc", None)
    return market


def session_figures(report: "Report", why: str, seconds: float, cycles_before: int) -> dict[str, Any]:
    """What this session did, as opposed to the whole run."""
    cycles = report.cycles - cycles_before
    bars = report.bars_of_cycles[cycles_before:]
    return {
        "why": why,
        "cycles_session": cycles,
        "seconds": round(seconds, 3),
        "bars_per_s": round(sum(bars) / seconds, 1) if seconds > 0 else 0.0,
    }


def open_journal(planned: PlannedRun) -> tuple[Journal, int]:
    """Open the run's journal for a start; returns it with the cycles it holds."""
    journal = Journal.open(planned.plan.journal, clock_ns=wall_ns)
    try:
        return journal, identify(planned, journal)
    except BaseException:
        journal.close()
        raise
