from math import inf, nan

import pytest

from tests.meta_words import a_snapshot
from tg_actors.meta.regime_shapes import Regime
from tg_actors.meta.thresholds import ThresholdConfig, label

CONFIG = ThresholdConfig(trend_atr_min=1.5, dispersion_min=1.5)
WIDE = {"bb_upper": 103.0, "bb_lower": 97.0}
UP, DOWN = {"ema_9": 101.5}, {"ema_9": 98.5}


@pytest.mark.parametrize(
    ("market", "regime"),
    [
        ({}, Regime.RANGE),
        (UP, Regime.TREND_UP),
        ({"ema_9": 101.49}, Regime.RANGE),
        (DOWN, Regime.TREND_DOWN),
        ({"ema_9": 98.51}, Regime.RANGE),
        (WIDE, Regime.HIGH_VOLATILITY),
        ({"bb_upper": 102.99, "bb_lower": 97.0}, Regime.RANGE),
        # A trend spreads the closes too: it counts first.
        (UP | WIDE, Regime.TREND_UP),
        # The same moves in a market with twice the range are half as much.
        (UP | {"atr_14": 2.0}, Regime.RANGE),
        ({"ema_50": nan}, Regime.UNKNOWN),
        ({"kc_upper": inf}, Regime.RANGE),
        ({"atr_14": 0.0}, Regime.UNKNOWN),
    ],
)
def test_label_at_its_boundaries(market: dict[str, float], regime: Regime) -> None:
    assert label(a_snapshot(market), CONFIG) is regime


def test_median_instrument_decides_and_who_warms_up_is_left_out() -> None:
    assert label(a_snapshot(UP, UP, DOWN), CONFIG) is Regime.TREND_UP
    assert label(a_snapshot(UP, DOWN), CONFIG) is Regime.RANGE
    assert label(a_snapshot(UP, {"ema_9": nan}, {"ema_9": nan}), CONFIG) is Regime.TREND_UP
