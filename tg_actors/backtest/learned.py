"""What trained policies are worth: walk-forward, on bars that nothing was learned from or chosen on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from tg_actors.backtest.learning_market import Lessons
from tg_actors.backtest.teachers import Faculty, rigid_rule, teachers
from tg_actors.backtest.validation.bootstrap import Interval, interval, mean
from tg_actors.backtest.validation.evidence import Evidence, evidence
from tg_actors.backtest.validation.splits import WalkForward
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import sharpe_daily_365
from tg_actors.rl.classroom import Classroom, Fold
from tg_actors.rl.demonstrations import Teacher, blend
from tg_actors.rl.evaluation import Acting, Following, Played, disagreement, fixed_states, play
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS, Specialist, at_home

#: Of the days before a test window, the part on which weights and seeds are chosen.
_CHOOSE_FRAC = 0.25
#: The first test window begins after this part of all days.
_TRAIN_FRAC = 0.5
#: Days left out between parts: an opinion of the day before may still be held.
_GAP_DAYS = 1
_DAYS_MIN = 20
#: Pairs of policies that agree more often than this are one policy under two names.
DISAGREEMENT_MIN = 0.2
_STATES = 4_096
_DAY_NS = 86_400 * 10**9

#: Who was trained: by name, seed and fold.
Policies = Mapping[tuple[str, int, int], Acting]


def folds_of(lessons: Lessons, folds: int) -> tuple[Fold, ...]:
    """Cut the bars into whole UTC days, and those into folds: learn, choose, judge, one after the other.

    Raises:
        UserError: there are too few days.
    """
    first = int(np.argmax(lessons.close_ns % _DAY_NS == 0)) + 1
    a_day = lessons.bars_per_day
    days = (len(lessons.close_ns) - first) // a_day
    if days < _DAYS_MIN * (folds + 1):
        raise UserError(
            f"{days} whole days are too few for {folds} folds of training, choosing and judging: take "
            "--cycles more, another time, or fewer --folds"
        )
    walk = WalkForward(folds, round(_TRAIN_FRAC * days), horizon=_GAP_DAYS)
    cut = []
    for split in walk.split(days):
        known = len(split.train)
        choose = known - max(round(_CHOOSE_FRAC * known), 1)
        bounds = (choose - _GAP_DAYS, choose, known, int(split.test[0]), int(split.test[-1]) + 1)
        train_end, *others = (first + day * a_day for day in bounds)
        # A bar more in front: what is decided at its close is filled in the first of the days.
        cut.append(
            Fold(
                train_end=train_end,
                choose_first=others[0] - 1,
                choose_end=others[1],
                judge_first=others[2] - 1,
                judge_end=others[3],
            )
        )
    return tuple(cut)


class Against(Message):
    """The mean daily return beyond another's on the same days, and its interval; None where undefined."""

    name: str
    mean_bps: float
    interval: Interval | None


class Judged(Message):
    """One specialist out of sample; all returns are daily, after costs, on the days of all folds together.

    ``seeds_chosen`` won on the choosing bars of each fold, and ``evidence`` is theirs. ``sharpe_by_seed`` are
    ``sharpe_daily_365`` of each seed over all folds. ``home``: its reward a day at home beyond that of the
    generalist it came from, under the same cap; None for the generalist. ``disagreement`` with the others is
    on a fixed set of states. It is distinct when all pairs disagree often enough and it is better at home.
    """

    name: str
    model: str
    seeds_chosen: tuple[int, ...]
    seed_last: int
    returns_frac: tuple[float, ...]
    first_day: int = Field(ge=0)
    evidence: Evidence
    sharpe_by_seed: dict[int, float | None]
    against: tuple[Against, ...]
    home: Against | None
    disagreement: dict[str, float]
    is_distinct: bool
    exposure_frac_mean: float
    turnover_daily: float

    @property
    def sharpe_worst(self) -> float | None:
        """Of all seeds."""
        known = [one for one in self.sharpe_by_seed.values() if one is not None]
        return min(known, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """Policies and what they are judged on. ``values`` are those of the choosing bars; more is better."""

    room: Classroom
    lessons: Lessons
    faculties: Sequence[Faculty]
    policies: Policies
    values: Mapping[tuple[str, int, int], float]
    seeds: tuple[int, ...]
    seed: int = 0

    def judge(self, names: Sequence[str], trials: int) -> Iterator[Judged]:
        """Judge specialists; ``trials`` is how many attempts stand in the ledger for this market."""
        rivals = self._rivals()
        chosen = {name: [self._best(name, fold) for fold in self._folds] for name in {*names, GENERALIST}}
        last = self._folds[-1]
        minds = {name: self.policies[name, chosen[name][last], last] for name in chosen}
        states = fixed_states(self.room.judged_on(last), _STATES, self.seed)
        apart = disagreement(minds, states)
        for name in names:
            yield self._judged(SPECIALISTS[name], chosen, apart, rivals, trials)

    @property
    def _folds(self) -> range:
        return range(len(self.room.folds))

    def _best(self, name: str, fold: int) -> int:
        return max(self.seeds, key=lambda seed: self.values[name, seed, fold])

    def _judged(
        self,
        one: Specialist,
        chosen: Mapping[str, Sequence[int]],
        apart: Mapping[tuple[str, str], float],
        rivals: Mapping[str, F64],
        trials: int,
    ) -> Judged:
        picked = chosen[one.name]
        by_seed = {seed: self._returns(one, [seed] * len(self._folds)) for seed in self.seeds}
        returns = self._returns(one, picked)
        plays = [self._play(one, one.name, picked[fold], fold) for fold in self._folds]
        disagreeing = {
            other if first == one.name else first: frac
            for (first, other), frac in apart.items()
            if one.name in {first, other}
        }
        home = self._at_home(one, picked)
        return Judged(
            name=one.name,
            model=one.model,
            seeds_chosen=tuple(picked),
            seed_last=picked[-1],
            returns_frac=tuple(returns.tolist()),
            first_day=self._first_day,
            evidence=evidence(
                returns, name=one.model, costs=self.lessons.costs.sentence, seed=self.seed, trials=trials
            ),
            sharpe_by_seed={seed: sharpe_daily_365(row) for seed, row in by_seed.items()},
            against=tuple(self._against(name, returns - other) for name, other in rivals.items()),
            home=home,
            disagreement=disagreeing,
            is_distinct=_is_distinct(home, disagreeing),
            exposure_frac_mean=float(np.concatenate([np.abs(p.exposure) for p in plays]).mean()),
            turnover_daily=float(np.concatenate([p.turnover for p in plays]).mean())
            * self.lessons.bars_per_day,
        )

    @property
    def _first_day(self) -> int:
        """The first UTC day of all judged ones, counted from 1970."""
        return int(self.lessons.close_ns[self.room.folds[0].judge_first] // _DAY_NS)

    def _play(self, one: Specialist, name: str, seed: int, fold: int) -> Played:
        policy = self.policies[name, seed, fold]
        return play(policy, self.room.judged_on(fold), self.room.rules, one.reward)

    def _returns(self, one: Specialist, seeds: Sequence[int]) -> F64:
        parts = [self._play(one, one.name, seeds[fold], fold) for fold in self._folds]
        return np.concatenate([part.daily_returns(self.lessons.bars_per_day) for part in parts])

    def _at_home(self, one: Specialist, picked: Sequence[int]) -> Against | None:
        if one.name == GENERALIST:
            return None
        gained = []
        for fold in self._folds:
            mine = self._play(one, one.name, picked[fold], fold).reward
            trunk = self._play(one, GENERALIST, picked[fold], fold).reward
            market = self.room.judged_on(fold)
            there = at_home(one, market)[market.first : market.first + len(mine)]
            gained.append(_a_day((mine - trunk) * there, self.lessons.bars_per_day))
        return self._against(GENERALIST, np.concatenate(gained))

    def _against(self, name: str, difference: F64) -> Against:
        return Against(
            name=name,
            mean_bps=float(difference.mean()) * 1e4,
            interval=interval(difference, mean, seed=self.seed),
        )

    def _rivals(self) -> dict[str, F64]:
        """Daily returns of who must be beaten: nobody, the market, the best rule, the best rule by regime."""
        found: dict[str, list[F64]] = {"cash": [], "buy and hold": [], "rule": [], "rule by regime": []}
        for fold in self._folds:
            market, faculty = self.room.judged_on(fold), self.faculties[fold]
            days = self._follow(market, np.ones(market.close.shape))
            found["buy and hold"].append(days)
            found["cash"].append(np.zeros_like(days))
            by_regime = blend(teachers(self.lessons, faculty, SPECIALISTS[GENERALIST]))
            for name, rule in (("rule", rigid_rule(self.lessons, faculty)), ("rule by regime", by_regime)):
                found[name].append(self._follow(market, self._on(fold, rule)))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _on(self, fold: int, rule: Teacher) -> F64:
        one = self.room.folds[fold]
        return rule.targets[one.judge_first : one.judge_end]

    def _follow(self, market: LearningMarket, targets: F64) -> F64:
        held = targets if self.room.rules.shorts else np.maximum(targets, 0.0)
        return play(Following(held), market, self.room.rules).daily_returns(self.lessons.bars_per_day)


def _a_day(paid: F64, bars_per_day: int) -> F64:
    """Sums ``(days,)`` of what was paid ``(T, A)``, in the mean over the instruments."""
    whole = len(paid) // bars_per_day
    sums: F64 = paid[: whole * bars_per_day].mean(axis=1).reshape(whole, bars_per_day).sum(axis=1)
    return sums


def _is_distinct(home: Against | None, apart: Mapping[str, float]) -> bool:
    if home is None:
        return True
    is_better = home.interval is not None and home.interval.low > 0.0
    return is_better and min(apart.values(), default=0.0) >= DISAGREEMENT_MIN
