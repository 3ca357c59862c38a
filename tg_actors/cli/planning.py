"""From the flags of ``tg run`` and ``tg backtest run`` to a planned run in its folder."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tg_actors.cli.screen import err
from tg_actors.desk.bandit_view import check_memory
from tg_actors.desk.config import DeskConfig, load_desk, load_venue
from tg_actors.desk.live import check_mode
from tg_actors.desk.models import champions_at_home
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market, run_name
from tg_actors.desk.replay import changed_parts, plan_text
from tg_actors.domain.errors import UserError
from tg_actors.execution.venues.connection import InlineConnection
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.market.config import MarketConfig, RecordedSource, VenueSource, begin
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import BACKTEST, RunFolder, run_folder, runs_folder
from tg_actors.runtime.keys import read_key

if TYPE_CHECKING:
    from tg_actors.desk.report import Report


_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A desk, its plan, and the folder where its journal lies."""

    config: DeskConfig
    plan: DeskPlan
    folder: RunFolder


def plan_run(
    desk: str, flags: Flags, name: str | None, *, backtest: bool, live: str | None = None
) -> PlannedRun:
    """Read the desk, open its market once to see that it can be had, and find the run's folder.

    ``live`` is the desk's name as a person has typed it, for a desk that trades real money.

    Raises:
        UserError: whatever a user can get wrong.
    """
    written = load_desk(desk)
    config = flagged(written, flags)
    _tell_unwatched(written, config)
    if backtest:
        _check_past(config)
    else:
        check_mode(config, live)
        check_key(config)
    if isinstance(config.market.source, VenueSource):
        named = run_name(config, None, backtest=backtest) if name is None else _name(name, backtest=backtest)
        config = config.model_copy(update={"market": _begun(config.market, RunFolder(runs_folder() / named))})
        spec, feed = plan_market(config)
    else:
        spec, feed = plan_market(config)
        start_ns = feed.start_ns
        named = (
            run_name(config, start_ns, backtest=backtest) if name is None else _name(name, backtest=backtest)
        )
    planned = RunFolder(runs_folder() / named)
    plan = make_plan(config, spec, feed, planned.path, str(planned.journal), durable=not backtest)
    champions_at_home(
        plan.agents, plan.bar_ns
    )  # a model that an agent cannot ask is said before anything starts
    # Only now: a start that fails leaves no folder behind and takes no other run's place as the latest.
    return PlannedRun(config, plan, run_folder(planned.name))


def _tell_unwatched(written: DeskConfig, config: DeskConfig) -> None:
    """Say which references of a desk file the chosen data folder does not have."""
    asked, got = (
        source.references if isinstance(source := one.market.source, RecordedSource) else ()
        for one in (written, config)
    )
    lost = [name for name in asked if name not in got]
    if lost and isinstance(config.market.source, RecordedSource):
        err.print(f"the data folder has no {', '.join(lost)}: not watched", markup=False, highlight=False)


def check_key(config: DeskConfig) -> None:
    """Make sure that a desk which trades real money has its keys; a paper desk's exchange gives out its own.

    Raises:
        UserError: there is no key, or others may read it.
    """
    connection = load_venue(config).connection
    if config.mode == "live" and not isinstance(connection, InlineConnection):
        read_key(connection.key)
        if connection.read_key is not None:
            read_key(connection.read_key)


def _check_past(config: DeskConfig) -> None:
    if isinstance(config.market.source, VenueSource):
        raise UserError(
            f"desk {config.name!r} trades on a live market, which has no past to test on: add "
            "--market recorded --data DIR, or --market simulated"
        )


def _begun(market: MarketConfig, folder: RunFolder) -> MarketConfig:
    """Return a live market with its cycle 0 where the run's journal has it, or now."""
    if folder.journal.exists():
        with JournalReader.read_only(folder.journal) as journal:
            known = journal.identity()
        if known is not None:
            from_utc = json.loads(known["market"])["source"].get("from_utc")
            source = market.source.model_copy(update={"from_utc": from_utc})
            return market.model_copy(update={"source": source})
    return begin(market, wall_ns())


def check_desk(desk: str) -> DeskConfig:
    """Read a desk file the way a start reads it, its market and every file it names included.

    Raises:
        UserError: whatever would keep it from starting.
    """
    config = load_desk(desk)
    source = config.market.source
    if isinstance(source, VenueSource) or (isinstance(source, RecordedSource) and not source.data):
        return config  # its market is asked, or named, when it starts: a check needs neither network nor data
    spec, feed = plan_market(config)
    make_plan(config, spec, feed, Path(), "", durable=False)
    return config


def _name(text: str, *, backtest: bool) -> str:
    if not _RUN_NAME.fullmatch(text):
        raise UserError(f"--name {text!r} is no name of a folder: use letters, digits, '-', '_' and '.'")
    if text.startswith(BACKTEST) and not backtest:
        raise UserError(f"--name {text!r}: names that start with {BACKTEST} belong to backtests, use another")
    return text


def identify(planned: PlannedRun, journal: Journal) -> int:
    """Write what run this journal belongs to, or make sure that it is this one; returns its cycles.

    Raises:
        UserError: the journal belongs to another market or account.
    """
    plan, mine = planned.plan, planned.plan.account.executor
    kind = "desk" if plan.account.durable else "backtest"
    identity: dict[str, Any] = {
        "kind": kind,
        "desk": plan.desk,
        "market": plan.market.model_dump_json(include={"symbols", "timeframe", "source"}),
        "executor": mine.model_dump_json(),
        "venue": planned.config.venue,
        "mode": planned.config.mode,
        "plan": plan_text(plan),
    }
    known = journal.identity()
    if known is None:
        journal.set_identity(identity)
        return 0
    if (theirs_kind := known.get("kind", kind)) != kind:
        raise UserError(f"{planned.folder.name} is a {theirs_kind}: give this run another --name")
    if (theirs_mode := known.get("mode", planned.config.mode)) != planned.config.mode:
        raise UserError(
            f"{planned.folder.name} was begun with mode: {theirs_mode}, and money on paper and real money "
            "share no journal: give this run another --name"
        )
    theirs = ExecutorSpec.model_validate_json(known["executor"])
    if known["desk"] != plan.desk or _market(known["market"]) != _market(identity["market"]):
        raise UserError(
            f"the journal in {planned.folder.path} is of another market: give this run another --name"
        )
    if any(getattr(theirs, name) != getattr(mine, name) for name in _FIXED):
        raise UserError(
            f"the journal in {planned.folder.path} was opened with other cash, account or currency: "
            "change the desk file back, or give this run another --name"
        )
    if "plan" in known and changed_parts(known["plan"], plan):
        check_memory(journal, plan.meta)
        # A replay begins with the first plan and finds the later one in the record.
        journal.set_identity({**known, "plan_changed": changed_parts(known["plan"], plan)})
    return journal.cycles_count()


#: What a journal was opened with and what its books rest on.
_FIXED = ("account", "opening_cash", "reporting_currency", "instruments")


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


def forget_backtest(planned: PlannedRun) -> None:
    """Remove the journal of an earlier backtest; one that a desk has written is never removed.

    Raises:
        UserError: the journal is a desk's.
    """
    folder = planned.folder
    if folder.journal.exists() and not folder.name.startswith(BACKTEST) and kind_of(folder) == "desk":
        raise UserError(
            f"{folder.name} is the journal of a desk, which no backtest replaces: give another --name"
        )
    folder.forget_journal()


def kind_of(folder: RunFolder) -> str | None:
    """Who wrote a run's journal: ``desk``, ``backtest``, or None when nobody has yet.

    Raises:
        UserError, JournalError: it cannot be read.
    """
    with JournalReader.read_only(folder.journal) as journal:
        identity = journal.identity()
    return None if identity is None else identity.get("kind")


def open_journal(planned: PlannedRun) -> tuple[Journal, int]:
    """Open the run's journal for a start; returns it with the cycles it holds."""
    journal = Journal.open(planned.plan.journal, clock_ns=wall_ns)
    try:
        return journal, identify(planned, journal)
    except BaseException:
        journal.close()
        raise
