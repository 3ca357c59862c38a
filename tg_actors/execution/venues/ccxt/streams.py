"""Private streams through ccxt.pro, used as an ear: they say that something happened, the books say what.

A fill is never taken from a stream. Frames get lost, come twice, come late, and ccxt swallows those
that it cannot read while whoever waits for them goes on waiting. What is heard here only makes the
next poll read the books, and so does every half minute without a sound.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import ccxt.pro

from tg_actors.execution.venues.ccxt.client import DEBRIS, CcxtClient
from tg_actors.market.transport import pointed_at

#: Our own deadline for one wait: ccxt's watchers have none.
_WATCH_S_MAX = 30.0
#: Without any frame, heartbeat or pong for so long the stream stands still.
_SILENCE_S_MAX = 20.0
_PING_MS = 5_000
#: Between two attempts, doubled with every failure: asking for a token holds up the client that trades.
_AGAIN_S, _AGAIN_S_MAX = 1.0, 16.0
_CLOSE_S_MAX = 10.0
#: Frames that say only that the line is up.
_HEARTBEATS = frozenset({"heartbeat", "pong", "status"})


class StreamEar:
    """A thread that keeps one private subscription alive and takes note of what comes."""

    def __init__(self, client: CcxtClient) -> None:
        self._client = client
        self._heard = threading.Event()
        self._leaving = threading.Event()
        self._frame_s = time.monotonic() - _SILENCE_S_MAX
        self._why = "not connected yet"
        self._again_s = _AGAIN_S
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="venue-streams", daemon=True)
        self._thread.start()

    def heard(self) -> bool:
        """Whether anything came since the last question."""
        was_heard = self._heard.is_set()
        self._heard.clear()
        return was_heard

    def deaf(self) -> str:
        """Why nothing can be heard right now, empty when all is well."""
        if time.monotonic() - self._frame_s < _SILENCE_S_MAX:
            return ""
        return f"the private stream stands still: {self._why}"

    def close(self) -> None:
        """End the thread."""
        self._leaving.set()
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(self._loop)])
        self._thread.join(_CLOSE_S_MAX)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
        except asyncio.CancelledError:
            self._why = "closed"
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _listen(self) -> None:
        stream = self._stream()
        try:
            while not self._leaving.is_set():
                await self._watch(stream)
        finally:
            await stream.close()

    async def _watch(self, stream: Any) -> None:
        try:
            await asyncio.wait_for(stream.watch_orders(), _WATCH_S_MAX)
        except TimeoutError:
            # Nothing happened, or a frame was swallowed: the books know which.
            self._why = "no frame came"
        except (ccxt.BaseError, *DEBRIS) as error:
            self._why = type(error).__name__
            await asyncio.sleep(self._again_s)
            self._again_s = min(2 * self._again_s, _AGAIN_S_MAX)
        else:
            self._again_s = _AGAIN_S
        self._heard.set()

    def _stream(self) -> Any:
        """The client of ccxt.pro, with the markets and the nonces of the one that trades."""
        ear = self
        kind: Any = getattr(ccxt.pro, self._client.exchange)

        class Listening(kind):  # type: ignore[misc]  # ccxt carries no types
            """Takes note of every frame before it is understood."""

            def handle_message(self, client: Any, message: Any) -> None:
                ear.note(message)
                super().handle_message(client, message)

            def on_pong(self, client: Any, message: Any = None) -> None:
                ear.note({"method": "pong"})
                super().on_pong(client, message)

        stream = Listening(
            {
                **self._client.credentials(),
                "streaming": {"keepAlive": _PING_MS},
                "options": {"defaultType": "spot"},
                "newUpdates": True,
            }
        )
        if self._client.url is not None:
            stream.urls["api"]["ws"] = pointed_at(
                stream.urls["api"]["ws"], self._client.url.replace("http", "ws", 1)
            )
        self._client.lend_markets(stream)

        async def token(params: Mapping[str, Any]) -> Any:
            # One counter of nonces for one key: the REST client asks, on a thread that may wait.
            return await asyncio.to_thread(self._client.stream_token, params)

        stream.privatePostGetWebSocketsToken = token
        return stream

    def note(self, message: Any) -> None:
        """Take note of a frame; heartbeats only say that the line is up."""
        self._frame_s = time.monotonic()
        words = message if isinstance(message, Mapping) else {}
        if words.get("channel") not in _HEARTBEATS and words.get("method") not in _HEARTBEATS:
            self._heard.set()
