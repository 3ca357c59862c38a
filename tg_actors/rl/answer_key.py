"""A market of 220 states whose best policy and whose every policy's value are known exactly.

Four regimes, five signals and eleven exposures: the mean return of a bar depends on regime and signal, and
the same signal means the opposite in another regime. Regime and signal are Markov chains that no action
moves; an action changes the exposure as everywhere here. In state (regime g, signal s, exposure e), changing
to e' pays

    e' * mean[g, s]  -  cost * |e' - e|  -  risk[g] * e'^2 / 2.

Value iteration gives the optimum and a linear system the value of any given policy (R. Sutton, A. Barto,
Reinforcement Learning, 2nd edition, chapters 4.1 and 4.4): no Monte Carlo noise between a learner and the
truth. A value is the mean over states with flat exposure, regime and signal as often as they occur.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.rl.episodes import LEVELS, VERBS

REGIMES = ("trend", "range", "volatile", "reversal")
SIGNALS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
#: Exposures in fifths: -5..5.
EXPOSURES = np.arange(-LEVELS, LEVELS + 1) / LEVELS
_G, _S, _E = len(REGIMES), len(SIGNALS), len(EXPOSURES)
STATES = _G * _S * _E
#: Chosen exposure (an index of ``EXPOSURES``) in every state ``(4, 5, 11)``.
Policy = NDArray[np.int64]
_TOLERANCE = 1e-12
#: Which exposures one action reaches from which: it changes them by at most the limit.
REACHED = np.abs(np.arange(_E)[:, np.newaxis] - np.arange(_E)) <= LEVELS


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnswerKey:
    """The market's numbers.

    ``mean (4, 5)`` returns a bar, ``risk (4,)``, ``cost`` of a change of exposure by 1; ``regimes (4, 4)``
    and ``signals (5, 5)`` are the chances of what follows; ``gamma`` the discount.
    """

    mean: F64
    risk: F64
    cost: float
    regimes: F64
    signals: F64
    gamma: float = 0.99

    def stationary(self) -> F64:
        """Return how often regime and signal occur ``(4, 5)``."""
        return np.outer(_stationary(self.regimes), _stationary(self.signals))

    def rewards(self) -> F64:
        """Return what moving from every state to every exposure pays ``(4, 5, 11, 11)``."""
        earned = self.mean[:, :, np.newaxis] * EXPOSURES
        earned = earned - self.risk[:, np.newaxis, np.newaxis] * EXPOSURES**2 / 2.0
        moved = self.cost * np.abs(EXPOSURES[:, np.newaxis] - EXPOSURES)
        paid: F64 = earned[:, :, np.newaxis, :] - moved
        return paid


def _chain(stays: float, count: int) -> F64:
    """A chain that stays, or goes anywhere else with equal chance."""
    chain = np.full((count, count), (1.0 - stays) / (count - 1))
    np.fill_diagonal(chain, stays)
    return chain


def _neighbours(stays: float) -> F64:
    """Signals that stay or go one step up or down."""
    chain = np.zeros((_S, _S))
    for s in range(_S):
        near = [k for k in (s - 1, s + 1) if 0 <= k < _S]
        chain[s, near] = (1.0 - stays) / len(near)
        chain[s, s] = stays
    return chain


#: What a signal means in each regime, in units of the market's edge.
_MEANING = np.array([1.0, -1.0, 0.4, -1.0])
_EDGE = 0.004

STANDARD = AnswerKey(
    mean=_EDGE * _MEANING[:, np.newaxis] * SIGNALS,
    risk=np.array([0.002, 0.0015, 0.005, 0.003]),
    cost=0.001,
    regimes=_chain(0.98, _G),
    signals=_neighbours(0.9),
)
#: Nothing to win: staying flat is the only best policy.
NULL = replace(STANDARD, mean=np.zeros((_G, _S)))


def best_policy(key: AnswerKey) -> tuple[Policy, F64]:
    """Return the best policy and the value of every state ``(4, 5, 11)``, by value iteration."""
    rewards, values = key.rewards(), np.zeros((_G, _S, _E))
    while True:
        hoped = rewards + key.gamma * _expected(key, values)[:, :, np.newaxis, :]
        worth = np.where(REACHED, hoped, -np.inf)
        after: F64 = worth.max(axis=3)
        if np.abs(after - values).max() <= _TOLERANCE * (1.0 - key.gamma):
            return worth.argmax(axis=3), after
        values = after


def values_of(key: AnswerKey, policy: Policy) -> F64:
    """Return the value of every state ``(4, 5, 11)`` under a policy; it goes as far as one action can."""
    now = np.arange(_E)
    reached = np.minimum(np.maximum(policy, now - LEVELS), now + LEVELS)
    chances = np.zeros((STATES, _E))
    chances[np.arange(STATES), reached.reshape(-1)] = 1.0
    return values_of_chances(key, chances.reshape(_G, _S, _E, _E))


def values_of_chances(key: AnswerKey, chances: F64) -> F64:
    """Return the exact values under a policy that chooses exposure ``e'`` with ``chances (4, 5, 11, 11)``."""
    paid = (key.rewards() * chances).sum(axis=3).reshape(-1)
    around = np.kron(key.regimes, key.signals).reshape(_G, _S, _G, _S)
    moves = np.einsum("gshr,gsef->gsehrf", around, chances).reshape(STATES, STATES)
    return np.linalg.solve(np.eye(STATES) - key.gamma * moves, paid).reshape(_G, _S, _E)


def score(key: AnswerKey, values: F64) -> float:
    """Return the value of beginning flat, with regime and signal as often as they occur."""
    return float((key.stationary() * values[:, :, LEVELS]).sum()) + 0.0


def exposure_chances(actions: F64) -> F64:
    """Turn chances of actions ``(4, 5, 11, 3, 5)`` into chances of exposures ``(4, 5, 11, 11)``."""
    chances = np.zeros((_G, _S, _E, _E))
    for verb in range(VERBS):
        for size in range(LEVELS):
            for e in range(_E):
                chances[:, :, e, _moved(e, verb, size)] += actions[:, :, e, verb, size]
    return chances


def _moved(exposure: int, verb: int, size: int) -> int:
    return min(max(exposure + (size + 1, -size - 1, 0)[verb], 0), _E - 1)


def _expected(key: AnswerKey, values: F64) -> F64:
    """Mean value of the next bar ``(4, 5, 11)`` by today's regime and signal, and the exposure moved to."""
    after: F64 = np.einsum("gh,sr,hre->gse", key.regimes, key.signals, values)
    return after


def _stationary(chain: F64) -> F64:
    system = np.vstack((chain.T - np.eye(len(chain)), np.ones(len(chain))))
    wanted = np.append(np.zeros(len(chain)), 1.0)
    solved: F64 = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return solved


def _follow(sign: float, threshold: float) -> Policy:
    """All in with (or against) a signal of at least the threshold, whatever the regime; else flat."""
    wanted = np.where(np.abs(SIGNALS) >= threshold, sign * np.sign(SIGNALS), 0.0)
    index = np.rint(wanted * LEVELS).astype(np.int64) + LEVELS
    return np.broadcast_to(index[np.newaxis, :, np.newaxis], (_G, _S, _E)).copy()


def _knowing() -> Policy:
    """A rule of hand that knows the regime: with the signal in trends, against it in ranges and reversals."""
    policy = _follow(1.0, 1.0)
    for regime in ("range", "reversal"):
        policy[REGIMES.index(regime)] = _follow(-1.0, 1.0)[0]
    policy[REGIMES.index("volatile")] = LEVELS
    return policy


def _flat() -> Policy:
    return np.full((_G, _S, _E), LEVELS, dtype=np.int64)


#: Rules of hand by name; ``knowing`` sees the regime, the others do not.
RULES: Mapping[str, Callable[[], Policy]] = MappingProxyType(
    {
        "flat": _flat,
        "momentum": lambda: _follow(1.0, 1.0),
        "contrarian": lambda: _follow(-1.0, 1.0),
        "extreme_momentum": lambda: _follow(1.0, 2.0),
        "extreme_contrarian": lambda: _follow(-1.0, 2.0),
        "knowing": _knowing,
    }
)
BLIND = ("flat", "momentum", "contrarian", "extreme_momentum", "extreme_contrarian")


def specialist(key: AnswerKey, regime: str) -> Policy:
    """Return the best policy for a market where every regime pays as this one does."""
    g = REGIMES.index(regime)
    alone = replace(
        key,
        mean=np.tile(key.mean[g], (_G, 1)),
        risk=np.full(_G, key.risk[g]),
    )
    return best_policy(alone)[0]
