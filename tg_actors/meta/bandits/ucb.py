"""Optimism in the face of uncertainty: upper confidence bounds.

Rewards lie in 0..1. An arm never tried has an infinite bound.
"""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import CountingBandit

#: Of rewards with the largest variance, 1/4, the textbook's c is 2: c grows with the variance.
_C_OF_VARIANCE = 8.0


def _bounds(means: F64, count: F64, c: float | F64, seen: float) -> F64:
    """Return ``mean + sqrt(c * ln(seen) / count)``."""
    known = count > 0
    width = np.sqrt(c * log(max(seen, 1.0)) / np.where(known, count, 1.0))
    return np.where(known, means + width, np.inf)


class Ucb1(CountingBandit):
    """UCB1: ``mean + sqrt(c * ln(t) / n)`` (Auer, Cesa-Bianchi, Fischer 2002, with c = 2).

    Without ``c`` it follows the rewards' own spread: 8 times their pooled variance within arms, which is the
    textbook's 2 for rewards that are 0 or 1 by the toss of a coin.
    """

    def __init__(self, arms: int, c: float | None = None) -> None:
        super().__init__(arms)
        self._c = c

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the upper bounds."""
        del rng
        c = _C_OF_VARIANCE * self.deviation(context) ** 2 if self._c is None else self._c
        count = self.state["count"]
        return _bounds(self.means(context), count, c, float(count.sum()))


class UcbTuned(CountingBandit):
    """UCB-tuned: each arm's own variance, at most 1/4 (Auer et al. 2002, section 4)."""

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the upper bounds."""
        del rng
        count = self.state["count"]
        seen = float(count.sum())
        wide = np.sqrt(2.0 * log(max(seen, 1.0)) / np.where(count > 0, count, 1.0))
        return _bounds(self.means(context), count, np.minimum(0.25, self.variances() + wide), seen)


class DiscountedUcb(CountingBandit):
    """D-UCB: UCB1 on discounted counts and means (Garivier and Moulines 2011; c = 2 is their B=1, xi=1/2)."""

    def __init__(self, arms: int, c: float, discount: float) -> None:
        super().__init__(arms, discount)
        self._c = c

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the upper bounds."""
        del rng
        count = self.state["count"]
        return _bounds(self.means(context), count, self._c, float(count.sum()))


class SlidingWindowUcb(CountingBandit):
    """SW-UCB: UCB1 on the newest ``window`` steps (Garivier and Moulines 2011).

    ``ring (window, k)`` holds the rewards of each step, NaN where an arm was not seen.
    """

    arm_axes: ClassVar[Mapping[str, int | None]] = {"ring": 1, "step": None}

    def __init__(self, arms: int, c: float, window: int) -> None:
        super().__init__(arms)
        self._c, self._window = c, window
        self.state |= {"ring": np.full((window, arms), np.nan), "step": np.zeros(1)}

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the upper bounds; t is the number of steps in the window."""
        del rng
        seen = min(float(self.state["step"][0]), float(self._window))
        return _bounds(self.means(context), self.state["count"], self._c, seen)

    def _tick(self, context: F64) -> None:
        del context
        row = self.state["ring"][int(self.state["step"][0]) % self._window]
        for arm in np.flatnonzero(np.isfinite(row)).tolist():
            old = row[arm]
            self.state["count"][arm] -= 1.0
            # A sum that nothing is left of is 0, not the rounding of what was taken away.
            gone = self.state["count"][arm] == 0.0
            self.state["total"][arm] = 0.0 if gone else self.state["total"][arm] - old
            self.state["square"][arm] = 0.0 if gone else self.state["square"][arm] - old * old
        row[:] = np.nan
        self.state["step"] += 1.0

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        super()._credit(arm, reward, context)
        self.state["ring"][int(self.state["step"][0] - 1.0) % self._window, arm] = reward
