"""What a book tells, per instrument: walls, spoofs, order flow, imbalance, absorption. Pure arrays ``(n,)``.

All scores are -1..1, above 0 for a rise; NaN where the book or the flow is not known.
"""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, Depth
from tg_actors.institutional.weighing import squash
from tg_actors.market.books import walls

#: Bands of a side for the few levels that a snapshot shows.
_BANDS = 20
_NEAR_BANDS = 5
#: A full score for order flow: a quarter of all quote changes went one way.
_FLOW_GAIN = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class BookScores:
    """Scores of all instruments, each ``(n,)``; ``known`` says where there is a book at all."""

    known: F64
    walls: F64
    spoofs: F64
    flow: F64
    imbalance: F64
    absorption: F64


def book_scores(
    depth: Depth | None, at_ns: int, age_ns_max: float, wall_score_min: float, n: int
) -> BookScores:
    """Read a snapshot's depth; a book older than ``age_ns_max`` is none."""
    if depth is None:
        nothing = np.full(n, np.nan)
        return BookScores(np.zeros(n), *[nothing] * 5)
    seen = (depth.as_of_ns > 0) & (at_ns - depth.as_of_ns <= age_ns_max)
    known = seen & np.isfinite(depth.price[:, :, :2]).all(axis=(1, 2))
    reach = walls.reach(depth.price)
    sizes = walls.bands(depth.price, depth.size, reach, _BANDS)
    spoof = np.nan_to_num(np.stack((_flow(depth, "bid_spoof_frac"), _flow(depth, "ask_spoof_frac")), axis=1))
    blank = np.where(known, 0.0, np.nan)
    ofi = _ratio(_flow(depth, "ofi_base"), _flow(depth, "ofi_gross_base"))
    takers = _flow(depth, "taker_sell_base") + _flow(depth, "taker_buy_base")
    held = _flow(depth, "bid_absorbed_base") - _flow(depth, "ask_absorbed_base")
    leaning = _flow(depth, "imbalance_frac")
    return BookScores(
        known=known.astype(np.float64),
        walls=blank + _wall_score(sizes, spoof, wall_score_min),
        # Who shows asks that are not meant to trade wants to buy.
        spoofs=blank + _flow(depth, "ask_spoof_frac") - _flow(depth, "bid_spoof_frac"),
        flow=blank + squash(_FLOW_GAIN * ofi),
        imbalance=blank + np.where(np.isfinite(leaning), leaning, _leaning(sizes)),
        absorption=blank + _ratio(held, takers),
    )


def _wall_score(sizes: F64, spoof: F64, score_min: float) -> F64:
    """Bid walls against ask walls, the nearer the heavier, each side by how much of it is meant."""
    height = walls.scores(sizes)
    nearness = 1.0 - np.arange(_BANDS) / _BANDS
    weight = np.where(height >= score_min, squash(height / (4.0 * score_min)) * nearness, 0.0).sum(axis=2)
    bid, ask = (weight * (1.0 - spoof)).T
    result: F64 = (bid - ask) / np.maximum(bid + ask, 1.0)
    return result


def _leaning(sizes: F64) -> F64:
    near = sizes[:, :, :_NEAR_BANDS].sum(axis=2)
    return _ratio(near[:, 0] - near[:, 1], near.sum(axis=1))


def _flow(depth: Depth, name: str) -> F64:
    if name not in depth.flow_names:
        return np.full(len(depth.price), np.nan)
    return depth.flow[:, depth.flow_names.index(name)]


def _ratio(part: F64, whole: F64) -> F64:
    """``part / whole``, 0 where nothing happened at all, NaN where it is not known."""
    return np.divide(part, whole, out=np.where(np.isnan(whole), np.nan, 0.0), where=whole > 0.0)
