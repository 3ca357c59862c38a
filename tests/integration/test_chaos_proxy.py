"""The fault proxy on real sockets: what each fault looks like to a client, and what reaches the server."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tg_actors.chaos.faults import FaultKind, FaultMix
from tg_actors.chaos.proxy import FaultProxy

ANSWER = b"the answer, long enough to be cut in two"
REQUEST = b"a question"


class Upstream(socketserver.ThreadingTCPServer):
    """Answers everything; keeps what it got."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.heard = threading.Condition()
        super().__init__(("127.0.0.1", 0), Answering)
        self.place = ("127.0.0.1", int(self.socket.getsockname()[1]))

    def wait_for(self, count: int) -> list[bytes]:
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.got) >= count, timeout=10)
            return list(self.got)


class Answering(socketserver.BaseRequestHandler):
    server: Upstream

    def handle(self) -> None:
        while data := self.request.recv(4096):
            with self.server.heard:
                self.server.got.append(data)
                self.server.heard.notify_all()
            self.request.sendall(ANSWER)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def faulty(upstream: Upstream, mix: FaultMix, seed: int = 1) -> Iterator[FaultProxy]:
    with FaultProxy(*upstream.place, mix, seed) as proxy:
        yield proxy


def only(kind: FaultKind, **times: float) -> FaultMix:
    return FaultMix(**{kind.value: 1.0}, **times)


def ask(proxy: FaultProxy, timeout_s: float = 5.0) -> bytes:
    """Ask once and read until the whole answer is there, or the connection ends."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s) as line:
        line.sendall(REQUEST)
        answer = b""
        while len(answer) < len(ANSWER) and (data := line.recv(4096)):
            answer += data
        return answer


def test_without_faults_a_connection_carries_many_exchanges(upstream: Upstream) -> None:
    with (
        faulty(upstream, FaultMix()) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as line,
    ):
        for _ in range(3):
            line.sendall(REQUEST)
            assert line.recv(4096) == ANSWER
        assert proxy.exchanges == 3
        assert not proxy.counts


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.DRIP])
def test_a_slow_network_loses_nothing(upstream: Upstream, kind: FaultKind) -> None:
    with faulty(upstream, only(kind, delay_s_max=0.01, drip_s=0.0001)) as proxy:
        assert ask(proxy) == ANSWER
        assert proxy.counts == {kind.value: 1}


def test_a_cut_answer_is_half_an_answer(upstream: Upstream) -> None:
    with faulty(upstream, only(FaultKind.CUT)) as proxy:
        assert ask(proxy) == ANSWER[: len(ANSWER) // 2]


@pytest.mark.parametrize(("kind", "arrived"), [(FaultKind.REFUSE, []), (FaultKind.RESET, [REQUEST])])
def test_a_reset_is_a_reset_whether_the_request_arrived_or_not(
    upstream: Upstream, kind: FaultKind, arrived: list[bytes]
) -> None:
    with faulty(upstream, only(kind)) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        assert upstream.got == arrived


def test_a_lost_answer_leaves_the_client_alone_with_an_order_that_arrived(upstream: Upstream) -> None:
    with faulty(upstream, only(FaultKind.LOSE_ANSWER)) as proxy:
        with pytest.raises(TimeoutError):
            ask(proxy, timeout_s=0.2)
        assert upstream.wait_for(1) == [REQUEST]


def test_a_lost_request_never_arrives(upstream: Upstream) -> None:
    with faulty(upstream, only(FaultKind.LOSE_REQUEST)) as proxy:
        with pytest.raises(TimeoutError):
            ask(proxy, timeout_s=0.2)
        proxy.calm()
        assert ask(proxy) == ANSWER
        assert upstream.got == [REQUEST]


def test_a_late_request_arrives_after_its_client_has_given_up(upstream: Upstream) -> None:
    with faulty(upstream, only(FaultKind.LATE, late_s_max=0.01)) as proxy:
        with pytest.raises(TimeoutError):
            ask(proxy, timeout_s=0.2)
        assert upstream.wait_for(1) == [REQUEST]
        assert proxy.counts == {"late": 1}


def test_the_proxy_follows_a_server_that_comes_back_elsewhere(upstream: Upstream) -> None:
    with FaultProxy("127.0.0.1", 1, FaultMix(), 1) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        proxy.upstream = upstream.place
        assert ask(proxy) == ANSWER
