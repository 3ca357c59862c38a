"""The kill switch over HTTP: a loopback door that writes where every permit looks, and asks no actor."""

import asyncio
import getpass
import hmac
import json
import secrets
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from pydantic import Field, ValidationError

from tg_actors.domain.errors import JournalError, UserError
from tg_actors.domain.message import Message
from tg_actors.domain.orders import TradingState
from tg_actors.journal.repository import Journal
from tg_actors.runtime.home import RunFolder

_LOOPBACK = "127.0.0.1"
#: Who may stand in the Host header: a web page that resolves its own name to us is turned away.
_HOSTS = frozenset({_LOOPBACK, "localhost"})
_BODY_BYTES_MAX = 4096
_TOKEN_BYTES = 24
_ACTOR = "http"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Word(Message):
    """What a person says with a command."""

    reason: str = Field(default="by HTTP", min_length=1, max_length=200)


class ControlDoor:
    """Answers on one run's journal. Needs no coordinator: a hung desk is halted all the same."""

    def __init__(self, folder: RunFolder, journal: Journal, token: str) -> None:
        self._folder = folder
        self._journal = journal
        self._token = token.encode()

    def app(self) -> web.Application:
        """Return the application: every path asks for the token, unknown ones too."""
        app = web.Application(middlewares=[self._guard], client_max_size=_BODY_BYTES_MAX)
        app.add_routes(
            [
                web.get("/v1/status", self._status),
                web.post("/v1/halt", self._halt),
                web.post("/v1/flatten", self._flatten),
                web.post("/v1/resume", _resume),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.url.host not in _HOSTS:
            return _says(403, "this door answers to its loopback address only")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._token):
            return _says(
                401, f"send 'Authorization: Bearer TOKEN' with the token in {token_file(self._folder).name}"
            )
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            return _says(refusal.status, refusal.reason)
        except JournalError as failure:
            return _says(503, str(failure))

    async def _status(self, _: web.Request) -> web.Response:
        control = await asyncio.to_thread(self._journal.control)
        known = await asyncio.to_thread(self._folder.read_status)
        said = {"state": control.state.value, "reason": control.reason, "actor": control.actor}
        return web.json_response({"run": self._folder.name, "control": said, "desk": known})

    async def _halt(self, request: web.Request) -> web.Response:
        return await self._write(request, TradingState.HALTED, None)

    async def _flatten(self, request: web.Request) -> web.Response:
        return await self._write(request, TradingState.REDUCE_ONLY, "flatten")

    async def _write(self, request: web.Request, state: TradingState, verb: str | None) -> web.Response:
        try:
            word = Word.model_validate_json(await request.read() or b"{}")
        except ValidationError:
            return _says(400, 'the body must be {"reason": "TEXT"} with at most 200 characters, or empty')
        await asyncio.to_thread(self._commit, state, word.reason, verb)
        return web.json_response(
            {"run": self._folder.name, "trading_state": state.value, "reason": word.reason}
        )

    def _commit(self, state: TradingState, reason: str, verb: str | None) -> None:
        actor = f"{getpass.getuser()} ({_ACTOR})"
        self._journal.set_trading_state(state, reason, actor, 0)
        if verb is not None:
            self._journal.request(verb, "", actor)


@contextmanager
def control_door(folder: RunFolder, port: int, clock_ns: Callable[[], int]) -> Iterator[str]:
    """Keep the door open during the block, in a thread of its own; yields its address.

    Args:
        folder: the run; its token file is made with mode 0600 when it is missing.
        port: on the loopback address; 0 takes a free one.
        clock_ns: UTC nanoseconds of the machine, for the journal.

    Raises:
        UserError: the port is taken.
    """
    journal = Journal.open(folder.journal, clock_ns=clock_ns)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="control door", daemon=True)
    thread.start()
    runner = web.AppRunner(ControlDoor(folder, journal, read_token(folder)).app(), access_log=None)
    try:
        yield asyncio.run_coroutine_threadsafe(_open(runner, port), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        journal.close()


def token_file(folder: RunFolder) -> Path:
    """Where the token of a run's door lies."""
    return folder.path / "control.token"


def read_token(folder: RunFolder) -> str:
    """Return the token of a run's door, made when there is none."""
    path = token_file(folder)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(_TOKEN_BYTES))
    path.chmod(0o600)
    return path.read_text().strip()


async def _open(runner: web.AppRunner, port: int) -> str:
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, port).start()
    except OSError as error:
        raise UserError(
            f"the control port {port} cannot be opened ({error.strerror}): choose another with --control-port"
        ) from error
    bound: int = runner.addresses[0][1]
    return f"http://{_LOOPBACK}:{bound}"


async def _resume(_: web.Request) -> web.Response:
    return _says(403, "a halt is lifted by a person at the machine only: tg resume")


def _says(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=json.dumps({"error": sentence}), content_type="application/json")
