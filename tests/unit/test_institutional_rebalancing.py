"""The rebalancing agent: when it speaks, what it says, and that a crash costs it nothing."""

from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from tests.correlation_words import HOUR_NS, a_snapshot, walks, window
from tg_actors.domain.blocks import Abstention, MarketSnapshot, Opinions
from tg_actors.institutional.rebalancing import EVIDENCE, RebalancingAgent
from tg_actors.institutional.rebalancing_spec import RebalancingSpec

SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/BTC")
FIXED = {"BTC/USDT": 0.1, "ETH/USDT": 0.05}
SILENT = Abstention.NO_CONVICTION


def spec(**changes: object) -> RebalancingSpec:
    given = {
        "name": "rebalancing",
        "horizon_bars": 24,
        "target": "fixed",
        "weights": FIXED,
        "band_frac": 0.02,
        "inner_frac": 0.0,
        "cost_frac": 0.0,
        "say_bars": 1,
    }
    return RebalancingSpec.model_validate(given | changes)


def an_agent(**changes: object) -> RebalancingAgent:
    agent = RebalancingAgent(spec(**changes), SYMBOLS, HOUR_NS)
    agent.recall(None)
    return agent


def at(cycle: int, *price: float, stale: Sequence[str] = ()) -> MarketSnapshot:
    return a_snapshot(SYMBOLS, price or (100.0, 10.0, 0.01), cycle=cycle, stale=stale)


def weights(opinions: Opinions) -> list[float]:
    column: list[float] = opinions.evidence[:, EVIDENCE.index("weight")].tolist()
    return column


def test_it_buys_its_targets_and_is_silent_while_they_hold() -> None:
    agent = an_agent()
    first = agent.opine(at(0))
    assert first.incoherence(3) is None
    # Fractions of the largest position; who is not in the list is left alone.
    np.testing.assert_allclose(first.direction, [1.0, 0.5, np.nan])
    assert first.confidence[:2].tolist() == [1.0, 1.0]
    assert first.abstained == (None, None, SILENT)
    assert agent.opine(at(1)).abstained == (SILENT,) * 3
    # 18 % up: 0.1 becomes 0.1159, inside its band.
    assert agent.opine(at(2, 118.0, 10.0, 0.01)).abstained == (SILENT,) * 3


def test_who_leaves_its_band_is_brought_back_and_nobody_else() -> None:
    agent = an_agent()
    agent.opine(at(0))
    drifted = agent.opine(at(1, 130.0, 10.0, 0.01))
    np.testing.assert_allclose(drifted.direction, [1.0, np.nan, np.nan])
    worth = 0.85 + 0.1 * 1.3 + 0.05
    np.testing.assert_allclose(weights(drifted), [0.1, 0.05 / worth, 0.0])


def test_it_trades_to_the_edge_where_that_is_asked() -> None:
    agent = an_agent(inner_frac=1.0)
    np.testing.assert_allclose(weights(agent.opine(at(0))), [0.08, 0.03, 0.0])
    np.testing.assert_allclose(agent.opine(at(1, 200.0, 10.0, 0.01)).direction[0], 1.0)
    assert weights(agent.opine(at(1, 200.0, 10.0, 0.01)))[0] == pytest.approx(0.12)


def test_a_wish_is_repeated_and_follows_the_price_meanwhile() -> None:
    agent = an_agent(say_bars=3)
    said = [agent.opine(at(cycle, 100.0 - cycle, 10.0, 0.01)) for cycle in range(4)]
    assert [one.abstained[0] for one in said] == [None, None, None, SILENT]
    assert 0.97 < said[2].direction[0] < 1.0


def test_the_calendar_brings_all_back_to_their_targets() -> None:
    agent = an_agent(every_days=2, band_frac=0.5)
    said = [agent.opine(at(cycle, 100.0 + cycle, 10.0, 0.01)) for cycle in range(24 * 5)]
    assert [cycle for cycle, one in enumerate(said) if one.abstained[0] is None] == [0, 48, 96]
    assert weights(said[-1])[0] > 0.1


def test_costs_come_out_of_its_cash() -> None:
    agent = an_agent(cost_frac=0.01)
    memory = agent.opine(at(0)).memory
    np.testing.assert_allclose(memory[:, 3], 1.0 - 0.15 - 0.01 * 0.15)
    np.testing.assert_allclose(memory[:, 0], [0.1 / 100, 0.05 / 10, 0.0])


def test_a_stale_instrument_keeps_its_last_price_and_is_not_traded() -> None:
    agent = an_agent()
    agent.opine(at(0))
    blind = agent.opine(at(1, 500.0, 10.0, 0.01, stale=[SYMBOLS[0]]))
    assert blind.abstained == (Abstention.STALE_MARKET, SILENT, SILENT)
    np.testing.assert_allclose(weights(blind), [0.1, 0.05, 0.0])
    assert agent.opine(at(2, 500.0, 10.0, 0.01)).abstained[0] is None


def test_a_pair_in_another_currency_is_worth_what_its_currency_is_worth() -> None:
    agent = an_agent(weights={"XRP/BTC": 0.1})
    agent.opine(at(0))
    # XRP stands still in BTC, and BTC has doubled.
    assert agent.opine(at(1, 200.0, 10.0, 0.01)).direction[2] == pytest.approx(1.0)
    assert agent.opine(at(1, 200.0, 10.0, 0.01)).abstained == (SILENT, SILENT, None)


def test_asked_twice_about_a_cycle_it_answers_the_same_and_a_restart_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    steps = np.exp(np.cumsum(rng.standard_normal((200, 3)) * 0.05, axis=0))
    path: list[list[float]] = (np.array([100.0, 10.0, 0.01]) * steps).tolist()
    changes: dict[str, object] = {
        "target": "equal",
        "weights": {},
        "cost_frac": 0.002,
        "say_bars": 3,
        "inner_frac": 0.5,
    }
    whole, spoken = an_agent(**changes), 0
    mortal = an_agent(**changes)
    for cycle, prices in enumerate(path):
        said = whole.opine(at(cycle, *prices))
        again = mortal.opine(at(cycle, *prices))
        for one in (mortal.opine(at(cycle, *prices)), again):
            np.testing.assert_array_equal(one.direction, said.direction)
            np.testing.assert_array_equal(one.memory, said.memory)
        assert said.incoherence(3) is None
        spoken += int(np.isfinite(said.direction).any())
        if cycle % 7 == 0:
            mortal = RebalancingAgent(spec(**changes), SYMBOLS, HOUR_NS)
            assert mortal.opine(at(cycle, *prices)).abstained == (Abstention.RECALLING,) * 3
            mortal.recall(said.memory)
    assert 20 < spoken < 180


@pytest.mark.parametrize("target", ["inverse_volatility", "erc", "hrp"])
def test_targets_are_computed_from_days(target: str) -> None:
    agent = an_agent(target=target, weights={}, invested_frac=0.24, position_frac=0.2, cap_frac=0.2)
    closes = walks([[0.9], [0.9], [0.0]])
    view = a_snapshot(SYMBOLS, closes[-1], days=window(closes, SYMBOLS))
    said = agent.opine(view)
    assert sum(weights(said)) == pytest.approx(0.24)
    # The one that goes its own way gets most where all pairs count; three names are two to a tree.
    assert (weights(said)[2] > 0.09) == (target == "erc")
    np.testing.assert_allclose(said.direction, np.array(weights(said)) / 0.2)


def test_without_days_it_has_no_source_and_with_few_it_warms_up() -> None:
    agent = an_agent(target="erc", weights={})
    assert agent.opine(at(0)).abstained == (Abstention.NO_SOURCE,) * 3
    few = walks([[0.9], [0.9], [0.0]])[-30:]
    early = agent.opine(a_snapshot(SYMBOLS, few[-1], cycle=1, days=window(few, SYMBOLS)))
    assert early.abstained == (Abstention.WARMING_UP,) * 3
    assert early.incoherence(3) is None


def test_memory_of_another_agent_is_refused() -> None:
    for memory in (np.zeros((3, 1)), np.full((3, 5), np.nan)):
        with pytest.raises(ValueError, match="agent rebalancing: a memory holds the books of 3 instruments"):
            an_agent().recall(memory)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"weights": {}}, "weights belong to target: fixed"),
        ({"target": "erc"}, "weights belong to target: fixed"),
        ({"weights": {"A/B": 0.6, "B/C": 0.6}, "position_frac": 0.6}, "more than 1"),
        ({"weights": {"A/B": 0.2}}, "a weight is above position_frac"),
        ({"cap_frac": 0.3}, "cap_frac is above position_frac"),
    ],
)
def test_a_wrong_file_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec(**wrong)


def test_it_asks_for_days_only_where_it_needs_them() -> None:
    assert spec().needs().days == 0
    assert spec(target="equal", weights={}).needs().days == 0
    assert spec(target="hrp", weights={}).needs().days == 91
