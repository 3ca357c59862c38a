"""One HTTP request, sent once, over within a deadline: the session below both vendors' clients.

``timeout`` of *requests* bounds each read, not the call: a server that drips a byte every few seconds
holds it for ever, and so does name resolution. Here the whole exchange runs on a thread of its own;
at the deadline the caller goes on, and the sockets are shut so that nothing is sent later.
"""

import contextlib
import queue
import socket
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry

#: Longest silence of a server inside a call.
_READ_S_MAX = 10.0
_CONNECT_S_MAX = 5.0


def pointed_at(urls: Any, root: str) -> Any:
    """Return a client's table of addresses on another server: the host changes, the path stays."""
    if isinstance(urls, dict):
        return {name: pointed_at(inner, root) for name, inner in urls.items()}
    path = str(urls).split("://", 1)[-1].partition("/")[2]
    return f"{root.rstrip('/')}/{path}" if path else root.rstrip("/")


class _Line:
    """The sockets in use; once cut, none of them sends or reads any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cut = False
        self._open: set[HTTPConnection] = set()

    def take(self, connection: HTTPConnection) -> None:
        """Note a connection that is about to be used.

        Raises:
            ConnectionError: the call was given up meanwhile.
        """
        with self._lock:
            if self._cut:
                raise ConnectionAbortedError("the call was given up before it was sent")
            self._open.add(connection)

    def cut(self) -> None:
        """Shut every socket; whoever reads from one wakes up with an error."""
        with self._lock:
            self._cut = True
            sockets = [connection.sock for connection in self._open]
        for one in sockets:
            if one is not None:
                with contextlib.suppress(OSError):
                    # Of the base class: an SSLSocket would first change state below its reader.
                    socket.socket.shutdown(one, socket.SHUT_RDWR)


def _pools(line: _Line) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools whose connections ask the line before they connect and before they send."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            line.take(self)
            super().connect()
            line.take(self)

        def putrequest(self, *args: Any, **options: Any) -> None:
            line.take(self)
            super().putrequest(*args, **options)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            line.take(self)
            super().connect()
            line.take(self)

        def putrequest(self, *args: Any, **options: Any) -> None:
            line.take(self)
            super().putrequest(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Adapter(HTTPAdapter):
    """An adapter without any retry, on a line that can be cut."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=Retry(0, read=False, redirect=0))

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pools with our connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._line)


class OneShotSession(requests.Session):
    """A session for one caller at a time: no retry, no redirect, no proxy, no longer than ``call_s_max``."""

    def __init__(self, call_s_max: float) -> None:
        super().__init__()
        self.trust_env = False
        # A redirected POST would be sent twice: TooManyRedirects comes before the second.
        self.max_redirects = 0
        self._call_s_max = call_s_max
        self._line = _Line()
        self._mount()

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Send one request.

        Raises:
            requests.Timeout: no whole answer came within ``call_s_max`` seconds.
            requests.RequestException: as any session does.
        """
        options["timeout"] = (
            min(_CONNECT_S_MAX, self._call_s_max),
            min(_READ_S_MAX, self._call_s_max),
        )
        answers: queue.SimpleQueue[requests.Response | BaseException] = queue.SimpleQueue()

        def send() -> None:
            try:
                answers.put(super(OneShotSession, self).request(method, url, *args, **options))
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
                answers.put(error)

        threading.Thread(target=send, name="venue-call", daemon=True).start()
        try:
            answer = answers.get(timeout=self._call_s_max)
        except queue.Empty:
            self._hang_up()
            raise requests.Timeout(f"no whole answer within {self._call_s_max:g} s") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """Shut every socket and forget them."""
        self._line.cut()
        super().close()

    def _hang_up(self) -> None:
        self._line.cut()
        self._line = _Line()
        self._mount()

    def _mount(self) -> None:
        for scheme in ("http://", "https://"):
            old = self.adapters.get(scheme)
            self.mount(scheme, _Adapter(self._line))
            if old is not None:
                old.close()
