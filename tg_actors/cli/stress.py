"""``tg backtest stress``: desks on the days on which markets broke."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.desk.stress import Outcome, StressPlan

Data = Annotated[Path, typer.Option("--data", help="Folder of recorded bars.")]
Only = Annotated[str | None, typer.Option("--episode", help="Only this episode of configs/stress.yaml.")]

#: One table of all columns is too wide to be read.
_HAPPENED = (
    "episode",
    "desk",
    "cycles",
    "missing",
    "orders",
    "fills",
    "worst_bar",
    "return",
    "drawdown",
)
_JUDGED = ("episode", "desk", "breakers", "after_halt", "breaches", "journal")


def stress(data: Data, episode: Only = None, json_: AsJson = False) -> None:
    """Run desks through recorded crashes: which breakers fired, was any limit exceeded; exit code 1 if so."""
    from tg_actors.desk.config import load_desk
    from tg_actors.desk.files import find_config, load
    from tg_actors.desk.stress import StressPlan, run_episode
    from tg_actors.runtime.clock import wall_ns

    plan = load(StressPlan, find_config("configs/stress.yaml"))
    chosen = _chosen(plan, episode)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch, err.status("stress …") as status:
        for one in chosen.episodes:
            for name in plan.desks:
                status.update(f"{one.name} on {name}")
                journal = Path(scratch) / f"{one.name}-{name}.sqlite"
                outcomes.append(run_episode(load_desk(name), plan, one, data, journal, wall_ns))
    if json_:
        print_json([outcome.as_json() for outcome in outcomes])
    else:
        rows = [_row(outcome) for outcome in outcomes]
        show(rows, _HAPPENED, "Stress episodes", as_json=False)
        show(rows, _JUDGED, "Breakers, entries after a halt, limits exceeded", as_json=False)
        for outcome in outcomes:
            for breach in outcome.breaches:
                out.print(f"  {outcome.episode} on {outcome.desk}: {breach}", markup=False)
    if any(o.breaches or o.entries_after_halt or not o.journal_ok for o in outcomes):
        raise typer.Exit(1)


def _chosen(plan: "StressPlan", episode: str | None) -> "StressPlan":
    from tg_actors.domain.errors import UserError

    names = [one.name for one in plan.episodes]
    if episode is not None and episode not in names:
        raise UserError(f"there is no episode {episode!r}: there are {', '.join(names)}")
    kept = tuple(one for one in plan.episodes if episode in {None, one.name})
    return plan.model_copy(update={"episodes": kept})


def _row(outcome: "Outcome") -> dict[str, str]:
    return {
        "episode": outcome.episode,
        "desk": outcome.desk,
        "cycles": str(outcome.cycles),
        "missing": str(outcome.bars_missing),
        "orders": str(outcome.orders),
        "fills": str(outcome.fills),
        "worst_bar": f"{outcome.worst_bar_frac:.1%}",
        "return": f"{outcome.total_return_frac:.1%}",
        "drawdown": f"{outcome.max_drawdown_frac:.1%}",
        "breakers": ", ".join(outcome.breakers) or "none",
        "after_halt": str(outcome.entries_after_halt),
        "breaches": str(len(outcome.breaches)),
        "journal": "ok" if outcome.journal_ok else "BAD",
    }
