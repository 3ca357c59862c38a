"""From the raw answer of a call to what was asked for, or to what the outcome table can judge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from tg_actors.execution.venues.dialect import Unusable
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.said import Senseless, plain, read

T = TypeVar("T")

_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Heard:
    """Status and body, None when no whole answer came; the client's exception; how to find the words."""

    said: tuple[int, str] | None
    error: str
    words: Callable[[Mapping[str, Any]], tuple[str, ...]]


def understood(verb: Verb, heard: Heard, shape: type[T] | TypeAdapter[T], inside: Callable[[Any], Any]) -> T:
    """Return what was asked for.

    Raises:
        Unusable: no answer, an error, or a body that is not ``shape``.
    """
    if heard.said is None:
        raise Unusable(verb, Answer(error=heard.error))
    status, text = heard.said
    try:
        body = None if status == _NO_CONTENT and not text else plain(text)
    except Senseless:
        raise Unusable(verb, Answer(str(status), (), heard.error)) from None
    words = heard.words(body) if isinstance(body, Mapping) else ()
    if words or heard.error:
        raise Unusable(verb, Answer(str(status), words, heard.error))
    try:
        return read(shape, inside(body))
    except (Senseless, KeyError, TypeError):
        raise Unusable(verb, Answer(str(status))) from None
