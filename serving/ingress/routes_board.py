"""``/v1/signals``: what the desk thinks of its instruments, from memory; and of a caller's own bars."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from serving.ingress.body import as_json, body_of, schema_of
from serving.ingress.compute import computed
from serving.ingress.errors import Refused
from serving.ingress.guard import needs
from serving.ingress.room import Room, the_room
from tg_actors.client.words import ComputeAnswer, ComputeRequest, Signal, Signals
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.tokens import Scope

router = APIRouter(prefix="/v1", tags=["signals"], dependencies=[Depends(needs(Scope.READ))])

TheRoom = Annotated[Room, Depends(the_room)]


@router.get("/signals", responses={200: {"model": Signals}})
async def signals(room: TheRoom) -> Response:
    """All instruments of the desk as of its newest cycle."""
    return as_json(room.board.newest.signals(wall_ns()))


@router.get("/signals/{instrument:path}", responses={200: {"model": Signal}})
async def signal(instrument: str, room: TheRoom) -> Response:
    """One instrument, written BTC-USDT or BTC/USDT: the ensemble, and every agent with its evidence."""
    view = room.board.newest
    found = view.signal(instrument.replace("-", "/", 1), wall_ns())
    if found is None:
        raise Refused(
            404,
            "unknown_instrument",
            f"the desk does not trade {instrument!r}",
            f"ask for one of {', '.join(view.block.symbols)}",
        )
    return as_json(found)


@router.post(
    "/signals:compute",
    responses={200: {"model": ComputeAnswer}},
    openapi_extra=schema_of(ComputeRequest),
)
async def compute(
    asked: Annotated[ComputeRequest, Depends(body_of(ComputeRequest))], room: TheRoom
) -> Response:
    """What agents and policies say of your own bars; nothing is kept, nothing is traded."""
    async with room.computing:
        return as_json(await asyncio.to_thread(computed, asked, room.registry))
