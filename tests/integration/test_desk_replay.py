"""``tg replay``: a run decided once more is the same run; where it is not, the first cause is named."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tg_actors.desk.block import DecisionBlock, decode, encode
from tg_actors.desk.config import load_desk
from tg_actors.desk.coordinator import Coordinator
from tg_actors.desk.divergence import STAGES, CycleRecord, _records
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.replay import Replayed, changed_parts, plan_text, replay
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.blocks import Abstention
from tg_actors.domain.decisions import Decision
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal

CYCLES = 150
Meddle = Callable[[Journal, Coordinator], None]


def _plan(seed: int = 7) -> DeskPlan:
    flags = Flags(market="simulated", seed=seed, instruments="BTC/USDT,XRP/USDT,XRP/BTC", speed="max")
    config = flagged(load_desk("laptop-paper"), flags)
    bold = config.risk.model_copy(
        update={"confidence_frac_min": Decimal("0.1"), "rebalance_band_frac": Decimal("0.1")}
    )
    config = config.model_copy(update={"risk": bold})
    spec, feed = plan_market(config)
    return make_plan(config, spec, feed, Path(), "", durable=True)


@pytest.fixture(scope="module")
def plan() -> DeskPlan:
    return _plan()


def _record(
    path: Path, plan: DeskPlan, meddle: Meddle | None = None, at: int = 60, claims: DeskPlan | None = None
) -> Path:
    """Trade a run; ``meddle`` with it before a cycle; ``claims`` is the plan that the journal keeps."""
    tick = itertools.count(1).__next__
    with Journal.open(path, Durability.BATCH, clock_ns=tick) as journal:
        journal.set_identity(
            {"plan": plan_text(claims or plan), "executor": plan.account.executor.model_dump_json()}
        )
        coordinator = wire_inline(plan, journal, tick)
        while coordinator.next_cycle < CYCLES:
            if meddle is not None and coordinator.next_cycle == at:
                meddle(journal, coordinator)
            assert coordinator.step() is not None
    return path


def _replayed(path: Path) -> Replayed:
    with JournalReader.read_only(path) as journal:
        scratch = path.with_name("scratch.sqlite")
        return replay("run", journal, scratch, None, itertools.count(10**18).__next__, lambda *_: None)


def test_an_undisturbed_run_is_replayed_to_the_last_fill(tmp_path: Path, plan: DeskPlan) -> None:
    found = _replayed(_record(tmp_path / "run.sqlite", plan))
    assert found.is_equal
    assert found.divergence is None
    assert (found.cycles, found.equity_recorded) == (CYCLES, found.equity_replayed)
    assert found.fills_recorded == found.fills_replayed > 10


def test_a_halt_by_hand_is_found_with_its_word(tmp_path: Path, plan: DeskPlan) -> None:
    def halt(journal: Journal, _: Coordinator) -> None:
        journal.set_trading_state(TradingState.HALTED, "lunch", "anna", 0)

    found = _replayed(_record(tmp_path / "run.sqlite", plan, halt)).divergence
    assert found is not None
    assert found.cycle >= 60
    assert found.stage in {"risk", "permits"}
    assert any("lunch" in line and "anna" in line for line in found.circumstances)


def test_another_market_is_found_in_the_market(tmp_path: Path, plan: DeskPlan) -> None:
    found = _replayed(_record(tmp_path / "run.sqlite", _plan(seed=8), claims=plan)).divergence
    assert found is not None
    assert (found.cycle, found.stage) == (0, "market")
    assert any(line.startswith("mid of BTC/USDT") for line in found.details)


def test_another_limit_is_found_in_risk(tmp_path: Path, plan: DeskPlan) -> None:
    limits = plan.risk.limits.model_copy(update={"position_frac_max": Decimal("0.05")})
    other = plan.model_copy(update={"risk": plan.risk.model_copy(update={"limits": limits})})
    found = _replayed(_record(tmp_path / "run.sqlite", other, claims=plan)).divergence
    assert found is not None
    assert found.stage == "risk"
    assert " against buy " in " ".join(found.details)
    assert changed_parts(plan_text(plan), other) == ["risk"]


def test_a_silent_agent_is_found_in_the_absences(
    tmp_path: Path, plan: DeskPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silence(_: Journal, coordinator: Coordinator) -> None:
        roster, opine = coordinator._roster, coordinator._roster.opine

        def late(snapshot):  # type: ignore[no-untyped-def]  # of the port
            hearing = opine(snapshot)
            heard = tuple(o for o in hearing.opinions if o.agent != "trend")
            absent = {**hearing.absent, "trend": Abstention.LATE}
            return type(hearing)(heard, absent, hearing.memories)

        monkeypatch.setattr(roster, "opine", late)

    found = _replayed(_record(tmp_path / "run.sqlite", plan, silence)).divergence
    assert found is not None
    assert (found.cycle, found.stage, found.details) == (60, "absences", ("trend late against answered",))


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory, plan: DeskPlan) -> CycleRecord:
    """A cycle in which somebody traded."""
    path = _record(tmp_path_factory.mktemp("cycle") / "run.sqlite", plan)
    with JournalReader.read_only(path) as journal:
        return next(record for record in _records(journal) if record.fills and record.permits)


Change = Callable[[DecisionBlock], DecisionBlock]


def _evidence(block: DecisionBlock) -> DecisionBlock:
    first, *others = block.opinions
    return replace(block, opinions=(replace(first, evidence=first.evidence + 1.0), *others))


def _reason(block: DecisionBlock) -> DecisionBlock:
    first, *others = block.opinions
    silent = (Abstention.STALE_MARKET, *first.abstained[1:])
    return replace(block, opinions=(replace(first, abstained=silent), *others))


def _memory(block: DecisionBlock) -> DecisionBlock:
    return replace(block, memories={agent: memory + 1.0 for agent, memory in block.memories.items()})


@pytest.mark.parametrize(
    ("change", "words"),
    [(_evidence, "its evidence"), (_reason, "why it was silent"), (_memory, "what it remembers")],
)
def test_thoughts_that_lead_to_the_same_opinion_differ_all_the_same(
    cycle: CycleRecord, change: Change, words: str
) -> None:
    other = replace(cycle, block=encode(change(decode(cycle.block))))
    assert any(words in line for line in STAGES["opinions"](cycle, other))
    assert STAGES["opinions"](cycle, cycle) == []


def test_a_second_equal_fill_or_permit_is_one_too_many(cycle: CycleRecord) -> None:
    twice = replace(cycle, fills=cycle.fills * 2, permits=cycle.permits * 2)
    for stage in ("fills", "permits"):
        assert len(STAGES[stage](cycle, twice)) == len(STAGES[stage](twice, cycle)) > 0
        assert all(line.startswith("only replayed") for line in STAGES[stage](cycle, twice))


@pytest.mark.parametrize("name", Decision.model_fields)
def test_no_part_of_a_decision_differs_unseen(cycle: CycleRecord, name: str) -> None:
    other = replace(cycle, decision=cycle.decision.model_copy(update={name: "another"}))
    assert STAGES["journal"](cycle, other) == [f"{name} of the decision"]


def test_a_journal_without_a_plan_says_so(tmp_path: Path, plan: DeskPlan) -> None:
    path = tmp_path / "run.sqlite"
    with Journal.open(path, Durability.BATCH, clock_ns=itertools.count(1).__next__) as journal:
        journal.set_identity({"executor": plan.account.executor.model_dump_json()})
        coordinator = wire_inline(plan, journal, itertools.count(1).__next__)
        coordinator.step()
    with pytest.raises(UserError, match="does not hold the plan"):
        _replayed(path)


def test_how_a_run_is_driven_changes_nothing_that_decides(plan: DeskPlan) -> None:
    assert changed_parts(plan_text(plan), plan.model_copy(update={"speed": 2.0, "folder": "/x"})) == []
