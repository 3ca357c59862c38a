import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalSpec, WeighedCondition

N = 4
BAR_NS = 60 * 10**9
NAMES = ("macd", "rsi_14", "obv_slope", "atr_14")

strengths = st.floats(-3, 3) | st.just(float("nan"))
scenes = st.lists(
    st.lists(st.tuples(strengths, strengths, strengths), min_size=N, max_size=N), min_size=1, max_size=12
)
specs = st.builds(
    lambda weights, enter, exit_part, agreement: TechnicalSpec(
        name="test",
        horizon_bars=1,
        conditions=tuple(
            WeighedCondition(name=name, weight=weight)
            for name, weight in zip(("macd_level", "rsi_strength", "obv_flow"), weights, strict=True)
        ),
        enter_score=enter,
        exit_score=enter * exit_part,
        agreement_min=agreement,
    ),
    st.tuples(*[st.floats(0.01, 10)] * 3),
    st.floats(0.05, 0.95),
    st.floats(0, 0.99),
    st.floats(0, 1),
)


def market(cycle: int, scene: list[tuple[float, float, float]], stale: int = 0) -> MarketSnapshot:
    """The three conditions of an instrument score squash(strength); the first ``stale`` are old."""
    rows = np.array(scene) * [1.0, 15.0, 1 / 3]
    n, at_ns = len(scene), (cycle + 9) * BAR_NS
    age = np.where(np.arange(n) < stale, BAR_NS, 0)
    return MarketSnapshot(
        cycle=cycle,
        at_ns=at_ns,
        bar_ns=BAR_NS,
        symbols=tuple(f"A{i}/USDT" for i in range(n)),
        ohlcv=np.ones((n, 5)),
        bid=np.ones(n),
        ask=np.ones(n),
        close_ns=(at_ns - age).astype(np.int64),
        bars_seen=np.full(n, 500, dtype=np.int64),
        feature_names=NAMES,
        features=np.column_stack([rows[:, 0], 50.0 + rows[:, 1], rows[:, 2], np.ones(n)]),
    )


def recalled(spec: TechnicalSpec, memory: F64 | None = None, n: int = N) -> TechnicalAgent:
    agent = TechnicalAgent(spec, n)
    agent.recall(memory)
    return agent


@given(spec=specs, scenes=scenes, stale=st.integers(0, N))
def test_every_answer_is_coherent_and_silence_changes_nothing(
    spec: TechnicalSpec, scenes: list[list[tuple[float, float, float]]], stale: int
) -> None:
    agent, before = recalled(spec), np.zeros((N, 1))
    for cycle, scene in enumerate(scenes):
        opinions = agent.opine(market(cycle, scene, stale))
        assert opinions.incoherence(N) is None
        silent = np.array([why is not None for why in opinions.abstained])
        np.testing.assert_array_equal(opinions.memory[silent], before[silent])
        assert opinions.abstained[:stale] == (Abstention.STALE_MARKET,) * stale
        before = opinions.memory


@given(spec=specs, scenes=scenes, crash=st.integers(0, 11))
def test_a_crash_between_two_cycles_changes_no_byte(
    spec: TechnicalSpec, scenes: list[list[tuple[float, float, float]]], crash: int
) -> None:
    steady, mortal, memory = recalled(spec), recalled(spec), None
    for cycle, scene in enumerate(scenes):
        if cycle == crash:
            mortal = recalled(spec, memory)
        expected, answer = (agent.opine(market(cycle, scene)) for agent in (steady, mortal))
        assert pickle.dumps(answer) == pickle.dumps(expected)
        memory = answer.memory


@given(
    spec=specs,
    stance=st.sampled_from((-1.0, 0.0, 1.0)),
    scene=st.tuples(*[st.floats(-3, 3)] * 3),
    which=st.integers(0, 2),
    more=st.floats(0, 3),
)
def test_more_evidence_for_a_stance_never_lowers_confidence_in_it(
    spec: TechnicalSpec, stance: float, scene: tuple[float, float, float], which: int, more: float
) -> None:
    memory = np.full((1, 1), stance)
    first = recalled(spec, memory, n=1).opine(market(0, [scene]))
    side = first.memory[0, 0]
    if side == 0.0:
        return
    louder = list(scene)
    louder[which] += side * more
    then = recalled(spec, memory, n=1).opine(market(0, [(louder[0], louder[1], louder[2])]))
    assert then.memory[0, 0] == side
    assert then.confidence[0] >= first.confidence[0] - 1e-12
    assert side * then.direction[0] >= side * first.direction[0] - 1e-12


@given(spec=specs, scenes=scenes)
def test_buying_and_selling_are_mirror_images(
    spec: TechnicalSpec, scenes: list[list[tuple[float, float, float]]]
) -> None:
    upright, mirror = recalled(spec), recalled(spec)
    for cycle, scene in enumerate(scenes):
        one = upright.opine(market(cycle, scene))
        other = mirror.opine(market(cycle, [(-a, -b, -c) for a, b, c in scene]))
        np.testing.assert_allclose(other.direction, -one.direction, atol=1e-9)
        np.testing.assert_allclose(other.confidence, one.confidence, atol=1e-9)
        assert other.abstained == one.abstained
