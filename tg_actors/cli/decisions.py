"""``tg decisions show``: one cycle from snapshot hash to fills."""

from collections import Counter
from typing import Annotated, Any

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, out, print_json, regime_text, show, two_digits, utc

app = typer.Typer(help="What the desk decided and why.", no_args_is_help=True)

#: The parts of a decision that speak of an instrument.
_PARTS = ("opinions", "targets", "verdicts", "permits", "fills")


@app.callback()
def _group() -> None:
    """Keep ``show`` a sub-command although it is the only one."""


@app.command("show")
def show_decision(
    cycle: Annotated[str, typer.Argument(help="Cycle number, cycle id, or 'last'.")] = "last",
    symbol: Annotated[str | None, typer.Option("--symbol", help="Only this instrument.")] = None,
    run: Run = None,
    json_: AsJson = False,
) -> None:
    """Show snapshot hash, opinions with evidence, weights, verdicts, permits and fills of a cycle."""
    from tg_actors.desk.history import explain

    with reading(run) as (_, journal):
        decision = explain(journal, cycle)
    if symbol is not None:
        _keep(symbol, decision)
    if json_:
        print_json(decision)
        return
    _head(decision)
    _opinions(decision["opinions"])
    show(decision["targets"], ("symbol", "exposure", "confidence"), "Targets", as_json=False)
    show(decision["verdicts"], ("symbol", "verdict", "detail"), "Verdicts", as_json=False)
    if decision["targets"] and not decision["verdicts"]:
        out.print(
            "  nothing to judge: every target is within the rebalance band of what is held", style="dim"
        )
    permits = [{**row, "order": row["order"][:8]} for row in decision["permits"]]
    show(permits, ("order", "symbol", "leg", "side", "quantity", "state"), "Permits", as_json=False)
    columns = ("trade", "symbol", "side", "quantity", "price", "fee", "fee_currency")
    show(decision["fills"], columns, "Fills of these orders", as_json=False)


def _keep(symbol: str, decision: dict[str, Any]) -> None:
    from tg_actors.domain.errors import UserError

    known = list(dict.fromkeys(row["symbol"] for row in decision["opinions"]))
    if symbol not in known:
        raise UserError(f"{symbol!r} is not traded in this cycle: there are {', '.join(known)}")
    for part in _PARTS:
        decision[part] = [row for row in decision[part] if row["symbol"] == symbol]


def _head(decision: dict[str, Any]) -> None:
    out.print(
        f"[bold]cycle {decision['cycle']}[/bold] ({decision['cycle_id']}) at {utc(decision['at_ns'])} UTC"
    )
    out.print(f"  snapshot {decision['snapshot_hash']}", highlight=False)
    regime = regime_text(decision["regime"], decision["regime_view"])
    out.print(f"  regime {regime}, equity {float(decision['equity']):.2f}", highlight=False)
    out.print("  weights " + ", ".join(f"{agent} {w:.2f}" for agent, w in decision["weights"].items()))
    for agent, why in decision["absent"].items():
        out.print(f"  [yellow]{agent} is absent[/yellow]: {why}")


def _opinions(opinions: list[dict[str, Any]]) -> None:
    rows = [readable(row) for row in opinions if row["abstained"] is None]
    show(rows, ("symbol", "agent", "direction", "confidence", "evidence"), "Opinions", as_json=False)
    silent = Counter((row["agent"], row["abstained"]) for row in opinions if row["abstained"] is not None)
    for (agent, why), count in silent.items():
        out.print(f"  {agent} abstains on {count}: {why.replace('_', ' ')}", style="dim", highlight=False)


def readable(opinion: dict[str, Any]) -> dict[str, Any]:
    """One opinion as a person reads it: two digits, and the evidence as a list of scores."""
    scores = (f"{name} {two_digits(score) or 'unknown'}" for name, score in opinion["evidence"].items())
    return {
        **opinion,
        "direction": two_digits(opinion["direction"]),
        "confidence": None if opinion["confidence"] is None else f"{opinion['confidence']:.2f}",
        "evidence": ", ".join(scores),
    }
