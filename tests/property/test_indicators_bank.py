import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.blocks import F64, I64
from tg_actors.indicators.bank import ANCHOR_BARS, FEATURES, WARMUP_BARS, IndicatorBank

MINUTE_NS = 60 * 10**9
HISTORY_BARS = WARMUP_BARS + ANCHOR_BARS
PRICE_FEATURES = ("ema_50", "macd_hist", "atr_14", "bb_upper", "kc_lower", "vwap", "donchian_low_20")
PURE_FEATURES = ("adx_14", "rsi_14", "roc_10", "obv_slope", "volume_ma_ratio", "obv")


@dataclass(frozen=True)
class Tape:
    bar_ns: int
    close_ns: I64
    bars: F64


@st.composite
def tapes(draw: st.DrawFn, n: int) -> Tape:
    """A random walk on a random bar length, phase and price level, with gaps and quiet stretches."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bar_ns = draw(st.sampled_from((1, 5, 15, 60, 240, 1440))) * MINUTE_NS
    gap_frac = draw(st.sampled_from((0.0, 0.01, 0.1)))
    steps = np.where(rng.random(n) < gap_frac, rng.integers(2, 2 * ANCHOR_BARS, n), 1)
    close_ns = (draw(st.integers(1, 10**6)) + np.cumsum(steps)) * bar_ns
    price = 10.0 ** draw(st.integers(-6, 5))
    close = price * np.exp(np.cumsum(rng.normal(0.0, 0.01, n) * (rng.random(n) < 0.9)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + 0.003 * rng.random(n))
    low = np.minimum(opened, close) * (1 - 0.003 * rng.random(n))
    volume = rng.lognormal(2.0, 1.0, n) * (rng.random(n) < 0.9)
    return Tape(bar_ns, close_ns, np.stack([opened, high, low, close, volume], axis=1))


def whole(tape: Tape) -> F64:
    return IndicatorBank(1, tape.bar_ns).block(0, tape.close_ns, tape.bars)


@given(tape=tapes(580), cuts=st.lists(st.integers(0, 580), max_size=6))
def test_blocks_of_any_size_give_the_numbers_of_bar_by_bar(tape: Tape, cuts: list[int]) -> None:
    bank = IndicatorBank(2, tape.bar_ns)
    single = [bank.update(0, int(t), bar) for t, bar in zip(tape.close_ns, tape.bars, strict=True)]
    edges = [0, *sorted(cuts), 580]
    parts = [
        bank.block(1, tape.close_ns[low:high], tape.bars[low:high]) for low, high in itertools.pairwise(edges)
    ]
    at_once = whole(tape)
    np.testing.assert_array_equal(np.array(single), at_once)
    np.testing.assert_array_equal(np.concatenate(parts), at_once)


@given(tape=tapes(900), stop=st.integers(HISTORY_BARS, 899))
def test_a_restart_on_recent_history_changes_no_bit(tape: Tape, stop: int) -> None:
    restarted, recent = IndicatorBank(1, tape.bar_ns), slice(stop - HISTORY_BARS, stop)
    caught_up = restarted.block(0, tape.close_ns[recent], tape.bars[recent])[-1]
    goes_on = restarted.block(0, tape.close_ns[stop:], tape.bars[stop:])
    np.testing.assert_array_equal(np.vstack((caught_up, goes_on)), whole(tape)[stop - 1 :])


@given(tape=tapes(420), at=st.integers(1, 419))
def test_peeking_shows_the_next_bar_and_takes_nothing_in(tape: Tape, at: int) -> None:
    bank = IndicatorBank(1, tape.bar_ns)
    bank.block(0, tape.close_ns[:at], tape.bars[:at])
    next_ns = int(tape.close_ns[at - 1]) + tape.bar_ns
    foreseen = [bank.peek(0, bar) for bar in (tape.bars[at], tape.bars[0], tape.bars[at])]
    np.testing.assert_array_equal(foreseen[0], foreseen[2])
    np.testing.assert_array_equal(bank.update(0, next_ns, tape.bars[at]), foreseen[0])


@given(tape=tapes(320), power=st.integers(-20, 20))
def test_the_unit_of_price_does_not_matter(tape: Tape, power: int) -> None:
    # Powers of two scale without rounding; a hidden threshold on variance or range would show.
    scale = 2.0**power
    ours = dict(zip(FEATURES, whole(tape).T, strict=True))
    scaled = Tape(tape.bar_ns, tape.close_ns, tape.bars * np.array([scale, scale, scale, scale, 1.0]))
    theirs = dict(zip(FEATURES, whole(scaled).T, strict=True))
    for name in PRICE_FEATURES:
        np.testing.assert_array_equal(ours[name] * scale, theirs[name], err_msg=name)
    for name in PURE_FEATURES:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@given(tape=tapes(400))
def test_every_feature_stays_within_its_bounds(tape: Tape) -> None:
    ours = dict(zip(FEATURES, whole(tape)[WARMUP_BARS - 1 :].T, strict=True))
    for name, low, high in (
        ("rsi_14", 0, 100),
        ("adx_14", 0, 100),
        ("obv_slope", -1, 1),
        ("volume_ma_ratio", 0, 20),
    ):
        assert ((low <= ours[name]) & (ours[name] <= high)).all(), name
    assert (ours["atr_14"] >= 0).all()
    assert (ours["bb_lower"] <= ours["bb_upper"]).all()
    assert (ours["kc_lower"] <= ours["kc_upper"]).all()
    assert (ours["donchian_low_20"] <= ours["donchian_high_20"]).all()
    assert (ours["vwap"] > 0).all()
