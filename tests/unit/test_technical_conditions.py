from collections.abc import Callable

import numpy as np
import pytest

from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.indicators.bank import FEATURES, IndicatorBank
from tg_actors.technical.conditions import CONDITIONS, MarketView, squash

HOUR_NS = 3_600 * 10**9
WITH_THE_MOVE = (
    "ema_stack",
    "ema_slope",
    "adx_trend",
    "macd_level",
    "rsi_strength",
    "donchian_break",
    "volume_thrust",
    "roc_thrust",
    "obv_flow",
)
AGAINST_THE_MOVE = ("rsi_reversal", "bollinger_reversal", "keltner_reversal", "vwap_reversal")


def market_after(log_close: F64, volume: F64, wick: float = 0.001) -> MarketView:
    """What conditions see after a path of closes; wicks are fractions of the price."""
    close = np.exp(log_close)
    opened = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opened, close) * (1 + wick), np.minimum(opened, close) * (1 - wick)
    bars = np.stack([opened, high, low, close, volume], axis=1)
    close_ns = np.arange(1, len(bars) + 1) * HOUR_NS
    features = IndicatorBank(1, HOUR_NS).block(0, close_ns, bars)[-1:]
    return view_of(features, bars[-1:])


def view_of(features: F64, ohlcv: F64) -> MarketView:
    n = len(features)
    return MarketView(
        MarketSnapshot(
            cycle=0,
            at_ns=HOUR_NS,
            bar_ns=HOUR_NS,
            symbols=("BTC/USDT",) * n,
            ohlcv=ohlcv,
            bid=ohlcv[:, 3],
            ask=ohlcv[:, 3],
            close_ns=np.full(n, HOUR_NS, dtype=np.int64),
            bars_seen=np.full(n, 300, dtype=np.int64),
            feature_names=FEATURES,
            features=features,
        )
    )


def surge(sign: int) -> MarketView:
    """A quiet market, then thirty bars of a steady move that ends in a burst of volume."""
    quiet = 0.002 * np.sin(np.arange(330))
    move = sign * np.concatenate((np.zeros(300), 0.01 * np.arange(1, 31)))
    volume = np.concatenate((np.full(329, 1.0), [4.0]))
    return market_after(quiet + move, volume)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("names", "speaks_for"), [(WITH_THE_MOVE, 1), (AGAINST_THE_MOVE, -1)], ids=["with", "against"]
)
def test_conditions_take_the_side_they_are_named_for(
    names: tuple[str, ...], speaks_for: int, sign: int
) -> None:
    scores = {name: float(CONDITIONS[name](surge(sign))[0]) * sign * speaks_for for name in names}
    assert {name: score for name, score in scores.items() if score < 0.3} == {}


def test_macd_turns_before_price_does() -> None:
    slowing = np.concatenate((np.zeros(300), 0.2 * np.sqrt(np.arange(1, 61) / 60)))
    market = market_after(0.002 * np.sin(np.arange(360)) + slowing, np.ones(360))
    assert CONDITIONS["macd_turn"](market)[0] < -0.2
    assert CONDITIONS["ema_slope"](market)[0] > 0.2


def test_a_release_counts_only_out_of_a_squeeze() -> None:
    # Inside bars: closes that hardly differ within wide wicks keep Bollinger inside Keltner.
    squeezed = market_after(np.concatenate((1e-5 * np.sin(np.arange(319)), [0.002])), np.ones(320))
    assert CONDITIONS["squeeze_release"](squeezed)[0] > 0.5
    assert CONDITIONS["squeeze_release"](surge(1))[0] == 0.0


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("wick", [0.0, 0.001])
def test_a_market_that_stands_still_moves_no_condition(
    condition: Callable[[MarketView], F64], wick: float
) -> None:
    still = market_after(np.zeros(320), np.zeros(320), wick)
    assert condition(still)[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_an_unknown_feature_makes_an_unknown_score(condition: Callable[[MarketView], F64]) -> None:
    blank = view_of(np.full((3, len(FEATURES)), np.nan), np.full((3, 5), np.nan))
    assert np.isnan(condition(blank)).all()


@pytest.mark.parametrize(
    ("x", "expected"), [(0.0, 0.0), (1.0, 0.5**0.5), (-1.0, -(0.5**0.5)), (1e100, 1.0), (-1e100, -1.0)]
)
def test_squash_keeps_the_sign_and_saturates(x: float, expected: float) -> None:
    assert squash(np.array([x]))[0] == pytest.approx(expected)
