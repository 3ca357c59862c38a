"""What the meta agent remembers: books of the arms that are traded in thought, and the bandit's arrays.

It travels as one vector: in the request, in the targets, and in the journal's block of every decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import Bandit, Rows, moved
from tg_actors.meta.bandits.specs import open_bandit
from tg_actors.meta.policies import LearningPolicy
from tg_actors.meta.regime_shapes import REGIMES

#: Under which name the journal keeps it among the agents' memories; no agent may be called so.
META = "meta"
#: What is known of the regime while it is unknown.
UNKNOWN: F64 = np.full(len(REGIMES), 1.0 / len(REGIMES))


@dataclass(slots=True, eq=False)
class Learned:
    """Everything that is remembered, of ``k`` arms and ``n`` instruments in ``r`` regimes.

    Arrays ending in ``k + 1`` have the ensemble itself as their last row, traded by the same rule. ``mid
    (n,)`` the last mid prices, NaN before the first; ``held (k + 1, n)`` positions since then, parts of a
    sleeve; ``cost_frac (k + 1,)`` what it cost to get there; ``watched (k,)`` 1 where there is something to
    judge; ``context (r,)`` the regimes' probabilities then, ``weights (k,)`` the weights; ``cycles (1,)``
    rewarded so far; ``earned_frac (k + 1,)`` sum of returns after costs; ``earned_by_regime (r, k + 1)`` the
    same split by the probabilities, ``regime_cycles (r,)`` the sum of these; ``given (k,)`` the sum of
    weights.
    """

    mid: F64
    held: F64
    cost_frac: F64
    watched: F64
    context: F64
    weights: F64
    cycles: F64
    earned_frac: F64
    earned_by_regime: F64
    regime_cycles: F64
    given: F64
    bandit: Bandit

    def pack(self) -> F64:
        """Return everything as one vector."""
        state = self.bandit.state_dict()
        arrays = [getattr(self, name) for name in _BOOKS] + [state[name] for name in sorted(state)]
        return np.concatenate([array.ravel() for array in arrays])

    def unpack(self, vector: F64) -> None:
        """Take everything back.

        Raises:
            ValueError: it is the memory of other arms, instruments, or of another algorithm.
        """
        state = self.bandit.state_dict()
        arrays = [*(getattr(self, name) for name in _BOOKS), *(state[name] for name in sorted(state))]
        shapes = [array.shape for array in arrays]
        if vector.shape != (sum(prod(shape) for shape in shapes),):
            raise ValueError("this is the memory of a meta agent with other arms, instruments or algorithm")
        ends = np.cumsum([prod(shape) for shape in shapes])
        parts = np.split(np.array(vector, dtype=np.float64), ends[:-1])
        arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        for name, array in zip(_BOOKS, arrays, strict=False):
            setattr(self, name, array)
        self.bandit.load(dict(zip(sorted(state), arrays[len(_BOOKS) :], strict=True)))

    def adopt(self, other: "Learned", rows: Rows) -> None:
        """Take over what is known of arms of another crew; new ones begin blank and flat."""
        with_ensemble = (*rows, len(other.held) - 1)
        for name in _BOOKS:
            mine, theirs = getattr(self, name), getattr(other, name)
            if name in _OF_ARMS:
                theirs = moved(mine, theirs, rows)
            elif name in _OF_ARMS_AND_ENSEMBLE:
                theirs = moved(mine, theirs, with_ensemble, _OF_ARMS_AND_ENSEMBLE[name])
            setattr(self, name, theirs)
        self.bandit.adopt(other.bandit, rows)


_BOOKS = tuple(name for name in Learned.__dataclass_fields__ if name != "bandit")
_OF_ARMS = frozenset({"watched", "weights", "given"})
#: With the ensemble as their last arm, and the axis along which they lie.
_OF_ARMS_AND_ENSEMBLE = {"held": 0, "cost_frac": 0, "earned_frac": 0, "earned_by_regime": 1}


def blank(agents: Sequence[str], n: int, policy: LearningPolicy) -> Learned:
    """Return what is known at first: nothing but the warm starts."""
    k, r = len(agents), len(REGIMES)
    return Learned(
        mid=np.full(n, np.nan),
        held=np.zeros((k + 1, n)),
        cost_frac=np.zeros(k + 1),
        watched=np.zeros(k),
        context=UNKNOWN.copy(),
        weights=np.zeros(k),
        cycles=np.zeros(1),
        earned_frac=np.zeros(k + 1),
        earned_by_regime=np.zeros((r, k + 1)),
        regime_cycles=np.zeros(r),
        given=np.zeros(k),
        bandit=_warmed(agents, policy),
    )


def recalled(
    memory: F64, memory_of: Sequence[str], agents: Sequence[str], n: int, policy: LearningPolicy
) -> Learned:
    """Return what a memory holds; of another crew the arms that are still there keep what they know.

    Raises:
        ValueError: it is the memory of other instruments or of another algorithm.
    """
    known = blank(memory_of, n, policy)
    known.unpack(memory)
    if tuple(memory_of) == tuple(agents):
        return known
    rows = [memory_of.index(agent) if agent in memory_of else None for agent in agents]
    learned = blank(agents, n, policy)
    learned.adopt(known, rows)
    return learned


def as_reward(return_frac: F64, policy: LearningPolicy) -> F64:
    """Return the rewards 0..1 of returns."""
    rewards: F64 = np.clip(0.5 + return_frac * (0.5e4 / policy.shadow.reward_scale_bps), 0.0, 1.0)
    return rewards


def _warmed(agents: Sequence[str], policy: LearningPolicy) -> Bandit:
    bandit = open_bandit(policy.algorithm, len(agents), len(REGIMES))
    scale = 0.5 / policy.shadow.reward_scale_bps
    known = np.zeros((len(agents), 3))
    for arm, agent in enumerate(agents):
        if (start := policy.warm.get(agent)) is not None:
            known[arm] = start.mean_bps * scale, start.deviation_bps * scale, start.pulls
    bandit.warm(0.5 + known[:, 0], known[:, 1], known[:, 2], UNKNOWN)
    return bandit
