"""What goes wrong at a vendor, as a value: what kind, whether a repeat may help, when, which parameter.

The kind is read from the HTTP answer alone, so a recorded failure is the same failure when it is replayed.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from tg_actors.domain.errors import OutsideError
from tg_actors.domain.message import Message

_DETAIL_CHARS = 300


class FaultKind(StrEnum):
    """Why there is no answer. ``unreachable``: no connection; ``transport``: it broke."""

    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER = "server"
    TRANSPORT = "transport"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    TIMEOUT = "timeout"
    AUTH = "auth"
    QUOTA = "quota"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_OVERFLOW = "context_overflow"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET = "budget"


#: The same call may succeed later without anybody's help.
PASSING = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.OVERLOADED,
        FaultKind.SERVER,
        FaultKind.TRANSPORT,
        FaultKind.UNREACHABLE,
        FaultKind.MALFORMED,
        FaultKind.TIMEOUT,
        FaultKind.CIRCUIT_OPEN,
    }
)
#: The vendor may have worked, and may bill, although nothing usable came back.
MAYBE_BILLED = frozenset({FaultKind.TIMEOUT, FaultKind.TRANSPORT, FaultKind.MALFORMED})


class Fault(Message):
    """One failure. ``retry_after_s`` is the vendor's word; ``parameter`` what it did not want."""

    kind: FaultKind
    detail: str = Field(default="", max_length=_DETAIL_CHARS)
    status: int | None = None
    retry_after_s: float | None = Field(default=None, ge=0)
    parameter: str | None = None


class ProviderError(OutsideError):
    """The vendor gave no usable answer; :attr:`fault` says why. Crosses process borders whole."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind.value}: {fault.detail}", retryable=fault.kind in PASSING)
        self.fault = fault

    @property
    def kind(self) -> FaultKind:
        """What went wrong."""
        return self.fault.kind

    @property
    def retry_after_s(self) -> float | None:
        """How long the vendor asks us to wait, None where it does not say."""
        return self.fault.retry_after_s

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Pickle as what it was made of."""
        return (functools.partial(type(self), self.fault), ())


def fault(kind: FaultKind, detail: str, **more: Any) -> Fault:
    """Return a fault whose detail is cut to its length."""
    return Fault(kind=kind, detail=detail[:_DETAIL_CHARS], **more)


_BY_STATUS: Mapping[int, FaultKind] = {
    400: FaultKind.BAD_REQUEST,
    401: FaultKind.AUTH,
    402: FaultKind.QUOTA,
    403: FaultKind.AUTH,
    404: FaultKind.NOT_FOUND,
    408: FaultKind.OVERLOADED,
    409: FaultKind.OVERLOADED,
    413: FaultKind.CONTEXT_OVERFLOW,
    422: FaultKind.BAD_REQUEST,
    429: FaultKind.RATE_LIMIT,
    503: FaultKind.OVERLOADED,
    529: FaultKind.OVERLOADED,
}
#: Words of an error's type or code that say more than its status.
_BY_WORD: Mapping[str, FaultKind] = {
    "insufficient_quota": FaultKind.QUOTA,
    "billing_error": FaultKind.QUOTA,
    "context_length_exceeded": FaultKind.CONTEXT_OVERFLOW,
    "model_not_found": FaultKind.NOT_FOUND,
    "not_found_error": FaultKind.NOT_FOUND,
    "authentication_error": FaultKind.AUTH,
    "permission_error": FaultKind.AUTH,
    "invalid_api_key": FaultKind.AUTH,
    "rate_limit_error": FaultKind.RATE_LIMIT,
    "rate_limit_exceeded": FaultKind.RATE_LIMIT,
    "overloaded_error": FaultKind.OVERLOADED,
    "api_error": FaultKind.SERVER,
    "server_error": FaultKind.SERVER,
}
_TOO_LONG = re.compile(
    r"prompt is too long|context (?:length|window|size)|exceeds? the .*context", re.IGNORECASE
)
_CLIENT, _SERVER = 400, 500


def fault_of(status: int, headers: Mapping[str, str], text: str, droppable: Iterable[str] = ()) -> Fault:
    """Read a failed HTTP answer, or an error inside a successful one.

    Args:
        status: of HTTP.
        headers: with lower-case names.
        text: the body, whatever it is.
        droppable: parameters of the request that may be left out; the one the vendor objects to is named.
    """
    said = _said(text)
    kind = _kind(status, said)
    return Fault(
        kind=kind,
        detail=said.message[:_DETAIL_CHARS],
        status=status,
        retry_after_s=retry_after_s(headers),
        parameter=_parameter(said, droppable) if kind is FaultKind.BAD_REQUEST else None,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, in seconds; a date, or nonsense, is None."""
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name, "")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            return float(text) * unit_s
    return None


@dataclass(frozen=True, slots=True)
class _Said:
    """What an error says of itself."""

    message: str
    words: tuple[str, ...] = ()
    parameter: str | None = None


def _said(text: str) -> _Said:
    """The error object of any of the dialects; a page of HTML is its first words."""
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return _Said(message=" ".join(text.split())[:_DETAIL_CHARS])
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return _Said(message=str(error))
    words = tuple(str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str))
    parameter = error.get("param")
    return _Said(
        message=str(error.get("message", "")),
        words=words,
        parameter=parameter if isinstance(parameter, str) else None,
    )


def _kind(status: int, said: _Said) -> FaultKind:
    worded = next((_BY_WORD[word] for word in said.words if word in _BY_WORD), None)
    if worded is not None:
        return worded
    if status in {400, 413, 422} and _TOO_LONG.search(said.message):
        return FaultKind.CONTEXT_OVERFLOW
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= _SERVER:
        return FaultKind.SERVER
    return FaultKind.BAD_REQUEST if status >= _CLIENT else FaultKind.MALFORMED


def _parameter(said: _Said, droppable: Iterable[str]) -> str | None:
    named = f"{said.parameter or ''} {said.message}"
    return next((name for name in droppable if re.search(rf"\b{re.escape(name)}\b", named)), None)
