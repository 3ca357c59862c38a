"""Regimes of the simulated market: a Markov chain whose state is known, the answer to every test.

Durations are in hours, so that a day of 5-minute bars and a day of hourly bars see the same regimes.
Drift is a signal-to-noise ratio: a trend moves 0.07 standard deviations an hour, 0.8 in an average
trend of five days; enough to be found, far too little to be seen in one bar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import exp

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


class Regime(StrEnum):
    """What the market does, in the words of the regime models."""

    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"
    HIGH_VOLATILITY = "high_volatility"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Phase:
    """One state of the chain; a reversal is two states, one for each direction.

    ``drift`` per hour in standard deviations of an hour; ``vol`` multiplies the standard deviation,
    ``jumps`` the frequency of jumps. ``pull_h`` is the half-life of the way back to where the phase
    began, 0 for none. ``successors`` are weights of the states that may follow.
    """

    regime: Regime
    duration_h: float
    drift: float
    vol: float
    jumps: float
    pull_h: float
    successors: Mapping[int, float]


UP, DOWN, RANGE, HIGH_VOLATILITY, REVERSAL_DOWN, REVERSAL_UP = range(6)

PHASES = (
    Phase(
        Regime.TREND_UP,
        120.0,
        0.07,
        0.85,
        1.0,
        0.0,
        {RANGE: 0.45, REVERSAL_DOWN: 0.35, HIGH_VOLATILITY: 0.20},
    ),
    Phase(
        Regime.TREND_DOWN,
        100.0,
        -0.07,
        1.05,
        1.0,
        0.0,
        {RANGE: 0.40, REVERSAL_UP: 0.35, HIGH_VOLATILITY: 0.25},
    ),
    Phase(Regime.RANGE, 110.0, 0.0, 0.75, 0.5, 48.0, {UP: 0.42, DOWN: 0.36, HIGH_VOLATILITY: 0.22}),
    Phase(Regime.HIGH_VOLATILITY, 36.0, 0.0, 1.75, 3.0, 0.0, {UP: 0.30, DOWN: 0.30, RANGE: 0.40}),
    Phase(Regime.REVERSAL, 24.0, -0.15, 1.35, 2.0, 0.0, {DOWN: 0.55, RANGE: 0.30, HIGH_VOLATILITY: 0.15}),
    Phase(Regime.REVERSAL, 24.0, 0.15, 1.35, 2.0, 0.0, {UP: 0.55, RANGE: 0.30, HIGH_VOLATILITY: 0.15}),
)

#: Mean of ``vol ** 2`` over the time spent in each phase: divides it out of the long-run variance.
MEAN_SQUARE_VOL = 0.966


def walk(phase: int, hours: float, count: int, rng: Generator) -> NDArray[np.int64]:
    """Phases of ``count`` bars of ``hours`` after a bar in ``phase``, ``(count,)``."""
    leave, choose = rng.random(count).tolist(), rng.random(count).tolist()
    stay = [exp(-hours / one.duration_h) for one in PHASES]
    path = np.empty(count, dtype=np.int64)
    for k in range(count):
        if leave[k] >= stay[phase]:
            phase = _successor(phase, choose[k])
        path[k] = phase
    return path


def _successor(phase: int, chance: float) -> int:
    """Pick by weight; ``chance`` is uniform in 0..1."""
    successors = PHASES[phase].successors
    left = chance * sum(successors.values())
    for candidate, weight in successors.items():
        left -= weight
        if left < 0:
            return candidate
    return list(successors)[-1]
