"""A raw socket server that speaks just enough of three venues, and answers an order as it is told.

It counts what arrives before it answers, so that a test knows how often an order was really sent.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: Sends the answer of one request; returns whether the connection may be used again.
Answering = Callable[["Request", socket.socket], bool]

_BIG = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, Any]
    headers: dict[str, str]


def reply(
    status: int, body: str | bytes = b"", content_type: str = "application/json", **headers: str
) -> Answering:
    """A whole answer."""
    raw = body.encode() if isinstance(body, str) else body

    def send(_: Request, wire: socket.socket) -> bool:
        lines = [
            f"HTTP/1.1 {status} Whatever",
            f"Content-Length: {len(raw)}",
            f"Content-Type: {content_type}",
        ]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        return True

    return send


def as_json(content: object, status: int = 200) -> Answering:
    """A whole JSON answer."""
    return reply(status, json.dumps(content))


def cut_off(body: str, status: int = 200) -> Answering:
    """An answer that promises more than it sends, then ends."""

    def send(_: Request, wire: socket.socket) -> bool:
        length = len(body) + _BIG
        head = f"HTTP/1.1 {status} OK\r\nContent-Length: {length}\r\nContent-Type: application/json\r\n\r\n"
        wire.sendall(head.encode() + body.encode())
        return False

    return send


def hang_up(_: Request, wire: socket.socket) -> bool:
    """End the connection without a word."""
    del wire
    return False


def reset(_: Request, wire: socket.socket) -> bool:
    """End the connection with a reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return False


@dataclass
class RawVenue:
    """The server. ``script`` answers new orders, ``routes`` everything else by method and path."""

    url: str
    script: Answering = hang_up
    routes: dict[tuple[str, str], Answering] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def hang(self, _: Request, wire: socket.socket) -> bool:
        """Say nothing until the caller or the test ends."""
        del wire
        self.ended.wait(30)
        return False

    def drip(self, _: Request, wire: socket.socket) -> bool:
        """Send a byte of a header now and then: every read succeeds, the answer never ends."""
        with suppress(OSError):
            wire.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.ended.wait(0.05):
                wire.sendall(b"x")
        return False

    def drip_body(self, _: Request, wire: socket.socket) -> bool:
        """The same inside the body."""
        with suppress(OSError):
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
            while not self.ended.wait(0.05):
                wire.sendall(b" ")
        return False

    def orders(self, path: str) -> list[Request]:
        """New orders that arrived."""
        return [one for one in self.seen if one.method == "POST" and one.path == path]

    def answer(self, request: Request, wire: socket.socket) -> bool:
        """Find and send the answer."""
        self.seen.append(request)
        answering = self.routes.get((request.method, request.path), self.script)
        return answering(request, wire)


@contextmanager
def raw_venue() -> Iterator[RawVenue]:
    """A running server on a free port of the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    venue = RawVenue(f"http://127.0.0.1:{listener.getsockname()[1]}")
    wires: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            wires.append(wire)
            thread = threading.Thread(target=_serve, args=(venue, wire))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield venue
    finally:
        venue.ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for wire in wires:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def _serve(venue: RawVenue, wire: socket.socket) -> None:
    with wire, suppress(OSError), wire.makefile("rb") as stream:
        while (request := _read(stream)) is not None:
            if not venue.answer(request, wire):
                return


def _read(stream: Any) -> Request | None:
    first = stream.readline().decode().split()
    if not first:
        return None
    headers = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0))).decode()
    address = urlsplit(first[1])
    params: dict[str, Any] = dict(parse_qsl(address.query))
    params |= json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
    return Request(first[0], address.path, params, headers)
