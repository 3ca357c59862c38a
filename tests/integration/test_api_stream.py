"""The stream: every new cycle as it comes, the newest one for who was slow, nobody waits for a reader."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from serving import board as board_module
from serving.board import Board, NoDesk
from serving.desks import Desks
from serving.ingress import routes_stream
from tests.api_words import Api, running_api, scripted_desk
from tg_actors.client.client import TripleGainClient
from tg_actors.client.errors import ApiError
from tg_actors.client.words import CycleNote
from tg_actors.runtime.tokens import Grant, Scope, tokens_of


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running_api(tmp_path / "home", cycles=3) as running:
        yield running


def until(api: Api, listeners: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + 30
    while api.app.state.room.listeners != listeners:
        assert time.monotonic() < deadline, f"still {api.app.state.room.listeners} listeners"
        meanwhile()
        time.sleep(0.01)


def test_a_reader_hears_the_newest_cycle_and_then_each_new_one(api: Api) -> None:
    with api.client("read") as client:
        notes = client.stream()
        assert next(notes).cycle == 2
        api.desk.run(1)
        assert next(notes).cycle == 3
        api.desk.run(1)
        note = next(notes)
        assert note.cycle == 4
        assert set(note.targets) == set(api.desk.reports[-1].snapshot.symbols)
        notes.close()  # type: ignore[attr-defined]  # it is a generator
    until(api, 0)


def test_a_socket_hears_the_same(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['read']}"}
    address = api.url.replace("http", "ws") + "/v1/stream"
    with connect(address, additional_headers=headers) as socket_:
        assert CycleNote.model_validate_json(socket_.recv(timeout=30)).cycle == 2
        socket_.send("what a reader says is not read")
        api.desk.run(1)
        assert CycleNote.model_validate_json(socket_.recv(timeout=30)).cycle == 3
    until(api, 0)


def test_a_slow_reader_is_given_the_newest_and_nothing_is_kept_for_it() -> None:
    async def play() -> list[int]:
        class View:
            def __init__(self, version: int) -> None:
                self.version = version

            def note(self) -> int:
                return self.version

        class Board:
            newest = View(1)

            async def after(self, version: int) -> View:
                assert self.newest.version > version, "nobody waits in this test"
                return self.newest

        grant = Grant(name="a", scopes=(Scope.READ,), sha256="0" * 64, created_ns=1)

        class Tokens:
            def list(self) -> tuple[Grant, ...]:
                return (grant,)

        class Room:
            board, tokens = Board(), Tokens()

        room, heard = Room(), []
        async for note in routes_stream._notes(room, grant):  # type: ignore[arg-type]  # as much of a room as it asks
            heard.append(note)
            if len(heard) == 2:
                return heard  # type: ignore[return-value]  # whatever a thread heard
            room.board.newest = View(99)  # while the reader was busy ninety-eight cycles passed
        return []

    assert asyncio.run(play()) == [1, 99]


def test_waiting_readers_are_woken_and_slow_ones_get_the_newest(tmp_path: Path) -> None:
    async def play() -> list[int]:
        board = Board(Desks(tmp_path).find)
        with scripted_desk(tmp_path, cycles=1) as desk:
            async with board.watched():
                waiting = asyncio.create_task(board.after(1))
                await asyncio.sleep(0)  # it waits now
                desk.run(3)
                heard = [(await waiting).cycle, (await board.after(0)).cycle]
        return heard

    heard = asyncio.run(play())
    assert heard[-1] == 3
    assert heard[0] in {1, 2, 3}


def test_an_old_view_never_passes_for_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "LOOK_EVERY_S", 0.0)
    broken = asyncio.Event()

    def models() -> dict[str, str]:
        return {"x": str(1 // (not broken.is_set()))}

    async def play() -> None:
        board = Board(Desks(tmp_path).find, models)
        with scripted_desk(tmp_path, cycles=1):
            async with board.watched():
                assert board.newest.cycle == 0
                broken.set()
                with pytest.raises(NoDesk, match="no longer watched"):
                    await board.after(99)
                with pytest.raises(NoDesk, match="no longer watched"):
                    _ = board.newest

    with pytest.raises(ZeroDivisionError):
        asyncio.run(play())


def test_a_reader_that_takes_nothing_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_stream, "STUCK_S_MAX", 0.2)
    # Each note is larger than every buffer on the way, and the reader reads none of it.
    monkeypatch.setattr(routes_stream, "_line", lambda _: "x" * (64 << 20))
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as reader:
        reader.sendall(
            f"GET /v1/stream HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {api.tokens['read']}\r\n\r\n".encode()
        )
        assert reader.recv(12) == b"HTTP/1.1 200"
        until(api, 0, meanwhile=lambda: api.desk.run(1))  # there is always more to say
    with api.client("read") as client:
        assert client.signals().cycle > 2


def test_a_stream_ends_with_its_token(api: Api) -> None:
    address = api.url.replace("http", "ws") + "/v1/stream"
    with (
        api.client("read") as client,
        connect(address, additional_headers={"Authorization": f"Bearer {api.tokens['read']}"}) as socket_,
    ):
        notes = client.stream()
        assert next(notes).cycle == 2
        assert CycleNote.model_validate_json(socket_.recv(timeout=30)).cycle == 2
        tokens_of(api.home).revoke("read")
        api.desk.run(1)
        assert list(notes) == []
        with pytest.raises(ConnectionClosed):
            socket_.recv(timeout=30)
    until(api, 0)


def test_one_process_streams_to_so_many_and_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_stream, "LISTENERS_MAX", 0)
    with api.client("read", tries=1) as client, pytest.raises(ApiError) as refused:
        next(client.stream())
    assert (refused.value.status, refused.value.code, refused.value.retryable) == (
        503,
        "too_many_listeners",
        True,
    )


def test_the_client_tells_that_nobody_is_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with TripleGainClient(f"http://127.0.0.1:{port}", "x", tries=2, wait_s=0.001) as client:
        with pytest.raises(ApiError) as refused:
            client.signals()
        assert (refused.value.status, refused.value.code, refused.value.retryable) == (0, "unreachable", True)
        assert "tg serve deploy" in refused.value.what_to_do
    with pytest.raises(ValueError, match="write such as http://"):
        TripleGainClient("127.0.0.1:8788", "x")


def test_the_client_needs_no_ray() -> None:
    code = "import sys, json, tg_actors.client; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint({"ray", "torch", "fastapi", "sqlalchemy", "ccxt", "serving", "pandas"})
