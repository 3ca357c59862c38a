"""A promotion in mid-run: the same versions in the same cycles inline, on Ray, after a crash, in a replay."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from tests.model_words import NAME, arrays, manifest, promote, registry
from tests.ray_desks import lively_plan, mortal, mortal_class, new_journal, poll_until
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.block import decode
from tg_actors.desk.config import DeskConfig
from tg_actors.desk.launch import crew_of, launch
from tg_actors.desk.models import followed_in
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.replay import Replayed, plan_text, replay
from tg_actors.desk.session import Session
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.blocks import Abstention
from tg_actors.domain.errors import UserError
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.actors import look_up

AGENT = "rl_aggressive"
#: Version 1 from the first cycle, 2 from cycle 12, 3 from cycle 24, back to 2 from cycle 30.
ACTS = {0: 1, 12: 2, 24: 3, 30: None}
CYCLES = 40
VERSIONS = [1] * 12 + [2] * 12 + [3] * 6 + [2] * 10


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def models(home: Path) -> ModelRegistry:
    return registry(home / "models", 0, 1, 2)


def planned(folder: Path, *, durable: bool = True) -> tuple[DeskPlan, DeskConfig]:
    plan, config = lively_plan(folder, agents=("trend", AGENT))
    account = plan.account.model_copy(update={"durable": durable})
    return plan.model_copy(update={"account": account}), config


def act(models: ModelRegistry, cycle: int) -> None:
    if ACTS[cycle] is None:
        models.rollback(NAME, reason="worse", actor="test", at_ns=cycle)
    else:
        promote(models, ACTS[cycle] or 0)


def new_run(path: Path, plan: DeskPlan) -> None:
    with Journal.open(path, Durability.BATCH, clock_ns=lambda: 1) as journal:
        if journal.identity() is None:
            executor = plan.account.executor.model_dump_json()
            journal.set_identity({"plan": plan_text(plan), "executor": executor})


def traded(path: Path, plan: DeskPlan, models: ModelRegistry, ends: tuple[int, ...]) -> str:
    """Trade inline, in lives that end after these cycles; the digest of the journal."""
    new_run(path, plan)
    tick = itertools.count(1).__next__
    for end in ends:
        with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
            coordinator = wire_inline(plan, journal, tick)
            while coordinator.next_cycle < end:
                if coordinator.next_cycle in ACTS:
                    act(models, coordinator.next_cycle)
                assert coordinator.step() is not None
    with JournalReader.read_only(path) as journal:
        return digest(journal)


def versions(journal: JournalReader) -> list[int]:
    """Which version each cycle's opinion names."""
    found = []
    for cycle in range(journal.cycles_count()):
        row = journal.decision(cycle)
        assert row is not None
        said = {opinions.agent: opinions for opinions in decode(row[1]).opinions}[AGENT]
        found.append(int(said.evidence_names[0].removeprefix(f"{NAME}@")))
    return found


def replayed(path: Path) -> Replayed:
    with JournalReader.read_only(path) as journal:
        scratch = path.with_name("scratch.sqlite")
        scratch.unlink(missing_ok=True)
        return replay("run", journal, scratch, None, itertools.count(1).__next__, lambda *_: None)


def test_a_run_that_dies_again_and_again_follows_as_an_immortal_one(home: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path / "run")[0]
    immortal = traded(tmp_path / "immortal.sqlite", plan, registry(home / "models", 0, 1, 2), (CYCLES,))
    (home / "models" / "record.jsonl").unlink()
    models = ModelRegistry(home / "models")
    assert traded(tmp_path / "mortal.sqlite", plan, models, (5, 12, 13, 24, 27, 30, CYCLES)) == immortal
    with JournalReader.read_only(tmp_path / "mortal.sqlite") as journal:
        assert versions(journal) == VERSIONS
        assert [(one.cycle, one.said.version) for one in followed_in(journal)] == [
            (0, 1), (12, 2), (24, 3), (30, 2),
        ]  # fmt: skip
    assert replayed(tmp_path / "mortal.sqlite").is_equal


def test_a_promotion_changes_what_is_decided(home: Path, tmp_path: Path, models: ModelRegistry) -> None:
    plan = planned(tmp_path / "run")[0]
    followed = traded(tmp_path / "followed.sqlite", plan, models, (CYCLES,))
    (home / "models" / "record.jsonl").unlink()
    promote(models, 1)
    tick = itertools.count(1).__next__
    with Journal.open(tmp_path / "stayed.sqlite", Durability.BATCH, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        while coordinator.next_cycle < CYCLES:
            assert coordinator.step() is not None
        assert digest(journal) != followed


def test_a_backtest_keeps_the_versions_of_its_first_cycle(tmp_path: Path, models: ModelRegistry) -> None:
    plan = planned(tmp_path / "run", durable=False)[0]
    traded(tmp_path / "run.sqlite", plan, models, (CYCLES,))
    with JournalReader.read_only(tmp_path / "run.sqlite") as journal:
        assert versions(journal) == [1] * CYCLES
    assert replayed(tmp_path / "run.sqlite").is_equal


def test_a_replay_says_which_version_is_missing(home: Path, tmp_path: Path, models: ModelRegistry) -> None:
    traded(tmp_path / "run.sqlite", planned(tmp_path / "run")[0], models, (CYCLES,))
    weights = home / "models" / NAME / "3" / "weights.npz"
    kept = weights.read_bytes()
    weights.unlink()
    with pytest.raises(UserError, match="cannot read the weights"):
        replayed(tmp_path / "run.sqlite")
    other = ModelRegistry(tmp_path / "other")
    other.register(NAME, arrays(9), manifest())
    weights.write_bytes((tmp_path / "other" / NAME / "1" / "weights.npz").read_bytes())
    with pytest.raises(UserError, match="is not what rl-aggressive@3 was made of"):
        replayed(tmp_path / "run.sqlite")
    weights.write_bytes(kept)
    assert replayed(tmp_path / "run.sqlite").is_equal


def test_a_version_that_cannot_be_had_is_refused_and_told(
    home: Path, tmp_path: Path, models: ModelRegistry
) -> None:
    plan = planned(tmp_path / "run")[0]
    promote(models, 1)
    tick = itertools.count(1).__next__
    with Journal.open(tmp_path / "run.sqlite", Durability.BATCH, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        coordinator.step()
        strange = ("something_else", *manifest().features[1:])
        models.register(NAME, arrays(5), manifest(features=strange))
        promote(models, 4)
        coordinator.step()
        assert "does not follow rl-aggressive@4: rl-aggressive@4 takes" in coordinator.alerts[-1]
        promote(models, 2)
        (home / "models" / NAME / "2" / "weights.npz").write_bytes(b"torn")
        coordinator.step()
        assert "does not follow rl-aggressive@2" in coordinator.alerts[-1]
        with (home / "models" / "record.jsonl").open("a") as record:
            record.write("{}\n")
        coordinator.step()
        assert "models stay as they are: line 4 of the record" in coordinator.alerts[-1]
        assert len(coordinator.alerts) == 3, "each is told once"
        assert versions(journal) == [1] * 4


def test_what_was_followed_in_a_cycle_that_was_never_decided_is_taken_back_in_the_journal(
    home: Path, tmp_path: Path, models: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator dies after ModelFollowed and before its cycle; meanwhile somebody rolls back."""
    plan = planned(tmp_path / "run")[0]
    promote(models, 1)
    tick = itertools.count(1).__next__
    path = tmp_path / "run.sqlite"
    new_run(path, plan)
    with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        coordinator.step()
        promote(models, 2)
        coordinator._follow()
    models.rollback(NAME, reason="worse", actor="test", at_ns=3)
    for _ in range(2):
        with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
            wire_inline(plan, journal, tick).step()
    with JournalReader.read_only(path) as journal:
        assert [(one.cycle, one.said.version) for one in followed_in(journal)] == [(0, 1), (1, 2), (1, 1)]
        assert versions(journal) == [1, 1, 1]
    assert replayed(path).is_equal
    home.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is not the version that this run has asked"):
        replayed(path)
    monkeypatch.setenv("TG_HOME", str(tmp_path / "elsewhere"))
    assert replayed(path).is_equal, "a home that was moved still has the versions of its runs"


def test_a_registry_that_goes_away_changes_nobody(home: Path, tmp_path: Path, models: ModelRegistry) -> None:
    plan = planned(tmp_path / "run")[0]
    promote(models, 2)
    tick = itertools.count(1).__next__
    with Journal.open(tmp_path / "run.sqlite", Durability.BATCH, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        coordinator.step()
        (home / "models").rename(tmp_path / "away")
        coordinator.step()
        assert coordinator.alerts[-1].endswith("record.jsonl is gone")
        (home / "models").write_text("in the way")
        coordinator.step()
        assert "models stay as they are: cannot read the record" in coordinator.alerts[-1]
        (home / "models").unlink()
        (tmp_path / "away").rename(home / "models")
        promote(models, 1)
        coordinator.step()
        assert len(coordinator.alerts) == 2, "each is told once"
        assert versions(journal) == [2, 2, 2, 1]


def test_a_version_that_is_lost_while_the_desk_is_off_leaves_its_agent_silent(
    home: Path, tmp_path: Path, models: ModelRegistry
) -> None:
    plan = planned(tmp_path / "run")[0]
    promote(models, 1)
    tick = itertools.count(1).__next__
    path = tmp_path / "run.sqlite"
    new_run(path, plan)
    with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
        wire_inline(plan, journal, tick).step()
    weights = home / "models" / NAME / "1" / "weights.npz"
    kept = weights.read_bytes()
    weights.unlink()
    with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        report = coordinator.step()
        assert report is not None
        said = {opinions.agent: opinions for opinions in report.hearing.opinions}[AGENT]
        assert set(said.abstained) == {Abstention.NO_MODEL}
        assert any("has lost its model" in alert for alert in coordinator.alerts)
        assert np.isfinite(said.memory).all()
    weights.write_bytes(kept)
    assert replayed(path).is_equal


@pytest.fixture
def ended() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        if (handle := look_up(name)) is not None:
            ray.kill(handle, no_restart=True)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_on_ray_it_follows_the_same_whoever_dies(
    home: Path, tmp_path: Path, models: ModelRegistry, ended: list[str]
) -> None:
    plan, config = planned(tmp_path / "run")
    inline = traded(tmp_path / "inline.sqlite", plan, models, (CYCLES,))
    (home / "models" / "record.jsonl").unlink()
    crew = mortal(crew_of(plan, config.supervision))
    ended += ["CoordinatorActor", *(station.name for station in crew.stations)]
    with new_journal(plan):
        pass
    chief = launch(plan, crew, mortal_class(CoordinatorActor))
    deaths = {12: f"RlActor:{AGENT}", 24: "CoordinatorActor"}
    for begin, end in itertools.pairwise([*ACTS, CYCLES]):
        act(models, begin)
        if begin in deaths:
            handle = look_up(deaths[begin])
            assert handle is not None
            handle.die.remote(1)
        session = Session(chief, end)
        if begin == 0:
            session.prepare(120)
        session.start()
        assert poll_until(lambda: session.wait(0.2), timeout_s=120) == "enough cycles"  # noqa: B023 - asked at once
    status: Any = ray.get(chief.coordinator.report.remote(), timeout=60)
    shown = {row.name: row.model for row in status.agents}
    assert shown[f"RlActor:{AGENT}"] == f"{NAME}@2"
    assert shown["TechnicalActor:trend"] is None
    with JournalReader.read_only(plan.journal) as journal:
        assert versions(journal) == VERSIONS
        assert digest(journal) == inline
