"""Alpaca's UUIDs: made of our ordinals, so that an id can be read back without a table. Pure."""

import uuid
from enum import IntEnum
from uuid import UUID

_NAMES = UUID("6f9a3a6e-6d1f-5c0e-9a55-1d7a2f0c4b11")
_ORDINAL_BITS = 48
#: Version 4 and variant 1 in their places, as strict clients expect them.
_FORM = 0x0000_4000_8000 << _ORDINAL_BITS


class Space(IntEnum):
    """What an ordinal counts."""

    ORDER = 0xA1FACA01
    TRADE = 0xA1FACA02
    CLIENT = 0xA1FACA03


def make(space: Space, ordinal: int) -> str:
    """The UUID of an ordinal."""
    return str(UUID(int=(space << 96) | _FORM | ordinal))


def read(space: Space, text: str) -> int | None:
    """The ordinal inside a UUID; None when it is no UUID, or one of another space."""
    try:
        number = UUID(text).int
    except ValueError:
        return None
    ordinal = number & ((1 << _ORDINAL_BITS) - 1)
    return ordinal if number == ((space << 96) | _FORM | ordinal) else None


def of_name(kind: str, name: str) -> str:
    """The UUID of an asset or an account."""
    return str(uuid.uuid5(_NAMES, f"{kind} {name}"))
