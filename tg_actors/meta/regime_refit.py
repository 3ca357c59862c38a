"""Fit the shapes of the regimes to past bars: Baum and Welch's steps, held back by what was believed. Pure.

(L. Baum et al., Ann. Math. Stat. 41, 1970; L. Rabiner, Proc. IEEE 77, 1989, section III C. With Student's t
each bar counts by its distance: K. Lange, R. Little, J. Taylor, JASA 84, 1989.) The past bars are seen as a
whole here: that is allowed, because what is fitted to them only speaks of later ones.

Fitted are width, drift and mean duration of every shape, not what follows what. What was believed of a shape
counts as ``PRIOR_BARS`` bars, so one that did not occur stays what it was; a trend up never drifts down, and
what does not drift never begins to. The number of steps is fixed: equal bars give equal bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.meta.regime_chain import NARROW, TAIL, Chain
from tg_actors.meta.regime_shapes import LEVELS, Shape

#: How many bars what was believed of a shape counts for.
PRIOR_BARS = 400.0
#: Steps of each refit.
STEPS = 8
_HOUR_NS = 3_600 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What ``T`` bars say: ``chances (T, s, l)`` of the states, ``stayed (s,)`` bars that a shape went on."""

    chances: F64
    stayed: F64


def refit(shapes: Sequence[Shape], moves: F64, bar_ns: int) -> tuple[Shape, ...]:
    """Return the shapes as ``moves (T,)`` have them: moves over the market's usual one, NaN where unknown."""
    fitted = tuple(shapes)
    for _ in range(STEPS):
        chain = Chain(bar_ns, fitted)
        seen = smoothed(chain, moves)
        fitted = tuple(
            _fitted(k, shapes[k], fitted[k], seen, moves, bar_ns / _HOUR_NS) for k in range(len(shapes))
        )
    return fitted


def densities(chain: Chain, moves: F64) -> F64:
    """Return how well each state explains each bar, ``(T, s, l)``; 1 where nothing is known of the bar."""
    z = (moves[:, np.newaxis, np.newaxis] - chain.centre) / chain.width
    tail = 1.0 + z * z / TAIL
    return np.where(np.isnan(z), 1.0, 1.0 / (chain.width * (tail * tail * tail)))


def smoothed(chain: Chain, moves: F64) -> Seen:
    """Return the chances of all states at all bars, given all bars: forward, then backward."""
    states = chain.start.size
    how_well = densities(chain, moves).reshape(len(moves), states)
    step = chain.stays[:, np.newaxis, :, np.newaxis] * chain.levels[:, np.newaxis, :]
    step = step.reshape(states, states)
    forward, backward = np.empty_like(how_well), np.ones_like(how_well)
    p = chain.start.ravel()
    for t, said in enumerate(how_well):
        # Sums along an axis, no matrix product: BLAS may add in another order on another machine.
        p = (step * p[:, np.newaxis]).sum(axis=0) * said
        p = p / p.sum()
        forward[t] = p
    for t in range(len(moves) - 2, -1, -1):
        b = (step * (how_well[t + 1] * backward[t + 1])).sum(axis=1)
        backward[t] = b / b.sum()
    both = forward * backward
    chances = (both / both.sum(axis=1, keepdims=True)).reshape(-1, *chain.start.shape)
    return Seen(chances, _stayed(step, forward, how_well * backward, len(chain.start)))


def _stayed(step: F64, forward: F64, ahead: F64, shapes: int) -> F64:
    """Return from how many bars each shape went on into the next."""
    pairs = step * (forward[:-1, :, np.newaxis] * ahead[1:, np.newaxis, :])
    pairs = pairs / pairs.sum(axis=(1, 2), keepdims=True)
    by_shape: F64 = pairs.sum(axis=0).reshape(shapes, -1, shapes, len(step) // shapes).sum(axis=(1, 3))
    return np.diagonal(by_shape).copy()


def _fitted(k: int, believed: Shape, before: Shape, seen: Seen, moves: F64, hours: float) -> Shape:
    """Return one shape after a step: ``believed`` counts as so many bars, ``before`` is the last step's."""
    known = ~np.isnan(moves)
    chances = seen.chances[:, k]
    at_level = np.where(known, moves, 0.0)[:, np.newaxis] / np.array(LEVELS)
    vol, centre = before.vol, before.vol * before.drift * sqrt(hours)
    z = (at_level - centre) / (vol * NARROW)
    counted = np.where(known[:, np.newaxis], chances, 0.0)
    near = counted * ((TAIL + 1.0) / (TAIL + z * z))
    usual = believed.drift * vol * sqrt(hours)
    centre = (_sum(near * at_level) + PRIOR_BARS * usual) / (_sum(near) + PRIOR_BARS)
    if centre * believed.drift <= 0.0:
        centre = 0.0
    wide = (believed.vol * NARROW) ** 2
    wide = (_sum(near * (at_level - centre) ** 2) + PRIOR_BARS * wide) / (_sum(counted) + PRIOR_BARS)
    vol = sqrt(wide) / NARROW
    began = _sum(chances[:-1])
    left = began - float(seen.stayed[k]) + PRIOR_BARS * hours / believed.duration_h
    duration_h = hours * (began + PRIOR_BARS) / left
    return replace(believed, vol=vol, drift=centre / (vol * sqrt(hours)), duration_h=duration_h)


def _sum(values: F64) -> float:
    return float(values.sum(axis=0).sum())
