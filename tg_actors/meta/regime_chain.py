"""The hidden chain behind the regimes: what may follow what, and how well each state explains a bar. Pure.

A state is a shape (``regime_shapes``) at one of the levels by which the market's usual standard deviation may
be misjudged. Arithmetic is ``+ - * /`` and square roots, which are the same to the last bit on every machine.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import sqrt

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.regime_shapes import LEVEL_H, LEVELS, REGIMES, Regime, Shape

_HOUR_NS = 3_600 * 10**9
#: Degrees of freedom of a bar's move; with 5 the density needs no power but the cube.
TAIL = 5.0
#: Width of a move over its standard deviation.
NARROW = sqrt((TAIL - 2.0) / TAIL)


class Chain:
    """Chances of every shape and level, ``(s, l)``; how they move, and what they say of a bar.

    ``stays (s, s)`` chances of going from one shape to another within a bar; ``levels (l, l)`` likewise;
    ``centre`` and ``width (s, l)`` of a move over the market's usual one; ``start (s, l)`` before any bar.
    """

    def __init__(self, bar_ns: int, shapes: Sequence[Shape]) -> None:
        hours = Fraction(bar_ns, _HOUR_NS)
        self._shapes = tuple(shapes)
        self.stays = _shapes_chain(float(hours), self._shapes)
        # Ehrenfest's urn: the further from the middle, the likelier the way back.
        steps = np.arange(len(LEVELS)) / (len(LEVELS) - 1)
        leave = min(float(hours) / LEVEL_H, 1.0)
        self._rise, self._fall = leave * (1.0 - steps), leave * steps
        vol = np.array([shape.vol for shape in self._shapes])[:, np.newaxis] * np.array(LEVELS)
        drift = np.array([shape.drift for shape in self._shapes])[:, np.newaxis] * sqrt(hours)
        self.width: F64 = vol * NARROW
        self.centre: F64 = vol * drift
        weights = np.array([shape.duration_h for shape in self._shapes])
        self.start: F64 = np.repeat((weights / weights.sum())[:, np.newaxis], len(LEVELS), axis=1) / len(
            LEVELS
        )
        self._p = self.start

    @property
    def levels(self) -> F64:
        """Chances ``(l, l)`` of going from one level to another within a bar."""
        stay: F64 = np.diag(1.0 - self._rise - self._fall)
        return stay + np.diag(self._rise[:-1], 1) + np.diag(self._fall[1:], -1)

    def step(self, move: float | None, usual: float) -> None:
        """Let a bar pass, and learn from its move if there was one and the market's usual one is known."""
        # Sums along an axis, no matrix product: BLAS may add in another order on another machine.
        p = (self.stays[:, :, np.newaxis] * self._p[:, np.newaxis, :]).sum(axis=0)
        rising, falling = p * self._rise, p * self._fall
        inside = p - rising - falling
        inside[:, 1:] += rising[:, :-1]
        inside[:, :-1] += falling[:, 1:]
        if move is not None and usual > 0.0:
            z = (move / usual - self.centre) / self.width
            tail = 1.0 + z * z / TAIL
            inside /= self.width * (tail * tail * tail)
        self._p = inside / inside.sum()

    def chances(self) -> dict[Regime, float]:
        """Probability of every regime."""
        chances = dict.fromkeys(REGIMES, 0.0)
        for shape, chance in zip(self._shapes, self._p.sum(axis=1).tolist(), strict=True):
            chances[shape.regime] += chance
        return chances


def _shapes_chain(hours: float, shapes: Sequence[Shape]) -> F64:
    """Chances ``(s, s)`` of going from one shape to another within a bar."""
    chain = np.zeros((len(shapes), len(shapes)))
    for i, shape in enumerate(shapes):
        leave = min(hours / shape.duration_h, 1.0)
        chain[i, i] = 1.0 - leave
        for j, chance in shape.next.items():
            chain[i, j] += leave * chance
    return chain
