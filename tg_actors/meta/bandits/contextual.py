"""Bandits that know the regime, or all arms' rewards: LinUCB, one bandit per regime, the leader."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import VARIANCE_MAX, Bandit, Mask, Rows


class LinUcb(Bandit):
    """LinUCB with disjoint arms (Li, Chu, Langford, Schapire 2010, algorithm 1).

    ``theta.x + alpha * sqrt(x' A^-1 x)``, A beginning as ``ridge`` times the unit matrix. The inverse is
    kept up to date by Sherman and Morrison's formula with plain sums: BLAS adds in another order on another
    machine. Rewards are counted from ``centre``: an arm that is hardly known is thought to be worth that,
    and not 0, which all rewards that lie in 0..1 would beat (the paper's own is 0).
    """

    def __init__(self, arms: int, contexts: int, alpha: float, ridge: float, centre: float = 0.0) -> None:
        super().__init__(arms)
        self._alpha, self._centre = alpha, centre
        self.state = {
            "inverse": np.tile(np.eye(contexts) / ridge, (arms, 1, 1)),
            "target": np.zeros((arms, contexts)),
            "count": np.zeros(arms),
        }

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the upper bounds."""
        del rng
        spread = (self._through(context) * context).sum(axis=1)
        bounds: F64 = self._expected(context) + self._alpha * np.sqrt(np.maximum(spread, 0.0))
        return bounds

    def means(self, context: F64) -> F64:
        """Return what the regression expects; 0.5 of an arm never tried."""
        return np.where(self.state["count"] > 0, self._expected(context), 0.5)

    def pulls(self, context: F64) -> F64:
        """Return the counts."""
        del context
        return self.state["count"]

    def _expected(self, context: F64) -> F64:
        expected: F64 = self._centre + (self._through(context) * self.state["target"]).sum(axis=1)
        return expected

    def _through(self, context: F64) -> F64:
        """Return ``A^-1 x`` of every arm, ``(k, d)``."""
        product: F64 = (self.state["inverse"] * context).sum(axis=2)
        return product

    def _tick(self, context: F64) -> None:
        del context

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        inverse = self.state["inverse"][arm]
        ax = (inverse * context).sum(axis=1)
        inverse -= ax[:, np.newaxis] * ax / (1.0 + float((ax * context).sum()))
        self.state["target"][arm] += (reward - self._centre) * context
        self.state["count"][arm] += 1.0


class PerRegime(Bandit):
    """One bandit for each regime; the most probable one is asked and taught."""

    def __init__(self, arms: int, contexts: int, make: Callable[[], Bandit]) -> None:
        super().__init__(arms)
        self._inner = tuple(make() for _ in range(contexts))
        # The very arrays of the inner bandits; they rebind some of them, so they are gathered when asked for.
        self.state = self.state_dict()

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the scores in this regime."""
        return self._of(context).scores(context, rng)

    def select(self, context: F64, mask: Mask, rng: np.random.Generator) -> int:
        """Ask the bandit of this regime."""
        return self._of(context).select(context, mask, rng)

    def means(self, context: F64) -> F64:
        """Return the means in this regime."""
        return self._of(context).means(context)

    def pulls(self, context: F64) -> F64:
        """Return the counts in this regime."""
        return self._of(context).pulls(context)

    def deviation(self, context: F64) -> float:
        """Return the deviation in this regime."""
        return self._of(context).deviation(context)

    def update(self, arm: int, reward: float, context: F64) -> None:
        """Teach the bandit of this regime."""
        self._of(context).update(arm, reward, context)

    def update_all(self, rewards: F64, context: F64) -> None:
        """Teach the bandit of this regime."""
        self._of(context).update_all(rewards, context)

    def warm(self, means: F64, deviations: F64, pulls: F64, context: F64) -> None:
        """Tell every regime's bandit."""
        for inner in self._inner:
            inner.warm(means, deviations, pulls, context)

    def state_dict(self) -> dict[str, F64]:
        """Return a copy of what all of them remember."""
        return {
            f"{regime}/{name}": array
            for regime, inner in enumerate(self._inner)
            for name, array in inner.state_dict().items()
        }

    def load(self, state: Mapping[str, F64]) -> None:
        """Take all memories back."""
        super().load(state)
        for regime, inner in enumerate(self._inner):
            begin = f"{regime}/"
            inner.load({name.removeprefix(begin): a for name, a in state.items() if name.startswith(begin)})

    def adopt(self, other: Self, rows: Rows) -> None:
        """Let every regime's bandit take over what the other's knows."""
        for inner, theirs in zip(self._inner, other._inner, strict=True):
            inner.adopt(theirs, rows)

    def _of(self, context: F64) -> Bandit:
        return self._inner[int(np.argmax(context))]

    def _tick(self, context: F64) -> None:
        self._of(context)._tick(context)  # noqa: SLF001 - one bandit made of others

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        self._of(context)._credit(arm, reward, context)  # noqa: SLF001 - likewise


class DiscountedLeader(Bandit):
    """Follows whoever has earned most lately, for arms that are all watched; no exploring is needed.

    Sums are kept by regime, each reward counted by the probability of its regime, and a regime forgets only
    while it lasts. ``contexts`` 1 is blind to regimes. The lead changes hands once another mean is higher by
    ``switching_cost``, in units of the reward. A mean begins with ``prior`` imagined rewards of 0.5.
    """

    arm_axes: ClassVar[Mapping[str, int | None]] = {"count": 1, "total": 1, "square": 1, "leader": None}

    def __init__(
        self, arms: int, contexts: int, discount: float, switching_cost: float, prior: float
    ) -> None:
        super().__init__(arms)
        self._discount, self._cost, self._prior = discount, switching_cost, prior
        self._contexts = contexts
        self.state = {name: np.zeros((contexts, arms)) for name in ("count", "total", "square")}
        self.state["leader"] = np.full(1, -1.0)

    def scores(self, context: F64, rng: np.random.Generator) -> F64:
        """Return the means."""
        del rng
        return self.means(context)

    def select(self, context: F64, mask: Mask, rng: np.random.Generator) -> int:
        """Return the leader; remember it."""
        best, held = super().select(context, mask, rng), int(self.state["leader"][0])
        means = self.means(context)
        if held >= 0 and mask[held] and means[best] <= means[held] + self._cost:
            best = held
        self.state["leader"][0] = best
        return best

    def adopt(self, other: Self, rows: Rows) -> None:
        """Take over what is known; a leader that has left is nobody's."""
        super().adopt(other, rows)
        held = int(self.state["leader"][0])
        self.state["leader"][0] = rows.index(held) if held in rows else -1

    def means(self, context: F64) -> F64:
        """Return the means over the regimes' probabilities."""
        by_regime = (self.state["total"] + 0.5 * self._prior) / (self.state["count"] + self._prior)
        means: F64 = (by_regime * self._seen_as(context)[:, np.newaxis]).sum(axis=0)
        return means

    def pulls(self, context: F64) -> F64:
        """Return the rewards that the means rest on."""
        pulls: F64 = (self.state["count"] * self._seen_as(context)[:, np.newaxis]).sum(axis=0)
        return pulls

    def deviation(self, context: F64) -> float:
        """Return the pooled standard deviation within arms and regimes."""
        del context
        count = self.state["count"]
        seen = float(count.sum())
        if seen < 2 * self.arms:
            return float(np.sqrt(VARIANCE_MAX))
        mean = self.state["total"] / np.where(count > 0, count, 1.0)
        within = float((self.state["square"] - mean * self.state["total"]).sum()) / seen
        return float(np.sqrt(min(max(within, 1e-8), VARIANCE_MAX)))

    def _seen_as(self, context: F64) -> F64:
        return context if self._contexts > 1 else np.ones(1)

    def _tick(self, context: F64) -> None:
        kept = 1.0 - (1.0 - self._discount) * self._seen_as(context)[:, np.newaxis]
        for name in ("count", "total", "square"):
            self.state[name] *= kept

    def _credit(self, arm: int, reward: float, context: F64) -> None:
        share = self._seen_as(context)
        self.state["count"][:, arm] += share
        self.state["total"][:, arm] += share * reward
        self.state["square"][:, arm] += share * reward * reward
