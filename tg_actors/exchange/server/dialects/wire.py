"""JSON as it comes from clients, strictly: no NaN, no duplicate keys; and times as text."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:\d\d)?)?")


def read_json(text: str | bytes) -> Any:
    """Parse one JSON value; numbers with a fraction become ``Decimal``.

    Raises:
        ValueError: no JSON, NaN or infinity, a key twice in one object, or nested too deeply.
    """
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates
        )
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error


def write_json(answer: object) -> str:
    """Write an answer without blanks, as the venues do."""
    return json.dumps(answer, separators=(",", ":"), allow_nan=False)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return names


def time_text(at_ns: int) -> str:
    """Write an instant as RFC 3339 in UTC with nanoseconds, without trailing zeros."""
    seconds, ns = divmod(at_ns, NS_PER_S)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{ns:09d}".rstrip("0").rstrip(".")
    return f"{stamp}{fraction}Z"


def read_time(text: str) -> int:
    """Read RFC 3339 or a bare date as UTC nanoseconds.

    Raises:
        ValueError: neither of them.
    """
    # A plus in a query that the client did not escape arrives as a blank.
    match = _RFC3339.fullmatch(
        text.strip().replace(" ", "+") if text.count(" ") == 1 and "T" in text else text.strip()
    )
    if match is None:
        raise ValueError(f"{text} is no RFC 3339 time")
    date, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in {None, "Z", "z"} else zone
    whole = datetime.fromisoformat(f"{date}T{clock or '00:00:00'}{offset}")
    return int(whole.timestamp()) * NS_PER_S + int((fraction or "0").ljust(9, "0"))
