"""The gRPC server on a real socket of the loopback, in a thread, with policies that do as they are told."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.ingress.predict import PredictRoom
from serving.ports import Prediction
from serving.rpc import RpcServer
from tg_actors.client.predict_wire import PATH
from tg_actors.rl.manifest import parse_model_id
from tg_actors.runtime.tokens import Scope, TokenFile, tokens_of


@dataclass
class ToldPolicies:
    """Buys the smallest size; each error of ``errors`` is raised instead, once, in turn."""

    errors: list[Exception] = field(default_factory=list)
    asked: list[tuple[str, NDArray[np.float32], str]] = field(default_factory=list)

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:
        self.asked.append((model, observed, request_id))
        if self.errors:
            raise self.errors.pop(0)
        name, version = parse_model_id(model if "@" in model else f"{model}@3")
        actions = np.tile(np.array([[1, 4]], dtype=np.int64), (len(observed), 1))
        return Prediction(model=name, version=version, role="champion", actions=actions)


@dataclass
class Rpc:
    """A running server, its policies, and a token per scope."""

    address: str
    policies: ToldPolicies
    file: TokenFile
    tokens: dict[str, str]

    def ask(self, body: bytes, **options: Any) -> bytes:
        """Send bytes as they are, with a token that may read."""
        return self.send(body, (("authorization", f"Bearer {self.tokens['read']}"),), **options)

    def send(self, body: bytes, metadata: tuple[tuple[str, str], ...], **options: Any) -> bytes:
        with grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            answer: bytes = channel.unary_unary(PATH)(body, timeout=20, metadata=metadata, **options)
            return answer


@contextmanager
def running_rpc(home: Path) -> Iterator[Rpc]:
    file = tokens_of(home)
    tokens = {scope.value: file.create(scope.value, (scope,), 1) for scope in Scope}
    policies = ToldPolicies()
    with started(PredictRoom(policies, file)) as address:
        yield Rpc(address, policies, file, tokens)


@contextmanager
def started(room: PredictRoom, port: int = 0) -> Iterator[str]:
    """Serve a room from a thread of its own; yields the address."""
    where: Future[str] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(room, port, where)), name="grpc")
    thread.start()
    try:
        address = where.result(30)
        yield address
    finally:
        if not where.exception():
            _loops.pop(address).set_result(None)
        thread.join(30)


#: What ends a server, by its address.
_loops: dict[str, "Future[None]"] = {}


async def _serve(room: PredictRoom, port: int, where: "Future[str]") -> None:
    server = RpcServer(room)
    try:
        await server.start(port)
    except Exception as error:  # noqa: BLE001 - handed to the test
        where.set_exception(error)
        return
    end: Future[None] = Future()
    _loops[server.address] = end
    where.set_result(server.address)
    await asyncio.wrap_future(end)
    await server.stop()
