"""``tg chaos``: real processes on real Ray, killed again and again, and a judge that trusts nobody."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.screen import AsJson, err, out, print_json

if TYPE_CHECKING:
    from tg_actors.chaos.run import ChaosSpec

Keep = Annotated[
    Path | None, typer.Option("--keep", help="Keep journals, ledgers and logs in this new folder.")
]


def chaos(
    minutes: Annotated[float, typer.Option("--minutes", min=0.2, help="How long the nemesis rages.")] = 15.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of deeds, faults and markets.")] = 1,
    desks: Annotated[int, typer.Option("--desks", min=1, max=8, help="Desks that trade at once.")] = 2,
    nodes: Annotated[int, typer.Option("--nodes", min=2, max=4, help="Raylets that carry actors.")] = 3,
    keep: Keep = None,
    json_: AsJson = False,
) -> None:
    """Trade at full pace on a Ray cluster of this host while a nemesis kills, pauses and cuts lines.

    Afterwards the exchange's ledger is compared with the journals: an order sent twice, a lost fill, a
    cent of drift or a permit after a halt is a violation, and the exit status 1.
    """
    from tg_actors.chaos.run import ChaosSpec

    figures = _run(ChaosSpec(minutes, seed, desks, nodes), keep, quiet=json_)
    if json_:
        print_json(figures)
    else:
        _show(figures)
    if figures["violations"]:
        raise typer.Exit(1)


def _run(spec: "ChaosSpec", keep: Path | None, *, quiet: bool) -> dict[str, Any]:
    from tg_actors.chaos.run import run
    from tg_actors.domain.errors import UserError

    if keep is not None and keep.exists():
        raise UserError(f"--keep {keep} exists: name a folder that does not, nothing is overwritten")
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tg-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        tell = _silent if quiet else _say
        presses = stack.enter_context(Interrupts())
        return run(spec, folder.absolute(), tell, lambda: presses.count > 0)


def _say(sentence: str) -> None:
    err.print(sentence, highlight=False)


def _silent(_: str) -> None:
    """Programs read stdout, and nobody reads stderr."""


def _show(figures: dict[str, Any]) -> None:
    for sentence in figures["violation_list"]:
        out.print(f"[red]violation[/red] {sentence}", highlight=False)
    for name, value in figures.items():
        if name != "violation_list":
            out.print(f"{name:24} {value}", highlight=False)
