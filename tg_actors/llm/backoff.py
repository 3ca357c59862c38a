"""What to do after a failed attempt, pure: wait and ask again, ask without a parameter, or give up."""

import hashlib
from dataclasses import dataclass

from tg_actors.llm.faults import Fault, FaultKind

#: Failures after which the same question may be asked again in the same decision.
_REPEATABLE = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.OVERLOADED,
        FaultKind.SERVER,
        FaultKind.TRANSPORT,
        FaultKind.UNREACHABLE,
        FaultKind.MALFORMED,
    }
)
_FIRST_S, _MOST_S = 0.5, 8.0
#: A wait is shortened by up to this part, so that many askers do not come back at once.
_JITTER = 0.25


@dataclass(frozen=True, slots=True)
class Next:
    """The next step: wait ``wait_s`` and ask again, without ``drop`` where there is one; None: give up."""

    wait_s: float | None
    drop: str | None = None


GIVE_UP = Next(None)


def jitter(key: str, attempt: int) -> float:
    """Return 0..1 from what is asked and how often: spread over askers, yet the same in a replay."""
    digest = hashlib.sha256(f"{key}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def next_step(
    fault: Fault, attempt: int, attempts_max: int, remaining_s: float, key: str, dropped: frozenset[str]
) -> Next:
    """Return what to do after attempt number ``attempt`` (from 1 on) has failed.

    A vendor's own word on waiting is a lower bound; who would wait past the deadline gives up at once.
    """
    if attempt >= attempts_max:
        return GIVE_UP
    if fault.parameter is not None and fault.parameter not in dropped:
        return Next(0.0, fault.parameter)
    if fault.kind not in _REPEATABLE:
        return GIVE_UP
    wait_s = min(_FIRST_S * 2.0 ** (attempt - 1), _MOST_S) * (1.0 - _JITTER * jitter(key, attempt))
    wait_s = max(wait_s, fault.retry_after_s or 0.0)
    return Next(wait_s) if wait_s < remaining_s else GIVE_UP
