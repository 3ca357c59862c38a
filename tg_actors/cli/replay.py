"""``tg replay``: decide a run once more in one process; the first divergence and its cause."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, err, out, print_json, utc

if TYPE_CHECKING:
    from tg_actors.desk.replay import Replayed

Diff = Annotated[
    bool, typer.Option("--diff", help="Show what differs first, recorded against replayed, and why.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Replay on the recorded bars of this folder instead of the run's market."),
]


def replay(run: Run = None, diff: Diff = False, data: Data = None, json_: AsJson = False) -> None:
    """Replay a run's journal through the backtester; exit code 1 when it decided otherwise."""
    from tg_actors.desk.replay import replay as replay_run
    from tg_actors.runtime.clock import wall_ns

    with (
        reading(run) as (folder, journal),
        tempfile.TemporaryDirectory() as scratch,
        err.status("replaying …") as status,
    ):
        result = replay_run(
            folder.name,
            journal,
            Path(scratch) / "replay.sqlite",
            data,
            wall_ns,
            lambda done, total: status.update(f"replaying: {done} of {total} cycles"),
        )
    print_json(result.as_json()) if json_ else _print(result, diff=diff)
    if not result.is_equal:
        raise typer.Exit(1)


def _print(result: "Replayed", *, diff: bool) -> None:
    head = f"{result.run}: {result.cycles} cycles replayed"
    if result.is_equal:
        out.print(f"{head}, every decision, order and fill is equal", highlight=False, soft_wrap=True)
        return
    out.print(
        f"{head}; equity {float(result.equity_recorded):.2f} recorded, {float(result.equity_replayed):.2f} "
        f"replayed {result.currency}; fills {result.fills_recorded} and {result.fills_replayed}",
        highlight=False,
    )
    first = result.divergence
    if first is None:
        out.print("  all compared cycles are equal: the recorded run went on, or has orders of no cycle")
        return
    out.print(f"  first divergence: cycle {first.cycle}, {utc(first.at_ns)} UTC, {first.stage}", markup=False)
    if not diff:
        out.print("  what and why: add --diff", style="dim")
        return
    out.print("  recorded against replayed:")
    for line in first.details:
        out.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
    known = "what had happened to the recorded desk since the cycle before:"
    unknown = "nothing had happened to the recorded desk from outside since the cycle before"
    out.print(f"  {known if first.circumstances else unknown}")
    for line in first.circumstances:
        out.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
