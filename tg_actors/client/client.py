"""A caller of the HTTP API: typed answers, timeouts, and repeats only where a repeat cannot do harm."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests
from pydantic import ValidationError

from tg_actors.client.errors import ApiError
from tg_actors.client.sse import events
from tg_actors.client.words import (
    ApprovalRow,
    ApprovalWord,
    ComputeAnswer,
    ComputeRequest,
    ControlAnswer,
    CycleNote,
    Prediction,
    PredictRequest,
    Promotion,
    PromotionAnswer,
    Refusal,
    Signal,
    Signals,
    Word,
)
from tg_actors.domain.message import Message

M = TypeVar("M", bound=Message)

#: Worth another try: nobody was there, or it was too much at once.
_AGAIN = frozenset({502, 503, 504})
_WAIT_S = 0.2


class TripleGainClient:
    """Talks to one server. Not to be shared by threads: each makes its own.

    Every call only reads, or carries an idempotency key, so each may be repeated: ``tries`` times at most,
    where no answer or a passing failure came back. Whatever else is no success raises :class:`ApiError`.
    """

    def __init__(
        self, url: str, token: str, *, timeout_s: float = 10.0, tries: int = 3, wait_s: float = _WAIT_S
    ) -> None:
        """Take the address, such as ``http://127.0.0.1:8788``, and a token.

        Args:
            url: of the server.
            token: as ``tg serve tokens create`` has shown it.
            timeout_s: for connecting, and again for an answer to begin.
            tries: how often a harmless call is made at most.
            wait_s: before the second try; it doubles with every further one.

        Raises:
            ValueError: the address has no ``http://`` or ``https://`` before it.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no address of a server: write such as http://127.0.0.1:8788")
        self._url = url.rstrip("/")
        self._timeout_s, self._tries, self._wait_s = timeout_s, max(1, tries), wait_s
        self._session = requests.Session()
        # What the environment says about proxies and passwords is not meant for a desk on the loopback.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def signals(self) -> Signals:
        """Return what the desk thinks of all its instruments."""
        return self._typed(Signals, self._get("/v1/signals"))

    def signal(self, instrument: str) -> Signal:
        """Return what the desk thinks of one, ``BTC/USDT`` or ``BTC-USDT``."""
        return self._typed(Signal, self._get(f"/v1/signals/{quote(instrument.replace('/', '-'), safe='')}"))

    def compute(self, request: ComputeRequest) -> ComputeAnswer:
        """Return what the desk's agents say of your own bars."""
        return self._typed(ComputeAnswer, self._post("/v1/signals:compute", request, key=""))

    def predict(self, model: str, request: PredictRequest, request_id: str = "") -> Prediction:
        """Return the actions of a policy, by name or version."""
        headers = {"X-Request-Id": request_id} if request_id else {}
        path = f"/v1/policies/{quote(model, safe='@')}:predict"
        return self._typed(Prediction, self._call("POST", path, request, headers))

    def portfolio(self) -> dict[str, Any]:
        """Return equity, cash, positions and the trading state."""
        return self._plain("/v1/portfolio")

    def orders(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest orders, the newest first."""
        return self._rows(f"/v1/orders?limit={limit}")

    def decisions(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return the newest cycles in short, the newest first."""
        return self._rows(f"/v1/decisions?limit={limit}")

    def decision(self, cycle: int | str = "last") -> dict[str, Any]:
        """Return one cycle from its snapshot to its fills."""
        return self._plain(f"/v1/decisions/{quote(str(cycle), safe='')}")

    def agents(self) -> dict[str, Any]:
        """Return the actors of the desk."""
        return self._plain("/v1/agents")

    def bandit(self) -> dict[str, Any]:
        """Return whom the meta agent trusts."""
        return self._plain("/v1/bandit")

    def leaderboard(self) -> dict[str, Any]:
        """Return what every agent has earned."""
        return self._plain("/v1/leaderboard")

    def gates(self) -> dict[str, Any]:
        """Return where the desk stands before its next gate."""
        return self._plain("/v1/gates")

    def models(self) -> dict[str, Any]:
        """Return every model with its versions and roles."""
        return self._plain("/v1/models")

    def approvals(self, *, everything: bool = False) -> list[ApprovalRow]:
        """Return orders that wait for a person."""
        rows = self._rows(f"/v1/approvals?all={'true' if everything else 'false'}")
        return [self._typed(ApprovalRow, json.dumps(row).encode()) for row in rows]

    def halt(self, reason: str, *, key: str | None = None) -> ControlAnswer:
        """Stop all trading at once."""
        return self._typed(ControlAnswer, self._post("/v1/halt", Word(reason=reason), key))

    def flatten(self, reason: str, *, key: str | None = None) -> ControlAnswer:
        """Close every position, and enter nothing."""
        return self._typed(ControlAnswer, self._post("/v1/flatten", Word(reason=reason), key))

    def approve(self, order: str, word: ApprovalWord, *, key: str | None = None) -> ApprovalRow:
        """Let one waiting order leave."""
        path = f"/v1/approvals/{quote(order, safe='')}/approve"
        return self._typed(ApprovalRow, self._post(path, word, key))

    def reject(self, order: str, word: ApprovalWord, *, key: str | None = None) -> ApprovalRow:
        """Refuse one waiting order for good."""
        path = f"/v1/approvals/{quote(order, safe='')}/reject"
        return self._typed(ApprovalRow, self._post(path, word, key))

    def promote(self, model: str, promotion: Promotion, *, key: str | None = None) -> PromotionAnswer:
        """Give a version of a model a role."""
        path = f"/v1/models/{quote(model, safe='')}:promote"
        return self._typed(PromotionAnswer, self._post(path, promotion, key))

    def stream(self, *, silent_s_max: float = 60.0) -> Iterator[CycleNote]:
        """Yield every new cycle as it comes, the newest one first, until the server ends it.

        Raises:
            ApiError: it refused, or nothing came for ``silent_s_max``.
        """
        answer = self._send("GET", "/v1/stream", None, {}, timeout_s=silent_s_max, stream=True)
        with answer:
            if answer.status_code != requests.codes.ok:
                raise _refusal(answer)
            try:
                for event in events(answer.iter_lines()):
                    yield self._typed(CycleNote, event)
            except requests.RequestException as error:
                raise ApiError(str(error), status=0, code="unreachable", retryable=True) from error

    def _get(self, path: str) -> bytes:
        return self._call("GET", path, None, {})

    def _post(self, path: str, body: Message, key: str | None) -> bytes:
        """Post with an idempotency key of our own making where the caller gave none; "" for none at all."""
        headers = {} if key == "" else {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._call("POST", path, body, headers)

    def _call(self, method: str, path: str, body: Message | None, headers: Mapping[str, str]) -> bytes:
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                answer = self._send(method, path, body, headers, timeout_s=self._timeout_s)
            except ApiError:
                if last:
                    raise
            else:
                if answer.status_code == requests.codes.ok:
                    return answer.content
                if last or not _is_passing(answer):
                    raise _refusal(answer)
            time.sleep(self._wait_s * 2 ** (attempt - 1))
        raise AssertionError("the last try returns or raises")

    def _send(
        self,
        method: str,
        path: str,
        body: Message | None,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        stream: bool = False,
    ) -> requests.Response:
        data = None if body is None else body.model_dump_json()
        try:
            return self._session.request(
                method,
                self._url + path,
                data=data,
                headers={**headers, **({} if data is None else {"Content-Type": "application/json"})},
                timeout=timeout_s,
                stream=stream,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ApiError(
                f"{self._url} gave no answer: {error}",
                status=0,
                code="unreachable",
                what_to_do="start 'tg serve deploy' there, or correct the address",
                retryable=True,
            ) from error

    def _plain(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._get(path))
        return answer

    def _rows(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self._get(path))
        return rows

    def _typed(self, model: type[M], body: bytes | str) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise ApiError(
                f"{self._url} answers in words of another version: {error.error_count()} do not fit",
                status=200,
                code="other_version",
                what_to_do="use the client of the server's version",
            ) from error


def _is_passing(answer: requests.Response) -> bool:
    """Whether another try may succeed: in plain text, 500 is from Serve's proxy, whose gateway died."""
    died = answer.status_code == requests.codes.server_error and not _is_json(answer)
    return died or answer.status_code in _AGAIN


def _is_json(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith("application/json")


def _refusal(answer: requests.Response) -> ApiError:
    """Return what the server said, or that it said nothing we know."""
    status = answer.status_code
    try:
        problem = Refusal.model_validate_json(answer.content).error
    except ValidationError:
        return ApiError(f"HTTP {status}", status=status, code="unknown", retryable=_is_passing(answer))
    return ApiError(
        problem.message,
        status=status,
        code=problem.code,
        what_to_do=problem.what_to_do,
        retryable=status in _AGAIN,
    )
