"""What the judge says of a run: the invariants that were broken, and the figures."""

from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant: its number in the list of invariants, its kind, and what happened."""

    invariant: str
    kind: str
    sentence: str


@dataclass(slots=True)
class Verdict:
    """All violations of a run, and its figures."""

    violations: list[Violation] = field(default_factory=list)
    drift: Decimal = ZERO
    permits: int = 0

    def count(self, kind: str) -> int:
        """How many violations are of a kind."""
        return sum(1 for violation in self.violations if violation.kind == kind)
