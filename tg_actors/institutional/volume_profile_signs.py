"""The signs that a volume-profile agent can weigh: profiles in, one score -1..1 per instrument out.

A score is positive where the sign speaks for buying, 0 where it is silent, NaN where a level is not known.
Distances are measured in the usual range of a bar. Auction theory (J. P. Steidlmayer and K. Koy, Markets and
Market Logic, 1986; J. Dalton, Mind over Markets, 1990) knows two kinds of business: *responsive* trade
brings a price back to value, *initiative* trade carries it away; which of both it is shows at the edges of
the value area.
"""

from collections.abc import Callable

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.institutional.volume_profile_levels import Shelf
from tg_actors.institutional.volume_profile_view import ProfileView
from tg_actors.institutional.weighing import squash

Sign = Callable[[ProfileView], F64]

#: Closes in a row beyond the edge that count as acceptance.
_ACCEPTED = 2


def acceptance(view: ProfileView) -> F64:
    """Initiative: two closes beyond the composite value area; louder with distance and with volume.

    Silent at half the usual volume and full from one and a half times on: a break that nobody joins is none.
    """
    closes = view.close[:, -_ACCEPTED:]
    above = np.maximum(closes.min(axis=1) - view.composite.vah, 0.0)
    below = np.maximum(view.composite.val - closes.max(axis=1), 0.0)
    joined = np.minimum(np.maximum(view.surge - 0.5, 0.0), 1.0)
    return squash((above - below) / view.unit) * joined


def rejection(view: ProfileView) -> F64:
    """Responsive: the newest bars probed beyond an edge of the composite value area and closed inside."""
    close, levels = view.close[:, -1], view.composite
    inside = (close >= levels.val) & (close <= levels.vah)
    below = np.maximum(levels.val - view.low.min(axis=1), 0.0)
    above = np.maximum(view.high.max(axis=1) - levels.vah, 0.0)
    return squash((below - above) / view.unit) * inside


def rotation(view: ProfileView) -> F64:
    """Balance: inside the composite value area the price comes back to its point of control."""
    close, levels = view.close[:, -1], view.composite
    inside = (close >= levels.val) & (close <= levels.vah)
    return squash(0.25 * (levels.poc - close) / view.unit) * inside


def migration(view: ProfileView) -> F64:
    """Value moves: the session's value area lies above or below the composite's, by parts of its width."""
    session, composite = view.session, view.composite
    width = np.maximum(composite.vah - composite.val, view.unit)
    return squash((session.vah + session.val - composite.vah - composite.val) / width)


def naked_poc(view: ProfileView) -> F64:
    """Unfinished business: the nearest naked point of control pulls, the one above against the one below."""
    shelves = view.shelves
    return _pull(shelves.naked_above, view) - _pull(shelves.naked_below, view)


def nodes(view: ProfileView) -> F64:
    """High-volume nodes hold: support close below against resistance close above, by their strength."""
    return _hold(view.shelves.support, view) - _hold(view.shelves.resistance, view)


def _closeness(shelf: Shelf, view: ProfileView, reach: float) -> F64:
    """1 at the level, one half ``reach`` usual ranges away, 0 where there is no level."""
    distance = np.abs(shelf.price - view.close[:, -1]) / view.unit
    return np.where(np.isnan(shelf.price), 0.0, 1.0 / (1.0 + distance / reach))


def _pull(shelf: Shelf, view: ProfileView) -> F64:
    return _closeness(shelf, view, 4.0)


def _hold(shelf: Shelf, view: ProfileView) -> F64:
    return _closeness(shelf, view, 1.0) * squash(0.5 * shelf.strength)


#: Names are part of the configuration: agents ask for signs by them.
SIGNS: dict[str, Sign] = {
    "acceptance": acceptance,
    "rejection": rejection,
    "rotation": rotation,
    "migration": migration,
    "naked_poc": naked_poc,
    "nodes": nodes,
}


def distances(view: ProfileView) -> dict[str, F64]:
    """Where the levels lie, for whoever reads the evidence: ``squash((level - price) / (10 units))``.

    NaN where there is none.
    """
    price, reach = view.close[:, -1], 10.0 * view.unit
    levels = {
        "poc": view.composite.poc,
        "vah": view.composite.vah,
        "val": view.composite.val,
        "support": view.shelves.support.price,
        "resistance": view.shelves.resistance.price,
        "thin_above": view.shelves.thin_above.price,
        "thin_below": view.shelves.thin_below.price,
        "whole_poc": view.whole.poc,
    }
    return {name: squash((level - price) / reach) for name, level in levels.items()}
