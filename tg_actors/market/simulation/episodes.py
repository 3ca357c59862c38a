"""Accumulation and distribution: whales who know where the simulated price will go, and some who do not.

The simulator looks into its own future: where the price fell or stood still and then turns, whales are made
to buy *before* the turn (to sell before a fall). Not every turn has its episode, and some episodes are
decoys without a turn, so that who follows whales earns something, and not everything. Prices stay as they
are: whales know, they do not push.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64

#: An episode lasts so many bars, and the turn after it is measured over as many.
EPISODE_BARS = 24
#: The turn moves so many standard deviations of its time at least, the bars before hardly in its direction.
_TURN_MIN = 1.0
_BEFORE_MAX = 0.25
#: A block has three stretches with at most one episode each; it ends in the last two thirds of a stretch.
_STRETCH_BARS = 72
_STRETCHES = 3
_PLANTED_CHANCE = 0.45
_DECOY_CHANCE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """What whales do in ``m`` bars of one instrument.

    ``direction (m,)``: 1 they accumulate, -1 they distribute, 0 neither; ``is_decoy (m,)`` where no turn
    follows by plan.
    """

    direction: I64
    is_decoy: NDArray[np.bool_]


def draw_episodes(rng: Generator, path: F64, sigma: F64) -> Episodes:
    """Plant episodes into the bars of one instrument in one block.

    Args:
        rng: the instrument's own stream for this; as much is drawn whatever comes out.
        path: log prices before the first and after each bar, ``(m + 1,)``.
        sigma: standard deviations of the bars' log returns, ``(m,)``.
    """
    chances, places, sides = rng.random((3, _STRETCHES)).tolist()
    direction, is_decoy = np.zeros(len(sigma), dtype=np.int64), np.zeros(len(sigma), dtype=np.bool_)
    strength = _turns(path, sigma)
    for k in range(_STRETCHES):
        first = k * _STRETCH_BARS + EPISODE_BARS
        ends = np.arange(first, (k + 1) * _STRETCH_BARS)
        end = int(ends[np.argmax(np.abs(strength[ends]))])
        way = int(np.sign(strength[end]))
        planted_chance = _PLANTED_CHANCE if way else 0.0
        if chances[k] >= planted_chance + _DECOY_CHANCE:
            continue
        decoy = chances[k] >= planted_chance
        if decoy:
            end = first + int(places[k] * len(ends))
            way = 1 if sides[k] < 0.5 else -1  # noqa: PLR2004 - a coin
        span = slice(end - EPISODE_BARS, end)
        direction[span], is_decoy[span] = way, decoy
    return Episodes(direction, is_decoy)


def _turns(path: F64, sigma: F64) -> F64:
    """Strength of the turn after each bar count, ``(m + 1,)``: signed standard deviations, 0 for none."""
    variance = np.concatenate(([0.0], np.cumsum(sigma**2)))
    move, scale = np.zeros_like(path), np.ones_like(path)
    move[:-EPISODE_BARS] = path[EPISODE_BARS:] - path[:-EPISODE_BARS]
    scale[:-EPISODE_BARS] = np.sqrt(variance[EPISODE_BARS:] - variance[:-EPISODE_BARS])
    after = move / scale
    # Nothing turns before there is anything to turn from.
    after[:EPISODE_BARS] = 0.0
    before = np.concatenate((np.zeros(EPISODE_BARS), (move / scale)[:-EPISODE_BARS]))
    turns = (np.abs(after) >= _TURN_MIN) & (np.sign(after) * before <= _BEFORE_MAX)
    return np.where(turns, after, 0.0)
