"""Deterministic ids: the same decision always gets the same id, in every process and replay."""

import hashlib
import uuid


def sha256_text(*parts: str) -> str:
    """Return the hex SHA-256 of the parts joined by a separator that no part may contain.

    Raises:
        ValueError: a part holds the separator, which would make two inputs collide.
    """
    if any("\x1f" in part for part in parts):
        raise ValueError("an id part must not contain the unit separator")
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def intent_id(desk: str, account: str, cycle: int, symbol: str, side: str, leg: str) -> str:
    """Name a wish to trade by what it is; a second coordinator computes the same name."""
    return sha256_text("intent", desk, account, str(cycle), symbol, side, leg)


def client_order_id(intent: str) -> str:
    """Return the id sent to the venue: a UUID made of the first 128 bits of the intent id."""
    return str(uuid.UUID(hex=intent[:32]))


def cycle_id(desk: str, cycle: int, snapshot_hash: str) -> str:
    """Name one decision cycle: desk, ordinal and the market it looked at."""
    return sha256_text("cycle", desk, str(cycle), snapshot_hash)[:16]
