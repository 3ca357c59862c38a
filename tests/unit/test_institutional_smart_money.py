import json
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from tests.flow_words import HOUR_NS, facts_of, shipped, snapshot
from tg_actors.domain.blocks import F64, Abstention, Facts, MarketSnapshot, Opinions
from tg_actors.institutional.smart_money import _READINGS, SmartMoneyAgent
from tg_actors.institutional.smart_money_history import FIELDS
from tg_actors.institutional.smart_money_sources import SOURCES
from tg_actors.institutional.smart_money_spec import SmartMoneySpec
from tg_actors.market.facts import FACTS
from tg_actors.market.needs import MarketNeeds

TREND = 6
START_NS = 1_704_067_200 * 10**9

Unusual = dict[str, float]


def spec(*names: str, sources_min: int = 1, age_s_max: int = 7_200, enter: float = 0.2) -> SmartMoneySpec:
    sources = [
        {"name": name, "weight": 1.0, "fast": 1, "slow": 1_000, "history_min": 10, "age_s_max": age_s_max}
        for name in names
    ]
    fields = {"name": "test", "horizon_bars": 12, "sources": sources, "trend_bars": TREND, "crowd_sigma": 1.0}
    rest = {"enter_score": enter, "sources_min": sources_min}
    return SmartMoneySpec.model_validate_json(json.dumps(fields | rest))


def prices(n: int = 1, last_move: float = 0.0) -> F64:
    """A market that wobbles by one percent a bar, and then goes ``last_move`` in its last bars."""
    w = 4 * TREND + 1
    close = 100.0 + (np.arange(w) % 2)
    close[-TREND:] += np.linspace(0, last_move * 100, TREND)
    return np.repeat(np.stack([close] * 4 + [np.ones(w)], axis=1)[:, np.newaxis], n, axis=1)


def market(cycle: int, facts: Facts | None, ohlcv: F64 | None, late_bars: int = 0) -> MarketSnapshot:
    return snapshot(ohlcv, cycle=cycle, end_ns=START_NS + cycle * HOUR_NS, facts=facts, late_bars=late_bars)


def calm(wobble: F64, at_ns: int, **unusual: float) -> Facts:
    """Facts as on any day, four wobbles -1..1 around the usual, but for what is said to be unusual."""
    usual = {
        "whale_buy_usd": 100 + 10 * wobble[0],
        "whale_sell_usd": 100 - 10 * wobble[0],
        "retail_buy_usd": 100 + 10 * wobble[1],
        "retail_sell_usd": 100 - 10 * wobble[1],
        "taker_buy_volume": 50 + 5 * wobble[2],
        "taker_sell_volume": 50 - 5 * wobble[2],
        "exchange_inflow_usd": 30.0 - 3 * wobble[3],
        "exchange_outflow_usd": 30.0 + 3 * wobble[3],
        "funding_rate_frac": 1e-4 * (1 + wobble[0]),
        "open_interest_usd": 1e9 * (1 + 0.02 * wobble[1]),
    }
    return facts_of(at_ns, 1, **(usual | unusual))


def experienced(which: SmartMoneySpec, bars: int = 40) -> SmartMoneyAgent:
    agent, rng = SmartMoneyAgent(which, ("A0/USDT",), HOUR_NS), np.random.default_rng(1)
    agent.recall(None)
    for cycle in range(bars):
        agent.opine(market(cycle, calm(rng.uniform(-1, 1, 4), START_NS + cycle * HOUR_NS), prices()))
    return agent


def said(agent: SmartMoneyAgent, unusual: Unusual, cycle: int = 40, move: float = 0.0) -> Opinions:
    facts = calm(np.zeros(4), START_NS + cycle * HOUR_NS, **unusual)
    return agent.opine(market(cycle, facts, prices(last_move=move)))


WHALES_BUY = {"whale_buy_usd": 180.0, "whale_sell_usd": 20.0}
RETAIL_SELLS = {"retail_buy_usd": 20.0, "retail_sell_usd": 180.0}


def test_every_source_has_a_reading_and_its_facts_exist() -> None:
    assert set(SOURCES) == set(_READINGS)
    assert {fact for source in SOURCES.values() for fact in source.facts} == set(FACTS)


@pytest.mark.parametrize(
    ("source", "unusual", "move", "side"),
    [
        ("whale_flow", WHALES_BUY, 0.0, 1),
        ("whale_flow", WHALES_BUY, -0.3, 1),
        ("whale_flow", {"whale_buy_usd": 20.0, "whale_sell_usd": 180.0}, 0.3, -1),
        ("retail_gap", {**WHALES_BUY, **RETAIL_SELLS}, 0.0, 1),
        ("taker_flow", {"taker_buy_volume": 90.0, "taker_sell_volume": 10.0}, 0.0, 1),
        ("absorption", RETAIL_SELLS, 0.0, 1),
        ("absorption", {"retail_buy_usd": 180.0, "retail_sell_usd": 20.0}, 0.0, -1),
        ("exchange_flow", {"exchange_inflow_usd": 60.0, "exchange_outflow_usd": 5.0}, 0.0, -1),
        ("funding", {"funding_rate_frac": 2e-3}, 0.0, -1),
        ("funding", {"funding_rate_frac": -2e-3}, 0.0, 1),
        ("open_interest", {"open_interest_usd": 1.3e9}, 0.3, 1),
        ("open_interest", {"open_interest_usd": 1.3e9}, -0.3, -1),
        ("open_interest", {"open_interest_usd": 0.7e9}, 0.3, -1),
    ],
)
def test_each_source_speaks_for_its_side(
    source: str, unusual: dict[str, float], move: float, side: int
) -> None:
    opinions = said(experienced(spec(source)), unusual, move=move)
    assert opinions.abstained == (None,)
    assert np.sign(opinions.direction[0]) == side
    assert opinions.incoherence(1) is None


def test_whales_who_buy_into_a_rise_are_no_divergence() -> None:
    agent = experienced(spec("whale_flow"))
    still, falling, risen = (said(agent, WHALES_BUY, move=move) for move in (0.0, -0.3, 0.3))
    assert falling.direction[0] == pytest.approx(still.direction[0], abs=0.02)
    assert risen.evidence[0, 0] < 0.2 * still.evidence[0, 0]


def test_sales_that_move_the_price_are_not_absorbed() -> None:
    falling = said(experienced(spec("absorption")), RETAIL_SELLS, move=-2.0)
    assert (
        abs(falling.evidence[0, 0]) < 0.5 * said(experienced(spec("absorption")), RETAIL_SELLS).evidence[0, 0]
    )


def test_ordinary_funding_is_silent_and_leaves_no_conviction() -> None:
    opinions = said(experienced(spec("funding")), {"funding_rate_frac": 1.2e-4})
    assert opinions.evidence[0].tolist() == [0.0, 1.0]
    assert opinions.abstained == (Abstention.NO_CONVICTION,)


def test_confidence_grows_with_every_independent_source_that_agrees() -> None:
    agent = experienced(spec("whale_flow", "exchange_flow", "funding", enter=0.1))
    leave, fear = {"exchange_inflow_usd": 5.0, "exchange_outflow_usd": 60.0}, {"funding_rate_frac": -2e-3}
    one, two, three = (said(agent, WHALES_BUY | more) for more in ({}, leave, leave | fear))
    assert one.confidence[0] < two.confidence[0] < three.confidence[0]
    echo = experienced(spec("whale_flow", "taker_flow", "funding", enter=0.1))
    takers = {"taker_buy_volume": 90.0, "taker_sell_volume": 10.0}
    assert said(echo, WHALES_BUY | takers).confidence[0] < two.confidence[0]


def test_a_fact_from_the_future_does_not_count() -> None:
    facts = calm(np.zeros(4), START_NS + 41 * HOUR_NS, **WHALES_BUY)
    opinions = experienced(spec("whale_flow")).opine(market(40, facts, prices()))
    assert opinions.abstained == (Abstention.NO_SOURCE,)


def test_without_facts_there_is_no_source() -> None:
    opinions = experienced(spec("whale_flow")).opine(market(40, None, prices()))
    assert opinions.abstained == (Abstention.NO_SOURCE,)
    assert np.isnan(opinions.evidence[0, 0])
    assert opinions.evidence[0, 1] == 0.0
    assert opinions.incoherence(1) is None


def test_a_fact_that_is_too_old_does_not_count() -> None:
    agent = experienced(spec("whale_flow", age_s_max=7_200))
    facts = calm(np.zeros(4), START_NS + 40 * HOUR_NS, **WHALES_BUY)
    reasons = [agent.opine(market(cycle, facts, prices())).abstained for cycle in (40, 42, 43)]
    assert reasons == [(None,), (None,), (Abstention.NO_SOURCE,)]


def test_missing_sources_are_seen_in_the_evidence_and_may_be_too_many() -> None:
    facts = facts_of(START_NS + 40 * HOUR_NS, 1, funding_rate_frac=-2e-3)
    lonely = experienced(spec("funding", "whale_flow")).opine(market(40, facts, prices()))
    assert lonely.abstained == (None,)
    assert lonely.evidence_names == ("funding", "whale_flow", "heard")
    assert np.isnan(lonely.evidence[0, 1])
    assert lonely.evidence[0, 2] == 0.5
    strict = experienced(spec("funding", "whale_flow", sources_min=2)).opine(market(40, facts, prices()))
    assert strict.abstained == (Abstention.NO_SOURCE,)


def test_it_warms_up_until_it_knows_what_is_normal() -> None:
    young = experienced(spec("exchange_flow"), bars=9)
    unusual = {"exchange_inflow_usd": 5.0, "exchange_outflow_usd": 60.0}
    assert said(experienced(spec("exchange_flow"), bars=8), unusual, cycle=8).abstained == (
        Abstention.WARMING_UP,
    )
    assert said(young, unusual, cycle=9).abstained == (None,)


def test_it_warms_up_without_prices_where_it_needs_them() -> None:
    agent = experienced(spec("whale_flow"))
    facts = calm(np.zeros(4), START_NS + 40 * HOUR_NS, **WHALES_BUY)
    assert agent.opine(snapshot(None, cycle=40, end_ns=START_NS + 40 * HOUR_NS, facts=facts)).abstained == (
        Abstention.WARMING_UP,
    )


def test_a_stale_market_is_silent_but_goes_on_learning() -> None:
    agent = experienced(spec("whale_flow"))
    facts = calm(np.zeros(4), START_NS + 40 * HOUR_NS, **WHALES_BUY)
    opinions = agent.opine(market(40, facts, prices(), late_bars=1))
    assert opinions.abstained == (Abstention.STALE_MARKET,)
    assert opinions.memory.reshape(-1, FIELDS)[0, 4] == 41


def test_a_fact_counts_once_however_long_it_stands() -> None:
    agent = experienced(spec("funding", age_s_max=36_000))
    facts = facts_of(START_NS + 40 * HOUR_NS, 1, funding_rate_frac=-2e-3)
    first, later = (agent.opine(market(cycle, facts, prices())) for cycle in (40, 45))
    np.testing.assert_array_equal(first.memory, later.memory)
    assert first.direction[0] == later.direction[0]


def test_one_mad_print_hardly_moves_the_norm() -> None:
    agent = experienced(spec("open_interest"), bars=60)
    before = said(agent, {}, cycle=60).memory.reshape(-1, FIELDS)[0]
    after = said(agent, {"open_interest_usd": 1e15}, cycle=61).memory.reshape(-1, FIELDS)[0]
    assert after[2] == pytest.approx(before[2], rel=0.01)
    assert after[3] < 1.2 * before[3]


def test_before_it_is_recalled_it_abstains_and_a_memory_brings_it_all_back() -> None:
    which = spec("whale_flow", "funding")
    agent = experienced(which)
    memory = said(agent, {}).memory
    reborn = SmartMoneyAgent(which, ("A0/USDT",), HOUR_NS)
    assert said(reborn, {}).abstained == (Abstention.RECALLING,)
    reborn.recall(memory)
    assert pickle.dumps(said(reborn, WHALES_BUY, cycle=41)) == pickle.dumps(said(agent, WHALES_BUY, cycle=41))


def test_asked_twice_about_a_cycle_it_answers_the_same() -> None:
    agent = experienced(spec("whale_flow"))
    assert pickle.dumps(said(agent, WHALES_BUY)) == pickle.dumps(said(agent, WHALES_BUY))


@pytest.mark.parametrize("memory", [np.zeros((1, 1)), np.zeros((2, FIELDS)), np.full((1, FIELDS), np.nan)])
def test_a_foreign_memory_is_refused(memory: F64) -> None:
    with pytest.raises(ValueError, match="finite numbers, shape"):
        SmartMoneyAgent(spec("funding"), ("A0/USDT",), HOUR_NS).recall(memory)


def test_the_shipped_agent_hears_all_sources_and_says_what_it_needs() -> None:
    which = shipped(SmartMoneySpec, "smart_money")
    assert {source.name for source in which.sources} == set(SOURCES)
    assert which.needs() == MarketNeeds(window_bars=97, facts=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": []}, "at least 1"),
        ({"sources_min": 2}, "must not exceed"),
        ({"trend_bars": 1}, "greater than or equal to 2"),
        ({"leverage": 3}, "Extra inputs"),
    ],
)
def test_a_bad_spec_is_refused_with_its_reason(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SmartMoneySpec.model_validate_json(json.dumps(spec("funding").model_dump(mode="json") | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "whale_flo"}, "did you mean 'whale_flow'"),
        ({"name": "astrology"}, "known are whale_flow"),
        ({"fast": 9.0, "slow": 9.0}, "fast must be shorter"),
    ],
)
def test_a_bad_source_is_refused_with_its_reason(change: dict[str, object], message: str) -> None:
    one = spec("funding").model_dump(mode="json")
    one["sources"] = [one["sources"][0] | change]
    with pytest.raises(ValidationError, match=message):
        SmartMoneySpec.model_validate_json(json.dumps(one))


def test_a_source_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="named once"):
        spec("funding", "funding")
