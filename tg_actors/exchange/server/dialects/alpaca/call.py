"""One request after its checks, its answer, and the table row of an operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tg_actors.exchange.server.dialects.alpaca import refusals
from tg_actors.exchange.server.dialects.wire import read_json, read_time
from tg_actors.exchange.server.keys import Key


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; no body for 204."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation works on: parts of the path, the query, the body's text, and who asks."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    key: Key | None = None

    @property
    def account(self) -> str:
        """Whose request it is.

        Raises:
            Refusal: nobody's.
        """
        if self.key is None:
            raise refusals.NOT_AUTHORIZED.refusal()
        return self.key.account

    def content(self) -> object:
        """The body.

        Raises:
            Refusal: it is no sound JSON.
        """
        try:
            return read_json(self.text)
        except ValueError as error:
            raise refusals.BAD_BODY.refusal(why=f"request body format is invalid: {error}") from error

    def time_ns(self, name: str) -> int | None:
        """A time of the query, None when it is not there."""
        given = self.query.get(name)
        if not given:
            return None
        try:
            return read_time(given)
        except ValueError as error:
            raise refusals.BAD_PARAMETER.refusal(name=name, why=str(error)) from error

    def integer(self, name: str, default: int, most: int) -> int:
        """A whole number of the query from 1 to ``most``."""
        given = self.query.get(name)
        if not given:
            return default
        if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= most:
            raise refusals.BAD_PARAMETER.refusal(name=name, why=f"must be a number from 1 to {most}")
        return int(given)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some words of the query; the first one is the default."""
        given = self.query.get(name) or choices[0]
        if given not in choices:
            raise refusals.BAD_PARAMETER.refusal(name=name, why=f"must be one of {', '.join(choices)}")
        return given


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of the venue. ``verb`` is its class for counters and scripted faults."""

    run: Callable[[Call], Answer]
    verb: str = "read"
    private: bool = True
    trades: bool = False
