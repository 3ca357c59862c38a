"""The hash chain: each event carries the hash of the one before, so that no past can be rewritten."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic_core import to_jsonable_python

from tg_actors.domain.ids import sha256_text
from tg_actors.domain.message import Message

#: What the first event calls its predecessor.
GENESIS = "0" * 64

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False)


class Head(NamedTuple):
    """The newest event: its number and hash; ``Head(0, GENESIS)`` in an empty journal."""

    seq: int
    hash: str


def canonical(payload: Message | Mapping[str, object]) -> str:
    """Return the one JSON text of a payload: sorted keys, no spaces, ASCII, Decimals as strings.

    Raises:
        ValueError: a float is NaN or infinite.
    """
    if isinstance(payload, Message):
        return _ENCODER.encode(payload.model_dump(mode="json"))
    return _ENCODER.encode(to_jsonable_python(dict(payload), inf_nan_mode="constants"))


def link(
    prev_hash: str,
    *,
    seq: int,
    epoch: int,
    role: str,
    type: str,  # noqa: A002 - the column's name, so that a row can be passed as it is
    ref: str,
    cycle: int,
    at_ns: int,
    wall_ns: int,
    payload: str,
) -> str:
    """Return the hex SHA-256 that seals an event and, through ``prev_hash``, everything before it.

    Raises:
        ValueError: a text holds the unit separator. JSON escapes it, so a payload never does.
    """
    numbers = (str(seq), str(epoch), str(cycle), str(at_ns), str(wall_ns))
    return sha256_text(prev_hash, *numbers, role, type, ref, payload)
