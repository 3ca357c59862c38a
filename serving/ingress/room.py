"""What the routes share: the board, the desk's journal, tokens, kept answers, and the other deployments."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.requests import HTTPConnection

from serving.board import Board
from serving.desks import Desks
from serving.ingress.answers import Answers
from serving.ports import Services
from tg_actors.desk.files import configs_folder
from tg_actors.domain.errors import UserError
from tg_actors.journal.readers import JournalReader
from tg_actors.rl.manifest import model_id
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.tokens import TokenFile, tokens_of

#: A view that changes all the time is worked out once in this, and takes a tenth of the time at most.
_VIEW_EVERY_NS = 1_000_000_000
_REST_PER_WORK = 9
_VIEWS_MAX = 256

_log = logging.getLogger(__name__)

Build = Callable[[JournalReader], Any]


@dataclass(slots=True)
class _Kept:
    """One answer, and of which moment it is."""

    journal: JournalReader
    seq: int
    until_ns: int
    rest_ns: int
    body: bytes


class Views:
    """Answers from the journal, worked out once for everybody: at most once a second, and only after news."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def read(self, name: str, build: Build) -> bytes:
        """Return a view as JSON; ``name`` stands for the question with all its arguments.

        Raises:
            NoDesk: there is no journal to ask.
            UserError: the question has no answer.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            try:
                return await self._read(name, build)
            finally:
                self._forget()

    async def _read(self, name: str, build: Build) -> bytes:
        journal, now_ns = self._board.journal, wall_ns()
        kept = self._kept.get(name)
        if kept is not None and kept.journal is journal:
            self._kept.move_to_end(name)
            if now_ns < kept.until_ns:
                return kept.body
            if kept.seq == await asyncio.to_thread(journal.last_seq):
                kept.until_ns = now_ns + kept.rest_ns
                return kept.body
        seq, body = await asyncio.to_thread(_worked_out, journal, build)
        done_ns = wall_ns()
        rest_ns = max(_VIEW_EVERY_NS, _REST_PER_WORK * (done_ns - now_ns))
        self._kept[name] = _Kept(journal, seq, done_ns + rest_ns, rest_ns, body)
        return body

    def _forget(self) -> None:
        while len(self._kept) > _VIEWS_MAX:
            self._kept.popitem(last=False)
        if len(self._locks) > 2 * _VIEWS_MAX:
            self._locks = {name: lock for name, lock in self._locks.items() if lock.locked()}


def _worked_out(journal: JournalReader, build: Build) -> tuple[int, bytes]:
    with journal.standing_still() as still:
        seq = still.last_seq()
        return seq, to_json(build(still))


def to_json(content: object) -> bytes:
    """Return plain data as JSON; whatever is no number of JSON's must not get here."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False, default=str).encode()


@dataclass(slots=True)
class Room:
    """Everything a route may ask."""

    services: Services
    desks: Desks
    board: Board
    tokens: TokenFile
    answers: Answers
    registry: ModelRegistry
    views: Views = field(init=False)
    #: One computation at a time: signals are served beside it.
    computing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    #: Readers of the stream in this process.
    listeners: int = 0

    def __post_init__(self) -> None:
        self.views = Views(self.board)


def open_room(services: Services, run: str | None) -> Room:
    """Open the room on a home folder; nothing is read before the board is watched."""
    desks = Desks(services.home, run)
    registry = ModelRegistry(services.home / "models", configs_folder() / "models")
    return Room(
        services=services,
        desks=desks,
        board=Board(desks.find, _in_force(registry)),
        tokens=tokens_of(services.home),
        answers=Answers(services.home / "serve" / "answers", wall_ns),
        registry=registry,
    )


def room_of(connection: HTTPConnection) -> Room:
    """Return the room of a WebSocket."""
    room: Room = connection.app.state.room
    return room


async def the_room(request: Request) -> Room:
    """Return the room of a request; a coroutine, for FastAPI sends plain functions to a thread."""
    return room_of(request)


def _in_force(registry: ModelRegistry) -> Callable[[], dict[str, str]]:
    """Return which version each model's name stands for, read again when the record has changed.

    A record that cannot be read changes nothing, as at the replicas: the desk's signals are none of its.
    """
    stamp: object = None
    kept: dict[str, str] = {}

    def read() -> dict[str, str]:
        nonlocal stamp, kept
        now = registry.stamp()
        if now != stamp:
            stamp = now
            try:
                roles = registry.all_roles()
            except UserError as error:
                _log.warning("the record cannot be read, what is in force stays: %s", error)
                return kept
            kept = {name: model_id(name, one.champion) for name, one in roles.items() if one.champion}
        return kept

    return read
