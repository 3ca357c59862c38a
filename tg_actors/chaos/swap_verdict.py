"""Judge a swap under load from what callers wrote down: who answered, when, how long it took. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from tg_actors.domain.message import Message

#: What ends so soon after a promotion belongs to its blip.
_BLIP_NS = 250 * 10**6


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: its version, None when it failed; ``right`` when the actions are that version's own."""

    began_ns: int
    ended_ns: int
    version: int | None
    right: bool
    tries: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Swap:
    """One promotion; a bad version must never answer."""

    at_ns: int
    version: int
    bad: bool = False


class Latency(Message):
    """Of so many requests, in milliseconds; None where there is none."""

    requests: int
    p50_ms: float | None
    p99_ms: float | None
    worst_ms: float | None


class SwapVerdict(Message):
    """What came of it. ``failed``, ``unknown_version``, ``mixed_up`` and ``bad_answers`` must be 0.

    ``unknown_version``: answered by a version that had not been promoted by then. ``mixed_up``: the actions
    are not those of the version that the answer names. ``blip``: what ended within 250 ms of a promotion.
    ``swap_ms``: from a promotion to the first answer by it. ``recovery_s``: from a replica's death until
    another had taken its place.
    """

    requests: int
    per_s: float
    failed: int
    first_try_failed: int
    unknown_version: int
    mixed_up: int
    bad_answers: int
    bad_refused: bool
    swaps: int
    swaps_seen: int
    overall: Latency
    blip: Latency
    swap_ms: Latency
    killed: int
    recovery_s: float | None
    first_failure: str = Field(default="", max_length=500)

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong, and something was tried."""
        wrong = self.failed + self.unknown_version + self.mixed_up + self.bad_answers
        recovered = self.killed == 0 or self.recovery_s is not None
        return wrong == 0 and self.requests > 0 and self.bad_refused and recovered


def judge(
    answers: Sequence[Answer],
    swaps: Sequence[Swap],
    *,
    bad_refused: bool,
    killed: int,
    recovery_s: float | None,
) -> SwapVerdict:
    """Say what came of a run; the first of ``swaps`` is the version that was in force before it."""
    done = [answer for answer in answers if answer.version is not None]
    since = {swap.version: swap.at_ns for swap in swaps if not swap.bad}
    bad = {swap.version for swap in swaps if swap.bad}
    failed = [answer for answer in answers if answer.version is None]
    span_s = (max(a.ended_ns for a in answers) - min(a.began_ns for a in answers)) / 1e9 if answers else 0.0
    good = [swap for swap in swaps[1:] if not swap.bad]
    seen = _seen(done, good)
    return SwapVerdict(
        requests=len(answers),
        per_s=round(len(answers) / span_s, 1) if span_s else 0.0,
        failed=len(failed),
        first_try_failed=sum(answer.tries > 1 for answer in answers) + len(failed),
        unknown_version=sum(
            a.ended_ns < since.get(a.version or 0, math.inf) for a in done if a.version not in bad
        ),
        mixed_up=sum(not answer.right for answer in done),
        bad_answers=sum(answer.version in bad for answer in done),
        bad_refused=bad_refused,
        swaps=len(good),
        swaps_seen=len(seen),
        overall=latency([a.ended_ns - a.began_ns for a in done]),
        blip=latency([a.ended_ns - a.began_ns for a in done if _near(a, swaps)]),
        swap_ms=latency(seen),
        killed=killed,
        recovery_s=recovery_s,
        first_failure=failed[0].why[:500] if failed else "",
    )


def latency(took_ns: Sequence[int]) -> Latency:
    """Sum durations up."""
    ordered = sorted(took_ns)

    def at(q: float) -> float | None:
        return round(ordered[max(math.ceil(q * len(ordered)) - 1, 0)] / 1e6, 3) if ordered else None

    return Latency(requests=len(ordered), p50_ms=at(0.5), p99_ms=at(0.99), worst_ms=at(1.0))


def _seen(done: Sequence[Answer], swaps: Sequence[Swap]) -> list[int]:
    """From each promotion to the first answer by it."""
    first: dict[int, int] = {}
    for answer in done:
        if answer.version is not None:
            first[answer.version] = min(answer.ended_ns, first.get(answer.version, answer.ended_ns))
    return [max(first[swap.version] - swap.at_ns, 0) for swap in swaps if swap.version in first]


def _near(answer: Answer, swaps: Sequence[Swap]) -> bool:
    return any(0 <= answer.ended_ns - swap.at_ns <= _BLIP_NS for swap in swaps[1:])
