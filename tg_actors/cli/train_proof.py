"""``tg train proof``: learning where the best policy is known, beside that best."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, err, print_json, show

if TYPE_CHECKING:
    from tg_actors.rl.proof import ProofRow

Full = Annotated[
    bool,
    typer.Option("--full", help="The long ones too: about three million steps, minutes of processor time."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of demonstrations, trainings and episodes.")]


def proof(full: Full = False, seed: Seed = 1, json_: AsJson = False) -> None:
    """Show what is learned on markets whose best policy is known; exit code 1 where a goal is missed."""
    import time

    from tg_actors.rl import proof as checks

    def told(row: "ProofRow") -> None:
        err.print(f"  {row.name}: {100 * row.of_best_frac:.1f} % {row.measure}", highlight=False)

    rows = checks.proof(full=full, seed=seed, cpu_ns=time.process_time_ns, on_row=told)
    missed = [row.name for row in rows if row.is_met is False]
    if json_:
        print_json({"seed": seed, "is_met": not missed, "checks": [row.model_dump() for row in rows]})
    else:
        columns = ("check", "part", "of", "goal", "verdict", "cpu_s", "note")
        show([_shown(row) for row in rows], columns, "What was learned, beside what can be", as_json=False)
        _compare(rows)
    if missed:
        raise typer.Exit(1)


def _shown(row: "ProofRow") -> dict[str, Any]:
    verdict = {None: "told", True: "met", False: "MISSED"}[row.is_met]
    return {
        "check": row.name,
        "part": f"{100 * row.of_best_frac:.1f} %",
        "of": row.measure.removeprefix("of "),
        "goal": row.goal,
        "verdict": verdict,
        "cpu_s": f"{row.cpu_s:.1f}",
        "note": f"{row.meaning}; {row.note}" if row.note else row.meaning,
    }


def _compare(rows: "tuple[ProofRow, ...]") -> None:
    """Say who won, the generalist or the specialists, where both were trained."""
    found = {row.name: row.of_best_frac for row in rows}
    if not {"trained_alone", "specialists_switched"} <= set(found):
        return
    ahead = found["specialists_switched"] - found["trained_alone"]
    verdict = "beat" if ahead > 0 else "lose to"
    err.print(
        f"  the specialists, switched by regime, {verdict} one generalist that sees the regime by "
        f"{100 * abs(ahead):.1f} points of the best value, at as many steps",
        highlight=False,
    )
