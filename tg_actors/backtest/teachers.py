"""Who teaches a policy: the baselines that earned most in each regime of the training bars, after costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tg_actors.backtest.baselines.family import Baseline
from tg_actors.backtest.baselines.library import library
from tg_actors.backtest.learning_market import Lessons
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import DayGrid, run_baselines
from tg_actors.domain.blocks import F64
from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.rl.demonstrations import Teacher
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.specialists import Specialist

#: Teachers of a specialist beside cash.
TEACHERS = 4
#: Families that say nothing of the market, or only what no policy can see: the calendar.
_MUTE = frozenset({"random", "hour", "weekday", "month_turn", "cash", "buy_and_hold", "constant_mix", "dca"})


@dataclass(frozen=True, slots=True, eq=False)
class Faculty:
    """What every baseline earned on some training bars.

    ``earned (k, R)`` is the mean daily return after costs in each regime, ``error (k, R)`` its standard
    error; ``end`` is the bar before which all of it happened.
    """

    members: tuple[Baseline, ...]
    earned: F64
    error: F64
    end: int

    def chosen(self, one: Specialist, count: int = TEACHERS) -> list[int]:
        """Return the members that are best for a specialist, best first: by mean over standard error.

        Each counts in its home regimes; who lost there teaches nobody.
        """
        home = [k for k, regime in enumerate(REGIMES) if not one.home or regime.value in one.home]
        score = (self.earned[:, home] / self.error[:, home]).mean(axis=1)
        order = np.argsort(-score, kind="stable")
        wanted = [k for k in order if not one.families or self.members[k].family.name in one.families]
        return [int(k) for k in wanted[:count] if score[k] > 0.0]


def faculty(lessons: Lessons, end: int, *, shorts: bool, only: Sequence[str] = ()) -> Faculty:
    """Play the baselines on the bars before ``end`` of every world and note who earned what in which regime.

    Raises:
        UserError: there is no such family.
    """
    members = tuple(
        one
        for one in library(lessons.worlds[0].bar_ns, only)
        if one.family.name not in _MUTE and (shorts or "both" not in one.parameters)
    )
    total, square, weight = (np.zeros((len(members), len(REGIMES))) for _ in range(3))
    first = 0
    for world in lessons.worlds:
        bars = world.slice(0, end)
        returns = np.array([one.returns for one in run_baselines(bars, members, lessons.costs)])
        regimes = _regimes_a_day(lessons.market, bars, first)
        total += returns @ regimes
        square += (returns * returns) @ regimes
        weight += regimes.sum(axis=0)
        first += len(world.symbols)
    known = np.maximum(weight, 1e-9)
    earned = total / known
    error = np.sqrt(np.maximum(square / known - earned * earned, 0.0) / np.maximum(known, 1.0))
    return Faculty(members, earned, np.maximum(error, 1e-6), end)


def teachers(lessons: Lessons, found: Faculty, one: Specialist, count: int = TEACHERS) -> list[Teacher]:
    """Return a specialist's teachers on all bars, cash the last of them; the future chose none of them.

    A teacher's action is worth what it earned in the regime of the bar, cash what the average baseline lost.
    """
    chances = np.stack([lessons.market.column(f"p_{regime.value}") for regime in REGIMES], axis=-1)
    taught = [
        Teacher(found.members[k].name, _targets(lessons, found.members[k]), _worth(chances, found.earned[k]))
        for k in found.chosen(one, count)
    ]
    lost = _worth(chances, -found.earned.mean(axis=0))
    return [*taught, Teacher("cash", np.zeros(chances.shape[:2]), lost)]


def rigid_rule(lessons: Lessons, found: Faculty) -> Teacher:
    """Return the one baseline that earned most for its risk on the faculty's bars, in all regimes alike."""
    score = (found.earned / found.error).mean(axis=1)
    best = found.members[int(np.argmax(score))]
    return Teacher(best.name, _targets(lessons, best), np.ones(lessons.market.close.shape))


def _targets(lessons: Lessons, member: Baseline) -> F64:
    """Targets ``(T, A)`` of a baseline on every world; each looks back only."""
    return np.concatenate([member.targets(study) for study in lessons.studies], axis=1)


def _worth(chances: F64, earned: F64) -> F64:
    worth: F64 = chances @ np.maximum(earned, 0.0)
    return worth


def _regimes_a_day(market: LearningMarket, bars: MarketBars, first: int) -> F64:
    """Mean probability of every regime ``(days, R)`` on each day of a world's bars."""
    days = DayGrid(bars.close_ns, bars.bar_ns).day_ns
    day = np.clip(np.searchsorted(days, bars.close_ns, side="left"), 0, len(days) - 1)
    chances = np.stack([market.column(f"p_{one.value}")[: len(bars), first] for one in REGIMES], axis=1)
    sums = np.zeros((len(days), len(REGIMES)))
    np.add.at(sums, day, chances)
    means: F64 = sums / np.maximum(np.bincount(day, minlength=len(days)), 1)[:, np.newaxis]
    return means
