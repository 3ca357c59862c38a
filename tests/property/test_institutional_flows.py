import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.flow_words import FLOW_FACTS, HOUR_NS, MONDAY_NS, bars, shipped, snapshot
from tg_actors.domain.blocks import F64, Facts, MarketSnapshot, Opinions
from tg_actors.institutional.smart_money import SmartMoneyAgent
from tg_actors.institutional.smart_money_spec import SmartMoneySpec
from tg_actors.institutional.volume_profile import VolumeProfileAgent
from tg_actors.institutional.volume_profile_bins import of_bars
from tg_actors.institutional.volume_profile_levels import point_of_control, value_area
from tg_actors.institutional.volume_profile_spec import VolumeProfileSpec

N = 3
SYMBOLS = tuple(f"A{i}/USDT" for i in range(N))
PROFILE = shipped(VolumeProfileSpec, "volume_profile").model_copy(update={"window_bars": 150})
MONEY = shipped(SmartMoneySpec, "smart_money")

seeds = st.integers(0, 2**32)
prices = st.floats(1e-6, 1e6)
widths = st.sampled_from([0.0, 1e-12, 1e-6, 0.01, 0.5])
sizes = st.sampled_from([0.0, 1e-9, 1.0, 1e12]) | st.floats(0, 1e6)
rows = st.lists(st.tuples(prices, widths, sizes), min_size=1, max_size=12)


@given(rows=rows, bins=st.integers(16, 80))
def test_no_volume_is_lost_or_made_and_none_lies_outside(
    rows: list[tuple[float, float, float]], bins: int
) -> None:
    low, width, volume = (np.array([column]) for column in zip(*rows, strict=True))
    found = of_bars(low, low * (1 + width), volume, bins)
    assert (found.volume >= 0).all()
    np.testing.assert_allclose(found.volume.sum(), volume.sum(), rtol=1e-9)
    traded = volume > 0
    if traded.any():
        assert found.low[0] == low[traded].min()
        assert found.high[0] == (low * (1 + width))[traded].max()


@given(volume=st.lists(st.integers(0, 50), min_size=16, max_size=40), frac=st.floats(0.05, 0.95))
def test_the_value_area_holds_its_part_around_the_point_of_control(volume: list[int], frac: float) -> None:
    profile = np.array([volume], dtype=np.float64)
    poc = point_of_control(profile)
    (first,), (after,) = value_area(profile, poc, frac)
    assert 0 <= first <= poc[0] < after <= len(volume)
    assert profile[0, poc[0]] == profile.max()
    inside = profile[0, first:after].sum()
    assert inside >= frac * profile.sum()
    # Without the pair that came last it would hold less: no area is wider than it must be.
    last_below, last_above = profile[0, first : first + 2].sum(), profile[0, after - 2 : after].sum()
    assert after - first == 1 or inside - max(last_below, last_above) < frac * profile.sum()


def wild_market(rng: np.random.Generator, w: int = 150) -> F64:
    """Random walks with holes."""
    ohlcv = bars(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (w, N)), axis=0)), rng)
    ohlcv[rng.random((w, N)) < rng.choice([0.0, 0.1, 0.6])] = np.nan
    return ohlcv


def profiled(ohlcv: F64, hour: int) -> Opinions:
    agent = VolumeProfileAgent(PROFILE, SYMBOLS, HOUR_NS)
    return agent.opine(snapshot(ohlcv, end_ns=MONDAY_NS + hour * HOUR_NS))


@given(seed=seeds, hour=st.integers(0, 48), price=st.integers(-9, 9), volume=st.integers(-9, 9))
def test_a_profile_knows_neither_the_unit_of_prices_nor_that_of_volumes(
    seed: int, hour: int, price: int, volume: int
) -> None:
    ohlcv = wild_market(np.random.default_rng(seed))
    # Powers of two change no digit, so not a bit of the answer may change.
    scaled = ohlcv * np.array([2.0**price] * 4 + [2.0**volume])
    plain, other = profiled(ohlcv, hour), profiled(scaled, hour)
    assert plain.incoherence(N) is None
    assert pickle.dumps(plain) == pickle.dumps(other)


@given(seed=seeds, hour=st.integers(0, 48))
def test_no_instrument_changes_the_profile_of_another(seed: int, hour: int) -> None:
    ohlcv = wild_market(np.random.default_rng(seed))
    plain, turned = profiled(ohlcv, hour), profiled(ohlcv[:, ::-1], hour)
    np.testing.assert_array_equal(plain.evidence, turned.evidence[::-1])
    np.testing.assert_array_equal(plain.direction, turned.direction[::-1])
    assert plain.abstained == turned.abstained[::-1]


def wild_facts(rng: np.random.Generator, at_ns: int) -> Facts:
    """Anything that a source may say: nothing, zeros, old news, numbers of any size."""
    shape = (N, len(FLOW_FACTS))
    values = rng.lognormal(0, 1, shape) * rng.choice([0.0, 1.0, 1.0, 1.0, 1e9, np.nan], shape)
    age_ns = rng.choice([0, 0, 0, 5, 400], shape) * HOUR_NS
    return Facts(FLOW_FACTS, values, np.where(np.isnan(values), 0, at_ns - age_ns).astype(np.int64))


def story(seed: int, cycles: int) -> list[MarketSnapshot]:
    rng = np.random.default_rng(seed)
    ohlcv = wild_market(rng, 97 + cycles)
    told = []
    for cycle in range(cycles):
        at_ns = MONDAY_NS + cycle * HOUR_NS
        facts = wild_facts(rng, at_ns) if rng.random() < 0.9 else None
        told.append(snapshot(ohlcv[cycle : cycle + 97], cycle=cycle, end_ns=at_ns, facts=facts))
    return told


def money(memory: F64 | None = None) -> SmartMoneyAgent:
    agent = SmartMoneyAgent(MONEY, SYMBOLS, HOUR_NS)
    agent.recall(memory)
    return agent


@given(seed=seeds, crash=st.integers(1, 59))
def test_whatever_sources_say_the_answer_is_sound_and_a_crash_changes_nothing(seed: int, crash: int) -> None:
    told = story(seed, 60)
    agent = money()
    answers = [agent.opine(scene) for scene in told]
    assert [answer.incoherence(N) for answer in answers] == [None] * 60
    reborn = money(answers[crash - 1].memory)
    assert [pickle.dumps(reborn.opine(scene)) for scene in told[crash:]] == [
        pickle.dumps(answer) for answer in answers[crash:]
    ]


@given(seed=seeds)
def test_asked_twice_smart_money_answers_and_remembers_the_same(seed: int) -> None:
    once, twice = money(), money()
    for scene in story(seed, 20):
        twice.opine(scene)
        assert pickle.dumps(once.opine(scene)) == pickle.dumps(twice.opine(scene))
