"""What a vendor can do, as data, and what passes between us and it, as values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.llm.contract.schema import Schema


class Dialect(StrEnum):
    """Whose way of asking."""

    MESSAGES = "messages"
    CHAT = "chat"
    OLLAMA = "ollama"


class Structured(StrEnum):
    """How a model is held to a schema; ``json_object`` only to JSON, the schema stands in the prompt."""

    OUTPUT_CONFIG = "output_config"
    JSON_SCHEMA = "json_schema"
    FORMAT = "format"
    JSON_OBJECT = "json_object"
    NONE = "none"


#: With these the schema itself is part of the request.
NATIVE = frozenset({Structured.OUTPUT_CONFIG, Structured.JSON_SCHEMA, Structured.FORMAT})


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One vendor.

    Attributes:
        name: as ``configs/models.yaml`` writes it.
        dialect: whose way of asking it understands.
        base_url: where it is, None where only the configuration knows.
        key_variable: the variable of the environment that holds the key, None where there is none.
        needs_key: whether it answers nobody without one.
        url_variable: a variable that names another address, None for none.
        structured: the strictest way it can be held to a schema.
        tokens_key: what it calls the most tokens of an answer.
        temperature: what is sent, None where a temperature must not or need not be.
        effort_key: what it calls the effort of thinking, None where there is no such knob.
        extras: what only this vendor wants in a body.
        may_drop: parameters that may be left out when it refuses them, in the order of preference.
        price_provider: its name in the price table, None where nobody bills.
    """

    name: str
    dialect: Dialect
    base_url: str | None
    key_variable: str | None
    needs_key: bool
    structured: Structured
    tokens_key: str
    temperature: float | None
    effort_key: str | None
    may_drop: tuple[str, ...]
    price_provider: str | None
    extras: Mapping[str, Any]
    url_variable: str | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody bills for it."""
        return self.price_provider is None and not self.needs_key and self.dialect is Dialect.OLLAMA


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the talk after the question: what the model said, and what we said to that."""

    said: str
    reply: str


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a request is made of; stable parts first, for the vendors' caches of prefixes.

    ``system`` is the prompt, ``constants`` what changes with the desk, ``volatile`` with every bar.
    ``cache_key`` groups requests with one prefix. ``effort`` None leaves the vendor's word.
    """

    model_id: str
    system: str
    constants: str
    volatile: str
    schema: Schema
    answer_tokens_max: int
    context_tokens: int
    cache_key: str
    effort: str | None = None
    turns: tuple[Turn, ...] = ()


class WireRequest(Message):
    """A request as it goes out: whose dialect, and the body. No key and no address is in it."""

    provider: str
    dialect: Dialect
    body: dict[str, Any]

    def text(self) -> str:
        """Canonical JSON: the same request is the same text."""
        return json.dumps(
            {"provider": self.provider, "dialect": self.dialect.value, "body": self.body},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )

    def key(self) -> str:
        """Hex SHA-256 of :meth:`text`."""
        return hashlib.sha256(self.text().encode()).hexdigest()


class Usage(Message):
    """Tokens of one answer, the same for every vendor: ``input`` includes what was cached."""

    input_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


class Ended(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"


class Reply(Message):
    """What a vendor answered: text, why it ended, who really answered, and what it counted."""

    text: str
    ended: Ended
    served_model: str
    usage: Usage | None
    why: str = ""


class Price(Message):
    """Dollars for a million tokens; what is left out of the caches' prices costs as ``input_usd``."""

    input_usd: Decimal = Field(ge=0)
    output_usd: Decimal = Field(ge=0)
    cached_usd: Decimal | None = Field(default=None, ge=0)
    cache_write_usd: Decimal | None = Field(default=None, ge=0)
