"""Whether one run did better than another: paired daily returns, with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

import numpy as np

from tg_actors.backtest.validation.bootstrap import Interval, interval, mean
from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.portfolio.performance import DAY_NS, DAYS_FOR_A_YEARLY_RATE_MIN, DAYS_PER_YEAR, daily_returns

_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The equity of a run: ``at_ns (m,)`` strictly rising, ``equity (m,)`` in its reporting currency."""

    run: str
    at_ns: I64
    equity: F64

    @classmethod
    def of(cls, run: str, curve: Sequence[tuple[int, Decimal]]) -> Self:
        """Take the equity curve of a journal."""
        at_ns = np.array([at for at, _ in curve], dtype=np.int64)
        return cls(run, at_ns, np.array([float(mark) for _, mark in curve]))

    def by_day(self) -> dict[int, float]:
        """Return of each UTC day (days since 1970) between daily closes."""
        returns = daily_returns(self.at_ns, self.equity).tolist()
        last = (int(self.at_ns[-1]) - 1) // DAY_NS if len(self.at_ns) else 0
        return {last - len(returns) + 1 + k: value for k, value in enumerate(returns)}


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a run beat another, per year of daily differences, simple; None: too few days."""

    run: str
    against: str
    days: int
    yearly_frac: float
    interval: Interval | None

    @property
    def sentence(self) -> str:
        """The difference as a person may repeat it."""
        said = f"{self.run} - {self.against}: {self.yearly_frac:+.1%} a year over {self.days} common days"
        if self.interval is None:
            return f"{said}; too few days to say more"
        low, high = self.interval.low, self.interval.high
        verdict = "more than luck" if self.interval.excludes_zero else "not distinguishable from zero"
        return f"{said} [{low:+.1%}, {high:+.1%}] at {self.interval.level_frac:.0%}: {verdict}"

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        around = None if self.interval is None else self.interval.model_dump(mode="json")
        return {
            "run": self.run,
            "against": self.against,
            "days": self.days,
            "yearly_frac": self.yearly_frac,
            "interval": around,
            "sentence": self.sentence,
        }


def difference(run: Marks, against: Marks) -> Difference:
    """Compare two runs on the days that both have, by the stationary bootstrap of the paired differences.

    Raises:
        UserError: they have no day in common.
    """
    ours, theirs = run.by_day(), against.by_day()
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise UserError(f"{run.run} and {against.run} have no day in common: compare runs of the same time")
    apart = np.array([ours[day] - theirs[day] for day in common])
    yearly = float(apart.mean()) * DAYS_PER_YEAR
    found = None
    if len(common) >= DAYS_FOR_A_YEARLY_RATE_MIN and np.ptp(apart) > 0:
        found = interval(apart, lambda rows: mean(rows) * DAYS_PER_YEAR, seed=_SEED)
    return Difference(run.run, against.run, len(common), yearly, found)
