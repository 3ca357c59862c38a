"""``tg decisions show``: one cycle from snapshot hash to fills."""

from typing import Annotated, Any

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, out, print_json, show, utc

app = typer.Typer(help="What the desk decided and why.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``show`` a sub-command although it is the only one."""


@app.command("show")
def show_decision(
    cycle: Annotated[str, typer.Argument(help="Cycle number, cycle id, or 'last'.")],
    run: Run = None,
    json_: AsJson = False,
) -> None:
    """Show snapshot hash, opinions with evidence, weights, verdicts, permits and fills of a cycle."""
    from tg_actors.desk.history import explain

    with reading(run) as (_, journal):
        decision = explain(journal, cycle)
    if json_:
        print_json(decision)
        return
    _print(decision)


def _print(decision: dict[str, Any]) -> None:
    out.print(
        f"[bold]cycle {decision['cycle']}[/bold] ({decision['cycle_id']}) at {utc(decision['at_ns'])} UTC"
    )
    out.print(
        f"  snapshot {decision['snapshot_hash']}\n  regime {decision['regime']}, equity {decision['equity']}"
    )
    for agent, why in decision["absent"].items():
        out.print(f"  [yellow]{agent} is absent[/yellow]: {why}")
    show(
        [row for row in decision["opinions"] if row["abstained"] is None],
        ("agent", "weight", "symbol", "direction", "confidence", "evidence"),
        "Opinions",
        as_json=False,
    )
    show(decision["targets"], ("symbol", "exposure", "confidence"), "Targets", as_json=False)
    show(decision["verdicts"], ("symbol", "verdict", "detail"), "Verdicts", as_json=False)
    show(
        decision["permits"], ("order", "symbol", "leg", "side", "quantity", "state"), "Permits", as_json=False
    )
    show(
        decision["fills"],
        ("trade", "symbol", "side", "quantity", "price", "fee"),
        "Fills of these orders",
        as_json=False,
    )
