"""``tg models improve|gate``: challengers made, judged and watched, and how sure the judges are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show, utc

if TYPE_CHECKING:
    from tg_actors.backtest.model_gate import GateReport
    from tg_actors.backtest.rehearsal import Rehearsed
    from tg_actors.rl.sequential_study import Promotions

Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Play challengers of known skill against the judges, and count."),
]
Challengers = Annotated[
    int, typer.Option("--challengers", min=100, max=20_000, help="Simulated challengers of each skill.")
]
OfModel = Annotated[str, typer.Option("--model", help="The model to improve.")]
Every = Annotated[str | None, typer.Option("--every", help="Wake up this often, e.g. 24h; once if left out.")]
TrainDays = Annotated[int, typer.Option("--train-days", min=5, help="Days that each training learns from.")]
TestDays = Annotated[int, typer.Option("--test-days", min=1, help="Days of each test window after them.")]
Windows = Annotated[int, typer.Option("--windows", min=1, help="Test windows; the gate asks for 8.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Trainings in each window; the gate asks for 10.")]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Steps that each training plays.")]
Rehearse = Annotated[
    bool,
    typer.Option("--rehearse", help="Play the whole of it on a made-up market that changes on a known day."),
]
NoChange = Annotated[
    bool, typer.Option("--no-change", help="Rehearse on a market that stays as it is: nothing may change.")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write the rehearsal's picture to this file.")]
Status = Annotated[bool, typer.Option("--status", help="Only show where the newest attempt stands.")]

_SEQUENTIAL = ("rule", "sharpe", "promoted", "day_median", "noise")
_GATE = ("criterion", "asked", "value", "interval", "no_skill_passes", "passed")
_CHANCES = ("challengers", "promoted", "alone")
_MOVES = ("day", "attempt", "stage", "version", "why")
_PHASES = ("phase", "days", "mean_daily_bps", "interval_bps", "sharpe")
_REHEARSAL_SEED = 1


def gate(
    simulate: Simulate = False,
    challengers: Challengers = 1_000,
    model: OfModel = "rl-generalist",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 0,
    json_: AsJson = False,
) -> None:
    """Show what the gate said of the newest challenger, or how often the judges are wrong."""
    if simulate:
        _simulated(challengers, seed, as_json=json_)
        return
    from tg_actors.cli.improving import folder_of, report_of
    from tg_actors.domain.errors import UserError

    report = report_of(model)
    if report is None:
        raise UserError(
            f"the gate has not judged a challenger of {model} in {folder_of()}: 'tg models improve' makes one"
        )
    if json_:
        print_json({**report.model_dump(mode="json"), "passed": report.passed, "sentence": report.sentence})
        return
    _print_report(report)


def improve(
    model: OfModel = "rl-generalist",
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Cycles = None,
    every: Every = None,
    train_days: TrainDays = 180,
    test_days: TestDays = 30,
    windows: Windows = 8,
    seeds: Seeds = 10,
    steps: Steps = 200_000,
    status: Status = False,
    rehearse: Rehearse = False,
    no_change: NoChange = False,
    html: Html = None,
    json_: AsJson = False,
) -> None:
    """Make a challenger from the newest days, judge it, watch it, and promote or refuse it."""
    from tg_actors.domain.errors import UserError

    if (no_change or html is not None) and not rehearse:
        raise UserError("--no-change and --html belong to --rehearse: give it as well")
    if rehearse:
        _rehearsed(_REHEARSAL_SEED if seed is None else seed, html, change=not no_change, as_json=json_)
        return
    from tg_actors.cli.improving import Asked, keep_improving, standing
    from tg_actors.desk.plan import Flags

    if status:
        content = standing(model)
    else:
        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        content = keep_improving(
            Asked(
                model=model,
                desk=desk,
                flags=flags,
                cycles=cycles,
                every=every,
                train_days=train_days,
                test_days=test_days,
                windows=windows,
                seeds=seeds,
                steps=steps,
            )
        )
    if json_:
        print_json(content)
        return
    _print_standing(content)


def _print_standing(content: dict[str, Any]) -> None:
    if content["attempt"] == 0:
        err.print(f"nothing has been attempted for {content['model']} yet", highlight=False)
        return
    columns = ("model", "attempt", "stage", "champion", "challenger", "why")
    show([content], columns, "Improvement", as_json=False)
    shown = [{**line, "at": utc(line["at_ns"])} for line in content["moves"]]
    show(shown, ("at", "event", "stage", "why"), f"What was done to {content['model']}", as_json=False)


def _simulated(challengers: int, seed: int, *, as_json: bool) -> None:
    from tg_actors.backtest.model_gate import GatePlan
    from tg_actors.backtest.model_gate_study import study as gate_study
    from tg_actors.rl.sequential import SequentialPlan
    from tg_actors.rl.sequential_study import study

    with err.status("playing …"):
        rows = study(SequentialPlan(), seed=seed, rows=max(4 * challengers, 100))
        plan = GatePlan(samples=200, pbo_blocks=10)
        kinds = {
            "without skill": {"sharpe": 0.0, "lucky_of": 1},
            "luckiest of 20 without skill": {"sharpe": 0.0, "lucky_of": 20},
            "true Sharpe ratio 3": {"sharpe": 3.0, "lucky_of": 1},
            "true Sharpe ratio 6": {"sharpe": 6.0, "lucky_of": 1},
        }
        found = {
            name: gate_study(
                plan,
                challengers=challengers,
                sharpe=float(kind["sharpe"]),
                lucky_of=int(kind["lucky_of"]),
                seed=seed,
            )
            for name, kind in kinds.items()
        }
    if as_json:
        print_json(
            {
                "sequential": [row.model_dump(mode="json") for row in rows],
                "gate": {name: one.model_dump(mode="json") for name, one in found.items()},
            }
        )
        return
    show(
        [_promotion(row) for row in rows],
        _SEQUENTIAL,
        "Looks every week for a year, from day 28",
        as_json=False,
    )
    shown = [
        {
            "challengers": f"{one.challengers} {name}",
            "promoted": f"{one.promoted_frac:.1%}",
            "alone": ", ".join(f"{k} {v:.0%}" for k, v in one.rows.items() if 0 < v < 1),
        }
        for name, one in found.items()
    ]
    show(shown, _CHANCES, "The offline gate on 365 days, and its criteria one by one", as_json=False)


def _promotion(row: "Promotions") -> dict[str, Any]:
    return {
        "rule": row.rule,
        "sharpe": f"{row.sharpe_365:g}",
        "promoted": f"{row.promoted_frac:.3f}",
        "day_median": "" if row.day_median is None else f"{row.day_median:.0f}",
        "noise": row.noise,
    }


def _print_report(report: "GateReport") -> None:
    rows = [
        {
            "criterion": row.name,
            "asked": row.asked,
            "value": None if row.value is None else f"{row.value:.3f}",
            "interval": None
            if row.interval is None
            else f"[{row.interval.low:.3f}, {row.interval.high:.3f}]",
            "no_skill_passes": None if row.chance_frac is None else f"{row.chance_frac:.0%}",
            "passed": "yes" if row.passed else "NO",
        }
        for row in report.rows
    ]
    show(rows, _GATE, report.sentence, as_json=False)


def _rehearsed(seed: int, html: Path | None, *, change: bool, as_json: bool) -> None:
    """Play it in a folder that is removed afterwards."""
    from tempfile import TemporaryDirectory

    from tg_actors.backtest.apprentice import make
    from tg_actors.backtest.rehearsal import RehearsalPlan, rehearse

    plan = RehearsalPlan() if change else RehearsalPlan(change_day=None)
    with TemporaryDirectory(prefix="tg-rehearsal-") as folder, err.status("rehearsing …") as telling:
        found = rehearse(
            plan,
            Path(folder),
            make,
            seed=seed,
            tell=lambda day, what: telling.update(f"day {day} of {plan.days}: {what} …"),
        )
    if html is not None:
        from tg_actors.reports.rehearsal import render

        html.write_text(render(found), encoding="utf-8")
    if as_json:
        print_json({**found.model_dump(mode="json"), "recovered": found.recovered})
    else:
        _print_rehearsal(found)
    if change and not found.recovered:
        raise typer.Exit(1)


def _print_rehearsal(found: "Rehearsed") -> None:
    moves = [{**move.model_dump(), "stage": move.stage.value} for move in found.moves]
    turned = "never" if found.change_day is None else f"on day {found.change_day}"
    show(moves, _MOVES, f"Seed {found.seed}: the market changes {turned}", as_json=False)
    rows = [
        {
            "phase": phase.name,
            "days": f"{phase.first_day} to {phase.end_day - 1}",
            "mean_daily_bps": f"{phase.mean_daily_frac * 1e4:.1f}",
            "interval_bps": None
            if phase.interval is None
            else f"[{phase.interval.low * 1e4:.1f}, {phase.interval.high * 1e4:.1f}]",
            "sharpe": None if phase.sharpe_daily_365 is None else f"{phase.sharpe_daily_365:.1f}",
        }
        for phase in found.phases
    ]
    show(rows, _PHASES, "What the desk earned a day, with its 95 % interval", as_json=False)
    if found.promoted_day is None:
        out.print(f"nobody was promoted in {found.attempts} attempts", highlight=False)
        return
    verdict = "earns again" if found.recovered else "does NOT earn again"
    out.print(f"promoted on day {found.promoted_day}; the desk {verdict}", highlight=False)
