"""Bandits that draw: Thompson sampling and EXP3. The random numbers come from whoever asks."""

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import Bandit, CountingBandit, Mask


class GaussianThompson(CountingBandit):
    """Thompson sampling with a normal posterior (Agrawal and Goyal 2013), discounted (Raj and Kalyani 2017).

    One imagined reward of 0.5 stands for what is known beforehand. ``deviation`` None is the rewards' own.
    """

    def __init__(self, arms: int, deviation: float | None, discount: float) -> None:
        super().__init__(arms, discount)
        self._deviation = deviation

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Draw each arm's mean from its posterior."""
        spread = self.deviation(context) if self._deviation is None else self._deviation
        count = self.state["count"] + 1.0
        centre = (self.state["total"] + 0.5) / count
        return centre + spread / np.sqrt(count) * rng.standard_normal(self.arms)


class BetaThompson(CountingBandit):
    """Thompson sampling with Beta(1 + s, 1 + n - s): for rewards 0..1 seen as shares of a success."""

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Draw each arm's mean from its posterior."""
        del context
        won = self.state["total"]
        # Rounding of discounted sums must not make a parameter negative.
        lost = np.maximum(self.state["count"] - won, 0.0)
        return rng.beta(1.0 + won, 1.0 + lost)


class Exp3(Bandit):
    """EXP3 with exploration ``gamma`` (Auer, Cesa-Bianchi, Freund, Schapire 2002): for the worst of rewards.

    When every arm is watched it is Hedge: nothing needs to be divided by the chance of having looked.
    """

    def __init__(self, arms: int, gamma: float) -> None:
        super().__init__(arms)
        self._gamma = gamma
        self.state = {
            "log_weight": np.zeros(arms),
            "chance": np.full(arms, 1.0 / arms),
            "count": np.zeros(arms),
            "total": np.zeros(arms),
        }

    def chances(self, mask: Mask) -> F64:
        """Return the probability ``(k,)`` of each allowed arm."""
        raised = np.where(mask, np.exp(self.state["log_weight"] - self.state["log_weight"][mask].max()), 0.0)
        chances: F64 = (1.0 - self._gamma) * raised / raised.sum() + self._gamma * mask / mask.sum()
        return chances

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the probabilities; :meth:`select` draws from them."""
        del context, rng
        return self.chances(np.ones(self.arms, dtype=np.bool_))

    def select(self, context: F64, mask: Mask, rng: np.random.Generator) -> int:
        """Draw an allowed arm, and remember how probable each was."""
        del context
        if not mask.any():
            raise ValueError("no arm may be chosen")
        self.state["chance"] = self.chances(mask)
        drawn = int(np.searchsorted(np.cumsum(self.state["chance"]), rng.random(), side="right"))
        return min(drawn, int(np.flatnonzero(mask)[-1]))

    def weights(self, context: F64, mask: Mask, sharpness: float) -> F64:
        """Return the probabilities; ``sharpness`` is ``gamma``'s work here and changes nothing."""
        del context, sharpness
        return self.chances(mask) if mask.any() else np.zeros(self.arms)

    def means(self, context: F64) -> F64:
        """Return the mean of each arm; it chooses by its weights, not by these."""
        del context
        count = self.state["count"]
        return np.where(count > 0, self.state["total"] / np.where(count > 0, count, 1.0), 0.5)

    def pulls(self, context: F64) -> F64:
        """Return the counts."""
        del context
        return self.state["count"]

    def update_all(self, rewards: F64, context: F64) -> None:
        """Learn from every arm that was watched."""
        self._tick(context)
        seen = np.isfinite(rewards)
        self._note(seen, np.where(seen, rewards, 0.0), np.ones(self.arms))

    def _tick(self, context: F64) -> None:
        del context

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        del context
        seen = np.arange(self.arms) == arm
        self._note(seen, np.where(seen, reward, 0.0), self.state["chance"])

    def _note(self, seen: Mask, rewards: F64, chance: F64) -> None:
        gain = np.where(seen, rewards / np.where(seen, chance, 1.0), 0.0)
        raised = self.state["log_weight"] + self._gamma * gain / self.arms
        self.state["log_weight"] = raised - raised.max()
        self.state["count"] += seen
        self.state["total"] += rewards
