"""The no-trade region: how far a weight may drift before a trade is worth its cost. Pure."""

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64


def half_width(target: F64, cost_frac: float, risk_aversion: float) -> F64:
    """Return half the width of the band around each target weight.

    ``(3 c / (2 gamma) * w^2 (1 - w)^2) ** (1/3)``: the first term of the optimal no-trade region of an
    investor of constant relative risk aversion ``gamma`` under costs ``c`` in proportion to the trade
    (Davis and Norman 1990; the expansion is Janecek and Shreve 2004). It is that of one risky asset
    beside cash; for several it is taken for each by itself, which ignores what they share.
    """
    width: F64 = np.cbrt(1.5 * cost_frac / risk_aversion * (target * (1.0 - target)) ** 2)
    return width


def goals(
    weight: F64, target: F64, band: F64, inner_frac: float, due: NDArray[np.bool_]
) -> tuple[F64, NDArray[np.bool_]]:
    """Return the weights to go to, and who trades.

    Whoever stands outside its band goes back to ``inner_frac`` of it on its own side: 1 is the edge, 0
    the target. Whoever is ``due`` goes to the target itself.

    Args:
        weight: fractions of equity now, ``(n,)``.
        target: where they should be; NaN is left alone.
        band: half widths.
        inner_frac: 0..1.
        due: whose calendar says so.
    """
    drift = weight - target
    outside = np.abs(drift) > band
    inner = target + inner_frac * band * np.sign(drift)
    trades = (outside | due) & np.isfinite(target)
    return np.where(trades, np.where(due, target, np.maximum(inner, 0.0)), weight), trades
