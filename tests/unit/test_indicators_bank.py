import numpy as np
import pytest
import talib
from talipp import indicators as talipp
from talipp.ohlcv import OHLCV

from tg_actors.domain.blocks import F64, I64
from tg_actors.indicators.bank import ANCHOR_BARS, FEATURES, WARMUP_BARS, IndicatorBank

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
#: A segment starts with the bar that closes here, for every bar length used below.
ANCHOR_NS = 20 * ANCHOR_BARS * DAY_NS


def walk(n: int, seed: int = 7, start: float = 100.0) -> F64:
    rng = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    opened = np.concatenate(([start], close[:-1]))
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 0.004, n)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 0.004, n)))
    return np.stack([opened, high, low, close, rng.lognormal(3.0, 1.0, n)], axis=1)


def closes(n: int, bar_ns: int = HOUR_NS) -> I64:
    return ANCHOR_NS + np.arange(n, dtype=np.int64) * bar_ns


def run(bars: F64, bar_ns: int = HOUR_NS) -> dict[str, F64]:
    block = IndicatorBank(1, bar_ns).block(0, closes(len(bars), bar_ns), bars)
    return dict(zip(FEATURES, block.T, strict=True))


#: 511 bars from a segment's start: the second segment opens too early to slide, so the window is
#: the whole history and an oracle may look at all of it.
BARS = walk(2 * ANCHOR_BARS - 1)
TALIPP_BARS = [OHLCV(*map(float, bar)) for bar in BARS]


def test_nothing_is_said_before_the_warm_up_and_everything_after() -> None:
    block = IndicatorBank(1, HOUR_NS).block(0, closes(400), walk(400))
    assert np.isnan(block[: WARMUP_BARS - 1]).all()
    assert np.isfinite(block[WARMUP_BARS - 1 :]).all()


@pytest.mark.parametrize(
    ("feature", "oracle", "tolerance"),
    [
        ("ema_9", talipp.EMA(9, BARS[:, 3].tolist()), 1e-9),
        ("ema_21", talipp.EMA(21, BARS[:, 3].tolist()), 1e-9),
        ("ema_50", talipp.EMA(50, BARS[:, 3].tolist()), 1e-9),
        ("rsi_14", talipp.RSI(14, BARS[:, 3].tolist()), 1e-9),
        ("roc_10", talipp.ROC(10, BARS[:, 3].tolist()), 1e-9),
        ("obv", talipp.OBV(TALIPP_BARS), 1e-9),
        # Seeded differently: equal only once the seeds are forgotten.
        ("atr_14", talipp.ATR(14, TALIPP_BARS), 1e-6),
    ],
)
def test_values_agree_with_an_independent_library(
    feature: str, oracle: list[float], tolerance: float
) -> None:
    ours = run(BARS)[feature][-50:]
    theirs = np.array(list(oracle)[-50:])
    offset = ours[0] - theirs[0] if feature == "obv" else 0.0  # its first bar may count or not
    np.testing.assert_allclose(ours - offset, theirs, rtol=tolerance, atol=tolerance)


def test_composite_values_agree_with_an_independent_library() -> None:
    ours = run(BARS)
    bands = talipp.BB(20, 2.0, BARS[:, 3].tolist())[-1]
    macd = talipp.MACD(12, 26, 9, BARS[:, 3].tolist())[-1]
    adx = talipp.ADX(14, 14, TALIPP_BARS)[-1]
    pairs = [
        ("bb_upper", bands.ub, 1e-9),
        ("bb_mid", bands.cb, 1e-9),
        ("bb_lower", bands.lb, 1e-9),
        ("macd", macd.macd, 1e-6),
        ("macd_signal", macd.signal, 1e-6),
        ("macd_hist", macd.histogram, 1e-6),
        ("adx_14", adx.adx, 1e-6),
    ]
    for name, theirs, tolerance in pairs:
        assert ours[name][-1] == pytest.approx(theirs, rel=tolerance, abs=tolerance), name


def test_keltner_channel_is_centred_on_the_typical_price() -> None:
    ours, (high, low, close) = run(BARS), np.ascontiguousarray(BARS[:, 1:4].T)
    known = slice(WARMUP_BARS - 1, None)
    middle = talib.EMA(talib.TYPPRICE(high, low, close), 20)
    width = 2.0 * talib.ATR(high, low, close, 10)
    np.testing.assert_array_equal(ours["kc_mid"][known], middle[known])
    np.testing.assert_allclose(ours["kc_upper"][known] - middle[known], width[known], rtol=1e-9)
    np.testing.assert_allclose(middle[known] - ours["kc_lower"][known], width[known], rtol=1e-9)


def test_donchian_channel_does_not_contain_the_bar_itself() -> None:
    ours = run(BARS)
    for t in range(WARMUP_BARS, len(BARS), 17):
        assert ours["donchian_high_20"][t] == BARS[t - 20 : t, 1].max()
        assert ours["donchian_low_20"][t] == BARS[t - 20 : t, 2].min()


def test_volume_features_are_shares_of_the_volume_traded() -> None:
    ours = run(BARS)
    for t in range(WARMUP_BARS, len(BARS), 17):
        volume = BARS[t - 19 : t + 1, 4]
        signed = np.sign(np.diff(BARS[t - 20 : t + 1, 3])) * volume
        assert ours["volume_ma_ratio"][t] == pytest.approx(volume[-1] / volume.mean())
        assert ours["obv_slope"][t] == pytest.approx(signed.sum() / volume.sum())


def test_vwap_starts_anew_with_every_utc_day() -> None:
    ours, opens = run(BARS), closes(len(BARS)) - HOUR_NS
    typical = BARS[:, 1:4].mean(axis=1)
    for t in range(WARMUP_BARS, len(BARS)):
        today = (opens // DAY_NS == opens[t] // DAY_NS) & (opens <= opens[t])
        expected = np.average(typical[today], weights=BARS[today, 4])
        assert ours["vwap"][t] == pytest.approx(expected, rel=1e-12)


def test_vwap_of_minute_bars_reaches_back_to_the_start_of_the_window() -> None:
    bars = walk(700)
    vwap, typical = run(bars, MINUTE_NS)["vwap"], bars[:, 1:4].mean(axis=1)
    begins = 2 * ANCHOR_BARS - WARMUP_BARS  # the warm-up of the segment that starts with bar 512
    expected = np.average(typical[begins:601], weights=bars[begins:601, 4])
    assert vwap[600] == pytest.approx(expected, rel=1e-12)


def test_a_market_that_stands_still_gives_neutral_numbers() -> None:
    bars = np.ones((400, 5))
    bars[:, 4] = 0.0
    last = {name: series[-1] for name, series in run(bars).items()}
    zero = ("adx_14", "macd", "macd_hist", "roc_10", "atr_14", "obv", "obv_slope", "volume_ma_ratio")
    assert {name: last[name] for name in zero} == dict.fromkeys(zero, 0.0)
    assert last["rsi_14"] == 50.0
    assert (last["vwap"], last["bb_upper"], last["kc_lower"], last["ema_50"]) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_and_leave_no_trace(poison: float) -> None:
    bars, times = walk(420), closes(420)
    bank, clean = IndicatorBank(1, HOUR_NS), IndicatorBank(1, HOUR_NS)
    bank.block(0, times[:400], bars[:400])
    clean.block(0, times[:400], bars[:400])
    dirty = bars[400:420].copy()
    dirty[13, 2] = poison
    with pytest.raises(ValueError, match="finite"):
        bank.block(0, times[400:], dirty)
    with pytest.raises(ValueError, match="finite"):
        bank.peek(0, dirty[13])
    after = bank.block(0, times[400:], bars[400:])
    np.testing.assert_array_equal(after, clean.block(0, times[400:], bars[400:]))


@pytest.mark.parametrize("step_ns", [0, -HOUR_NS, HOUR_NS - 1])
def test_bars_out_of_order_are_refused(step_ns: int) -> None:
    bank = IndicatorBank(1, HOUR_NS)
    bank.update(0, ANCHOR_NS, walk(1)[0])
    with pytest.raises(ValueError, match="in order"):
        bank.update(0, ANCHOR_NS + step_ns, walk(1)[0])
    with pytest.raises(ValueError, match="in order"):
        bank.block(0, np.array([ANCHOR_NS + DAY_NS, ANCHOR_NS + DAY_NS + step_ns]), walk(2))


def test_shapes_that_do_not_fit_are_refused() -> None:
    bank = IndicatorBank(1, HOUR_NS)
    with pytest.raises(ValueError, match="shape"):
        bank.block(0, closes(3), walk(2))
    with pytest.raises(ValueError, match="forming bar"):
        bank.peek(0, np.ones(4))
    with pytest.raises(ValueError, match="bar_ns"):
        IndicatorBank(1, 0)


def test_an_empty_block_is_no_news() -> None:
    assert IndicatorBank(1, HOUR_NS).block(0, closes(0), walk(1)[:0]).shape == (0, len(FEATURES))


def test_instruments_do_not_hear_each_other() -> None:
    bank, other = IndicatorBank(2, HOUR_NS), walk(350, seed=9, start=3e-5)
    bank.block(0, closes(350), walk(350))
    np.testing.assert_array_equal(
        bank.block(1, closes(350), other), IndicatorBank(1, HOUR_NS).block(0, closes(350), other)
    )
