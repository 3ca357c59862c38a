"""``/v1/stream``: every new cycle, as server-sent events or over a WebSocket.

Nothing is queued for a reader: one that was slow gets the newest cycle next, and one that takes nothing for
``STUCK_S_MAX`` is dropped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect
from fastapi.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from serving.board import NoDesk
from serving.ingress.errors import Refused
from serving.ingress.guard import needs
from serving.ingress.room import Room, room_of, the_room
from tg_actors.client.words import CycleNote
from tg_actors.domain.errors import UserError
from tg_actors.runtime.tokens import Grant, Scope

#: Readers of one process; more would rather ask a second replica.
LISTENERS_MAX = 512
#: A reader that takes nothing for so long is gone.
STUCK_S_MAX = 10.0
#: So that a quiet stream is told from a dead one.
_ALIVE_EVERY_S = 15.0
_TRY_AGAIN_LATER = 1013

Reader = Annotated[Grant, Depends(needs(Scope.READ))]

router = APIRouter(prefix="/v1", tags=["stream"], dependencies=[Depends(needs(Scope.READ))])


@router.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "model": CycleNote}},
)
async def stream(room: Annotated[Room, Depends(the_room)], grant: Reader) -> Response:
    """Server-sent events named ``cycle``, the newest one first; a comment every 15 seconds when quiet."""
    _check_room(room)
    return _Events(room, grant)


@router.websocket("/stream")
async def stream_socket(socket: WebSocket, grant: Reader) -> None:
    """The same as text frames, one JSON object each; what a reader sends is not read."""
    room = room_of(socket)
    if room.listeners >= LISTENERS_MAX:
        await socket.close(_TRY_AGAIN_LATER)
        return
    await socket.accept()
    with _listening(room), contextlib.suppress(WebSocketDisconnect, TimeoutError):
        await _until_gone(socket, room, grant)


class _Events(Response):
    """Sends notes for as long as the reader takes them."""

    def __init__(self, room: Room, grant: Grant) -> None:
        super().__init__(media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        # An answer without an end has no length.
        del self.headers["content-length"]
        self._room, self._grant = room, grant

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send until the reader leaves or is stuck."""
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with _listening(self._room):
            sending = asyncio.create_task(self._send(send))
            leaving = asyncio.create_task(_left(receive))
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (sending, leaving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, TimeoutError, OSError):
                    await task

    async def _send(self, send: Send) -> None:
        async for note in _notes(self._room, self._grant):
            text = ":\n\n" if note is None else f"event: cycle\nid: {note.version}\ndata: {_line(note)}\n\n"
            message = {"type": "http.response.body", "body": text.encode(), "more_body": True}
            await asyncio.wait_for(send(message), STUCK_S_MAX)
        end = {"type": "http.response.body", "body": b"", "more_body": False}
        await asyncio.wait_for(send(end), STUCK_S_MAX)


async def _notes(room: Room, grant: Grant) -> AsyncIterator[CycleNote | None]:
    """Yield the newest note, then each that is new when the reader is ready; None after a quiet while.

    It ends with the watcher of the board, and once the reader's token is revoked.
    """
    version = 0
    while True:
        try:
            view = await asyncio.wait_for(room.board.after(version), _ALIVE_EVERY_S)
        except TimeoutError:
            view = None
        except NoDesk:
            return
        if not _is_good(room, grant):
            return
        if view is None:
            yield None
            continue
        version = view.version
        yield view.note()


def _is_good(room: Room, grant: Grant) -> bool:
    """Whether the reader's token still is: an open stream is no way around a revocation."""
    try:
        return grant in room.tokens.list()
    except (UserError, OSError):
        return False


async def _until_gone(socket: WebSocket, room: Room, grant: Grant) -> None:
    async def send() -> None:
        async for note in _notes(room, grant):
            if note is not None:
                await asyncio.wait_for(socket.send_text(_line(note)), STUCK_S_MAX)

    async def listen() -> None:
        while True:
            await socket.receive_text()

    tasks = {asyncio.create_task(send()), asyncio.create_task(listen())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _line(note: CycleNote) -> str:
    return note.model_dump_json()


def _check_room(room: Room) -> None:
    if room.listeners >= LISTENERS_MAX:
        raise Refused(503, "too_many_listeners", "this process streams to as many as it can", "try again")


@contextlib.contextmanager
def _listening(room: Room) -> Iterator[None]:
    room.listeners += 1
    try:
        yield
    finally:
        room.listeners -= 1
