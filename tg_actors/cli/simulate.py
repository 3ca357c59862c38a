"""``tg simulate``: thousands of simulated disasters, and a judge that shares no code with the desk."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from rich.progress import Progress

    from tg_actors.simulation.arena import Figures
    from tg_actors.simulation.guards import Guard
    from tg_actors.simulation.run import Outcome

#: A guard that is switched off must be found within so many seeds.
FOUND_WITHIN = 300
#: Memory where there is any: a thousand journals a minute are nothing for a disk to wear out on.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made inside
_WORKERS = 2
_SEEDS = 200

Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="How many seeds to play, from 0 on: 200, or 300 for each guard."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Play this one seed and tell what happened.")]
Without = Annotated[str | None, typer.Option("--without", help="Switch one guard off: it must be missed.")]
ListGuards = Annotated[bool, typer.Option("--list-guards", help="List the guards that can be switched off.")]
Ablation = Annotated[bool, typer.Option("--ablation", help="Switch every guard off in turn; prints a table.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes to play with.")]
TraceFile = Annotated[Path | None, typer.Option("--trace", help="Write what happened into this file.")]


def simulate(
    seeds: Seeds = None,
    seed: Seed = None,
    without: Without = None,
    list_guards: ListGuards = False,
    ablation: Ablation = False,
    workers: Workers = _WORKERS,
    trace: TraceFile = None,
    json_: AsJson = False,
) -> None:
    """Play the desk against seeded crashes, zombies, lost answers and broken disks; judge every order."""
    if list_guards:
        _list_guards(as_json=json_)
        return
    from tg_actors.domain.errors import UserError

    if ablation:
        if without is not None or seed is not None:
            raise UserError("--ablation switches off every guard in turn: leave out --without and --seed")
        _ablate(seeds or FOUND_WITHIN, workers, as_json=json_)
        return
    if seed is not None:
        raise typer.Exit(_replay(seed, without, trace, as_json=json_))
    raise typer.Exit(
        _campaign(seeds or (FOUND_WITHIN if without else _SEEDS), without, workers, as_json=json_)
    )


def _list_guards(*, as_json: bool) -> None:
    from tg_actors.simulation.guards import GUARDS

    rows = [{"name": guard.name, "meaning": guard.meaning} for guard in GUARDS.values()]
    show(rows, ("name", "meaning"), "Guards", as_json=as_json)


def _campaign(seeds: int, guard: str | None, workers: int, *, as_json: bool) -> int:
    from tg_actors.simulation.arena import summarise
    from tg_actors.simulation.guards import require

    if guard is not None:
        require(guard)
    began = time.monotonic()
    outcomes = list(_play(range(seeds), guard, workers, "seeds"))
    figures = summarise(outcomes)
    content = _content(figures, time.monotonic() - began)
    if guard is not None:
        content |= {"guard": guard, "found_after_seeds": _found_after(outcomes)}
    if as_json:
        print_json(content)
    else:
        _print_figures(content, outcomes)
    return 1 if figures.violations and guard is None else 0


def _play(seeds: Sequence[int], guard: str | None, workers: int, title: str) -> Iterator["Outcome"]:
    """Yield outcomes in the order of the seeds; Ctrl-C ends it after what is being played.

    With a guard switched off the first violation ends it too: it has been found.
    """
    from tg_actors.simulation.crew import played

    with Interrupts() as interrupts, _bar() as bar:
        task = bar.add_task(title, total=len(seeds))
        for outcome in played(seeds, guard, workers, _room()):
            yield outcome
            bar.advance(task)
            if interrupts.count or (guard is not None and outcome.verdict.violations):
                return


def _replay(seed: int, guard: str | None, trace: Path | None, *, as_json: bool) -> int:
    from tg_actors.simulation.arena import Arena, summarise
    from tg_actors.simulation.guards import require

    if guard is not None:
        require(guard)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_room(), prefix="tg-simulate-") as folder:
        (outcome,) = Arena(Path(folder)).play([seed], guard, keep_trace=True)
    violations = outcome.verdict.violations
    told = [f"{violation.invariant} {violation.kind}: {violation.sentence}" for violation in violations]
    if trace is not None:
        trace.write_text("\n".join((*outcome.lines, *told)) + "\n")
    if as_json:
        content = _content(summarise([outcome]), time.monotonic() - began)
        print_json(content | {"seed": seed, "broken": told} | ({"guard": guard} if guard else {}))
    else:
        if trace is None:
            out.print("\n".join(outcome.lines), highlight=False, markup=False, soft_wrap=True)
        out.print("\n".join(told) or f"seed {seed}: every invariant held", highlight=False, markup=False)
    return 1 if violations and guard is None else 0


def _ablate(seeds: int, workers: int, *, as_json: bool) -> None:
    """Remove every guard in turn and say after how many seeds the checker noticed, and what."""
    from tg_actors.simulation.guards import GUARDS

    rows = (_ablated(guard, seeds, workers) for guard in GUARDS.values())
    if as_json:
        print_json(list(rows))
        return
    _line("| guard | what it promises | seeds until its absence was noticed | noticed as |")
    _line("| --- | --- | --- | --- |")
    for row in rows:
        found = "never" if row["found_after_seeds"] is None else row["found_after_seeds"]
        _line(f"| `{row['guard']}` | {row['meaning']} | {found} | {', '.join(row['by'])} |")


def _ablated(guard: "Guard", seeds: int, workers: int) -> dict[str, Any]:
    outcomes = list(_play(range(seeds), guard.name, workers, guard.name))
    kinds = dict.fromkeys(v.kind for outcome in outcomes for v in outcome.verdict.violations)
    found = _found_after(outcomes)
    return {"guard": guard.name, "meaning": guard.meaning, "found_after_seeds": found, "by": list(kinds)}


def _line(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _found_after(outcomes: Sequence["Outcome"]) -> int | None:
    """How many seeds it took until the checker found something, None when it never did."""
    return next((k for k, outcome in enumerate(outcomes, 1) if outcome.verdict.violations), None)


def _content(figures: "Figures", seconds: float) -> dict[str, Any]:
    return {
        "seeds": figures.seeds,
        "seconds": round(seconds, 2),
        "virtual_hours": round(figures.virtual_hours, 2),
        "orders": figures.orders,
        "kills": figures.kills,
        "zombies": figures.zombies,
        "faults": figures.faults,
        "duplicates": figures.duplicates,
        "lost_fills": figures.lost_fills,
        "drift": 0 if figures.drift == 0 else float(figures.drift),
        "permits_after_halt": figures.permits_after_halt,
        "unresolved": figures.unresolved,
        "violations": figures.violations,
        "trace_hash": figures.trace_hash,
        "first_bad_seed": figures.first_bad_seed,
    }


def _print_figures(content: dict[str, Any], outcomes: Sequence["Outcome"]) -> None:
    show(
        [{"figure": name, "value": value} for name, value in content.items()],
        ("figure", "value"),
        "Simulation",
        as_json=False,
    )
    for outcome in outcomes:
        for violation in outcome.verdict.violations[:1]:
            told = f"seed {outcome.seed}: {violation.invariant} {violation.kind}: {violation.sentence}"
            out.print(told, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _bar() -> Iterator["Progress"]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield progress


def _room() -> Path | None:
    """Where folders of journals go: into memory where the machine has such a place."""
    return _MEMORY if _MEMORY.is_dir() else None
