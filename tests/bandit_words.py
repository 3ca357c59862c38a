"""Bandits for tests: every kind, and the sums by which they are defined."""

from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tg_actors.domain.blocks import F64
from tg_actors.meta.bandits.bandit import Bandit
from tg_actors.meta.bandits.specs import AlgorithmSpec, open_bandit

ARMS, REGIMES = 4, 3

#: One of each kind, by the names that a desk file uses.
KINDS: dict[str, dict[str, Any]] = {
    "ucb1": {},
    "ucb1 textbook": {"c": 2.0},
    "ucb_tuned": {},
    "discounted_ucb": {"c": 0.5, "discount": 0.97},
    "sliding_window_ucb": {"c": 0.5, "window": 30},
    "gaussian_thompson": {},
    "beta_thompson": {},
    "exp3": {},
    "linucb": {},
    "per_regime": {"each": {"kind": "ucb1"}},
    "leader": {"discount": 0.97},
    "leader by regime": {"by_regime": True},
}

_SPECS: TypeAdapter[AlgorithmSpec] = TypeAdapter(AlgorithmSpec)


def a_bandit(name: str) -> Bandit:
    """A blank bandit, by its name in ``KINDS``."""
    return open_bandit(_SPECS.validate_python({"kind": name.partition(" ")[0], **KINDS[name]}), ARMS, REGIMES)


def one_of(regime: int) -> F64:
    """A regime that is certain."""
    sure: F64 = np.eye(REGIMES)[regime]
    return sure


EVERY = np.ones(ARMS, dtype=np.bool_)
