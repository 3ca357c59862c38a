"""A desk that learns: what its bandit knows survives every start, and is the same inline and on Ray."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from pydantic import TypeAdapter
from typer.testing import CliRunner

from tests.ray_desks import inline_digest, lively_plan, mortal, mortal_class, new_journal, poll_until
from tg_actors.cli.main import app
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.bandit_view import standing, weights_over_time
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
from tg_actors.meta.learned import META
from tg_actors.meta.policies import Policy
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


def test_the_default_desk_keeps_no_memory_of_a_meta_agent(tmp_path: Path) -> None:
    traded(tmp_path / "desk.sqlite", lively_plan(tmp_path)[0], CYCLES)
    with JournalReader.read_only(tmp_path / "desk.sqlite") as journal:
        block = journal.decision(CYCLES - 1)
        assert block is not None
        assert META not in decode(block[1]).memories
        with pytest.raises(UserError, match="learns nothing"):
            standing(journal)
        assert len(list(weights_over_time(journal))) == CYCLES


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
