"""Order and trade ids in Kraken's form (``OXXXXX-XXXXX-XXXXXX``), made of our ordinals and back. Pure.

An id is 80 bits in base 32: 32 bits of a hash of the ordinal, and the ordinal itself hidden by it, so
that ids look like Kraken's, do not show how many orders there are, and a mistyped one is no id.
"""

import base64
import hashlib
import re

_FORM = re.compile(r"([OT])([A-Z2-7]{5})-([A-Z2-7]{5})-([A-Z2-7]{6})")
_CHECK_BYTES, _NUMBER_BYTES = 4, 6


def txid(kind: str, number: int) -> str:
    """The id of an order (``O``) or a trade (``T``)."""
    check, mask = _hash(kind, number)
    hidden = (number ^ mask).to_bytes(_NUMBER_BYTES)
    text = base64.b32encode(check + hidden).decode()
    return f"{kind}{text[:5]}-{text[5:10]}-{text[10:]}"


def number_of(kind: str, text: str) -> int | None:
    """The ordinal in an id; None when it is none of ours."""
    found = _FORM.fullmatch(text)
    if found is None or found[1] != kind:
        return None
    raw = base64.b32decode("".join(found.groups()[1:]))
    check, hidden = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    number = int.from_bytes(hidden) ^ _mask(check)
    return number if _hash(kind, number)[0] == check else None


def _hash(kind: str, number: int) -> tuple[bytes, int]:
    check = hashlib.sha256(f"{kind}{number}".encode()).digest()[:_CHECK_BYTES]
    return check, _mask(check)


def _mask(check: bytes) -> int:
    return int.from_bytes(hashlib.sha256(check).digest()[:_NUMBER_BYTES])
