"""Everything that changes something: done once per idempotency key, in a thread, by a named person."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import Response

from serving.board import NoDesk
from serving.ingress.errors import advice_of
from serving.ingress.room import Room
from tg_actors.client.words import Problem, Refusal
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.runtime.tokens import Grant

#: The header that every mutation must carry; read by :func:`once`, declared here for the description.
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by you, new for every wish; a repeat gets the answer of the first time.",
    ),
]

Effect = Callable[[], Message]


async def once(
    room: Room, request: Request, grant: Grant, key: str, said: Message, effect: Effect
) -> Response:
    """Do it, unless the same owner has done it with the same key; answer as the first time.

    A refusal is an answer and is kept as well; a failure outside, or that there is no desk, is none.
    """
    asked = f"{request.method} {request.url.path} {said.model_dump_json()}".encode()

    def answer() -> tuple[int, str]:
        try:
            return 200, effect().model_dump_json()
        except NoDesk:  # a kill switch must not remember that there was none: at the next try there may be
            raise
        except UserError as error:
            problem = Problem(code="refused", message=str(error), what_to_do=advice_of(error))
            return 422, Refusal(error=problem).model_dump_json()

    kept = await asyncio.to_thread(room.answers.once, grant.name, key, asked, answer)
    return Response(kept.body, kept.status, media_type="application/json")


def actor_of(grant: Grant) -> str:
    """How the journal names who spoke."""
    return f"{grant.name} (http)"
