from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.indicators.bank import FEATURES
from tg_actors.technical.conditions import CONDITIONS, MarketView

LEVELS = ("ema_9", "ema_21", "ema_50", "vwap", "bb_mid", "kc_mid", "donchian_low_20")
SWAPPED = (("bb_upper", "bb_lower"), ("kc_upper", "kc_lower"), ("donchian_high_20", "donchian_low_20"))
SIGNED = ("macd", "macd_signal", "macd_hist", "obv", "obv_slope")


@st.composite
def markets(draw: st.DrawFn) -> dict[str, F64]:
    """Eight instruments with features that could occur: bands in order, bounded oscillators."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, price = 8, 10.0 ** draw(st.integers(-5, 5))
    noise = 10.0 ** draw(st.integers(-4, -1)) * price
    market = {name: price + noise * rng.normal(size=n) for name in (*LEVELS, "open", "close", "close_10")}
    market |= {name: noise * rng.normal(size=n) for name in SIGNED}
    market["atr_14"] = noise * rng.exponential(size=n)
    market["adx_14"], market["rsi_14"] = rng.uniform(0, 100, (2, n))
    market["obv_slope"] = rng.uniform(-1, 1, n)
    market["volume_ma_ratio"] = 5 * rng.random(n)
    for band in ("bb", "kc"):
        half = noise * rng.exponential(size=n)
        market[f"{band}_upper"], market[f"{band}_lower"] = (
            market[f"{band}_mid"] + half,
            market[f"{band}_mid"] - half,
        )
    market["donchian_high_20"] = market["donchian_low_20"] + noise * rng.exponential(size=n)
    market["close_10"] = np.maximum(market["close_10"], 0.1 * price)
    return market


def view(market: dict[str, F64]) -> MarketView:
    close, n = market["close"], len(market["close"])
    known = {**market, "roc_10": 100.0 * (close / market["close_10"] - 1.0)}
    bars = np.stack([market["open"], close, close, close, np.ones(n)], axis=1)
    features = np.stack([known[name] for name in FEATURES], axis=1)
    times = np.ones(n, dtype=np.int64)
    names = tuple(f"A{i}/USDT" for i in range(n))
    return MarketView(MarketSnapshot(0, 1, 1, names, bars, close, close, times, times, FEATURES, features))


def mirrored(market: dict[str, F64]) -> dict[str, F64]:
    """The same market upside down: every price reflected at one level."""
    axis = 2.0 * market["close"]
    flipped = {name: axis - market[name] for name in (*LEVELS, "open", "close", "close_10")}
    for one, other in SWAPPED:
        flipped[one], flipped[other] = axis - market[other], axis - market[one]
    flipped |= {name: -market[name] for name in SIGNED}
    return {**market, **flipped, "rsi_14": 100.0 - market["rsi_14"]}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@given(market=markets())
def test_scores_stay_within_one(condition: Callable[[MarketView], F64], market: dict[str, F64]) -> None:
    assert (np.abs(condition(view(market))) <= 1.0).all()


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@given(market=markets())
def test_no_condition_prefers_rising_to_falling(
    condition: Callable[[MarketView], F64], market: dict[str, F64]
) -> None:
    upright, upside_down = condition(view(market)), condition(view(mirrored(market)))
    np.testing.assert_allclose(upright, -upside_down, atol=1e-6)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@given(market=markets(), order=st.permutations(range(8)))
def test_instruments_are_judged_one_by_one(
    condition: Callable[[MarketView], F64], market: dict[str, F64], order: list[int]
) -> None:
    shuffled = {name: series[order] for name, series in market.items()}
    np.testing.assert_array_equal(condition(view(shuffled)), condition(view(market))[order])
