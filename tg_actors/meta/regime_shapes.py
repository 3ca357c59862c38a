"""What each regime looks like, as data: how long it lasts, where it drifts, how wild it is, what follows.

The shapes were set on the simulated market (seeds 1000 to 1029, which no test uses) and are rounded: a
trend drifts by 0.07 of an hour's standard deviation each hour, far too little to be seen in one bar; what
tells regimes apart is many bars. A reversal is two shapes, one for each direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Regime(StrEnum):
    """What kind of market it is; unknown while too little of it has been seen."""

    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"
    HIGH_VOLATILITY = "high_volatility"
    REVERSAL = "reversal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Shape:
    """One hidden state of the market.

    ``duration_h`` is its mean length; ``drift`` per hour in its own standard deviations of an hour; ``vol``
    multiplies the market's usual standard deviation; ``next`` are the chances of what follows.
    """

    regime: Regime
    duration_h: float
    drift: float
    vol: float
    next: Mapping[int, float]


UP, DOWN, RANGE, WILD, FALLING, RISING = range(6)

SHAPES = (
    Shape(Regime.TREND_UP, 120.0, 0.07, 0.85, {RANGE: 0.45, FALLING: 0.35, WILD: 0.20}),
    Shape(Regime.TREND_DOWN, 100.0, -0.07, 1.05, {RANGE: 0.40, RISING: 0.35, WILD: 0.25}),
    Shape(Regime.RANGE, 110.0, 0.0, 0.75, {UP: 0.40, DOWN: 0.40, WILD: 0.20}),
    Shape(Regime.HIGH_VOLATILITY, 36.0, 0.0, 1.75, {UP: 0.30, DOWN: 0.30, RANGE: 0.40}),
    Shape(Regime.REVERSAL, 24.0, -0.15, 1.35, {DOWN: 0.55, RANGE: 0.30, WILD: 0.15}),
    Shape(Regime.REVERSAL, 24.0, 0.15, 1.35, {UP: 0.55, RANGE: 0.30, WILD: 0.15}),
)

#: Regimes in the order of their probabilities.
REGIMES = tuple(dict.fromkeys(shape.regime for shape in SHAPES))

#: How far the market's usual standard deviation may be misjudged: the levels that are reckoned with ...
LEVELS = (0.55, 0.74, 1.0, 1.35, 1.82)
#: ... and how long one of them lasts, in hours.
LEVEL_H = 48.0
