"""The order book around a quote, as deep as a venue shows it.

On a venue whose tick is far below the natural spread the best level is 6 to 19 times deeper than the
next; profiles that decay smoothly from level 1 are wrong there. Sizes are parts of a day's volume:
measured for BTC/USDT (2024-08-08), 1.7 BTC at the best level and 0.14 at the next ones of 29,000 a day.
"""

import numpy as np
from numpy.random import Generator

from tg_actors.domain.blocks import F64

_BEST_FRAC = 6e-5
_NEXT_FRAC = 5e-6
_SIZE_SPREAD = 0.6
#: Mean distance between levels, as a part of the price.
_GAP_FRAC = 2e-5


def draw_book(rng: Generator, bid: float, ask: float, day_volume: float, levels: int) -> tuple[F64, F64]:
    """Draw both sides of a book whose best prices are ``bid`` and ``ask``.

    Args:
        rng: source of sizes and gaps.
        bid: best bid in quote currency.
        ask: best ask.
        day_volume: what is traded in a day, base currency.
        levels: how many per side, at least 1.

    Returns:
        Prices and sizes, each ``(2, levels)``: bids falling, then asks rising; sizes in base currency.
    """
    gaps = rng.exponential(_GAP_FRAC, (2, levels)) + _GAP_FRAC / 10.0
    gaps[:, 0] = 0.0
    distance = np.cumsum(gaps, axis=1)
    prices = np.stack((bid * (1.0 - distance[0]), ask * (1.0 + distance[1])))
    fracs = np.full((2, levels), _NEXT_FRAC)
    fracs[:, 0] = _BEST_FRAC
    sizes = day_volume * fracs * np.exp(_SIZE_SPREAD * rng.standard_normal((2, levels)))
    return prices, sizes
