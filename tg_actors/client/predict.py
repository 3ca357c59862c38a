"""A caller of predictions over gRPC, for who asks often: a third of what HTTP takes (docs/serving.md)."""

import time
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tg_actors.client.errors import ApiError
from tg_actors.client.predict_wire import (
    CODES,
    PATH,
    REFUSAL_KEY,
    Question,
    parse_answer,
    question_bytes,
)
from tg_actors.client.words import Prediction, Refusal

_AGAIN = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
_STATUSES = {code: status for status, code in CODES.items()}
#: Straight to the address, whatever the environment says of proxies; who comes back is met soon.
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class PredictClient:
    """Asks one server, over one connection that threads may share; a repeated question does no harm."""

    def __init__(
        self, address: str, token: str, *, timeout_s: float = 10.0, tries: int = 3, wait_s: float = 0.2
    ) -> None:
        """Take the address, such as ``127.0.0.1:8789``, and a token of scope ``read``.

        Args:
            address: as ``tg serve status`` shows it.
            token: as ``tg serve tokens create`` has shown it.
            timeout_s: for one try.
            tries: how often a question is asked at most.
            wait_s: before the second try; it doubles with every further one.
        """
        import grpc  # noqa: PLC0415 - who asks over HTTP only need not load it

        self._address, self._timeout_s = address, timeout_s
        self._tries, self._wait_s = max(1, tries), wait_s
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._failure = grpc.RpcError
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._ask = self._channel.unary_unary(PATH)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._channel.close()

    def predict(
        self, model: str, observed: NDArray[np.float32], *, version: int = 0, request_id: str = ""
    ) -> Prediction:
        """Return the actions of a policy for observations ``(rows, columns)``; version 0 is the one in force.

        Raises:
            ApiError: it refused, or gave no answer in time.
            ValueError: the observations are no table.
        """
        body = question_bytes(Question(model, observed, version, request_id))
        for attempt in range(1, self._tries + 1):
            try:
                answer = self._ask(body, timeout=self._timeout_s, metadata=self._metadata)
            except self._failure as failure:
                error = _refusal(self._address, failure)
                if attempt == self._tries or not error.retryable:
                    raise error from failure
            else:
                return self._typed(answer)
            time.sleep(self._wait_s * 2 ** (attempt - 1))
        raise AssertionError("the last try returns or raises")

    def _typed(self, answer: bytes) -> Prediction:
        try:
            return parse_answer(answer)
        except ValueError as error:
            raise ApiError(
                f"{self._address} answers in words of another version: {error}",
                status=200,
                code="other_version",
                what_to_do="use the client of the server's version",
            ) from error


def _refusal(address: str, failure: Any) -> ApiError:
    """Return what the server said, or that nobody there knows our words."""
    code, again = failure.code().name, failure.code().name in _AGAIN
    said = dict(failure.trailing_metadata() or ()).get(REFUSAL_KEY)
    try:
        problem = Refusal.model_validate_json(said or b"").error
    except ValidationError:
        sentence = f"{address} gave no answer: {failure.details()}"
        status = 0 if again else _STATUSES.get(code, 0)
        word = "unreachable" if again else code.lower()
        return ApiError(sentence, status=status, code=word, retryable=again)
    return ApiError(
        problem.message,
        status=_STATUSES.get(code, 0),
        code=problem.code,
        what_to_do=problem.what_to_do,
        retryable=again,
    )
