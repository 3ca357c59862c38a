"""Challengers are made and judged by walk-forward: learn on the past, be judged on the next days, go on.

A *ground* is a market with whole days, its costs, and the rigid rules that are known there. Everything here
follows from ground, schooling, seeds, and how a policy is made (:mod:`tg_actors.backtest.apprentice`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from pydantic import Field

from tg_actors.backtest.model_gate import GateSample
from tg_actors.backtest.shelf import Shelf
from tg_actors.backtest.validation.bootstrap import sharpe_yearly_365
from tg_actors.backtest.validation.splits import WalkForward
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.evaluation import Acting, Following, play
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.plans import CloningPlan, TrainingPlan
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.presets import DEFAULT_REWARD

Arrays = Mapping[str, F32]
#: Days of a challenger and the champion, and the sequential test, are scaled by at least this difference.
_SCALE_FRAC_MIN = 1e-5


class Schooling(Message):
    """How challengers are made: rolling windows of ``train_days``, each judged on the next ``test_days``.

    Between them lies a day that belongs to neither. In every window the best rigid rule of its training days
    is cloned from ``demonstrations`` steps, then the policy plays for itself by ``training``; so for each of
    ``seeds``. ``learner`` names the specialist that is trained, ``reward`` its preset.
    """

    train_days: int = Field(default=180, ge=5)
    test_days: int = Field(default=30, ge=1)
    windows: int = Field(default=8, ge=1)
    seeds: int = Field(default=10, ge=1)
    demonstrations: int = Field(default=8_000, ge=100)
    cloning: CloningPlan = Field(default_factory=CloningPlan)
    training: TrainingPlan = Field(default_factory=lambda: TrainingPlan(steps=200_000, anchor=0.1))
    reward: str = DEFAULT_REWARD
    learner: str = "generalist"

    @property
    def days(self) -> int:
        """Days that one attempt needs."""
        return self.train_days + self.windows * self.test_days


class Rigid(NamedTuple):
    """A rule that never learns: its name and its targets ``(T, A)`` on every bar."""

    name: str
    targets: F64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ground:
    """What is known of a market up to now.

    Bar ``0`` of ``market`` opens ``first_day`` (days since 1970-01-01 UTC), ``bars_per_day`` make a day.
    ``rigid`` finds the rule that was best on days counted from ``first_day``; ``key`` names the market in
    records, ``costs`` says in words what is deducted, ``symbols`` are its instruments.
    """

    key: str
    costs: str
    symbols: tuple[str, ...]
    market: LearningMarket
    rules: EpisodeRules
    bars_per_day: int
    bar_ns: int
    first_day: int
    rigid: Callable[[int, int], Rigid]

    @property
    def end_day(self) -> int:
        """The day after the last whole one."""
        return self.first_day + len(self.market.close) // self.bars_per_day

    @property
    def begin_day(self) -> int:
        """The first day whose day before is past the warm-up."""
        return self.first_day + 1 + -(-self.market.first // self.bars_per_day)

    def until(self, end_day: int) -> "Ground":
        """Return what was known before a day; nothing later can be seen through it."""
        bars = (end_day - self.first_day) * self.bars_per_day
        return replace(self, market=self.market.slice(0, bars))

    def days(self, begin: int, end: int) -> LearningMarket:
        """Return the bars of days ``begin`` to before ``end``, with the one bar before that decides first."""
        first = (begin - self.first_day) * self.bars_per_day - 1
        return self.market.slice(first, (end - self.first_day) * self.bars_per_day)

    def targets(self, rule: Rigid, begin: int, end: int) -> F64:
        """Return a rule's targets on the bars of :meth:`days`."""
        first = (begin - self.first_day) * self.bars_per_day - 1
        return rule.targets[first : (end - self.first_day) * self.bars_per_day]


#: Trains one policy on the days from the first number to before the second, by a seed; equal arguments give
#: equal weights.
Maker = Callable[[Ground, Schooling, int, int, int], dict[str, F32]]


#: First day of training and the day after its last, first test day and the day after the last one.
Window = tuple[int, int, int, int]


class Outcome(NamedTuple):
    """Daily returns ``(days,)``, and what is traded a day as a part of the equity."""

    returns: F64
    turnover_daily: float


def outcome(
    ground: Ground, policy: Acting, begin: int, end: int, reward: str, *, costs_times: int = 1
) -> Outcome:
    """Let a policy trade the days ``begin`` to before ``end``, from flat, at a multiple of the costs."""
    market = ground.days(begin, end)
    if costs_times != 1:
        market = replace(market, worse=market.worse * costs_times)
    rules = replace(ground.rules, fee_frac=ground.rules.fee_frac * costs_times)
    played = play(policy, market, rules, reward)
    traded = float(played.turnover.sum(axis=0).mean()) / (end - begin)
    return Outcome(played.daily_returns(ground.bars_per_day), traded)


@dataclass(frozen=True, slots=True, eq=False)
class Schooled:
    """A challenger, what the gate is to judge, and the usual daily difference to the champion."""

    arrays: dict[str, F32]
    sample: GateSample
    seed: int
    scale_frac: float
    first_day: int
    train_from_day: int


def school(
    ground: Ground,
    schooling: Schooling,
    champion: Acting,
    trials: int,
    *,
    make: Maker,
    shelf: Shelf,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> Schooled:
    """Make a challenger for the days after ``ground`` ends, and what shows whether it is any good.

    Every window trains all seeds on its own past and plays them on its test days; the one that is handed over
    is trained on the newest days with the seed that was typical. The rigid rule it is held against was the
    best one before the first test day and never changes. ``tell`` hears how many trainings are done.

    Raises:
        ValueError: there are too few days.
    """
    windows = _windows(ground, schooling)
    count, done = len(windows) * schooling.seeds + 1, 0
    rows: list[list[Outcome]] = [[] for _ in range(schooling.seeds)]
    stressed: list[list[Outcome]] = [[] for _ in range(schooling.seeds)]
    for seed in range(schooling.seeds):
        for begin, end, test, last in windows:
            policy = NumpyPolicy(_made(make, shelf, ground, schooling, begin, end, seed))
            rows[seed].append(outcome(ground, policy, test, last, schooling.reward))
            stressed[seed].append(outcome(ground, policy, test, last, schooling.reward, costs_times=2))
            done += 1
            tell(done, count)
    rule = ground.rigid(windows[0][0], windows[0][1])
    sample = GateSample(
        seeds=_joined(rows),
        stressed=_joined(stressed),
        champion=_over(ground, champion, windows, schooling.reward),
        rule=_followed(ground, rule, windows, schooling.reward),
        tried=np.zeros((schooling.windows * schooling.test_days, 0)),
        windows=schooling.windows,
        turnover_daily=np.array([np.mean([one.turnover_daily for one in row]) for row in rows]),
        trials=trials,
    )
    newest = ground.end_day - schooling.train_days
    arrays = _made(make, shelf, ground, schooling, newest, ground.end_day, sample.typical)
    tell(count, count)
    apart = sample.challenger - sample.champion
    return Schooled(
        arrays=arrays,
        sample=sample,
        seed=sample.typical,
        scale_frac=max(float(apart.std(ddof=1)), _SCALE_FRAC_MIN),
        first_day=windows[0][2],
        train_from_day=newest,
    )


def best_rule(
    rules: Mapping[str, F64], ground: Ground, reward: str = DEFAULT_REWARD
) -> Callable[[int, int], Rigid]:
    """Return what finds the rule of the highest Sharpe ratio on some days; it remembers what it has found."""
    found: dict[tuple[int, int], Rigid] = {}

    def rigid(begin: int, end: int) -> Rigid:
        if (begin, end) not in found:
            all_ = [Rigid(name, targets) for name, targets in rules.items()]
            returns = [
                outcome(ground, Following(ground.targets(one, begin, end)), begin, end, reward).returns
                for one in all_
            ]
            scores = np.nan_to_num(sharpe_yearly_365(np.array(returns)))
            found[begin, end] = all_[int(scores.argmax())]
        return found[begin, end]

    return rigid


def _windows(ground: Ground, schooling: Schooling) -> list[Window]:
    first = ground.end_day - schooling.days
    if first < ground.begin_day:
        raise ValueError(f"{ground.end_day - ground.begin_day} days are fewer than {schooling.days}")
    walk = WalkForward(folds=schooling.windows, train_min=schooling.train_days, embargo=1, rolling=True)
    return [
        (first + int(train[0]), first + int(train[-1]) + 1, first + int(test[0]), first + int(test[-1]) + 1)
        for train, test in walk.split(schooling.days)
    ]


def _joined(rows: list[list[Outcome]]) -> F64:
    return np.array([np.concatenate([one.returns for one in row]) for row in rows])


def _followed(ground: Ground, rule: Rigid, windows: list[Window], reward: str) -> F64:
    """Daily returns of a rule on the test days, from flat in every window as everybody."""
    followers = [(Following(ground.targets(rule, t, e)), t, e) for *_, t, e in windows]
    return np.concatenate([outcome(ground, one, t, e, reward).returns for one, t, e in followers])


def _over(ground: Ground, policy: Acting, windows: list[Window], reward: str) -> F64:
    return np.concatenate([outcome(ground, policy, t, e, reward).returns for *_, t, e in windows])


def _made(
    make: Maker, shelf: Shelf, ground: Ground, schooling: Schooling, begin: int, end: int, seed: int
) -> dict[str, F32]:
    name = _name(ground, schooling, begin, end, seed)
    arrays = shelf.get(name)
    if arrays is None:
        arrays = make(ground, schooling, begin, end, seed)
        shelf.put(name, arrays)
    return arrays


def _name(ground: Ground, schooling: Schooling, begin: int, end: int, seed: int) -> str:
    """Name a training by all that it follows from, but the windows that only judge it.

    The bars themselves count too: neither corrected data nor another slippage may find what was trained
    without them.
    """
    how = schooling.model_dump_json(include={"demonstrations", "cloning", "training", "reward", "learner"})
    market = ground.days(begin, end)
    text = f"{ground.key}\x1f{ground.rules}\x1f{how}\x1f{begin}\x1f{end}\x1f{seed}\x1f{market.names}"
    sha = hashlib.sha256(text.encode())
    for array in (market.open_, market.close, market.observed, market.worse, market.funding):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:32]
