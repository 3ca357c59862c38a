"""The market's regime by two thresholds: what the filter of ``regimes`` is measured against.

A label per cycle, pure and causal: only features of closed bars. The market factor is the median
instrument. Two numbers describe it:

* *trend* = ``(ema_9 - ema_50) / atr_14``: how many average ranges the fast mean is away from the slow
  one. Its sign is the direction.
* *dispersion* = ``(bb_upper - bb_lower) / (kc_upper - kc_lower)``: how far closes have spread compared
  to the ranges of single bars (Bollinger width over Keltner width; below 1 is the squeeze of J. Carter,
  "Mastering the Trade", 2005). Closes that spread without a trend are a market that is thrown about.
"""

import numpy as np
from pydantic import Field

from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.domain.message import Message
from tg_actors.meta.regime_shapes import Regime


class ThresholdConfig(Message):
    """Where one regime ends and the next begins.

    ``trend_atr_min`` in average true ranges; ``dispersion_min`` a ratio of band widths.
    """

    trend_atr_min: float = Field(default=1.5, gt=0)
    dispersion_min: float = Field(default=1.5, gt=0)


def label(snapshot: MarketSnapshot, config: ThresholdConfig) -> Regime:
    """Return the regime of the median instrument. A trend counts before dispersion."""
    fast, slow, atr, upper, lower, outer, inner = (snapshot.feature(name) for name in _FEATURES)
    with np.errstate(invalid="ignore", divide="ignore"):
        trend = _median((fast - slow) / atr)
        dispersion = _median((upper - lower) / (outer - inner))
    if trend is None or dispersion is None:
        return Regime.UNKNOWN
    if abs(trend) >= config.trend_atr_min:
        return Regime.TREND_UP if trend > 0 else Regime.TREND_DOWN
    return Regime.HIGH_VOLATILITY if dispersion >= config.dispersion_min else Regime.RANGE


_FEATURES = ("ema_9", "ema_50", "atr_14", "bb_upper", "bb_lower", "kc_upper", "kc_lower")


def _median(values: F64) -> float | None:
    """Median of the finite values, None without any. Sorting beats numpy.median on short arrays."""
    known = np.sort(values[np.isfinite(values)])
    if known.size == 0:
        return None
    return float(known[(known.size - 1) // 2] + known[known.size // 2]) / 2.0
