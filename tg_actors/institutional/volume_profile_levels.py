"""What a volume profile says: point of control, value area, nodes, untouched old points. Pure, arrays only.

Sources: J. P. Steidlmayer and K. Koy, Markets and Market Logic, 1986; Chicago Board of Trade, A Six-Part
Study Guide to Market Profile, 1996; J. Dalton, Mind over Markets, 1990.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.institutional.volume_profile_bins import Profiles

Index = NDArray[np.intp]

#: Bins that join the value area at a time.
_PAIR = 2

#: Binomial weights: a smooth bell of nine bins.
_BELL = np.array([1.0, 8.0, 28.0, 56.0, 70.0, 56.0, 28.0, 8.0, 1.0]) / 256.0


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Prices ``(g,)``, NaN where nothing was traded: ``val <= poc <= vah``.

    ``poc`` is the middle of the bin with the most volume, ``val``/``vah`` the outer edges of the value area.
    """

    poc: F64
    val: F64
    vah: F64


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Where much and where little was traded, ``(g, b)`` each.

    ``high`` is the strength of a high-volume node in its middle bin, ``low`` that of a low-volume node, 0
    elsewhere. A high node's strength is its smoothed volume over the profile's mean, a low node's ``1 -
    volume / the lower of the two hills beside it``.
    """

    high: F64
    low: F64


def levels_of(profiles: Profiles, value_frac: float) -> Levels:
    """Find the point of control, and the value area that grows from it by the rule of two rows."""
    poc = point_of_control(profiles.volume)
    first, after = value_area(profiles.volume, poc, value_frac)
    return Levels(
        poc=profiles.price(poc.astype(np.float64) + 0.5),
        val=profiles.price(first.astype(np.float64)),
        vah=profiles.price(after.astype(np.float64)),
    )


def point_of_control(volume: F64) -> Index:
    """The bin with the most volume, ``(g,)``; of equals the one nearest the middle, then the lower one."""
    bins = volume.shape[1]
    from_centre = np.argsort(np.abs(np.arange(bins) - (bins - 1) / 2.0), kind="stable")
    found: Index = from_centre[np.argmax(volume[:, from_centre], axis=1)]
    return found


def value_area(volume: F64, poc: Index, value_frac: float) -> tuple[Index, Index]:
    """First bin of the value area and the first bin after it, ``(g,)`` each.

    From the point of control on, the two bins above compete with the two below; the richer pair joins, at
    equality the upper one, until the area holds ``value_frac`` of all volume (CBOT study guide, 1996).
    """
    g, bins = volume.shape
    edges = bins + 1
    # What lies below each edge: any stretch is a difference of two. Rows lie flat behind one another.
    sums = np.zeros((g, edges))
    np.cumsum(volume, axis=1, out=sums[:, 1:])
    # What the next pair would bring at each edge; nothing is less than anything beyond the ends.
    above, below = np.full((g, edges), -1.0), np.full((g, edges), -1.0)
    above[:, :-1] = np.concatenate((sums[:, _PAIR:], sums[:, -1:]), axis=1) - sums[:, :-1]
    below[:, 1:] = sums[:, 1:] - np.concatenate((sums[:, :1], sums[:, :-_PAIR]), axis=1)
    flat, flat_above, flat_below = sums.ravel(), above.ravel(), below.ravel()
    bottom = np.arange(g) * edges
    top, first = bottom + bins, bottom + poc
    after = first + 1
    wanted = value_frac * sums[:, -1]
    while True:
        growing = flat.take(after) - flat.take(first) < wanted
        if not growing.any():
            return first - bottom, after - bottom
        up = flat_above.take(after) >= flat_below.take(first)
        after = np.minimum(after + _PAIR * (growing & up), top)
        first = np.maximum(first - _PAIR * (growing & ~up), bottom)


def smoothed(volume: F64) -> F64:
    """Average every bin with its neighbours under a binomial bell of nine; nothing lies beyond the ends."""
    bins, reach = volume.shape[1], len(_BELL) // 2
    padded = np.zeros((len(volume), bins + 2 * reach))
    padded[:, reach : reach + bins] = volume
    total = np.zeros_like(volume)
    for k, weight in enumerate(_BELL.tolist()):
        total += weight * padded[:, k : k + bins]
    return total


def nodes_of(volume: F64, reach: int, high_min: float, low_min: float) -> Nodes:
    """Find nodes: local extremes of the smoothed profile among ``reach`` bins on either side.

    A hill counts from ``high_min`` times the profile's mean on, a valley if it lies at least ``low_min``
    (0..1) below the lower of the hills that are within ``3 * reach`` bins on its two sides.
    """
    smooth = smoothed(volume)
    mean = smooth.mean(axis=1, keepdims=True)
    peak = (smooth > 0.0) & (smooth >= _around(smooth, reach))
    strength = smooth / np.where(mean > 0.0, mean, 1.0)
    far = 3 * reach
    hills = np.minimum(_before(smooth, far, 0.0), _after(smooth, far, 0.0))
    depth = 1.0 - smooth / np.where(hills > 0.0, hills, np.inf)
    pit = (hills > 0.0) & (-smooth >= _around(-smooth, reach)) & (depth >= low_min)
    return Nodes(
        high=np.where(peak & (strength >= high_min), strength, 0.0),
        low=np.where(pit, depth, 0.0),
    )


def _around(values: F64, reach: int) -> F64:
    """The highest value within ``reach`` on either side."""
    return np.maximum(_before(values, reach, -np.inf), np.maximum(values, _after(values, reach, -np.inf)))


def _before(values: F64, reach: int, nothing: float) -> F64:
    """The highest value among the ``reach`` before, ``nothing`` where there is none."""
    bins = values.shape[1]
    padded = np.full((len(values), bins + reach), nothing)
    padded[:, reach:] = values
    highest = padded[:, :bins]
    for k in range(1, reach):
        highest = np.maximum(highest, padded[:, k : k + bins])
    return highest


def _after(values: F64, reach: int, nothing: float) -> F64:
    """The highest value among the ``reach`` after, ``nothing`` where there is none."""
    return _before(values[:, ::-1], reach, nothing)[:, ::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """The nearest level on one side, ``price (n,)`` and ``strength (n,)``; NaN and 0 where there is none."""

    price: F64
    strength: F64


def nearest(price: F64, levels: F64, strength: F64, *, above: bool) -> Shelf:
    """The nearest of ``levels (n, m)`` with a strength, strictly above ``price (n,)`` or strictly below."""
    away = levels - price[:, np.newaxis] if above else price[:, np.newaxis] - levels
    distance = np.where((strength > 0.0) & (away > 0.0), away, np.inf)
    column = np.argmin(distance, axis=1)
    rows = np.arange(len(price))
    found = np.isfinite(distance[rows, column])
    return Shelf(
        price=np.where(found, levels[rows, column], np.nan),
        strength=np.where(found, strength[rows, column], 0.0),
    )


def untouched(poc: F64, low: F64, high: F64) -> NDArray[np.bool_]:
    """Which sessions' points of control are naked: no later session's range has reached them.

    Shapes ``(n, s)``, sessions oldest first; NaN for one without trades, which touches nothing. The newest
    session's own is naked by definition.
    """
    later = np.triu(np.ones((poc.shape[1], poc.shape[1]), dtype=np.bool_), k=1)
    reached = (low[:, np.newaxis, :] <= poc[:, :, np.newaxis]) & (
        poc[:, :, np.newaxis] <= high[:, np.newaxis, :]
    )
    naked: NDArray[np.bool_] = np.isfinite(poc) & ~(reached & later).any(axis=2)
    return naked
