"""``tg backtest``: the same desk on the same market in one process, without Ray, and what came of it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.backtest_agents import agents
from tg_actors.cli.backtest_detectors import lookahead, recursive
from tg_actors.cli.backtest_engines import run_event, run_kernel
from tg_actors.cli.backtest_noise import noise
from tg_actors.cli.backtest_regimes import score_regimes
from tg_actors.cli.backtest_robustness import robustness
from tg_actors.cli.baselines import baselines
from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Name, Seed, Timeframe, To
from tg_actors.cli.reading import backtests, reading
from tg_actors.cli.report import Definitions
from tg_actors.cli.screen import AsJson, err, out, print_json, show
from tg_actors.cli.stress import stress

if TYPE_CHECKING:
    from tg_actors.cli.planning import PlannedRun
    from tg_actors.desk.coordinator import Coordinator
    from tg_actors.journal.readers import JournalReader

app = typer.Typer(
    help="The same desk in one process: run, compare, and find out how far to believe it.",
    no_args_is_help=True,
)
app.command("stress")(stress)
app.command("kernel")(run_kernel)
app.command("event")(run_event)
app.command("baselines")(baselines)
app.command("agents")(agents)
app.command("regimes")(score_regimes)
app.command("lookahead")(lookahead)
app.command("recursive")(recursive)
app.command("noise")(noise)
app.command("robustness")(robustness)

#: An endless market must be told when to stop.
_CYCLES_DEFAULT = 5_000
_SHOW_EVERY = 50


@app.command("run")
def run_backtest(
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Cycles = None,
    name: Name = None,
    json_: AsJson = False,
) -> None:
    """Replay a market through the desk; the journal of an earlier equal backtest is replaced."""
    with err.status("reading the desk and its market …"):
        from tg_actors.cli.planning import plan_run
        from tg_actors.desk.plan import Flags

        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        planned = plan_run(desk, flags, name, backtest=True)
    from tg_actors.runtime.lock import sole_desk

    with sole_desk(planned.folder.lock):
        _replay(planned, cycles, as_json=json_)


def _replay(planned: "PlannedRun", cycles: int | None, *, as_json: bool) -> None:
    from tg_actors.cli.planning import forget_backtest, identify, session_figures
    from tg_actors.cli.reporting import print_report
    from tg_actors.desk.report import make_report
    from tg_actors.desk.wiring import wire_inline
    from tg_actors.journal.records import Durability
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns

    end = planned.plan.cycles_total
    total = (cycles or _CYCLES_DEFAULT) if end is None else min(cycles or end, end)
    forget_backtest(planned)
    journal = Journal.open(planned.plan.journal, Durability.BATCH, clock_ns=wall_ns)
    try:
        identify(planned, journal)
        coordinator = wire_inline(planned.plan, journal, wall_ns)
        began = time.monotonic()
        why = _run(coordinator, total, planned.plan.cycles_total)
        seconds = time.monotonic() - began
        report = make_report(planned.folder.name, journal)
        seen = _seen(journal)
    finally:
        journal.close()
    _count_trial(planned)
    figures = {**session_figures(report, why, seconds, 0), **({"seen_in_training": seen} if seen else {})}
    print_report(report, figures, as_json=as_json)
    _print_seen(seen, as_json=as_json)


def _seen(journal: "JournalReader") -> list[dict[str, Any]]:
    """What of the backtest its models were trained on."""
    from tg_actors.desk.models import open_registry
    from tg_actors.desk.overlap import overlaps
    from tg_actors.desk.replay import plan_of

    # A journal of an older version holds no plan, and knew no models.
    models = plan_of(journal).models if "plan" in (journal.identity() or {}) else None
    found = () if models is None else overlaps(journal, open_registry(Path(models)))
    return [{**one.model_dump(mode="json"), "sentence": one.sentence} for one in found]


def _print_seen(seen: list[dict[str, Any]], *, as_json: bool) -> None:
    for one in [] if as_json else seen:
        out.print(f"  {one['sentence']}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _count_trial(planned: "PlannedRun") -> None:
    """Enter this desk into the trial ledger: evidence must know how often luck was tried."""
    from tg_actors.runtime.trials import market_key, note_trials

    market = planned.plan.market.model_dump(mode="json", include={"symbols", "timeframe", "source"})
    desk = planned.config.model_dump(mode="json", exclude={"market", "pace", "supervision", "metrics_port"})
    agents = [agent.model_dump(mode="json") for agent in planned.plan.agents]
    note_trials(market_key(market), [{"desk": desk, "agents": agents}])


Variants = Annotated[
    bool, typer.Option("--variants", help="Say also what other programs' words mean of this run.")
]


@app.command("show")
def show_backtest(
    run: Annotated[str | None, typer.Argument(help="Name of the backtest; the latest if left out.")] = None,
    definitions: Definitions = False,
    variants: Variants = False,
    json_: AsJson = False,
) -> None:
    """Show a finished backtest again, with what may be said of its result."""
    from tg_actors.cli.report import trials_of
    from tg_actors.cli.reporting import print_evidence, print_report, print_variants
    from tg_actors.desk.report import make_report
    from tg_actors.reports.sheet import evidence_of, variants_of

    with reading(run or backtests()[-1]) as (folder, journal):
        report = make_report(folder.name, journal)
        evidence = evidence_of(journal, report, trials_of(journal))
        seen = _seen(journal)
        others = variants_of(journal) if variants else None
    if json_:
        more: dict[str, Any] = {} if others is None else {"variants": others}
        more |= {"seen_in_training": seen} if seen else {}
        print_json({**report.as_json(), "evidence": evidence.model_dump(mode="json"), **more})
        return
    print_report(report, None, as_json=False, definitions=definitions)
    print_evidence(evidence)
    _print_seen(seen, as_json=False)
    if others is not None:
        print_variants(others)


@app.command("list")
def list_backtests(json_: AsJson = False) -> None:
    """List the finished backtests, oldest first."""
    from tg_actors.cli.reading import described

    columns = ("run", "desk", "market", "instruments", "timeframe", "cycles", "return")
    rows = [described(name) for name in backtests()]
    for row in [] if json_ else rows:
        row["return"] = None if row["total_return_frac"] is None else f"{row['total_return_frac']:+.2%}"
    show(rows, columns, "Backtests", as_json=json_)


@app.command("compare")
def compare_backtests(
    runs: Annotated[
        list[str], typer.Argument(help="Two or more runs; the others are held against the first.")
    ],
    json_: AsJson = False,
) -> None:
    """Put runs side by side, and say whether their difference is more than luck."""
    from tg_actors.cli.comparing import compare, print_comparison

    comparison = compare(runs)
    print_json(comparison) if json_ else print_comparison(comparison)


def _run(coordinator: "Coordinator", total: int, end: int | None) -> str:
    """Drive the inline desk; Ctrl-C ends it after the current cycle and still reports, twice at once."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("cycles"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Interrupts() as interrupts, Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("cycles", total=total)
        while coordinator.next_cycle < total:
            if interrupts.count:
                return "stopped"
            if coordinator.step() is None:
                return "end of market"
            if coordinator.next_cycle % _SHOW_EVERY == 0:
                progress.update(task, completed=coordinator.next_cycle)
    return "end of market" if total == end else "enough cycles"
