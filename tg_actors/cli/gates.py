"""``tg gates``: where a desk stands on its way to the whole capital, and a person's word about it."""

import getpass
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tg_actors.cli.reading import desk_folder, reading
from tg_actors.cli.screen import AsJson, Run, err, out, print_json, show, utc

if TYPE_CHECKING:
    from tg_actors.desk.gates_view import Standing
    from tg_actors.domain.stages import StageMove, StageOrder

app = typer.Typer(help="Stages: what the desk is trusted with, and what it must show.", no_args_is_help=True)

Evidence = Annotated[
    str | None,
    typer.Option("--evidence", help="Run that is the evidence; the run itself if left out."),
]
AsStage = Annotated[
    str | None,
    typer.Option("--stage", help="Where a run without stages is judged to stand."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]
Confirm = Annotated[
    str | None, typer.Option("--confirm", help="Name of the stage to promote to, instead of typing it.")
]


@app.command()
def status(run: Run = None, evidence: Evidence = None, stage: AsStage = None, json_: AsJson = False) -> None:
    """Show stage, week, capital, and every criterion of the next gate with what it is worth."""
    found = _standing(run, evidence, stage)
    if json_:
        print_json(found.as_json())
        return
    _head(found)
    if found.evidence is not None:
        show(_rows(found), _COLUMNS, f"Gate to {found.target}", as_json=False)
        out.print("  in words: tg gates explain", style="dim")


@app.command()
def explain(run: Run = None, evidence: Evidence = None, stage: AsStage = None, json_: AsJson = False) -> None:
    """Say which criteria fail and by how much, and what thirty days can prove."""
    from tg_actors.desk.gates_view import sentence

    found = _standing(run, evidence, stage)
    if json_:
        print_json(found.as_json())
        return
    if found.evidence is None:
        out.print(f"{found.run} is at {found.stage}, the highest stage: there is no gate above it")
        return
    failing = found.evidence.failing
    verdict = (
        "is open" if not failing else f"stays shut: {len(failing)} of {len(found.evidence.findings)} fail"
    )
    out.print(f"The gate from {found.stage} to {found.target} {verdict}.", highlight=False)
    for finding in found.evidence.findings:
        mark, style = _MARKS[finding.outcome]
        out.print(f"  [{style}]{mark}[/{style}] {escape(sentence(finding))}", highlight=False)
    if found.closed:
        out.print(f"  nothing is entered: {found.closed}", highlight=False)


@app.command()
def promote(
    run: Run = None,
    evidence: Evidence = None,
    confirm: Confirm = None,
    reason: Reason = "promoted by hand",
    json_: AsJson = False,
) -> None:
    """Move the desk to the next stage: the gate must be open, and you type the stage's name."""
    from tg_actors.desk.gates_view import sentence
    from tg_actors.desk.staging import evidence_sha256
    from tg_actors.domain.errors import UserError
    from tg_actors.domain.stages import StageMove, StageOrder

    name = desk_folder(run).name
    found = _standing(name, evidence, None)
    state = found.state
    if state is None:
        raise _unstaged(name)
    if found.target is None or found.evidence is None:
        raise UserError(f"{name} is at {found.stage}, the highest stage: there is nothing to promote to")
    if state.paused:
        raise UserError(f"{name} is paused ({state.paused}): resume it with 'tg gates resume' first")
    if failing := found.evidence.failing:
        more = f", and {len(failing) - 1} more: see tg gates explain" if len(failing) > 1 else ""
        raise UserError(f"{name} cannot be promoted to {found.target}: {sentence(failing[0])}{more}")
    _confirm(found.target, confirm)
    order = StageOrder(
        move=StageMove.PROMOTED,
        before=state.stage,
        actor=_person(),
        reason=reason,
        evidence=found.evidence,
        evidence_sha256=evidence_sha256(found.evidence),
    )
    _leave(name, order, f"to {found.target}", as_json=json_)


@app.command()
def demote(reason: Reason, run: Run = None, json_: AsJson = False) -> None:
    """Move the desk one stage down, at any time; at the lowest stage it is paused."""
    from tg_actors.domain.stages import StageMove

    _order(run, StageMove.DEMOTED, reason, as_json=json_)


@app.command()
def pause(reason: Reason, run: Run = None, json_: AsJson = False) -> None:
    """Let nothing be entered until a person resumes; positions are still closed as the desk decides."""
    from tg_actors.domain.stages import StageMove

    _order(run, StageMove.PAUSED, reason, as_json=json_)


@app.command()
def resume(reason: Reason, run: Run = None, json_: AsJson = False) -> None:
    """End a pause, also one that a rollback rule has begun; losses are counted afresh."""
    from tg_actors.domain.stages import StageMove

    _order(run, StageMove.RESUMED, reason, as_json=json_)


def _standing(run: str | None, evidence: str | None, stage: str | None) -> "Standing":
    from tg_actors.desk.config import load_plan
    from tg_actors.desk.gates_view import Source, standing
    from tg_actors.runtime.clock import wall_ns

    with ExitStack() as stack:
        folder, journal = stack.enter_context(reading(run))
        other = None
        if evidence is not None:
            their_folder, theirs = stack.enter_context(reading(evidence))
            other = Source(their_folder.name, theirs)
        return standing(Source(folder.name, journal), load_plan(), other, stage, wall_ns())


def _order(run: str | None, move: "StageMove", reason: str, *, as_json: bool) -> None:
    """Leave an order that needs no evidence."""
    from tg_actors.desk.gates_view import stage_of
    from tg_actors.domain.stages import StageOrder

    name = desk_folder(run).name
    with reading(name) as (_, journal):
        state = stage_of(journal)
    if state is None:
        raise _unstaged(name)
    order = StageOrder(move=move, before=state.stage, actor=_person(), reason=reason)
    _leave(name, order, f"from {state.stage}", as_json=as_json)


def _unstaged(name: str) -> Exception:
    from tg_actors.domain.errors import UserError

    return UserError(f"{name} has no stage: write stage: paper into its desk file, and run it again")


def _person() -> str:
    return f"{getpass.getuser()} (cli)"


def _confirm(target: str, confirm: str | None) -> None:
    """Make sure that the person means this very stage; a program must say so with ``--confirm``."""
    from tg_actors.domain.errors import UserError

    if confirm is None and not sys.stdin.isatty():
        raise UserError(f"a promotion is confirmed by the name of its stage: add --confirm {target}")
    typed = confirm or typer.prompt(f"Type {target} to promote", err=True)
    if typed.strip() != target:
        raise UserError(f"{typed.strip()!r} is not {target!r}: nothing was changed")


def _leave(name: str, order: "StageOrder", where: str, *, as_json: bool) -> None:
    from tg_actors.desk.gates_view import leave_order
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.home import existing_run
    from tg_actors.runtime.lock import holder

    folder = existing_run(name)
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        leave_order(journal, order)
    finally:
        journal.close()
    pid = holder(folder.lock)
    if as_json:
        said = order.model_dump(mode="json", exclude={"evidence"})
        print_json({"run": name, **said, "desk_pid": pid})
        return
    when = "after the running cycle" if pid else "when the desk starts again (none is running)"
    err.print(f"{name}: {order.move} {where} is ordered; it happens {when}", highlight=False)


def _head(found: "Standing") -> None:
    state = found.state
    if state is None:
        out.print(f"[bold]{found.run}[/bold]: no stage; judged as if it stood at {found.stage}")
        return
    halved = " (half)" if state.halved else ""
    out.print(
        f"[bold]{found.run}[/bold]: stage {state.stage}, week {state.week}, since {utc(state.since_ns)} UTC"
    )
    out.print(f"  capital {state.capital_usd:f} USD{halved}, {_approvals(state.approval_above_usd)}")
    if state.losing_weeks:
        out.print(f"  losing weeks in a row: {state.losing_weeks}")
    if found.closed:
        out.print(f"  [yellow]nothing is entered[/yellow]: {escape(found.closed)}", highlight=False)
    for order in found.pending:
        out.print(f"  ordered, not done yet: {escape(order)}", highlight=False)
    if found.target is None:
        out.print("  this is the highest stage")
    elif found.days_left:
        out.print(f"  {found.days_left:.1f} days left before a promotion to {found.target}")


def _approvals(above_usd: Any) -> str:
    if above_usd is None:
        return "no entry waits for a person"
    which = "every entry waits" if above_usd == 0 else f"entries above {above_usd:f} USD wait"
    return f"{which} for a person"


def _rows(found: "Standing") -> list[dict[str, Any]]:
    from tg_actors.desk.gates_view import figure

    return [
        {
            "criterion": f.metric,
            "of": f.gate,
            "asked": f.asked,
            "value": figure(f.value),
            "short": figure(f.short) if f.short else "",
            "interval": "" if f.low is None else f"{figure(f.low)} … {figure(f.high)}",
            "no skill passes": "" if f.chance_frac is None else f"{f.chance_frac:.0%}",
            "outcome": f.outcome.value,
        }
        for f in (found.evidence.findings if found.evidence else ())
    ]


_COLUMNS = ("criterion", "of", "asked", "value", "short", "interval", "no skill passes", "outcome")
_MARKS = {
    "met": ("met", "green"),
    "failed": ("FAILED", "red"),
    "undefined": ("FAILED", "red"),
    "not applicable": ("not asked", "dim"),
}
