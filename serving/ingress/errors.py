"""Refusals as every caller gets them: a code, a sentence, what to do; never a trace."""

import logging
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from serving.board import NoDesk
from serving.ports import TooLate
from tg_actors.client.words import Problem, Refusal
from tg_actors.domain.errors import JournalError, OutsideError, UserError
from tg_actors.rl.manifest import NoSuchModel

_log = logging.getLogger(__name__)
_LOOK = "look at /docs for what this API answers to"

#: What FastAPI refuses by itself, by status.
_PLAIN: dict[int, tuple[str, str, str]] = {
    404: ("not_found", "there is nothing at this address", _LOOK),
    405: ("method_not_allowed", "this address does not answer to that method", _LOOK),
}


class Refused(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """An answer that is not a success, raised from wherever it becomes clear."""

    def __init__(self, status: int, code: str, message: str, what_to_do: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.what_to_do = what_to_do


def refusal(status: int, code: str, message: str, what_to_do: str) -> Response:
    """Return the answer that says so."""
    body = Refusal(error=Problem(code=code, message=message, what_to_do=what_to_do))
    return Response(body.model_dump_json(), status, media_type="application/json")


def answers_refusals(app: FastAPI) -> None:
    """Turn whatever handlers raise into typed answers."""
    for kind in _TOLD:
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)


def as_refused(error: Exception) -> Refused:
    """Return an error as the answer that a caller gets, over HTTP or gRPC; what nobody foresaw is a bug."""
    told = next((_TOLD[kind] for kind in type(error).__mro__ if kind in _TOLD), _internal)
    return told(error)


def advice_of(error: Exception) -> str:
    """What a user's error says to do: the part of its sentence behind the colon, or the whole."""
    return str(error).partition(": ")[2] or str(error)


def _as_it_is(error: Exception) -> Refused:
    assert isinstance(error, Refused)  # noqa: S101 - registered for it alone
    return error


def _no_desk(error: Exception) -> Refused:
    return Refused(
        503, "no_desk", str(error), "start a desk with 'tg run', or name one in configs/serve.yaml"
    )


def _no_model(error: Exception) -> Refused:
    return Refused(404, "unknown_model", str(error), advice_of(error))


def _user_error(error: Exception) -> Refused:
    return Refused(422, "refused", str(error), advice_of(error))


def _too_late(error: Exception) -> Refused:
    return Refused(504, "too_late", str(error), "try again")


def _outside(error: Exception) -> Refused:
    code = "journal_unavailable" if isinstance(error, JournalError) else "unavailable"
    retryable = isinstance(error, OutsideError) and error.retryable
    advice = "try again" if retryable else "ask the desk's owner to look at 'tg doctor'"
    return Refused(503, code, str(error), advice)


def _internal(_: Exception) -> Refused:
    return Refused(
        500, "internal", "the answer could not be worked out", "the log of the Gateway says what happened"
    )


#: What each error is as an answer; the nearest class decides.
_TOLD: dict[type[Exception], Callable[[Exception], Refused]] = {
    Refused: _as_it_is,
    NoDesk: _no_desk,
    NoSuchModel: _no_model,
    UserError: _user_error,
    TooLate: _too_late,
    OutsideError: _outside,
}


async def _told(_: Request, error: Exception) -> Response:
    return _answer(as_refused(error))


async def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    code, message, advice = _PLAIN.get(error.status_code, ("refused", str(error.detail), _LOOK))
    return refusal(error.status_code, code, message, advice)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return refusal(422, "bad_request", f"{place}: {first['msg']}", "correct it; /docs shows what is allowed")


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(as_refused(error))


def _answer(error: Refused) -> Response:
    return refusal(error.status, error.code, str(error), error.what_to_do)
