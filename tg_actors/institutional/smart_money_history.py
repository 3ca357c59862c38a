"""What is normal for every source: a small, robust memory with exponential forgetting. Pure, arrays only.

For each source and instrument, with ``x`` a new observation and ``a(span) = 2 / (span + 1)`` the weight of an
exponential mean (``1 / count`` while that is larger: a plain mean at first):

    fast  += a(fast) * (x - fast)                             what is measured now
    level += a(slow) * clip(fast - level)                     what is normal
    scale += a(slow) * (min(abs(fast - level), reach) - scale)

After ``history_min`` observations ``clip`` and ``reach`` cut off at three scales, so that one mad print moves
the norm by no more than an ordinary surprise (S. Gelper, R. Fried, C. Croux, Robust Forecasting with
Exponential and Holt-Winters Smoothing, Journal of Forecasting 29, 2010, with Huber's clipping). The score is
``(fast - level) / (1.25 * scale)``: 1.25 turns the mean absolute deviation of normal numbers into their
standard deviation. An observation counts once, by the time at which it became known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.institutional.smart_money_spec import HeardSource

#: Numbers kept per source: when the newest was known (ms), fast, level, scale, how many.
FIELDS = 5

_CLIP_SCALES = 3.0
_SIGMA_PER_SCALE = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """New observations of ``k`` sources on ``n`` instruments, both ``(n, k)``.

    ``value`` is NaN where there is none to be believed; ``known_ms`` when it became known.
    """

    value: F64
    known_ms: F64


class Habits:
    """The memory of some sources, ``(n, k * FIELDS)``, as arithmetic: it holds no state itself."""

    def __init__(self, sources: Sequence[HeardSource], noise: F64, noise_frac: F64) -> None:
        self._fast = np.array([_weight(source.fast) for source in sources])
        self._slow = np.array([_weight(source.slow) for source in sources])
        self._history_min = np.array([float(source.history_min) for source in sources])
        self._noise = noise
        self._noise_frac = noise_frac

    def blank(self, n: int) -> F64:
        """Return the memory of who has seen nothing."""
        return np.zeros((n, len(self._fast) * FIELDS))

    def learn(self, memory: F64, observed: Observed) -> F64:
        """Return the memory after this cycle; what is not newer than the memory's newest changes nothing."""
        known_ms, fast, level, scale, count = self._split(memory)
        new = np.isfinite(observed.value) & (observed.known_ms > known_ms)
        value = np.where(new, observed.value, 0.0)
        count = count + new
        first = 1.0 / np.maximum(count, 1.0)
        fast = fast + new * np.maximum(self._fast, first) * (value - fast)
        distance = np.where(new, fast - level, 0.0)
        settled = count > self._history_min
        reach = np.where(settled, _CLIP_SCALES * self._believed(scale, level), np.inf)
        slow = np.maximum(self._slow, first)
        level_after = level + slow * np.minimum(np.maximum(distance, -reach), reach)
        # The very first observation is its own level: it has no distance to anything yet.
        surprise = np.where(count > 1.0, np.minimum(np.abs(distance), reach), 0.0)
        scale_after = np.where(new, scale + slow * (surprise - scale), scale)
        newest = np.where(new, observed.known_ms, known_ms)
        return np.stack((newest, fast, level_after, scale_after, count), axis=2).reshape(memory.shape)

    def sigmas(self, memory: F64) -> F64:
        """How unusual every source is now, in standard deviations ``(n, k)``; NaN before ``history_min``."""
        _, fast, level, scale, count = self._split(memory)
        sigma = _SIGMA_PER_SCALE * self._believed(scale, level)
        known = count >= self._history_min
        return np.where(known & (sigma > 0.0), (fast - level) / np.where(sigma > 0.0, sigma, 1.0), np.nan)

    def _believed(self, scale: F64, level: F64) -> F64:
        return np.maximum(scale, (self._noise + self._noise_frac * np.abs(level)) / _SIGMA_PER_SCALE)

    def _split(self, memory: F64) -> NDArray[np.float64]:
        """Fields first: ``(FIELDS, n, k)``."""
        return np.moveaxis(memory.reshape(len(memory), -1, FIELDS), 2, 0)


def _weight(span: float) -> float:
    return 2.0 / (span + 1.0)
