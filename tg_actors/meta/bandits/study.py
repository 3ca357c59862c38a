"""How much each algorithm regrets where the best arm changes with a hidden regime. Pure, seeded.

A world has 5 arms and 3 regimes that last 300 steps on average. In each regime another arm is best, by 0.10
to 0.15; rewards are normal round 0.5 with a standard deviation of 0.15, cut to 0..1. Regret is what the best
arm of each step's regime would have brought more, in expectation, summed over the steps. A market is far
noisier: only the ranking matters.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.meta.bandits.specs import (
    AlgorithmSpec,
    DiscountedUcbSpec,
    Exp3Spec,
    GaussianThompsonSpec,
    LeaderSpec,
    LinUcbSpec,
    PerRegimeSpec,
    SlidingWindowUcbSpec,
    Ucb1Spec,
    UcbTunedSpec,
    open_bandit,
)

ARMS, REGIMES = 5, 3
_LASTS = 300
_CENTRE, _DEVIATION, _GAP = 0.5, 0.15, (0.10, 0.15)
#: Part of the steps on which a wrong regime is told.
_WRONG = 0.2

TEXTBOOK = "ucb1 c=2"
#: A selector that is worth having regrets at most this part of what textbook UCB1 does.
GOAL = 0.35


@dataclass(frozen=True, slots=True)
class Entrant:
    """One algorithm of the study; ``full`` ones see the rewards of all arms."""

    spec: AlgorithmSpec
    full: bool = False

    @property
    def sees_regimes(self) -> bool:
        """Whether it matters to it what it is told of the regime."""
        return isinstance(self.spec, LinUcbSpec | PerRegimeSpec) or getattr(self.spec, "by_regime", False)


ENTRANTS: Mapping[str, Entrant] = {
    TEXTBOOK: Entrant(Ucb1Spec(c=2.0)),
    "ucb1 c=0.1": Entrant(Ucb1Spec(c=0.1)),
    "ucb1 by variance": Entrant(Ucb1Spec()),
    "ucb_tuned": Entrant(UcbTunedSpec()),
    "discounted_ucb c=0.1": Entrant(DiscountedUcbSpec(c=0.1)),
    "sliding_window_ucb c=0.1": Entrant(SlidingWindowUcbSpec(c=0.1)),
    "gaussian_thompson discounted": Entrant(GaussianThompsonSpec()),
    "exp3": Entrant(Exp3Spec()),
    "linucb": Entrant(LinUcbSpec()),
    "per_regime ucb1 c=0.1": Entrant(PerRegimeSpec(each=Ucb1Spec(c=0.1))),
    "per_regime thompson": Entrant(PerRegimeSpec(each=GaussianThompsonSpec(discount=1.0))),
    "leader, all watched": Entrant(LeaderSpec(discount=0.97), full=True),
    "leader by regime, all watched": Entrant(LeaderSpec(discount=1.0, by_regime=True), full=True),
}

RANDOM, FIXED = "random", "best fixed arm in hindsight"


class Regret(Message):
    """Mean regret over the worlds, and its standard error; ``wrong`` with a fifth of the labels wrong.

    ``of_textbook`` is the regret as a part of textbook UCB1's, None where that did not play.
    """

    name: str
    of_textbook: float | None
    regret: float = Field(ge=0)
    error: float = Field(ge=0)
    regret_wrong: float = Field(ge=0)
    error_wrong: float = Field(ge=0)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Expected rewards ``(T, k)``, rewards ``(T, k)``, the regimes as told and as told wrongly ``(T, r)``."""

    expected: F64
    rewards: F64
    told: F64
    told_wrong: F64


def a_world(seed: int, steps: int) -> World:
    """Return one world; the same seed gives the same world."""
    rng = np.random.default_rng(seed)
    best = rng.permutation(ARMS)[:REGIMES]
    means = np.full((REGIMES, ARMS), _CENTRE)
    means[np.arange(REGIMES), best] += rng.uniform(*_GAP, REGIMES)
    regime = _regimes(rng, steps)
    wrong = np.where(rng.random(steps) < _WRONG, (regime + rng.integers(1, REGIMES, steps)) % REGIMES, regime)
    expected = means[regime]
    rewards = np.clip(expected + _DEVIATION * rng.standard_normal((steps, ARMS)), 0.0, 1.0)
    one_of = np.eye(REGIMES)
    return World(expected, rewards, one_of[regime], one_of[wrong])


def _regimes(rng: np.random.Generator, steps: int) -> NDArray[np.int64]:
    changes = rng.random(steps) < 1.0 / _LASTS
    moves = np.where(changes, rng.integers(1, REGIMES, steps), 0)
    regimes: NDArray[np.int64] = np.cumsum(moves) % REGIMES
    return regimes


def play(entrant: Entrant, world: World, told: F64, seed: int) -> NDArray[np.int64]:
    """Return the arms ``(T,)`` that an algorithm chose."""
    bandit, rng = open_bandit(entrant.spec, ARMS, REGIMES), np.random.default_rng(seed)
    every = np.ones(ARMS, dtype=np.bool_)
    chosen = np.empty(len(told), dtype=np.int64)
    for step, context in enumerate(told):
        arm = bandit.select(context, every, rng)
        chosen[step] = arm
        if entrant.full:
            bandit.update_all(world.rewards[step], context)
        else:
            bandit.update(arm, float(world.rewards[step, arm]), context)
    return chosen


def regret_of(world: World, chosen: NDArray[np.int64]) -> float:
    """Return what the best arm of each step would have brought more, in expectation."""
    picked = world.expected[np.arange(len(chosen)), chosen]
    return float((world.expected.max(axis=1) - picked).sum())


def study(worlds: Iterable[int], steps: int, entrants: Mapping[str, Entrant] = ENTRANTS) -> list[Regret]:
    """Let all algorithms play all worlds, each named by its seed; the least regret first."""
    kept: dict[str, list[tuple[float, float]]] = {}
    for seed in worlds:
        for name, right, wrong in _played(seed, steps, entrants):
            kept.setdefault(name, []).append((right, wrong))
    means = {name: float(np.mean([right for right, _ in pairs])) for name, pairs in kept.items()}
    rows = [_row(name, np.array(pairs), means.get(TEXTBOOK)) for name, pairs in kept.items()]
    return sorted(rows, key=lambda row: row.regret)


def reached(rows: Iterable[Regret]) -> tuple[str, ...]:
    """Return the names of those whose regret is at most ``GOAL`` of textbook UCB1's."""
    return tuple(row.name for row in rows if row.of_textbook is not None and row.of_textbook <= GOAL)


def _played(seed: int, steps: int, entrants: Mapping[str, Entrant]) -> Iterator[tuple[str, float, float]]:
    world = a_world(seed, steps)
    for name, entrant in entrants.items():
        right = wrong = regret_of(world, play(entrant, world, world.told, seed))
        if entrant.sees_regimes:
            wrong = regret_of(world, play(entrant, world, world.told_wrong, seed))
        yield name, right, wrong
    drawn = np.random.default_rng(seed).integers(0, ARMS, steps)
    fixed = np.full(steps, int(np.argmax(world.expected.sum(axis=0))))
    for name, chosen in ((RANDOM, drawn), (FIXED, fixed)):
        yield name, regret_of(world, chosen), regret_of(world, chosen)


def _row(name: str, pairs: F64, textbook: float | None) -> Regret:
    mean, error = pairs.mean(axis=0), pairs.std(axis=0) / np.sqrt(max(len(pairs) - 1, 1))
    right, wrong = ((float(mean[k]), float(error[k])) for k in range(2))
    return Regret(
        name=name,
        of_textbook=right[0] / textbook if textbook else None,
        regret=right[0],
        error=right[1],
        regret_wrong=wrong[0],
        error_wrong=wrong[1],
    )
