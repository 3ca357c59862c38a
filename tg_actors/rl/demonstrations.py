"""Teachers' targets turned into what a policy can copy: what was seen, what they did, how much it was worth.

A teacher is any strategy with a target per bar and instrument. Some of the steps taken are random ones, so
that copies also learn the way back from where no teacher would have gone; the action shown is always the
teacher's own (S. Ross, G. Gordon, J. Bagnell, AISTATS 2011, with random instead of learned deviations).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import ACTIONS, Episodes
from tg_actors.rl.evaluation import levels_of, towards
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.presets import reward_preset


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """Targets ``(T, A)`` of -1..1 and what following them is worth ``(T, A)``: 0 or more, in any unit."""

    name: str
    targets: F64
    worth: F64


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What to copy: ``observed (n, F)``, ``actions (n, 2)``, and weights ``(n,)`` of mean 1."""

    observed: F32
    actions: NDArray[np.int64]
    weights: F64

    def __len__(self) -> int:
        return len(self.weights)


#: Share of the steps that are random.
_STRAY_FRAC = 0.2
_ROWS = 256


def demonstrate(
    market: LearningMarket,
    rules: EpisodeRules,
    teacher: Teacher,
    *,
    reward: str,
    samples: int,
    seed: int,
) -> Shown:
    """Let a teacher trade from random starts and write down what is worth copying.

    ``reward`` names the preset whose largest exposure holds. The same seed gives the same demonstrations.

    Raises:
        ValueError: nothing that the teacher does is worth anything.
    """
    levels = levels_of(teacher.targets, reward_preset(reward).level_max)
    if not rules.shorts:
        levels = np.maximum(levels, 0)
    episodes = Episodes(market, rules, _ROWS, seed, reward)
    rng = np.random.default_rng([seed, 1])
    observed, seen, done, weights = episodes.reset(), [], [], []
    for _ in range(max(samples // _ROWS, 1)):
        at = (episodes.bar, episodes.asset)
        actions = towards(episodes.level, levels[at])
        seen.append(observed)
        done.append(actions)
        weights.append(teacher.worth[at])
        random = np.column_stack([rng.integers(0, size, _ROWS) for size in ACTIONS])
        strays = rng.random(_ROWS) < _STRAY_FRAC
        observed = episodes.step(np.where(strays[:, np.newaxis], random, actions)).observed
    return _worthy(np.concatenate(seen), np.concatenate(done), np.concatenate(weights))


def _worthy(observed: F32, actions: NDArray[np.int64], weights: F64) -> Shown:
    kept = weights > 0.0
    if not kept.any():
        raise ValueError("nothing is worth copying on these bars")
    return Shown(observed[kept], actions[kept], weights[kept] / weights[kept].mean())


def blend(teachers: Sequence[Teacher]) -> Teacher:
    """Return the teacher who holds the mean of what others hold, each as far as it is worth something there.

    Where nobody is, it holds nothing.

    Raises:
        ValueError: there is nobody to blend.
    """
    if not teachers:
        raise ValueError("nobody teaches")
    worth = np.sum([one.worth for one in teachers], axis=0)
    held = np.sum([np.nan_to_num(one.targets) * one.worth for one in teachers], axis=0)
    return Teacher("blend", held / np.where(worth > 0.0, worth, 1.0), worth)
