"""What the desk did and holds, from its journal: portfolio, orders, decisions, agents, bandit, gates."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from serving.ingress import desk_views
from serving.ingress.body import as_json
from serving.ingress.errors import Refused
from serving.ingress.guard import needs
from serving.ingress.room import Room, the_room
from tg_actors.runtime.tokens import Scope

router = APIRouter(prefix="/v1", tags=["desk"], dependencies=[Depends(needs(Scope.READ))])

TheRoom = Annotated[Room, Depends(the_room)]
Limit = Annotated[int, Query(ge=1, le=500, description="Newest rows.")]
_CYCLE = re.compile(r"last|[0-9]{1,12}|[0-9a-f]{8,64}")


@router.get("/portfolio")
async def portfolio(room: TheRoom) -> Response:
    """Equity with its curve (at most 600 points), cash, positions, and what may leave the desk."""
    return await _view(room, "portfolio", desk_views.portfolio)


@router.get("/orders")
async def orders(room: TheRoom, limit: Limit = 100) -> Response:
    """Orders, the newest first."""
    return await _view(room, f"orders {limit}", lambda _, journal: desk_views.orders(journal, limit))


@router.get("/decisions")
async def decisions(room: TheRoom, limit: Limit = 20) -> Response:
    """The newest cycles in short."""
    return await _view(room, f"decisions {limit}", lambda _, journal: desk_views.decisions(journal, limit))


@router.get("/decisions/{cycle}")
async def decision(room: TheRoom, cycle: str) -> Response:
    """One cycle from its snapshot to its fills, by number, id, or ``last``."""
    if not _CYCLE.fullmatch(cycle):
        raise Refused(422, "bad_request", f"{cycle[:40]!r} is no cycle", "give its number, its id, or 'last'")
    return await _view(room, f"decision {cycle}", lambda _, journal: desk_views.decision(journal, cycle))


@router.get("/agents")
async def agents(room: TheRoom) -> Response:
    """Every actor of the desk: health, weight, last opinion, latency, and the model it follows."""
    folder, newest = room.board.folder, room.board.newest
    models, running = newest.followed, newest.running
    changed_ns = folder.status.stat().st_mtime_ns if folder.status.exists() else 0
    return await _view(
        room,
        f"agents {changed_ns} {models} {running}",
        lambda run, _: desk_views.agents(run, folder.read_status(), models, running=running),
    )


@router.get("/bandit")
async def bandit(room: TheRoom) -> Response:
    """Whom the meta agent trusts and why."""
    return await _view(room, "bandit", desk_views.bandit)


@router.get("/leaderboard")
async def leaderboard(room: TheRoom) -> Response:
    """What every agent has earned after costs, the best first."""
    return await _view(room, "leaderboard", desk_views.leaderboard)


@router.get("/gates")
async def gates(room: TheRoom) -> Response:
    """Where the desk stands on its way to the whole capital, and what its next gate says."""
    return await _view(room, "gates", desk_views.gates)


@router.get("/approvals")
async def approvals(
    room: TheRoom,
    everything: Annotated[bool, Query(alias="all", description="Also those that are decided.")] = False,  # noqa: FBT002 - a query
) -> Response:
    """Orders that wait for a person."""
    return await _view(
        room,
        f"approvals {everything}",
        lambda _, journal: desk_views.approvals(journal, everything=everything),
    )


async def _view(room: Room, name: str, build: desk_views.Build) -> Response:
    run = room.board.folder.name
    return as_json(await room.views.read(name, lambda journal: build(run, journal)))
