"""How long a desk stood still after each blow, read from its journal, pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tg_actors.chaos.evidence import Fact

_NS = 1_000_000_000
#: Roles that take a lease when they start: their first cycle after it is the proof that they are back.
_LEASED = {"ExecutorActor": "executor", "CoordinatorActor": "coordinator"}


@dataclass(frozen=True, slots=True)
class Blow:
    """Who of a desk was hit, and when; ``victim`` is the class of the actor, or what else was hit."""

    desk: str
    victim: str
    wall_ns: int


def recovery_s(blow: Blow, facts: Sequence[Fact]) -> float | None:
    """Seconds from a blow to the next cycle with its victim's successor; None when there is none.

    Executor and coordinator take a lease when they start: the first cycle decided after the next
    lease counts. Of the others the second cycle after the blow counts: the first may have been
    heard before it.
    """
    cycles = [fact.wall_ns for fact in facts if fact.type == "CycleDecided"]
    role = _LEASED.get(blow.victim)
    if role is None:
        after, skipped = blow.wall_ns, 1
    else:
        leases = [f.wall_ns for f in facts if f.type == "LeaseTaken" and f.role == role]
        back = bisect_right(leases, blow.wall_ns)
        if back == len(leases):
            return None
        after, skipped = leases[back], 0
    settled = bisect_right(cycles, after) + skipped
    return None if settled >= len(cycles) else (cycles[settled] - blow.wall_ns) / _NS


def quantile(values: Sequence[float], q: float) -> float | None:
    """The smallest value that at least a part ``q`` of all does not exceed; None of nothing."""
    return sorted(values)[max(math.ceil(q * len(values)) - 1, 0)] if values else None
