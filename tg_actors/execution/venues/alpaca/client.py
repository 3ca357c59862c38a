"""The real alpaca-py client, tamed: no retry, a deadline, exact numbers, its own words kept."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from alpaca.trading.client import TradingClient
from pydantic import TypeAdapter

from tg_actors.domain.keys import Key
from tg_actors.execution.venues.hearing import Heard, understood
from tg_actors.execution.venues.outcomes import Verb
from tg_actors.market.transport import OneShotSession

T = TypeVar("T")


class _Tame(TradingClient):
    """A client that asks once: its own would repeat every verb, POST included, after 429 and 504."""

    def __init__(self, key: Key, url: str | None, call_s_max: float, *, paper: bool) -> None:
        super().__init__(key.api_key, key.secret, paper=paper, raw_data=True, url_override=url)
        self._retry = 0
        self._retry_codes = []
        self._session.close()
        self._session = OneShotSession(call_s_max)
        self.said: tuple[int, str] | None = None

    def shut(self) -> None:
        """Shut the connections."""
        self._session.close()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> dict[str, Any]:
        """Keep status and body; what they mean is not decided here."""
        del retry
        response = self._session.request(method, url, **opts)
        response.encoding = "utf-8"
        self.said = (response.status_code, response.text)
        return {}


class AlpacaClient:
    """One trading client behind one lock.

    Args:
        key: of the account.
        url: root of another server that speaks Alpaca's language; None is Alpaca.
        call_s_max: one call, from name resolution to the last byte.
        paper: Alpaca's own paper trading, when there is no ``url``.
    """

    def __init__(self, key: Key, url: str | None, call_s_max: float, *, paper: bool) -> None:
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        self._lock = threading.RLock()
        self._client = _Tame(key, url, call_s_max, paper=paper)

    def call(
        self,
        verb: Verb,
        method: str,
        path: str,
        params: Mapping[str, Any],
        shape: type[T] | TypeAdapter[T],
    ) -> T:
        """Call one endpoint once and read its answer.

        Raises:
            Unusable: no answer, an error, or something else than ``shape``.
        """
        asks: dict[str, Callable[..., Any]] = {
            "GET": self._client.get,
            "POST": self._client.post,
            "DELETE": self._client.delete,
        }
        with self._lock:
            self._client.said = None
            error = ""
            try:
                asks[method](path, dict(params) or None)
            except (requests.RequestException, OSError) as raised:
                error = type(raised).__name__
            said = self._client.said
        if said is not None and not _is_success(said[0]):
            error = "APIError"
        return understood(verb, Heard(said, error, _words), shape, lambda body: body)

    def close(self) -> None:
        """Shut the connections."""
        self._client.shut()


def _is_success(status: int) -> bool:
    return status // 100 == 2  # noqa: PLR2004 - HTTP


def _words(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Alpaca's own error words in a body of its own form."""
    match body.get("code"), body.get("message"):
        case int(code), str(message):
            return (f"{code} {message}",)
        case None, str(message):
            return (message,)
        case _:
            return ()
