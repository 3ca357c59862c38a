"""A person's word about an arm: it holds from the next cycle on, for every start and every replay."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from pydantic import TypeAdapter
from typer.testing import CliRunner

from tests.ray_desks import lively_plan, mortal, mortal_class, poll_until
from tg_actors.cli.main import app
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.arms import ArmOrder, leave_order, pending_orders, switched_now, switches
from tg_actors.desk.bandit_view import standing, weights_over_time
from tg_actors.desk.coordinator import Coordinator
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
from tg_actors.meta.policies import Policy
from tg_actors.reports.sheet import read_sheet
from tg_actors.runtime.actors import look_up
from tg_actors.runtime.clock import wall_ns

CYCLES = 70
#: When people speak: the number of cycles that stand then, the arm, whether it is to count.
SAID = ((30, "momentum", False), (40, "breakout", False), (55, "momentum", True))
POLICIES: dict[str, dict[str, Any]] = {
    "equal_weight": {"kind": "equal_weight"},
    "weights": {"kind": "weights", "algorithm": {"kind": "leader"}, "disabled": ["trend"]},
    "selection": {"kind": "selection", "algorithm": {"kind": "gaussian_thompson"}},
}


def an_order(arm: str, *, enabled: bool) -> ArmOrder:
    return ArmOrder(arm=arm, enabled=enabled, actor="anna", reason="its vendor is down")


def planned(folder: Path, name: str) -> DeskPlan:
    plan = lively_plan(folder)[0]
    policy: Policy = TypeAdapter(Policy).validate_json(json.dumps(POLICIES[name]))
    config = plan.meta.config.model_copy(update={"policy": policy})
    return plan.model_copy(update={"meta": plan.meta.model_copy(update={"config": config})})


def opened(path: Path, plan: DeskPlan) -> Journal:
    journal = Journal.open(path, Durability.BATCH, clock_ns=itertools.count(1).__next__)
    if journal.identity() is None:
        executor = plan.account.executor.model_dump_json()
        journal.set_identity({"plan": plan_text(plan), "executor": executor})
    return journal


def traded(path: Path, plan: DeskPlan, lives: int) -> str:
    """Trade with so many cycles in each life, while people speak; the digest of the journal."""
    done = 0
    while done < CYCLES:
        with opened(path, plan) as journal:
            coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
            while coordinator.next_cycle < min(done + lives, CYCLES):
                assert coordinator.step() is not None
                speak(journal, coordinator, plan)
            done = coordinator.next_cycle
    with JournalReader.read_only(path) as journal:
        return digest(journal)


def speak(journal: Journal, coordinator: Coordinator, plan: DeskPlan) -> None:
    for cycle, arm, enabled in SAID:
        if coordinator.next_cycle == cycle:
            leave_order(journal, an_order(arm, enabled=enabled), plan.meta.agents)
    coordinator.obey()


def weights_of(journal: JournalReader, arm: str) -> list[float]:
    return [row["weights"][arm] for row in weights_over_time(journal)]


@pytest.mark.parametrize("name", POLICIES)
def test_an_arm_has_no_weight_while_a_person_says_so_however_often_the_desk_starts(
    name: str, tmp_path: Path
) -> None:
    plan = planned(tmp_path, name)
    immortal = traded(tmp_path / "immortal.sqlite", plan, CYCLES)
    assert traded(tmp_path / "mortal.sqlite", plan, 7) == immortal
    with JournalReader.read_only(tmp_path / "mortal.sqlite") as journal:
        assert [(one.cycle, one.said.arm, one.said.enabled) for one in switches(journal)] == list(SAID)
        momentum, breakout = weights_of(journal, "momentum"), weights_of(journal, "breakout")
        assert set(momentum[30:55]) == {0.0}
        assert any(momentum[:30])
        assert any(momentum[55:])
        assert set(breakout[40:]) == {0.0}
        again = replay("it", journal, tmp_path / "scratch.sqlite", None, lambda: 1, lambda *_: None)
        assert again.is_equal
        told = [incident.what for incident in read_sheet("a-run", journal).incidents]
        assert any("momentum is disabled by anna: its vendor is down" in one for one in told)
        if name != "equal_weight":
            off = {row["arm"] for row in standing(journal).arms() if row["disabled"]}
            assert off == {"breakout", *plan.meta.config.policy.disabled}
            assert any(row["earned_frac"] for row in standing(journal).arms() if row["arm"] == "breakout")


def test_what_the_desk_file_disables_a_person_may_enable(tmp_path: Path) -> None:
    plan = planned(tmp_path, "weights")
    path = tmp_path / "run.sqlite"
    with opened(path, plan) as journal:
        coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
        while coordinator.next_cycle < CYCLES:
            coordinator.step()
            if coordinator.next_cycle == 20:
                leave_order(journal, an_order("trend", enabled=True), plan.meta.agents)
                coordinator.obey()
        trend = weights_of(journal, "trend")
    assert set(trend[:20]) == {0.0}
    assert any(trend[20:])


def test_an_unknown_arm_is_refused_before_and_behind_the_door(tmp_path: Path) -> None:
    plan = planned(tmp_path, "equal_weight")
    with opened(tmp_path / "run.sqlite", plan) as journal:
        with pytest.raises(UserError, match="'trnd' is no arm of this desk: it has trend, mean_reversion"):
            leave_order(journal, an_order("trnd", enabled=False), plan.meta.agents)
        coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
        coordinator.step()
        journal.request("arm", an_order("trnd", enabled=False).model_dump_json(), "anna")
        journal.request("arm", "not an order", "anna")
        coordinator.obey()
        unknown, senseless = (event.content()["outcome"] for event in journal.events({"RequestCompleted"}))
        assert unknown == "refused: 'trnd' is no arm of this desk"
        assert senseless == "refused: this is no order about an arm"
        assert switches(journal) == ()


@pytest.fixture
def ended() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        if (handle := look_up(name)) is not None:
            ray.kill(handle, no_restart=True)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_on_ray_it_holds_whoever_dies_and_the_replay_knows_of_it(tmp_path: Path, ended: list[str]) -> None:
    base, config = lively_plan(tmp_path)
    plan = base.model_copy(update={"meta": planned(tmp_path, "selection").meta})
    crew = mortal(crew_of(plan, config.supervision))
    ended += ["CoordinatorActor", *(station.name for station in crew.stations)]
    with opened(Path(plan.journal), plan):
        pass
    desk = launch(plan, crew, mortal_class(CoordinatorActor))
    with Journal.open(plan.journal, clock_ns=wall_ns) as journal:
        leave_order(journal, an_order("momentum", enabled=False), plan.meta.agents)
        Session(desk, 0).prepare(120)
        trade(desk, 25)
        for name in ("MetaActor", "CoordinatorActor"):
            handle = look_up(name)
            assert handle is not None
            handle.die.remote(1)
        trade(desk, 50)
        (switch,) = switches(journal)
        assert switch.cycle == 1, "it could not be carried out before the first cycle"
        momentum = weights_of(journal, "momentum")
        assert len(momentum) == 50
        assert set(momentum[switch.cycle :]) == {0.0}
        again = replay("it", journal, tmp_path / "scratch.sqlite", None, lambda: 1, lambda *_: None)
        assert again.is_equal


def trade(desk: Any, cycles: int) -> None:
    session = Session(desk, cycles)
    session.start()
    assert poll_until(lambda: session.wait(0.2), timeout_s=200) == "enough cycles"


def tg(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_commands_leave_orders_and_show_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))
    from tg_actors.runtime.home import run_folder

    folder = run_folder("desk")
    plan = planned(tmp_path, "weights")
    with opened(folder.journal, plan) as journal:
        wire_inline(plan, journal, itertools.count(1).__next__).step()
    said = json.loads(tg("bandit", "disable", "breakout", "--reason", "lunch", "--run", "desk", "--json"))
    assert (said["arm"], said["enabled"], said["disabled"]) == ("breakout", False, ["trend", "breakout"])
    tg("bandit", "enable", "TechnicalActor:trend", "--run", "desk")
    with opened(folder.journal, plan) as journal:
        assert [order.reason for order in pending_orders(journal)] == ["lunch", "enabled by hand"]
        coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
        coordinator.step()
        coordinator.obey()
        assert switched_now(journal) == {"breakout": False, "trend": True}
    rows = json.loads(tg("bandit", "switches", "--run", "desk", "--json"))
    assert [(row["cycle"], row["arm"]) for row in rows] == [(2, "breakout"), (2, "trend")]
    assert "lunch" in tg("bandit", "switches", "--run", "desk")
    result = CliRunner().invoke(app, ("bandit", "disable", "trnd", "--run", "desk"))
    assert isinstance(result.exception, UserError)
