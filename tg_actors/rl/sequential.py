"""Is the challenger better than the champion? A paired test that may be looked at every day. Pure.

Each day gives one difference, challenger less champion. Whoever bets a part ``l`` of what he has on each next
one, ``w := w * (1 + l * x)``, does not gain on average while the challenger is no better, whatever the shape
of the differences: neither fat tails nor rare disasters (G. Shafer, V. Vovk, Game-Theoretic Foundations for
Probability and Finance, 2019; I. Waudby-Smith, A. Ramdas, Journal of the Royal Statistical Society B 86,
2024). So is the mean over rates fixed beforehand, and by Ville's inequality it ever reaches ``1 / alpha``
with a chance of at most ``alpha``: looks cost nothing. Only a day that costs more than all that was bet,
about 7 usual days, is not paid in full: that rate is then bankrupt for good. Disasters that have not happened
yet are what no test of days can see (``tg models gate --simulate`` shows how much).
"""

import math
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message

#: Rates of a plan, equally far from each other.
_RATES = 5
#: Against the challenger more is bet: who turns out bad should go soon, and a good one refused costs little.
_HASTE = 2.0
#: Logarithm of a rate's worth once it is bankrupt: nothing that can follow makes up for it.
_BANKRUPT = -1e6
#: Above this a number is not shown: exp would not be one.
_SHOWN_MAX = 700.0


class Side(StrEnum):
    """What the differences say so far."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    UNDECIDED = "undecided"


class SequentialPlan(Message):
    """How one looks: from day ``first_look_days`` on, every ``look_every_days``, up to ``horizon_days``.

    ``alpha_frac``: the chance that a challenger that is no better is ever promoted, at most. ``rate_max``:
    the largest of five equally spaced parts that are bet on a day, per usual difference; 0.15 is most
    sensitive to yearly Sharpe ratios of the difference of about 3.
    """

    alpha_frac: float = Field(default=0.05, gt=0, lt=1)
    first_look_days: int = Field(default=28, ge=1)
    look_every_days: int = Field(default=7, ge=1)
    horizon_days: int = Field(default=364, ge=1)
    rate_max: float = Field(default=0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _somebody_looks(self) -> Self:
        if self.first_look_days > self.horizon_days:
            raise ValueError("the first look comes after the horizon")
        return self

    @property
    def rates(self) -> tuple[float, ...]:
        """What is bet, rising."""
        return tuple(self.rate_max * (k + 1) / _RATES for k in range(_RATES))

    def is_look(self, days: int) -> bool:
        """Whether one looks after so many days."""
        since = days - self.first_look_days
        return since >= 0 and since % self.look_every_days == 0 and days <= self.horizon_days


class PairedDays(Message):
    """All that the test remembers: days, sum of squares of differences over ``scale_frac``, and two bets.

    ``scale_frac``: the usual size of a day's difference, fixed before the first day. Where the days so far
    were larger their size counts instead, so a wrong one costs sensitivity. ``up`` and ``down`` are the
    logarithms of what betting for and against the challenger has led to, one per rate.
    """

    scale_frac: float = Field(gt=0)
    days: int = Field(default=0, ge=0)
    squares: float = Field(default=0.0, ge=0)
    up: tuple[float, ...] = (0.0,) * _RATES
    down: tuple[float, ...] = (0.0,) * _RATES

    def then(self, difference_frac: float, plan: SequentialPlan) -> "PairedDays":
        """Return the memory one day later.

        Raises:
            ValueError: the difference is not a number.
        """
        if not math.isfinite(difference_frac):
            raise ValueError(f"a day's difference of {difference_frac} is not a number")
        unit = difference_frac / self.scale_frac
        usual = max(1.0, math.sqrt(self.squares / max(self.days, 1)))
        return PairedDays(
            scale_frac=self.scale_frac,
            days=self.days + 1,
            squares=self.squares + unit * unit,
            up=_bet(self.up, unit / usual, plan),
            down=_bet(self.down, -_HASTE * unit / usual, plan),
        )


def _bet(before: tuple[float, ...], unit: float, plan: SequentialPlan) -> tuple[float, ...]:
    """Return the logarithms after a day; who has lost everything has nothing to bet."""
    return tuple(
        worth + math.log1p(rate * unit) if rate * unit > -1.0 else _BANKRUPT
        for worth, rate in zip(before, plan.rates, strict=True)
    )


def log_evidence(worths: tuple[float, ...]) -> float:
    """Return the logarithm of the evidence: of the mean over all rates."""
    most = max(worths)
    return most + math.log(math.fsum(math.exp(worth - most) for worth in worths) / len(worths))


def evidence_for(seen: PairedDays) -> float:
    """Return the evidence that the challenger is better; ``1 / alpha_frac`` is enough."""
    return math.exp(min(log_evidence(seen.up), _SHOWN_MAX))


def evidence_against(seen: PairedDays) -> float:
    """Return the evidence that the challenger is worse; ``1 / alpha_frac`` is enough."""
    return math.exp(min(log_evidence(seen.down), _SHOWN_MAX))


def look(seen: PairedDays, plan: SequentialPlan) -> Side:
    """Say who is better after the days so far; both directions have their own ``alpha_frac``."""
    enough = -math.log(plan.alpha_frac)
    if log_evidence(seen.up) >= enough:
        return Side.CHALLENGER
    if log_evidence(seen.down) >= enough:
        return Side.CHAMPION
    return Side.UNDECIDED
