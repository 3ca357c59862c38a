"""Who asks, and whether it is really they: keys, HMAC-SHA256 signatures, the receive window. Pure."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import IntEnum

from tg_actors.exchange.server.dialects.binance import refusals
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.wire import NS_PER_MS

RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
_AHEAD_MS_MAX = 1_000

_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


class Security(IntEnum):
    """What an endpoint asks of its caller; each asks all that the ones before it ask."""

    PUBLIC = 0
    KEYED = 1
    SIGNED = 2
    TRADE = 3


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was signed, and the signature that came with it."""

    text: str
    signature: str


def seal_of_query(query: str, body: str) -> Sealed:
    """Take the signature out of query and form, which are signed as one text without anything between."""
    found = [*_SIGNATURE.finditer(query), *_SIGNATURE.finditer(body)]
    bare = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    return Sealed(bare.removeprefix("&"), found[-1].group(2) if found else "")


def seal_of_params(params: Params) -> Sealed:
    """Take what the WebSocket API signs."""
    return Sealed(params.signed_text(), params.find("signature") or "")


def sign(secret: str, text: str) -> str:
    """HMAC-SHA256 in hexadecimal, the secret used as it is written."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_signature(secret: str, sealed: Sealed) -> None:
    """Raises: Refusal -1102 without a signature, -1022 with a wrong one."""
    if not sealed.signature:
        raise refusals.Refusal(
            -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed."
        )
    given = sealed.signature.lower().encode("ascii", "replace")
    if not hmac.compare_digest(sign(secret, sealed.text).encode(), given):
        raise refusals.BAD_SIGNATURE.refusal()


def deadline_ns(params: Params, wall_ns: int) -> int:
    """Check timestamp and receive window; return until when (wall time) the request may be executed.

    Raises:
        Refusal: -1021 outside of the window, -1131 for a window above 60 s.
    """
    sent_ms = params.integer("timestamp")
    if sent_ms is None:
        raise refusals.Refusal(
            -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        )
    window_ms = params.integer("recvWindow", RECV_WINDOW_MS) or RECV_WINDOW_MS
    if window_ms > RECV_WINDOW_MS_MAX:
        raise refusals.WINDOW_TOO_WIDE.refusal()
    now_ms = wall_ns // NS_PER_MS
    if sent_ms >= now_ms + _AHEAD_MS_MAX:
        raise refusals.TOO_EARLY.refusal()
    if now_ms - sent_ms > window_ms:
        raise refusals.TOO_LATE.refusal()
    return (sent_ms + window_ms) * NS_PER_MS
