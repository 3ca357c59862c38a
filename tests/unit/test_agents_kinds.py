"""The table of kinds: every shipped agent is read, opened and heard through it, inline and as an actor."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from tg_actors.agents.actor import ACTORS
from tg_actors.agents.kinds import KINDS, AgentSpec, needs_of, open_agent, rebalancers
from tg_actors.desk.config import load_agent, load_agents, load_desk
from tg_actors.desk.files import configs_folder
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.status import opinion_text
from tg_actors.domain.blocks import Abstention, MarketSnapshot, Opinions
from tg_actors.domain.errors import UserError
from tg_actors.market.config import open_market
from tg_actors.market.needs import MarketNeeds

AGENTS = sorted(path.stem for path in (configs_folder() / "agents").glob("*.yaml"))
SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/USDT", "XRP/BTC")
PAPER = "configs/desks/laptop-paper.yaml"


@cache
def plan() -> DeskPlan:
    """The default desk on a simulated market, which has everything that an agent may need."""
    config = flagged(load_desk(PAPER), Flags(instruments=",".join(SYMBOLS), seed=3, speed="max"))
    spec, feed = plan_market(config)
    return make_plan(config, spec, feed, Path(), "", durable=False)


@cache
def snapshots() -> tuple[MarketSnapshot, ...]:
    market = open_market(plan().market)
    found = [market.advance(cycle) for cycle in range(3)]
    return tuple(snapshot for snapshot in found if snapshot is not None)


def same(ours: Opinions, theirs: Opinions) -> bool:
    arrays = ("direction", "confidence", "evidence", "memory")
    return ours.abstained == theirs.abstained and all(
        np.array_equal(getattr(ours, name), getattr(theirs, name), equal_nan=True) for name in arrays
    )


def test_every_kind_has_a_spec_a_core_and_an_actor() -> None:
    union = get_args(get_args(AgentSpec)[0])
    assert [kind.spec for kind in KINDS.values()] == list(union)
    assert list(ACTORS) == list(KINDS)
    assert {name: kind.spec.model_fields["kind"].default for name, kind in KINDS.items()} == {
        name: name for name in KINDS
    }


def test_the_default_desk_hears_every_kind_and_the_learning_one_the_learned_too() -> None:
    assert {spec.kind for spec in load_agents(load_desk(PAPER))} == set(KINDS) - {"rl"}
    assert {spec.kind for spec in load_agents(load_desk("learning-paper"))} == set(KINDS)


@pytest.mark.parametrize("name", AGENTS)
def test_every_shipped_agent_is_coherent_and_repeats_itself(name: str) -> None:
    agent = open_agent(load_agent(name), SYMBOLS, plan().bar_ns)
    assert agent.name == name
    agent.recall(None)
    for snapshot in snapshots():
        opinions = agent.opine(snapshot)
        assert opinions.incoherence(len(SYMBOLS)) is None
        assert (opinions.agent, opinions.cycle) == (name, snapshot.cycle)
        assert same(opinions, agent.opine(snapshot))


@pytest.mark.parametrize("name", AGENTS)
def test_a_successor_with_the_memory_says_what_the_first_would_have_said(name: str) -> None:
    spec = load_agent(name)
    first, second = (open_agent(spec, SYMBOLS, plan().bar_ns) for _ in range(2))
    first.recall(None)
    *before, last = snapshots()
    said = [first.opine(snapshot) for snapshot in before]
    second.recall(said[-1].memory)
    assert same(first.opine(last), second.opine(last))


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_abstains_until_it_is_recalled_and_runs_as_its_actor(name: str) -> None:
    spec = load_agent(name)
    # Called in this process, where Ray's decorator is no more than a mark.
    actor: Any = ACTORS[spec.kind](spec, SYMBOLS, plan().bar_ns)  # type: ignore[call-arg, arg-type]  # as Ray starts it
    assert repr(actor) == f"{ACTORS[spec.kind].__name__}:{name}"
    blank = actor.opine(snapshots()[0])
    if set(blank.abstained) != {Abstention.RECALLING}:
        assert blank.memory.shape[1] == 0, "what remembers must not speak before it is recalled"
    actor.recall(None)
    inline = open_agent(spec, SYMBOLS, plan().bar_ns)
    inline.recall(None)
    assert same(actor.opine(snapshots()[0]), inline.opine(snapshots()[0]))


def test_an_agent_without_a_kind_is_technical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _written(tmp_path, monkeypatch, (configs_folder() / "agents" / "trend.yaml").read_text()).kind == (
        "technical"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "name: mine\nkind: liqudity\nhorizon_bars: 3",
            ["mine.yaml", "liqudity", "did you mean 'liquidity'"],
        ),
        ("name: mine\nkind: astrology\nhorizon_bars: 3", ["astrology", "technical", "rebalancing"]),
        ("name: mine\nkind: [technical]\nhorizon_bars: 3", ["mine.yaml", "technical"]),
        ("name: mine\nkind: rebalancing\nhorizon_bars: 3\ntraget: erc", ["traget", "did you mean 'target'"]),
        ("name: mine\nkind: rebalancing\nhorizon_bars: 0", ["horizon_bars"]),
        ("name: other\nkind: rebalancing\nhorizon_bars: 3", ["'other'", "'mine'"]),
        ("- a list", ["mine.yaml"]),
    ],
)
def test_a_wrong_agent_file_is_one_sentence(
    text: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError) as error:
        _written(tmp_path, monkeypatch, text)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def _written(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> AgentSpec:
    """Read an agent file ``mine`` of the folder one works in."""
    monkeypatch.chdir(folder)
    agents = folder / "configs" / "agents"
    agents.mkdir(parents=True)
    (agents / "mine.yaml").write_text(text.replace("name: trend", "name: mine"))
    return load_agent("mine")


def test_the_market_holds_the_most_that_anybody_needs() -> None:
    specs = load_agents(load_desk(PAPER))
    needs = needs_of(specs, MarketNeeds(window_bars=2, days=10**4, references=("SPY", "DXY")))
    asked = [spec.needs() for spec in specs]
    assert needs.window_bars == max(one.window_bars for one in asked) > 0
    assert needs.days == 10**4
    assert needs.depth_levels == max(one.depth_levels for one in asked) > 0
    assert needs.facts
    wanted = {name for one in asked for name in one.references} | {"SPY", "DXY"}
    assert sorted(needs.references) == sorted(wanted)
    assert needs_of(()) == MarketNeeds()


def test_a_planned_desk_asks_for_what_its_agents_and_its_regimes_need() -> None:
    needs = plan().market.needs
    assert needs.window_bars >= plan().meta.config.regime.needs().window_bars
    assert all(needs_of([spec]).window_bars <= needs.window_bars for spec in plan().agents)
    (snapshot, *_) = snapshots()
    assert snapshot.window is not None
    assert len(snapshot.window.ohlcv) == needs.window_bars


def test_rebalancers_are_known_by_their_kind() -> None:
    assert rebalancers(load_agents(load_desk(PAPER))) == ("rebalancing",)


def test_a_plan_crosses_processes_with_every_kind_of_agent() -> None:
    assert DeskPlan.model_validate_json(plan().model_dump_json()).agents == plan().agents


def test_an_agent_whose_sources_do_not_come_says_so() -> None:
    bare = replace(snapshots()[-1], facts=None)
    agent = open_agent(load_agent("smart_money"), SYMBOLS, plan().bar_ns)
    agent.recall(None)
    opinions = agent.opine(bare)
    assert opinions.abstained == (Abstention.NO_SOURCE,) * len(SYMBOLS)
    assert opinion_text(opinions, SYMBOLS) == "abstains: no source"
