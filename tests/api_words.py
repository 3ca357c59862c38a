"""The HTTP API on a home of its own: a scripted desk in its journal, a real socket, tokens of every scope."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.types import ASGIApp

from serving.ingress.api import build_api
from serving.ports import Prediction, Services
from tests.desk_words import Desk, Scene, flipping, simulated
from tg_actors.client.client import TripleGainClient
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import RegimeView
from tg_actors.journal.repository import Journal
from tg_actors.rl.manifest import NoSuchModel
from tg_actors.runtime.tokens import Scope, TokenFile

RUN = "scripted"


class FixedPolicies:
    """Buys the smallest size, whatever it is shown."""

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:  # noqa: ARG002 - the port
        name, _, version = model.partition("@")
        if name != "rl-fixed":
            raise NoSuchModel(f"there is no model {name!r}: 'tg models list' shows them")
        actions = np.zeros((len(observed), 2), dtype=np.int64)
        return Prediction(model=name, version=int(version or 3), role="champion", actions=actions)


class NoRegimes:
    async def posterior(self, bar_ns: int, end_ns: int, ohlcv: F64) -> RegimeView | None:  # noqa: ARG002 - the port
        return None


class NoSwaps:
    async def status(self) -> Mapping[str, Any]:
        return {"in_force": {}}


def services_of(home: Path) -> Services:
    return Services(
        home=home,
        policies=FixedPolicies(),
        regimes=NoRegimes(),
        swaps=NoSwaps(),
        hosts=frozenset({"desk.example"}),
    )


def wall() -> int:
    return time.time_ns()


@contextmanager
def scripted_desk(home: Path, cycles: int = 30, run: str = RUN, **changes: Any) -> Iterator[Desk]:
    """A desk that trades all the time on the simulated market, in the run folder of a home."""
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    told: dict[str, Any] = {"feed": simulated(), "script": flipping(4), "wall_ns": wall, **changes}
    scene = Scene(**told)
    with scene.open_on(Journal.open(folder / "journal.sqlite", clock_ns=wall), scene.open_venue) as desk:
        desk.run(cycles)
        yield desk


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The application on a real socket of the loopback; yields its address."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    async def started(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        ready.set()

    server.startup = started  # type: ignore[method-assign]  # uvicorn tells nobody when it listens
    thread = threading.Thread(target=server.run, args=([sock],), name="api")
    thread.start()
    try:
        assert ready.wait(30), "the server did not start"
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


@dataclass
class Api:
    """A running API, a token per scope, and the desk behind it."""

    url: str
    home: Path
    desk: Desk
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, scope: str = "all", **options: Any) -> TripleGainClient:
        return TripleGainClient(self.url, self.tokens[scope], wait_s=0.01, **options)


@contextmanager
def running_api(home: Path, **changes: Any) -> Iterator[Api]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = TokenFile(home / "serve" / "tokens.json")
    tokens = {scope.value: file.create(scope.value, (scope,), 1) for scope in Scope}
    tokens["all"] = file.create("owner", tuple(Scope), 1)
    with scripted_desk(home, **changes) as desk:
        app = build_api(services_of(home))
        with served(app) as url:
            yield Api(url, home, desk, app, tokens)
