"""The volume profiles of one snapshot, as the signs read them. Pure, all instruments at once.

A session is a UTC day, the only bell that crypto markets hear. Where bars are so long that a day has fewer
than six of them, it is a week from Monday on; where the window is too short for five days, eight, four or
one hours, counted from midnight.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, Window
from tg_actors.domain.errors import UserError
from tg_actors.institutional.volume_profile_bins import Profiles, of_bars
from tg_actors.institutional.volume_profile_levels import (
    Levels,
    Shelf,
    levels_of,
    nearest,
    nodes_of,
    point_of_control,
    untouched,
)
from tg_actors.institutional.weighing import CLOSE, HIGH, LOW, VOLUME, mean_range

_HOUR_NS = 3_600 * 10**9
_DAY_NS = 24 * _HOUR_NS

#: Lengths that a session may have, the one to be preferred first.
_LENGTHS_NS = (_DAY_NS, 8 * _HOUR_NS, 4 * _HOUR_NS, _HOUR_NS, 7 * _DAY_NS)
#: The epoch began on a Thursday; three days later than a Monday.
_MONDAY_NS = 4 * _DAY_NS

#: How many of the newest bars the signs look at.
NEWEST = 3

_BARS_MIN = 6
_SESSIONS_MIN = 5

#: Bars over which a usual range and a usual volume are measured.
_USUAL_BARS = 24

#: The session in progress speaks for itself once this part of it is over; the one before does until then.
_UNDER_WAY_FRAC = 0.25

#: Sessions whose profiles are made at once.
_BLOCK = 256

#: Bins on either side of a node's middle that it must stand out from.
_NODE_REACH = 3


def session_ns_of(bar_ns: int, window_bars: int) -> int:
    """How long a session is for bars of this length in a window of so many.

    Raises:
        UserError: no length gives six bars a session and five sessions a window.
    """
    for length in _LENGTHS_NS:
        bars = length // bar_ns
        if bars >= _BARS_MIN and _SESSIONS_MIN * bars <= window_bars:
            return length
    raise UserError(
        f"a volume profile needs five sessions of at least six bars, but {window_bars} bars of"
        f" {bar_ns // 10**9} s do not hold them: raise window_bars of the agent"
    )


@dataclass(frozen=True, slots=True)
class Grid:
    """How profiles are made: see ``VolumeProfileSpec`` for the fields."""

    session_ns: int
    bins: int
    value_frac: float
    composite_sessions: int
    naked_sessions: int
    node_high_min: float
    node_low_min: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a window's sessions lie: stretches of its slots, the newest slot in ``session`` or after it.

    ``earlier`` are whole sessions before the present one, oldest first, ``per`` slots each.
    """

    per: int
    present: int
    session: slice
    composite: slice
    earlier: slice

    @classmethod
    def of(cls, window: Window, grid: Grid) -> Self:
        """Cut a window at the bells; the newest slot's session is the present one."""
        per, slots = grid.session_ns // window.bar_ns, len(window.ohlcv)
        last_open_ns = window.end_ns - window.bar_ns
        bell_ns = _MONDAY_NS if grid.session_ns > _DAY_NS else 0
        gone = (last_open_ns - bell_ns) % grid.session_ns // window.bar_ns + 1
        present = max(slots - gone, 0)
        before = min(present // per, grid.naked_sessions)
        early = gone < _UNDER_WAY_FRAC * per
        return cls(
            per=per,
            present=present,
            session=slice(max(present - per, 0), present) if early else slice(present, slots),
            composite=slice(max(present - grid.composite_sessions * per, 0), present),
            earlier=slice(present - before * per, present),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Shelves:
    """The nearest levels above and below the price: high-volume nodes, low-volume nodes, naked points."""

    resistance: Shelf
    support: Shelf
    thin_above: Shelf
    thin_below: Shelf
    naked_above: Shelf
    naked_below: Shelf


@dataclass(frozen=True, slots=True, eq=False)
class ProfileView:
    """One snapshot's profiles; ``(n,)`` unless said otherwise.

    ``composite`` covers the last sessions before the present one, ``session`` the present one (or the one
    before, early on), ``whole`` the window. ``high``/``low``/``close (n, 3)`` are the newest bars, ``unit``
    is the usual range of a bar, ``surge`` the volume of the last two bars over the usual. ``is_known`` where
    all this can be trusted: half of the composite's bars are there.
    """

    close: F64
    high: F64
    low: F64
    unit: F64
    surge: F64
    composite: Levels
    session: Levels
    whole: Levels
    shelves: Shelves
    is_known: NDArray[np.bool_]

    @classmethod
    def of(cls, window: Window, grid: Grid) -> Self:
        """Profile a window of at least two sessions."""
        low, high, close, volume = (window.ohlcv[..., column].T for column in (LOW, HIGH, CLOSE, VOLUME))
        cut = Cut.of(window, grid)
        whole = of_bars(low, high, volume, grid.bins)
        composite, session = (
            of_bars(low[:, part], high[:, part], volume[:, part], grid.bins)
            for part in (cut.composite, cut.session)
        )
        levels = _levels((composite, session, whole), grid)
        unit = mean_range(window, _USUAL_BARS)
        last = close[:, -1]
        there = np.isfinite(close[:, cut.composite]).sum(axis=1)
        return cls(
            close=close[:, -NEWEST:],
            high=high[:, -NEWEST:],
            low=low[:, -NEWEST:],
            # In a market that stood still every distance is far.
            unit=np.where(unit > 0.0, unit, np.abs(last)),
            surge=_surge(volume),
            composite=levels[0],
            session=levels[1],
            whole=levels[2],
            shelves=_shelves(last, whole, _naked(low, high, volume, cut, grid), grid),
            is_known=(2 * there >= max(cut.present - cut.composite.start, 1)) & np.isfinite(unit + last),
        )


def _levels(stacks: tuple[Profiles, ...], grid: Grid) -> list[Levels]:
    """Levels of several profiles of all instruments, found in one go: a third of the time."""
    together = Profiles(
        volume=np.concatenate([profiles.volume for profiles in stacks]),
        low=np.concatenate([profiles.low for profiles in stacks]),
        high=np.concatenate([profiles.high for profiles in stacks]),
    )
    found = levels_of(together, grid.value_frac)
    k = len(stacks)
    parts = zip(np.split(found.poc, k), np.split(found.val, k), np.split(found.vah, k), strict=True)
    return [Levels(poc, val, vah) for poc, val, vah in parts]


def _surge(volume: F64) -> F64:
    """Mean volume of the two newest bars over that of a day's bars before them; 1 where it is not known."""
    newest, usual = volume[:, -2:].mean(axis=1), volume[:, -2 - _USUAL_BARS : -2]
    known = np.isfinite(usual)
    mean = np.where(known, usual, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(np.isfinite(newest) & (mean > 0.0), newest / np.where(mean > 0.0, mean, 1.0), 1.0)


def _naked(low: F64, high: F64, volume: F64, cut: Cut, grid: Grid) -> tuple[F64, F64]:
    """Points of control of whole earlier sessions, ``(n, s)``, and 1 where nobody came back to them.

    A session has a fraction of the window's bars and is profiled in half as many bins.
    """
    n = len(low)
    lows, highs, volumes = (part[:, cut.earlier].reshape(-1, cut.per) for part in (low, high, volume))
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(lows), _BLOCK)]
    # By blocks: fresh memory for a whole stack of profiles costs more than the arithmetic.
    points = [_session_points(lows[rows], highs[rows], volumes[rows], grid.bins // 2) for rows in blocks]
    poc, floor, ceiling = np.concatenate(points, axis=1).reshape(3, n, -1)
    present_low = np.fmin.reduce(low[:, cut.present :], axis=1, initial=np.inf)
    present_high = np.fmax.reduce(high[:, cut.present :], axis=1, initial=-np.inf)
    naked = untouched(
        np.column_stack((poc, np.full(n, np.nan))),
        np.column_stack((floor, present_low)),
        np.column_stack((ceiling, present_high)),
    )
    return poc, naked[:, :-1].astype(np.float64)


def _session_points(low: F64, high: F64, volume: F64, bins: int) -> F64:
    """Point of control, lowest and highest price of each row of bars, ``(3, rows)``."""
    profiles = of_bars(low, high, volume, bins)
    middle = point_of_control(profiles.volume).astype(np.float64) + 0.5
    return np.stack((profiles.price(middle), profiles.low, profiles.high))


def _shelves(price: F64, whole: Profiles, naked: tuple[F64, F64], grid: Grid) -> Shelves:
    nodes = nodes_of(whole.volume, _NODE_REACH, grid.node_high_min, grid.node_low_min)
    middles = whole.low[:, np.newaxis] + (np.arange(grid.bins) + 0.5) * whole.step[:, np.newaxis]
    return Shelves(
        resistance=nearest(price, middles, nodes.high, above=True),
        support=nearest(price, middles, nodes.high, above=False),
        thin_above=nearest(price, middles, nodes.low, above=True),
        thin_below=nearest(price, middles, nodes.low, above=False),
        naked_above=nearest(price, *naked, above=True),
        naked_below=nearest(price, *naked, above=False),
    )
