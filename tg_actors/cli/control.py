"""``tg halt``, ``tg resume``, ``tg flatten``: a person's word, written where every permit looks."""

import getpass
from typing import Annotated

import typer

from tg_actors.cli.reading import desk_folder
from tg_actors.cli.screen import AsJson, Run, err, print_json

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]


def halt(reason: Reason = "halted by hand", run: Run = None, json_: AsJson = False) -> None:
    """Stop all trading at once: after this no permit commits. Resting protective stops stay."""
    _write(run, "HALTED", reason, None, as_json=json_)


def resume(reason: Reason = "resumed by hand", run: Run = None, json_: AsJson = False) -> None:
    """Allow trading again and re-arm the breakers from today's equity."""
    _write(run, "ACTIVE", reason, "rearm", as_json=json_)


def flatten(reason: Reason = "flattened by hand", run: Run = None, json_: AsJson = False) -> None:
    """Allow only what shrinks positions, cancel entries and close everything at market."""
    _write(run, "REDUCE_ONLY", reason, "flatten", as_json=json_)


def _write(run: str | None, state: str, reason: str, verb: str | None, *, as_json: bool) -> None:
    from tg_actors.domain.orders import TradingState
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.lock import holder

    folder = desk_folder(run)
    actor = f"{getpass.getuser()} (cli)"
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        journal.set_trading_state(TradingState(state), reason, actor, 0)
        if verb is not None:
            journal.request(verb, "", actor)
    finally:
        journal.close()
    pid = holder(folder.lock)
    if as_json:
        print_json({"run": folder.name, "trading_state": state, "reason": reason, "desk_pid": pid})
        return
    when = "now" if pid else "when the desk starts again (none is running)"
    wish = {"flatten": f"; positions are closed {when}", "rearm": f"; breakers are re-armed {when}"}
    err.print(f"{folder.name}: trading state is {state}{wish.get(verb or '', '')}")
