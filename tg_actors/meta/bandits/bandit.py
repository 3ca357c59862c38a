"""What every bandit is: arms with scores, a memory of named arrays, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

Mask = NDArray[np.bool_]

#: The largest variance that a reward in 0..1 can have; assumed until something has been seen.
VARIANCE_MAX = 0.25
_VARIANCE_MIN = 1e-8


#: What arm of another crew each arm was, None for a new one.
Rows = Sequence[int | None]


def moved(mine: F64, theirs: F64, rows: Rows, axis: int = 0) -> F64:
    """Return ``mine`` with what ``theirs`` holds of the arms that both have, which lie along ``axis``."""
    result = mine.copy()
    new = [k for k, row in enumerate(rows) if row is not None]
    old = [row for row in rows if row is not None]
    np.moveaxis(result, axis, 0)[new] = np.moveaxis(theirs, axis, 0)[old]
    return result


class Bandit(ABC):
    """Chooses among ``k`` arms and learns from rewards in 0..1.

    ``context (d,)`` are the probabilities of the regimes, non-negative with sum 1; a bandit that is blind to
    them ignores it. Everything it remembers is in ``state``, by name; equal states and equal random numbers
    choose equally.
    """

    #: Where the arms do not lie along the first axis of an array of ``state``; None: it holds no arms.
    arm_axes: ClassVar[Mapping[str, int | None]] = {}

    def __init__(self, arms: int) -> None:
        self.arms = arms
        self.state: dict[str, F64] = {}

    @abstractmethod
    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the index ``(k,)`` by which arms are chosen; infinite for an arm never tried."""

    @abstractmethod
    def means(self, context: F64) -> F64:
        """Return the reward ``(k,)`` that is expected of each arm, 0.5 where nothing is known."""

    @abstractmethod
    def pulls(self, context: F64) -> F64:
        """Return how many rewards ``(k,)`` each expectation still rests on."""

    @abstractmethod
    def _tick(self, context: F64) -> None:
        """Let one step pass, before its rewards are credited."""

    @abstractmethod
    def _credit(self, arm: int, reward: float, context: F64) -> None:
        """Take in the reward of one arm."""

    def select(self, context: F64, mask: Mask, rng: np.random.Generator) -> int:
        """Return the best arm that ``mask`` allows, the first of equals.

        Raises:
            ValueError: the mask allows none.
        """
        if not mask.any():
            raise ValueError("no arm may be chosen")
        return int(np.argmax(np.where(mask, self.scores(context, rng), -np.inf)))

    def update(self, arm: int, reward: float, context: F64) -> None:
        """Learn from the arm that was chosen."""
        self._tick(context)
        self._credit(arm, reward, context)

    def update_all(self, rewards: F64, context: F64) -> None:
        """Learn from one step of every arm that was watched; NaN where it was not."""
        self._tick(context)
        for arm in np.flatnonzero(np.isfinite(rewards)).tolist():
            self._credit(arm, float(rewards[arm]), context)

    def warm(self, means: F64, deviations: F64, pulls: F64, context: F64) -> None:
        """Begin with what is known of each arm ``(k,)``: as if so many rewards had been seen."""
        for pull in range(int(pulls.max(initial=0.0))):
            rewards = np.clip(means + (deviations if pull % 2 else -deviations), 0.0, 1.0)
            self.update_all(np.where(pull < pulls, rewards, np.nan), context)

    def deviation(self, context: F64) -> float:
        """Return the standard deviation of a reward round its arm's mean."""
        del context
        return float(np.sqrt(VARIANCE_MAX))

    def weights(self, context: F64, mask: Mask, sharpness: float) -> F64:
        """Return weights ``(k,)`` of the allowed arms, with sum 1; all 0 where none is allowed.

        ``w = exp(sharpness * t)`` with t the distance of an arm's mean from the mean of the allowed arms, in
        its own standard errors: without evidence all are equal, whatever the noise.
        """
        if not mask.any():
            return np.zeros(self.arms)
        means = self.means(context)
        power = sharpness * (means - means[mask].mean()) / self._errors(context)
        weight = np.where(mask, np.exp(np.minimum(power - power[mask].max(), 0.0)), 0.0)
        shares: F64 = weight / weight.sum()
        return shares

    def earning(self, context: F64, mask: Mask, errors_min: float) -> Mask:
        """Return which of the allowed arms are expected to earn more than 0.5, by so many standard errors."""
        errors = self._errors(context)
        return mask & (self.means(context) - 0.5 > errors_min * errors)

    def _errors(self, context: F64) -> F64:
        """Standard errors ``(k,)`` of the means."""
        errors: F64 = self.deviation(context) / np.sqrt(np.maximum(self.pulls(context), 1.0))
        return errors

    def state_dict(self) -> dict[str, F64]:
        """Return a copy of everything it remembers."""
        return {name: array.copy() for name, array in self.state.items()}

    def load(self, state: Mapping[str, F64]) -> None:
        """Take a memory back.

        Raises:
            ValueError: it is another bandit's.
        """
        shapes = {name: array.shape for name, array in self.state.items()}
        if shapes != {name: array.shape for name, array in state.items()}:
            raise ValueError("this is the memory of another bandit: its arrays have other names or shapes")
        self.state = {name: np.array(state[name], dtype=np.float64) for name in self.state}

    def adopt(self, other: Self, rows: Rows) -> None:
        """Take over what a bandit of the same kind knows of its arms; new ones keep what they began with."""
        for name, theirs in other.state.items():
            axis = self.arm_axes.get(name, 0)
            self.state[name] = theirs.copy() if axis is None else moved(self.state[name], theirs, rows, axis)


class CountingBandit(Bandit):
    """Keeps count, sum and sum of squares of each arm's rewards, each step worth ``discount`` of the next."""

    def __init__(self, arms: int, discount: float = 1.0) -> None:
        super().__init__(arms)
        self._discount = discount
        self.state = {name: np.zeros(arms) for name in ("count", "total", "square")}

    def means(self, context: F64) -> F64:
        """Return the mean of each arm."""
        del context
        count = self.state["count"]
        known = count > 0
        return np.where(known, self.state["total"] / np.where(known, count, 1.0), 0.5)

    def pulls(self, context: F64) -> F64:
        """Return the (discounted) counts."""
        del context
        return self.state["count"]

    def variances(self) -> F64:
        """Return the variance of each arm's rewards, without Bessel's correction."""
        count = np.where(self.state["count"] > 0, self.state["count"], 1.0)
        mean = self.state["total"] / count
        return np.maximum(self.state["square"] / count - mean * mean, 0.0)

    def deviation(self, context: F64) -> float:
        """Return the pooled standard deviation within arms, the largest possible while little is known."""
        del context
        free = float(self.state["count"].sum()) - self.arms
        if free < self.arms:
            return float(np.sqrt(VARIANCE_MAX))
        within = float((self.variances() * self.state["count"]).sum()) / free
        return float(np.sqrt(min(max(within, _VARIANCE_MIN), VARIANCE_MAX)))

    def _tick(self, context: F64) -> None:
        del context
        if self._discount < 1.0:
            for name in self.state:
                self.state[name] *= self._discount

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        del context
        self.state["count"][arm] += 1.0
        self.state["total"][arm] += reward
        self.state["square"][arm] += reward * reward
