"""The HTTP API as one application: guard, routes, errors, description, page."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from serving.ingress import routes_board, routes_control, routes_desk, routes_models, routes_stream
from serving.ingress.errors import answers_refusals
from serving.ingress.guard import Guard
from serving.ingress.pages import add_pages
from serving.ingress.room import open_room
from serving.ports import Services

#: Of the words below /v1.
_VERSION = "1"
_ABOUT = (
    "Signals, models and the books of one trading desk. Every path below /v1 needs a bearer token: of scope "
    "trade to halt, flatten, approve and reject, models to promote, read for all others. Every POST that "
    "changes something needs an Idempotency-Key. Errors are "
    '{"error": {"code", "message", "what_to_do"}}. Amounts are text, times UTC nanoseconds.'
)


def build_api(services: Services, run: str | None = None) -> FastAPI:
    """Return the application, for Ray Serve's ingress or any other ASGI server.

    Args:
        services: the home folder, and whom to ask for predictions.
        run: the one desk to show; None for the one that runs, or the latest.
    """
    room = open_room(services, run)

    @contextlib.asynccontextmanager
    async def watched(_: FastAPI) -> AsyncIterator[None]:
        async with room.board.watched():
            yield

    app = FastAPI(
        title="TripleGain",
        version=_VERSION,
        description=_ABOUT,
        lifespan=watched,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.room = room
    answers_refusals(app)
    for routes in (routes_board, routes_stream, routes_desk, routes_models, routes_control):
        app.include_router(routes.router)
    public = add_pages(app)
    app.add_middleware(Guard, tokens=room.tokens, hosts=services.hosts, public=public)
    return app
