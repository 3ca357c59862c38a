import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from tg_actors.domain.blocks import Abstention, MarketSnapshot, Opinions
from tg_actors.technical.actor import TechnicalActor
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalSpec

AGENT_FILES = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs" / "agents").glob("*.yaml"))
    if yaml.safe_load(path.read_text()).get("kind", "technical") == "technical"
]
BAR_NS = 3_600 * 10**9
NAMES = ("macd", "rsi_14", "obv_slope", "atr_14")
SPEC = TechnicalSpec.model_validate_json(
    """{"name": "test", "horizon_bars": 12, "enter_score": 0.6, "exit_score": 0.1, "agreement_min": 0.8,
        "conditions": [{"name": "macd_level", "weight": 2.0}, {"name": "rsi_strength", "weight": 1.0},
                       {"name": "obv_flow", "weight": 1.0}]}"""
)


def market(cycle: int, *strengths: float | tuple[float, float, float], late_bars: int = 0) -> MarketSnapshot:
    """One instrument per strength; the three conditions of SPEC score squash(strength)."""
    rows = np.array([s if isinstance(s, tuple) else (s, s, s) for s in strengths]) * [1.0, 15.0, 1 / 3]
    n = len(rows)
    features = np.column_stack([rows[:, 0], 50.0 + rows[:, 1], rows[:, 2], np.ones(n)])
    at_ns = (cycle + 1_000) * BAR_NS
    return MarketSnapshot(
        cycle=cycle,
        at_ns=at_ns,
        bar_ns=BAR_NS,
        symbols=tuple(f"A{i}/USDT" for i in range(n)),
        ohlcv=np.ones((n, 5)),
        bid=np.ones(n),
        ask=np.ones(n),
        close_ns=np.full(n, at_ns - late_bars * BAR_NS, dtype=np.int64),
        bars_seen=np.full(n, 500, dtype=np.int64),
        feature_names=NAMES,
        features=features,
    )


def recalled(n: int = 1, stance: float = 0.0) -> TechnicalAgent:
    agent = TechnicalAgent(SPEC, n)
    agent.recall(np.full((n, 1), stance))
    return agent


def same(one: Opinions, other: Opinions) -> bool:
    return pickle.dumps(one) == pickle.dumps(other)


#: A score is squash(strength): 0.75 -> 0.6, 0.1 -> 0.0995, 0.2 -> 0.196.
@pytest.mark.parametrize(
    ("stance", "strength", "after", "why"),
    [
        (0, 0.74, 0, None),
        (0, 0.76, 1, None),
        (0, -0.76, -1, None),
        (0, 0.2, 0, None),
        (0, 0.05, 0, Abstention.NO_CONVICTION),
        (0, 0.0, 0, Abstention.NO_CONVICTION),
        (1, 0.2, 1, None),
        (1, 0.09, 0, None),
        (1, -0.2, 0, None),
        (1, -0.76, -1, None),
        (-1, -0.2, -1, None),
        (-1, 0.2, 0, None),
        (-1, 5.0, 1, None),
    ],
)
def test_a_stance_is_taken_late_and_kept_long(
    stance: int, strength: float, after: int, why: Abstention | None
) -> None:
    opinions = recalled(stance=stance).opine(market(0, strength))
    assert opinions.memory.tolist() == [[after]]
    assert opinions.abstained == (why,)
    expected = np.nan if why else strength / (1 + strength**2) ** 0.5 if after else 0.0
    np.testing.assert_allclose(opinions.direction, [expected])


def test_conditions_that_disagree_do_not_open_a_stance() -> None:
    # Both scores pass enter_score: 0.68 of one mind, and 0.74 against 0.10, an agreement of 0.76.
    united, torn = market(0, (1.0, 1.0, 0.8)), market(0, (5.0, 5.0, -0.436))
    weights = np.array([0.5, 0.25, 0.25])
    for snapshot, stance in ((united, 1.0), (torn, 0.0)):
        opinions = recalled().opine(snapshot)
        assert (opinions.evidence @ weights)[0] > SPEC.enter_score
        assert opinions.memory.tolist() == [[stance]]


def test_confidence_is_the_blend_that_is_documented() -> None:
    opinions = recalled(n=2).opine(market(0, (2.0, 1.0, 1.0), 0.4))
    first, second, third = (opinions.evidence[0, k] for k in range(3))
    score = 0.5 * first + 0.25 * second + 0.25 * third
    watching = 0.4 / (1 + 0.4**2) ** 0.5
    np.testing.assert_allclose(opinions.confidence, [score**0.5, 1 - watching / SPEC.enter_score])


def test_a_stance_that_is_dropped_is_said_aloud_once() -> None:
    agent = recalled(stance=1.0)
    leaving, after = (agent.opine(market(cycle, 0.0)) for cycle in (0, 1))
    assert (leaving.direction[0], leaving.confidence[0], leaving.abstained) == (0.0, 1.0, (None,))
    assert after.abstained == (Abstention.NO_CONVICTION,)


def test_before_it_is_recalled_an_agent_abstains_from_everything() -> None:
    opinions = TechnicalAgent(SPEC, 2).opine(market(0, 5.0, 5.0))
    assert opinions.abstained == (Abstention.RECALLING,) * 2
    assert opinions.memory.tolist() == [[0.0], [0.0]]
    assert opinions.incoherence(2) is None


def test_a_stale_market_and_missing_features_keep_the_stance() -> None:
    agent = recalled(n=2, stance=-1.0)
    stale = agent.opine(market(0, 5.0, 5.0, late_bars=1))
    assert stale.abstained == (Abstention.STALE_MARKET,) * 2
    assert stale.memory.tolist() == [[-1.0], [-1.0]]
    warming = agent.opine(market(1, 5.0, (5.0, np.nan, 5.0)))
    assert warming.abstained == (None, Abstention.WARMING_UP)
    assert warming.memory.tolist() == [[1.0], [-1.0]]
    assert warming.incoherence(2) is None


def test_an_agent_asked_twice_answers_the_same() -> None:
    agent = recalled(n=3, stance=1.0)
    snapshot = market(4, 0.0, -5.0, 5.0)
    assert same(agent.opine(snapshot), agent.opine(snapshot))


@pytest.mark.parametrize("memory", [np.zeros((2, 1)), np.full((1, 1), 0.5), np.full((1, 1), np.nan)])
def test_a_foreign_memory_is_refused(memory: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one stance per instrument"):
        TechnicalAgent(SPEC, 1).recall(memory)


@pytest.mark.parametrize("path", AGENT_FILES, ids=lambda path: path.stem)
def test_every_shipped_agent_is_sound_and_patient(path: Path) -> None:
    spec = TechnicalSpec.model_validate_json(json.dumps(yaml.safe_load(path.read_text())))
    assert spec.name == path.stem
    assert spec.enter_score - spec.exit_score >= 0.4


def test_the_four_characters_are_shipped() -> None:
    assert [path.stem for path in AGENT_FILES] == ["breakout", "mean_reversion", "momentum", "trend"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": [{"name": "ema_stak", "weight": 1.0}] * 3}, "did you mean 'ema_stack'"),
        ({"conditions": [{"name": "astrology", "weight": 1.0}] * 3}, "known are ema_stack"),
        ({"conditions": [{"name": "ema_stack", "weight": 1.0}] * 3}, "named once"),
        ({"conditions": [{"name": "ema_stack", "weight": 0.0}] * 3}, "greater than 0"),
        ({"conditions": []}, "at least 3"),
        ({"exit_score": 0.6}, "exit_score must be below"),
        ({"enter_score": 1.0}, "less than 1"),
        ({"name": "Two Words"}, "pattern"),
        ({"leverage": 3}, "Extra inputs"),
    ],
)
def test_a_bad_spec_is_refused_with_its_reason(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TechnicalSpec.model_validate_json(json.dumps(SPEC.model_dump(mode="json") | change))


def test_the_shell_only_carries_messages() -> None:
    spec = pickle.loads(pickle.dumps(SPEC))  # noqa: S301 - our own bytes
    actor: Any = TechnicalActor(
        spec, ("BTC/USDT",), 1
    )  # called in this process, where Ray's decorator is no more than a mark
    assert repr(actor) == "TechnicalActor:test"
    assert actor.opine(market(0, 5.0)).abstained == (Abstention.RECALLING,)
    actor.recall(None)
    assert same(actor.opine(market(1, 5.0)), recalled().opine(market(1, 5.0)))
