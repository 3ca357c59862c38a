"""Prompts: versioned files whose header says what they fit, hashed into every record; stable parts first."""

import hashlib
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.llm.contract.answer import ANSWER_VERSION
from tg_actors.llm.contract.observation import OBSERVATION_VERSION, Mode

_FILE = re.compile(r"\A---\n(?P<header>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_PART = re.compile(r"^# (?P<name>[a-z]+)\n(?P<text>.*?)(?=^# [a-z]+\n|\Z)", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"\{\{(\w+)\}\}")
PARTS = ("system", "constants", "question", "repair")
#: What each part may name; what a stable part does not name cannot change it.
PLACES: Mapping[str, frozenset[str]] = {
    "system": frozenset({"schema"}),
    "constants": frozenset({"instruments", "venue", "timeframe", "limits", "series"}),
    "question": frozenset({"observation"}),
    "repair": frozenset({"complaints"}),
}


class PromptHeader(Message):
    """What stands at the head of a prompt's file: its id, its version, and what it fits."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    mode: Mode
    observation: Literal["observation/1"] = OBSERVATION_VERSION
    answer: Literal["answer/1"] = ANSWER_VERSION


class Prompt(Message):
    """One prompt. ``digest`` is the SHA-256 of its file, header and all."""

    header: PromptHeader
    parts: dict[str, str]
    digest: str

    @property
    def name(self) -> str:
        """Id and version, as records carry them: ``signal@1.0.0``."""
        return f"{self.header.id}@{self.header.version}"

    def render(self, part: str, **values: str) -> str:
        """Return a part with its places filled; each place is filled once, with text that stays text."""
        return _PLACE.sub(lambda place: values.get(place[1], ""), self.parts[part])


def read_prompt(text: str, where: str) -> Prompt:
    """Read a prompt's file.

    Args:
        text: its content.
        where: its path, for the sentence of an error.

    Raises:
        UserError: the header is wrong, a part is missing, or a part names what it may not.
    """
    file = _FILE.match(text)
    if file is None:
        raise UserError(f"{where}: a prompt begins with its header between two lines of ---")
    parts = {part["name"]: part["text"].strip() for part in _PART.finditer(file["body"])}
    if tuple(parts) != PARTS:
        raise UserError(f"{where}: a prompt has the parts {', '.join(PARTS)}, in this order")
    for name, part in parts.items():
        if strange := set(_PLACE.findall(part)) - PLACES[name]:
            raise UserError(f"{where}: part {name} cannot name {min(strange)!r}")
    header = _header(file["header"], where)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(header=header, parts=parts, digest=digest)


def _header(text: str, where: str) -> PromptHeader:
    pairs = [line.partition(":") for line in text.splitlines()]
    values = {key.strip(): value.strip() for key, _, value in pairs}
    if len(values) != len(pairs):
        raise UserError(f"{where}: a key of the header stands twice")
    try:
        return PromptHeader.model_validate_strings(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{where}: header: {place}: {first['msg']}") from None
