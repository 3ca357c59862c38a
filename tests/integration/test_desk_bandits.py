"""A desk that learns: what its bandit knows survives every start, and is the same inline and on Ray."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from pydantic import TypeAdapter
from typer.testing import CliRunner

from tests.ray_desks import inline_digest, lively_plan, mortal, mortal_class, new_journal, poll_until
from tg_actors.cli.main import app
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.bandit_view import check_memory, standing, weights_over_time
from tg_actors.desk.block import decode
from tg_actors.desk.config import load_desk
from tg_actors.desk.launch import crew_of, launch
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.replay import plan_text, replay
from tg_actors.desk.session import Session
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.errors import UserError
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.meta.bandits.specs import LinUcbSpec
from tg_actors.meta.learned import META, Learned, blank
from tg_actors.meta.policies import Policy, SelectionPolicy, WeightsPolicy
from tg_actors.meta.regimes import RegimeConfig
from tg_actors.reports.page import render
from tg_actors.reports.sheet import read_sheet
from tg_actors.reports.weights import weights_chart
from tg_actors.runtime.actors import look_up

CYCLES = 80
POLICIES: dict[str, dict[str, Any]] = {
    "weights": {"kind": "weights", "algorithm": {"kind": "leader"}, "costly": ["breakout"]},
    "selection": {"kind": "selection", "algorithm": {"kind": "gaussian_thompson"}, "disabled": ["momentum"]},
}


def learning(plan: DeskPlan, name: str) -> DeskPlan:
    policy: Policy = TypeAdapter(Policy).validate_json(json.dumps(POLICIES[name]))
    config = plan.meta.config.model_copy(update={"policy": policy})
    return plan.model_copy(update={"meta": plan.meta.model_copy(update={"config": config})})


def traded(path: Path, plan: DeskPlan, lives: int) -> str:
    """Trade with so many cycles in each life; the digest of the journal."""
    tick = itertools.count(1).__next__
    done = 0
    while done < CYCLES:
        with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
            if journal.identity() is None:
                executor = plan.account.executor.model_dump_json()
                journal.set_identity({"plan": plan_text(plan), "executor": executor})
            coordinator = wire_inline(plan, journal, tick)
            while coordinator.next_cycle < min(done + lives, CYCLES):
                assert coordinator.step() is not None
            done = coordinator.next_cycle
    with JournalReader.read_only(path) as journal:
        return digest(journal)


@pytest.mark.parametrize("name", POLICIES)
def test_a_desk_that_starts_again_and_again_learns_what_an_immortal_one_learns(
    name: str, tmp_path: Path
) -> None:
    plan = learning(lively_plan(tmp_path)[0], name)
    immortal = traded(tmp_path / "immortal.sqlite", plan, CYCLES)
    assert traded(tmp_path / "mortal.sqlite", plan, 9) == immortal
    with JournalReader.read_only(tmp_path / "mortal.sqlite") as journal:
        found = standing(journal)
        assert found.summary()["cycles_rewarded"] == CYCLES - 1
        again = replay("it", journal, tmp_path / "scratch.sqlite", None, lambda: 1, lambda *_: None)
        assert again.is_equal
        rows = list(weights_over_time(journal))
        assert len({tuple(row["weights"].values()) for row in rows}) > 2, "it learns"
        if "momentum" in plan.meta.config.policy.named:
            assert {row["weights"]["momentum"] for row in rows} == {0.0}
        block = journal.decision(CYCLES - 1)
        assert block is not None
        assert len(decode(block[1]).memories[META]) < 2_000


def test_regimes_that_are_refitted_survive_every_start_and_replay(tmp_path: Path) -> None:
    base = learning(lively_plan(tmp_path)[0], "weights")
    regime = RegimeConfig(window_bars=32, known_bars_min=8, refit_bars=256)
    config = base.meta.config.model_copy(update={"regime": regime})
    needs = base.market.needs.model_copy(update={"window_bars": regime.needs().window_bars})
    plan = base.model_copy(
        update={
            "meta": base.meta.model_copy(update={"config": config}),
            "market": base.market.model_copy(update={"needs": needs}),
        }
    )
    immortal = traded(tmp_path / "immortal.sqlite", plan, CYCLES)
    assert traded(tmp_path / "mortal.sqlite", plan, 11) == immortal
    fixed = config.model_copy(update={"regime": regime.model_copy(update={"refit_bars": None})})
    other = plan.model_copy(update={"meta": plan.meta.model_copy(update={"config": fixed})})
    assert traded(tmp_path / "other.sqlite", other, CYCLES) != immortal
    with JournalReader.read_only(tmp_path / "mortal.sqlite") as journal:
        again = replay("it", journal, tmp_path / "scratch.sqlite", None, lambda: 1, lambda *_: None)
        assert again.is_equal


def test_a_run_that_goes_on_with_another_crew_keeps_what_its_arms_have_shown(tmp_path: Path) -> None:
    first = learning(lively_plan(tmp_path, agents=("trend", "breakout", "momentum"))[0], "weights")
    second = learning(lively_plan(tmp_path, agents=("mean_reversion", "momentum", "trend"))[0], "weights")
    policy = second.meta.config.policy.model_copy(update={"costly": ()})
    config = second.meta.config.model_copy(update={"policy": policy})
    second = second.model_copy(update={"meta": second.meta.model_copy(update={"config": config})})
    with Journal.open(
        tmp_path / "run.sqlite", Durability.BATCH, clock_ns=itertools.count(1).__next__
    ) as journal:
        journal.set_identity({"plan": plan_text(first), "executor": first.account.executor.model_dump_json()})
        for plan, cycles in ((first, 40), (second, 60)):
            coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
            while coordinator.next_cycle < cycles:
                assert coordinator.step() is not None
        old, new = learned_at(journal, first, 39), learned_at(journal, second, 40)
        assert new.cycles == old.cycles + 1
        before, after = old.bandit.pulls(old.context), new.bandit.pulls(new.context)
        assert after[1] == pytest.approx(before[2] * 0.99 + old.watched[2]), "momentum"
        assert after[2] == pytest.approx(before[0] * 0.99 + old.watched[0]), "trend"
        assert after[0] == 0, "mean_reversion is new"
        assert learned_at(journal, second, 59).bandit.pulls(new.context)[0] > 10
        assert [row["arm"] for row in standing(journal).arms()] == list(second.meta.agents)
        check_memory(journal, second.meta)
        other = second.meta.config.model_copy(update={"policy": SelectionPolicy(algorithm=LinUcbSpec())})
        with pytest.raises(UserError, match=r"another algorithm than meta\.policy's linucb"):
            check_memory(journal, second.meta.model_copy(update={"config": other}))


@pytest.mark.parametrize("kind", ["selection", "weights"])
def test_a_costly_arm_is_judged_only_in_cycles_in_which_it_counted(kind: str, tmp_path: Path) -> None:
    base = lively_plan(tmp_path)[0]
    policy: Policy = TypeAdapter(Policy).validate_python(
        {"kind": kind, "algorithm": {"kind": "ucb1"}, "costly": ("momentum", "trend"), "disabled": ("trend",)}
    )
    config = base.meta.config.model_copy(update={"policy": policy})
    plan = base.model_copy(update={"meta": base.meta.model_copy(update={"config": config})})
    traded(tmp_path / "run.sqlite", plan, CYCLES)
    judged: dict[str, list[tuple[bool, bool]]] = {agent: [] for agent in plan.meta.agents}
    with JournalReader.read_only(tmp_path / "run.sqlite") as journal:
        known = [learned_at(journal, plan, cycle) for cycle in range(CYCLES)]
    for before, after in itertools.pairwise(known):
        more = after.bandit.pulls(after.context) - before.bandit.pulls(before.context)
        for k, agent in enumerate(plan.meta.agents):
            judged[agent].append((bool(before.watched[k] and before.weights[k] > 0), bool(more[k])))
            free = agent not in {"momentum", "trend"}
            assert more[k] == (before.watched[k] if free else judged[agent][-1][0]), agent
    assert not any(was_judged for _, was_judged in judged["trend"]), "it never counts"
    assert any(was_judged for _, was_judged in judged["momentum"])
    if kind == "selection":
        assert not all(was_judged for _, was_judged in judged["momentum"])


def learned_at(journal: JournalReader, plan: DeskPlan, cycle: int) -> Learned:
    policy, found = plan.meta.config.policy, journal.decision(cycle)
    assert isinstance(policy, SelectionPolicy | WeightsPolicy)
    assert found is not None
    block = decode(found[1])
    learned = blank(plan.meta.agents, len(block.symbols), policy)
    learned.unpack(block.memories[META])
    return learned


def test_the_default_desk_keeps_no_memory_of_a_meta_agent(tmp_path: Path) -> None:
    traded(tmp_path / "desk.sqlite", lively_plan(tmp_path)[0], CYCLES)
    with JournalReader.read_only(tmp_path / "desk.sqlite") as journal:
        block = journal.decision(CYCLES - 1)
        assert block is not None
        assert META not in decode(block[1]).memories
        with pytest.raises(UserError, match="learns nothing"):
            standing(journal)
        assert len(list(weights_over_time(journal))) == CYCLES


def test_the_page_of_a_desk_that_learns_draws_its_weights(tmp_path: Path) -> None:
    plan = lively_plan(tmp_path)[0]
    for name, wanted in (("weights", plan), ("selection", plan)):
        traded(tmp_path / f"{name}.sqlite", learning(wanted, name), CYCLES)
        with JournalReader.read_only(tmp_path / f"{name}.sqlite") as journal:
            sheet = read_sheet(name, journal)
            chart = weights_chart(sheet)
            assert chart is not None
            assert {line.name for line in chart.lines} == set(plan.meta.agents)
            given = [float(sheet.weights[line.name].sum()) for line in chart.lines]
            assert given == sorted(given, reverse=True)
            assert all(line.path.endswith("Z") for line in chart.lines), "bands are areas"
            assert "Weights of the agents" in render(sheet, "Tearsheet")
    traded(tmp_path / "equal.sqlite", plan, CYCLES)
    with JournalReader.read_only(tmp_path / "equal.sqlite") as journal:
        sheet = read_sheet("equal", journal)
        assert weights_chart(sheet) is None
        assert "Weights of the agents" not in render(sheet, "Tearsheet")


def test_many_agents_share_a_band(tmp_path: Path) -> None:
    traded(tmp_path / "run.sqlite", learning(lively_plan(tmp_path)[0], "weights"), 20)
    with JournalReader.read_only(tmp_path / "run.sqlite") as journal:
        sheet = read_sheet("run", journal)
    ones = np.ones(len(sheet.at_ns))
    many = dataclasses.replace(sheet, weights={f"agent {k}": ones * k / 66 for k in range(12)})
    chart = weights_chart(many)
    assert chart is not None
    assert [line.name for line in chart.lines] == [*(f"agent {k}" for k in range(11, 4, -1)), "others"]
    top = chart.lines[-1].path
    assert top.startswith("M0.0 0.00"), "together they make the whole decision"


@pytest.fixture
def ended() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        if (handle := look_up(name)) is not None:
            ray.kill(handle, no_restart=True)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_on_ray_it_learns_the_same_whoever_dies(tmp_path: Path, ended: list[str]) -> None:
    plan, config = lively_plan(tmp_path)
    plan = learning(plan, "selection")
    crew = mortal(crew_of(plan, config.supervision))
    ended += ["CoordinatorActor", *(station.name for station in crew.stations)]
    with new_journal(plan):
        pass
    session = Session(launch(plan, crew, mortal_class(CoordinatorActor)), CYCLES)
    session.prepare(120)
    session.start()
    with JournalReader.read_only(plan.journal) as journal:
        for at, name in ((15, "MetaActor"), (35, "CoordinatorActor")):
            assert poll_until(_following(session, journal, at), timeout_s=120), name
            handle = look_up(name)
            assert handle is not None
            handle.die.remote(1)
        assert poll_until(lambda: session.wait(0.2), timeout_s=300) == "enough cycles"
        assert {"MetaActor"} <= {event.ref for event in journal.events({"ActorDied"})}
        assert digest(journal) == inline_digest(plan, CYCLES)


def _following(session: Session, journal: JournalReader, at: int) -> Callable[[], bool | None]:
    def look() -> bool | None:
        session.wait(0.02)
        return journal.cycles_count() >= at or None

    return look


def tg(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def run_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run where the commands look for one."""
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))
    from tg_actors.runtime.home import run_folder

    folder = run_folder("learning")
    folder.path.mkdir(parents=True, exist_ok=True)
    traded(folder.journal, learning(lively_plan(tmp_path)[0], "weights"), CYCLES)
    return "learning"


def test_the_commands_show_whom_it_trusts(run_of: str) -> None:
    status = json.loads(tg("bandit", "status", "--run", run_of, "--json"))
    assert status["policy"] == "weights"
    assert sum(status["weights"].values()) == pytest.approx(1, abs=1e-3)
    arms = json.loads(tg("bandit", "arms", "--run", run_of, "--json"))
    assert [row["arm"] for row in arms] == ["trend", "mean_reversion", "breakout", "momentum"]
    assert all(row["low_bps"] <= row["mean_bps"] <= row["high_bps"] for row in arms)
    best = max(row["earned_frac"] for row in arms)
    assert status["regret_frac"] == pytest.approx(best - status["earned_frac"], abs=2e-4)
    assert [row["arm"] for row in arms if row["costly"]] == ["breakout"]
    history = json.loads(tg("bandit", "history", "--run", run_of, "--newest", "5", "--json"))
    assert [row["cycle"] for row in history] == list(range(CYCLES - 5, CYCLES))
    for words in ("status", "arms", "history"):
        assert "trend" in tg("bandit", words, "--run", run_of)
    table = [line.split() for line in tg("bandit", "history", "--run", run_of, "--newest", "2").splitlines()]
    assert ["agent", str(CYCLES - 2), str(CYCLES - 1)] in table
    shown = next(float(row[2]) for row in table if row[0] == "trend")
    assert shown == pytest.approx(history[-1]["weights"]["trend"], abs=1e-3)


def test_the_study_ranks_all_algorithms() -> None:
    rows = json.loads(tg("bandit", "study", "--worlds", "2", "--steps", "60", "--json"))
    assert [row["regret"] for row in rows] == sorted(row["regret"] for row in rows)
    assert {"exp3", "linucb", "random", "leader, all watched"} <= {row["name"] for row in rows}
    assert "regret" in tg("bandit", "study", "--worlds", "2", "--steps", "20")


def test_the_trial_holds_ensembles_against_the_agent_picked_beforehand() -> None:
    words = ("bandit", "trial", "--seeds", "2", "--cycles", "150", "--instruments", "BTC/USDT,XRP/USDT")
    told = json.loads(tg(*words, "--json"))
    assert len(told["picked"]) == 2
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["agent picked beforehand"]["gain_bps"] == 0
    assert rows["ensemble"]["gain_over_equal_bps"] == 0
    assert {row["days"] for row in told["rows"]} == {rows["ensemble"]["days"]}
    assert {row["verdict"] for row in told["rows"]} <= {"wins", "loses", "not distinguishable"}


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("{kind: weights, disabled: [trnd]}", "'trnd', which is no agent of the desk"),
        ("{kind: weights, algorithm: {kind: ucb9}}", "ucb9"),
        ("{kind: selection, sharpness: 2.0}", "sharpness"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(tmp_path: Path, policy: str, sentence: str) -> None:
    shipped = Path("configs/desks/laptop-paper.yaml").read_text()
    path = tmp_path / "wrong.yaml"
    path.write_text(shipped.replace("meta:\n", f"meta:\n  policy: {policy}\n"))
    with pytest.raises(UserError, match=sentence):
        load_desk(str(path))
    path.write_text(shipped.replace("meta:\n", "meta:\n  policy: {kind: weights, disabled: [trend]}\n"))
    assert load_desk(str(path)).meta.policy.named == ("trend",)
