"""A TCP proxy that does to connections what networks do; it counts every fault by kind."""

import asyncio
import contextlib
import socket
import struct
import threading
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Self

from tg_actors.chaos.faults import Fault, FaultKind, FaultMix, draw

_CHUNK = 65_536
#: A half-open connection is closed after this, for the operating system's sake.
_HALF_OPEN_S_MAX = 120.0
_PIECES_MAX = 10
_CALM = FaultMix()


@dataclass(slots=True)
class _Exchange:
    """One question and its answer on a connection; the next question begins the next exchange."""

    fault: Fault = field(default_factory=lambda: Fault(None))
    turn: int = 0
    is_answered: bool = True
    late: bytearray = field(default_factory=bytearray)


class _Connection:
    """Pumps one connection both ways, faultily."""

    def __init__(self, proxy: "FaultProxy", number: int, client: "_Stream", server: "_Stream") -> None:
        self._proxy = proxy
        self._number = number
        self._client = client
        self._server = server
        self._now = _Exchange()
        self._on_request: dict[FaultKind, Callable[[bytes], Awaitable[bool]]] = {
            FaultKind.REFUSE: self._hang_up,
            FaultKind.LOSE_REQUEST: self._swallow,
            FaultKind.LATE: self._keep_for_later,
        }
        self._on_answer: dict[FaultKind, Callable[[bytes], Awaitable[bool]]] = {
            FaultKind.RESET: self._hang_up,
            FaultKind.LOSE_ANSWER: self._swallow,
            FaultKind.CUT: self._cut,
            FaultKind.DRIP: self._drip,
        }

    async def run(self) -> None:
        """Pump until either side ends."""
        ways = [asyncio.create_task(self._upwards()), asyncio.create_task(self._downwards())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            if self._now.late:
                self._proxy.deliver_later(bytes(self._now.late), self._now.fault.wait_s)
            self._client.close()
            self._server.close()

    async def _upwards(self) -> None:
        while data := await self._client.read():
            if self._now.is_answered:
                self._now = _Exchange(self._proxy.fault(self._number, self._now.turn), self._now.turn + 1)
                self._now.is_answered = False
                if self._now.fault.kind is FaultKind.DELAY:
                    await asyncio.sleep(self._now.fault.wait_s)
            handle = self._handler(self._on_request)
            if not (await handle(data) if handle else await self._server.write(data)):
                return

    async def _downwards(self) -> None:
        while data := await self._server.read():
            handle = self._handler(self._on_answer)
            self._now.is_answered = True
            if not (await handle(data) if handle else await self._client.write(data)):
                return

    def _handler(
        self, table: dict[FaultKind, Callable[[bytes], Awaitable[bool]]]
    ) -> Callable[[bytes], Awaitable[bool]] | None:
        kind = self._now.fault.kind
        return None if kind is None else table.get(kind)

    async def _hang_up(self, _: bytes) -> bool:
        self._client.reset()
        return False

    async def _swallow(self, _: bytes) -> bool:
        """Take it and say nothing; the exchange stays unanswered."""
        self._now.is_answered = False
        return True

    async def _keep_for_later(self, data: bytes) -> bool:
        self._now.late += data
        return True

    async def _cut(self, data: bytes) -> bool:
        await self._client.write(data[: len(data) // 2])
        return False

    async def _drip(self, data: bytes) -> bool:
        size = max(1, len(data) // _PIECES_MAX)
        for start in range(0, len(data), size):
            if not await self._client.write(data[start : start + size]):
                return False
            await asyncio.sleep(self._now.fault.wait_s)
        return True


class _Stream:
    """Reader and writer of one side; an error of the network is an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Read what comes; empty at the end."""
        try:
            return await asyncio.wait_for(self._reader.read(_CHUNK), _HALF_OPEN_S_MAX)
        except (OSError, TimeoutError):
            return b""

    async def write(self, data: bytes) -> bool:
        """Write; False when the other side is gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Let the other side see a reset, not an end."""
        with contextlib.suppress(OSError):
            line = self._writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._writer.close()


class FaultProxy:
    """Listens on a loopback port of its own in front of one server, on a thread of its own.

    ``calm`` ends the faults of new exchanges; ``upstream`` may change when the server comes back
    elsewhere. Use it as a context manager.
    """

    def __init__(self, host: str, port: int, mix: FaultMix, seed: int) -> None:
        self.upstream = (host, port)
        self._mix = mix
        self._seed = seed
        self._connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: weakref.WeakSet[_Stream] = weakref.WeakSet()
        self.counts: Counter[str] = Counter()
        self.exchanges = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def calm(self) -> None:
        """No more faults."""
        self._mix = _CALM

    def rage(self, mix: FaultMix) -> None:
        """Draw from another mix from now on."""
        self._mix = mix

    def fault(self, connection: int, turn: int) -> Fault:
        """Draw and count the fault of an exchange."""
        self.exchanges += 1
        fault = draw(self._mix, self._seed, connection, turn)
        if fault.kind is not None:
            self.counts[fault.kind.value] += 1
        return fault

    def deliver_later(self, request: bytes, wait_s: float) -> None:
        """Bring a request to the server long after its client has given up."""
        self._keep(self._loop.create_task(self._deliver(request, wait_s)))

    async def _deliver(self, request: bytes, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        with contextlib.suppress(OSError, TimeoutError):
            server = self._stream(*await asyncio.open_connection(*self.upstream))
            await server.write(request)
            await asyncio.wait_for(server.read(), 10)  # nobody hears the answer
            server.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(self._loop.create_task(self._carry(self._stream(reader, writer))))

    async def _carry(self, client: "_Stream") -> None:
        try:
            server = self._stream(*await asyncio.open_connection(*self.upstream))
        except OSError:
            client.reset()
            return
        self._connections += 1
        await _Connection(self, self._connections, client, server).run()

    def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> "_Stream":
        stream = _Stream(reader, writer)
        self._streams.add(stream)
        return stream

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> int:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in tuple(self._streams):
            stream.reset()
        # An aborted connection is closed in the loop's next rounds.
        for _ in range(3):
            await asyncio.sleep(0)
        return 0

    def _call(self, work: "Awaitable[int]") -> int:
        future: Future[int] = asyncio.run_coroutine_threadsafe(_awaited(work), self._loop)
        return future.result(10)


async def _awaited(work: Awaitable[int]) -> int:
    return await work
