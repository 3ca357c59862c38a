"""The kill switch and approvals over HTTP: written into the desk's journal, where every permit looks.

No actor is asked: a hung desk is halted all the same. A halt is lifted at the machine only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from serving.board import NoDesk
from serving.ingress.body import body_of, schema_of
from serving.ingress.desk_views import approval_row
from serving.ingress.errors import Refused
from serving.ingress.guard import needs
from serving.ingress.mutations import IdempotencyKey, actor_of, once
from serving.ingress.room import Room, the_room
from tg_actors.client.words import ApprovalRow, ApprovalWord, ControlAnswer, Word
from tg_actors.domain.approvals import Approval
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.lock import holder
from tg_actors.runtime.tokens import Grant, Scope

router = APIRouter(prefix="/v1", tags=["control"])

TheRoom = Annotated[Room, Depends(the_room)]
Trader = Annotated[Grant, Depends(needs(Scope.TRADE))]
TheWord = Annotated[Word, Depends(body_of(Word))]
TheApprovalWord = Annotated[ApprovalWord, Depends(body_of(ApprovalWord))]

#: What a command demands of the kill switch, and what it asks the desk to do.
_COMMANDS: dict[str, tuple[TradingState, str | None]] = {
    "halt": (TradingState.HALTED, None),
    "flatten": (TradingState.REDUCE_ONLY, "flatten"),
}


@router.post("/halt", responses={200: {"model": ControlAnswer}}, openapi_extra=schema_of(Word))
async def halt(
    room: TheRoom, request: Request, grant: Trader, word: TheWord, key: IdempotencyKey
) -> Response:
    """Stop all trading at once: after this no permit commits. Resting protective stops stay."""
    return await once(room, request, grant, key, word, lambda: _command(room, "halt", word, grant))


@router.post("/flatten", responses={200: {"model": ControlAnswer}}, openapi_extra=schema_of(Word))
async def flatten(
    room: TheRoom, request: Request, grant: Trader, word: TheWord, key: IdempotencyKey
) -> Response:
    """Allow only what shrinks positions, cancel entries and close everything at market."""
    return await once(room, request, grant, key, word, lambda: _command(room, "flatten", word, grant))


@router.post("/resume")
async def resume(_: Trader) -> Response:
    """Always refused: a halt is lifted by a person at the machine, with ``tg resume``."""
    raise Refused(
        403,
        "at_the_machine_only",
        "a halt is lifted by a person at the machine only",
        "type 'tg resume' there",
    )


@router.post(
    "/approvals/{order}/approve",
    responses={200: {"model": ApprovalRow}},
    openapi_extra=schema_of(ApprovalWord),
)
async def approve(
    order: str, room: TheRoom, request: Request, grant: Trader, word: TheApprovalWord, key: IdempotencyKey
) -> Response:
    """Let one waiting order leave, once, if every rule still allows it when it is sent."""
    return await once(
        room,
        request,
        grant,
        key,
        word,
        lambda: _decided(room, lambda journal: journal.approve(order, actor_of(grant), word.content_hash)),
    )


@router.post(
    "/approvals/{order}/reject",
    responses={200: {"model": ApprovalRow}},
    openapi_extra=schema_of(ApprovalWord),
)
async def reject(
    order: str, room: TheRoom, request: Request, grant: Trader, word: TheApprovalWord, key: IdempotencyKey
) -> Response:
    """Refuse one waiting order for good."""
    return await once(
        room,
        request,
        grant,
        key,
        word,
        lambda: _decided(room, lambda journal: journal.reject(order, actor_of(grant), word.reason)),
    )


def _command(room: Room, command: str, word: Word, grant: Grant) -> ControlAnswer:
    state, verb = _COMMANDS[command]
    with _journal(room) as (folder, journal):
        journal.set_trading_state(state, word.reason, actor_of(grant), 0)
        if verb is not None:
            journal.request(verb, "", actor_of(grant))
        return ControlAnswer(
            run=folder.name,
            trading_state=journal.trading_state().value,
            reason=word.reason,
            running=holder(folder.lock) is not None,
        )


def _decided(room: Room, decide: Callable[[Journal], Approval]) -> ApprovalRow:
    with _journal(room) as (_, journal):
        return ApprovalRow.model_validate(approval_row(decide(journal)))


@contextmanager
def _journal(room: Room) -> Iterator[tuple[RunFolder, Journal]]:
    """Open the desk's journal for a word, whichever desk that is at this very moment."""
    try:
        folder = room.desks.find()
    except UserError as error:
        raise NoDesk(str(error)) from error
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        yield folder, journal
    finally:
        journal.close()
