"""From scored signs to a direction and a confidence: what the flow agents share. Pure, arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, Abstention, Window

Mask = NDArray[np.bool_]

#: Loudness to divide by where every sign is silent: agreement is 0 there.
_WHISPER = np.finfo(np.float64).tiny

#: Columns of ``Window.ohlcv``.
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What the signs say together, each ``(n,)``; NaN where none is heard.

    ``score`` is their weighted mean -1..1, ``agreement`` 0..1 is 1 where all are on one side.
    """

    score: F64
    agreement: F64

    @property
    def conviction(self) -> F64:
        """``sqrt(|score| agreement)``: never falls when a sign turns more to the side of the score."""
        return np.sqrt(np.abs(self.score) * self.agreement)


def weigh(weights: F64, scores: F64) -> Weighed:
    """Average scores ``(k, n)`` by weights ``(k,)``; a NaN score is not heard and takes its weight along."""
    heard = np.isfinite(scores)
    weight = weights[:, np.newaxis] * heard
    total = np.add.reduce(weight)
    votes = weight * np.where(heard, scores, 0.0)
    score: F64 = np.add.reduce(votes) / np.where(total > 0, total, np.nan)
    loud = np.add.reduce(np.abs(votes)) / np.where(total > 0, total, 1.0)
    return Weighed(score, np.abs(score) / np.maximum(loud, _WHISPER))


def squash(numbers: F64) -> F64:
    """Bring any number into -1..1: ``x / sqrt(1 + x * x)``, equal to the last bit on every CPU."""
    squashed: F64 = numbers / np.sqrt(1.0 + numbers * numbers)
    return squashed


def mean_range(window: Window, bars: int) -> F64:
    """Mean of high minus low over the newest bars that are known, ``(n,)``; NaN where there is none."""
    newest = window.ohlcv[-bars:]
    ranges = newest[..., HIGH] - newest[..., LOW]
    known = np.isfinite(ranges)
    count = known.sum(axis=0)
    mean: F64 = np.where(known, ranges, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan)
    return mean


def first_reasons(n: int, reasons: Sequence[tuple[Abstention, Mask]]) -> tuple[Abstention | None, ...]:
    """Name for each instrument the first reason that holds, None where none does."""
    found: list[Abstention | None] = [None] * n
    for reason, holds in reversed(reasons):
        for i in np.flatnonzero(holds).tolist():
            found[i] = reason
    return tuple(found)
