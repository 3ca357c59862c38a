"""The learned agent: its account is that of an episode, its answers survive a crash and a change of model."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.model_words import model
from tg_actors.agents.kinds import OBSERVER, open_learned
from tg_actors.backtest.detectors import Finding, look_ahead
from tg_actors.backtest.detectors_subjects import AgentSubject
from tg_actors.backtest.tape import record as record_tape
from tg_actors.desk.config import load_agent, load_desk, load_venue
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.market.config import MarketConfig, SimulatedSource, market_spec, open_feed, open_market
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.agent import RlAgent, version_of
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.model import Model
from tg_actors.rl.observation import record
from tg_actors.rl.spec import RlSpec

SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
CYCLES = 120
HOUR_NS = 3_600 * 10**9


def spec(**changes: object) -> RlSpec:
    shipped = load_agent("rl_aggressive")
    assert isinstance(shipped, RlSpec)
    return shipped.model_copy(update=changes)


@cache
def snapshots() -> tuple[MarketSnapshot, ...]:
    config = MarketConfig(timeframe=Timeframe("1h"), source=SimulatedSource(seed=5))
    filters = load_venue(load_desk("laptop-paper")).instruments
    market = open_market(market_spec(config, SYMBOLS, filters, spec().needs()))
    found = [market.advance(cycle) for cycle in range(CYCLES)]
    return tuple(snapshot for snapshot in found if snapshot is not None)


@cache
def recorded() -> LearningMarket:
    chain = RegimeFilter(RegimeConfig())
    market = record(OBSERVER, ((snapshot, chain.view(snapshot)) for snapshot in snapshots()))
    return replace(market, worse=np.full(market.close.shape, spec().slippage_frac))


def agent(asked: Model | None, **changes: object) -> RlAgent:
    opened = open_learned(spec(**changes), SYMBOLS, HOUR_NS)
    opened.follow(asked)
    opened.recall(None)
    return opened


def exposures(said: list[Opinions]) -> F64:
    return np.array([opinions.evidence[:, 0] for opinions in said])


@pytest.mark.parametrize(("shorts", "reward"), [(False, "v2"), (True, "v2"), (False, "conservative")])
def test_it_does_what_the_policy_does_in_an_episode(shorts: bool, reward: str) -> None:
    asked = model(3, shorts=shorts, reward=reward)
    market, bars = recorded(), CYCLES - 1
    assert market.first == 0, "the market is warm from its first cycle on"
    rules = EpisodeRules(fee_frac=spec().fee_frac, bars=bars - 1, shorts=shorts)
    episodes = Episodes(market, rules, len(SYMBOLS), 0, reward)
    observed = episodes.reset(0, staggered=False)
    learned = agent(asked)
    moved = 0
    for snapshot in snapshots()[: bars - 1]:
        said = learned.opine(snapshot)
        np.testing.assert_array_equal(said.evidence[:, 1:].astype(np.float32), observed[:, -4:])
        actions = asked.policy.act(observed)
        levels = episodes.levels_after(actions)
        moved += int((levels != episodes.level).sum())
        np.testing.assert_array_equal(said.evidence[:, 0], levels / 5)
        observed = episodes.step(actions).observed
    assert moved > 20


def test_a_successor_with_memory_and_model_says_what_the_first_would_have_said() -> None:
    first, successor = agent(model(3)), agent(model(3))
    for snapshot in snapshots()[:50]:
        said = first.opine(snapshot)
        assert said.incoherence(len(SYMBOLS)) is None
        successor.recall(said.memory)
        ours, theirs = (one.opine(snapshots()[snapshot.cycle + 1]) for one in (first, successor))
        for name in ("direction", "confidence", "evidence", "memory"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_asked_twice_about_a_cycle_it_answers_once() -> None:
    once, twice = agent(model(3)), agent(model(3))
    for snapshot in snapshots()[:40]:
        twice.opine(snapshot)
        np.testing.assert_array_equal(once.opine(snapshot).memory, twice.opine(snapshot).memory)


def test_a_version_that_takes_over_finds_the_account_as_it_is() -> None:
    learned = agent(model(3))
    said = [learned.opine(snapshot) for snapshot in snapshots()[:30]]
    held = said[-1].evidence[:, 0]
    assert held.any()
    careful = model(3, reward="conservative")
    learned.follow(careful)
    after = learned.opine(snapshots()[30])
    assert after.evidence_names[0] == careful.id
    assert (np.abs(after.evidence[:, 0]) <= 0.4).all(), "cut to what the new version may use"
    other = agent(model(3))
    other.recall(said[-1].memory)
    np.testing.assert_array_equal(after.evidence[:, 1], other.opine(snapshots()[30]).evidence[:, 1])


def test_without_a_model_it_abstains_and_remembers() -> None:
    learned = agent(model(3))
    memory = [learned.opine(snapshot) for snapshot in snapshots()[:20]][-1].memory
    learned.follow(None)
    silent = learned.opine(snapshots()[20])
    assert set(silent.abstained) == {Abstention.NO_MODEL}
    np.testing.assert_array_equal(silent.memory, memory)
    assert version_of(silent) == ""


def test_it_says_flat_for_some_bars_and_then_nothing() -> None:
    learned = agent(model(3), say_bars=2)
    said = [learned.opine(snapshot) for snapshot in snapshots()]
    level, spoken = exposures(said), np.array([~np.isnan(one.direction) for one in said])
    assert spoken[level != 0].all()
    flat_since = np.zeros(len(SYMBOLS))
    seen_silent = 0
    for t in range(1, len(said)):
        flat_since = np.where(level[t] != level[t - 1], 0, flat_since + 1)
        for i in np.flatnonzero(level[t] == 0):
            closed_before = bool((level[:t, i] != 0).any())
            assert spoken[t, i] == (closed_before and flat_since[i] < 2)
            seen_silent += not spoken[t, i]
    assert seen_silent > 5


def test_an_instrument_without_a_bar_stands_still() -> None:
    learned = agent(model(3))
    before = [learned.opine(snapshot) for snapshot in snapshots()[:30]][-1].memory
    gone = snapshots()[30]
    close_ns = gone.close_ns.copy()
    close_ns[1] -= 2 * HOUR_NS
    said = learned.opine(replace(gone, close_ns=close_ns))
    assert said.abstained[1] is Abstention.STALE_MARKET
    np.testing.assert_array_equal(said.memory[1], before[1])
    assert (said.memory[0] != before[0]).any()


def test_an_account_begins_anew_once_it_is_old_and_flat() -> None:
    learned = agent(model(3), episode_bars=10)
    ages = np.array([learned.opine(snapshot).memory[:, 7] for snapshot in snapshots()])
    assert (np.diff(ages, axis=0) < 0).any(), "it begins anew"
    assert ages.max() > 10, "not while it holds something"


def test_a_model_of_other_columns_is_refused_in_one_sentence() -> None:
    strange = model(3)
    features = ("strange", *strange.manifest.features[1:])
    wrong = Model(strange.policy, strange.manifest.model_copy(update={"features": features}))
    with pytest.raises(ValueError, match=r"rl-aggressive@4 takes 27 columns.*differs in move_1, strange"):
        agent(None).follow(wrong)
    turned = strange.manifest.model_copy(update={"features": strange.manifest.features[::-1]})
    with pytest.raises(ValueError, match="in another order"):
        agent(None).follow(Model(strange.policy, turned))


@pytest.mark.parametrize(
    ("column", "value"), [(5, 6.0), (3, 0.0), (0, np.nan)], ids=["level", "equity", "cash"]
)
def test_a_memory_that_cannot_be_one_is_refused(column: int, value: float) -> None:
    memory = agent(model(3)).opine(snapshots()[0]).memory
    memory[0, column] = value
    with pytest.raises(ValueError, match="agent rl_aggressive: a memory holds"):
        agent(model(3)).recall(memory)
    with pytest.raises(ValueError, match="accounts of 3 instruments"):
        agent(None).recall(memory[:2])


def test_a_model_crosses_process_borders() -> None:
    sent = model(3)
    come = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own bytes
    observed = np.ones((4, sent.policy.features), dtype=np.float32)
    np.testing.assert_array_equal(come.policy.logits(observed), sent.policy.logits(observed))
    assert come.manifest == sent.manifest


def test_it_knows_no_future() -> None:
    filters = load_venue(load_desk("laptop-paper")).instruments
    config = MarketConfig(timeframe=Timeframe("1h"), source=SimulatedSource(seed=5))
    feed = open_feed(market_spec(config, SYMBOLS[:2], filters, spec().needs()))
    tape = record_tape(feed, 40, spec().needs())
    found = look_ahead(AgentSubject(spec(), model(3)), tape, seed=1)
    assert found.finding is Finding.CLEAN
    assert found.compared > 200
