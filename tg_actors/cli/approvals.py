"""``tg approvals``, ``tg approve``, ``tg reject``: a person's word about one order, kept in the journal."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.reading import desk_folder, reading
from tg_actors.cli.screen import AsJson, Run, err, print_json, show, utc

if TYPE_CHECKING:
    from tg_actors.domain.approvals import Approval

Order = Annotated[str, typer.Argument(help="What tg approvals shows, or more of the intent id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]
Everything = Annotated[bool, typer.Option("--all", help="Also those that are decided or have lapsed.")]


def approvals(run: Run = None, everything: Everything = False, json_: AsJson = False) -> None:
    """Show orders that wait for a person, oldest first."""
    with reading(run) as (_, journal):
        rows = [_row(approval) for approval in journal.approvals(open_only=not everything)]
    columns = ("order", "symbol", "side", "quantity", "about", "state", "expires", "user")
    show(rows, columns, "Orders that wait for a person", as_json=json_)


def approve(order: Order, run: Run = None, json_: AsJson = False) -> None:
    """Let one waiting order leave, once, if every rule still allows it when it is sent."""
    _decide(run, order, None, as_json=json_)


def reject(order: Order, reason: Reason = "refused by hand", run: Run = None, json_: AsJson = False) -> None:
    """Refuse one waiting order for good."""
    _decide(run, order, reason, as_json=json_)


def _decide(run: str | None, order: str, refusal: str | None, *, as_json: bool) -> None:
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns

    folder = desk_folder(run)
    user = f"{getpass.getuser()} (cli)"
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        said = journal.approve(order, user) if refusal is None else journal.reject(order, user, refusal)
    finally:
        journal.close()
    if as_json:
        print_json(_row(said))
        return
    row = _row(said)
    err.print(f"{folder.name}: {row['side']} {row['quantity']} {row['symbol']} is {row['state']}")


def _row(approval: "Approval") -> dict[str, Any]:
    from tg_actors.domain.money import money_text

    intent = approval.intent
    return {
        "order": approval.short_id,
        "intent_id": intent.intent_id,
        "content_hash": approval.content_hash,
        "symbol": intent.spec.symbol,
        "side": intent.spec.side.value,
        "type": intent.spec.order_type.value,
        "quantity": money_text(intent.spec.quantity),
        "about": money_text(intent.spec.limit_price or intent.reference_price),
        "state": approval.state.value,
        "requested": utc(approval.requested_ns),
        "expires": utc(approval.expires_ns),
        "user": approval.user,
        "reason": approval.reason,
    }
