from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.stage_words import PLAN
from tg_actors.desk.config import DeskConfig, load_desk, load_stages
from tg_actors.desk.files import find_config, load, read_yaml
from tg_actors.desk.gates_view import sentence
from tg_actors.domain.errors import UserError
from tg_actors.domain.stages import Evidence, Finding, Outcome
from tg_actors.risk.gates import DEFINITIONS, Spread, asked, judge, judge_all
from tg_actors.risk.stages_plan import Criterion, Metric, StagePlan, StageSpec

PAPER = load_desk("configs/desks/laptop-paper.yaml")
LEAST = Criterion(metric=Metric.SHARPE, at_least=Decimal("1.0"))
MOST = Criterion(metric=Metric.DRAWDOWN, at_most=Decimal("0.10"))
PARSED = Criterion(metric=Metric.PARSE_RATE, at_least=Decimal("0.95"), when_llm=True)


@pytest.mark.parametrize(
    ("criterion", "value", "outcome", "short"),
    [
        (LEAST, 1.0, Outcome.MET, 0.0),
        (LEAST, 0.75, Outcome.FAILED, 0.25),
        (LEAST, 9.0, Outcome.MET, 0.0),
        (MOST, 0.10, Outcome.MET, 0.0),
        (MOST, 0.15, Outcome.FAILED, 0.05),
        (LEAST, None, Outcome.UNDEFINED, None),
        (LEAST, float("nan"), Outcome.UNDEFINED, None),
        (MOST, float("-inf"), Outcome.UNDEFINED, None),
        (PARSED, None, Outcome.NOT_APPLICABLE, None),
        (PARSED, 0.5, Outcome.FAILED, 0.45),
    ],
)
def test_a_criterion_says_what_is_missing(
    criterion: Criterion, value: float | None, outcome: Outcome, short: float | None
) -> None:
    finding = judge("paper exit", criterion, value, Spread())
    assert finding.outcome is outcome
    assert finding.short == (None if short is None else pytest.approx(short))


def test_a_gate_is_the_days_and_exit_of_one_stage_and_the_entry_of_the_next() -> None:
    gates = list(asked(PLAN["paper"], PLAN["micro-100"]))
    assert gates[0][1] == Criterion(metric=Metric.DAYS, at_least=Decimal(30))
    assert [gate for gate, _ in gates].count("micro-100 entry") == len(PLAN["micro-100"].entry) > 0
    own = list(asked(PLAN["full-2100"], PLAN["full-2100"]))
    assert {gate for gate, _ in own} == {"full-2100 exit"}, "a halved desk earns its capital back"


def test_nothing_known_is_nothing_passed() -> None:
    for stage in PLAN.stages:
        target = PLAN.above(stage.name) or stage
        findings = judge_all(stage, target, {}, {})
        assert {f.outcome for f in findings} == {Outcome.UNDEFINED, Outcome.NOT_APPLICABLE}
        assert [f.metric for f in findings if f.outcome is Outcome.NOT_APPLICABLE] == [Metric.PARSE_RATE]


def test_evidence_without_a_single_criterion_does_not_pass() -> None:
    blank = Evidence(
        run="r",
        account="a",
        stage="paper",
        target="micro-100",
        from_ns=0,
        to_ns=0,
        cycles=0,
        journal_seq=0,
        journal_hash="",
        findings=(),
    )
    assert not blank.passes


def test_every_metric_has_a_definition_and_is_asked_by_a_gate_or_is_the_days() -> None:
    assert set(DEFINITIONS) == set(Metric)
    spoken = {criterion.metric for stage in PLAN.stages for criterion in stage.exit}
    assert spoken == set(Metric) - {Metric.DAYS}


def test_the_roadmap_s_numbers_stand_in_the_file() -> None:
    assert [stage.capital_usd for stage in PLAN.stages[1:]] == [100, 200, 500, 1000, 2100]
    assert PLAN["paper"].duration_days_min == 30
    losses = [c.at_most for s in PLAN.stages for c in s.exit if c.metric is Metric.LARGEST_LOSS]
    assert losses == [Decimal("0.05")] * len(PLAN.stages)
    schedule = PLAN["micro-100"].approvals
    assert [(step.from_week, step.above_usd) for step in schedule] == [(1, 0), (2, 25), (3, None)]


FINDING = {"gate": "paper exit", "metric": "sharpe_daily_365", "asked": "at least 1.0"}
SHORT = {
    "value": 0.42,
    "outcome": Outcome.FAILED,
    "short": 0.58,
    "low": -3.0,
    "high": 4.1,
    "chance_frac": 0.38,
}
FALL = {"metric": "max_drawdown_frac", "asked": "at most 0.10", "value": 0.2, "short": 0.1}
SENTENCES: dict[str, dict[str, Any]] = {
    "sharpe_daily_365 is 0.42, at least 1.0 is asked, too low by 0.58 "
    "(could as well lie between -3 and 4.1; 38% of strategies without skill pass)": SHORT,
    "sharpe_daily_365 is 1.5, at least 1.0 is asked": {"value": 1.5, "outcome": Outcome.MET, "short": 0.0},
    "sharpe_daily_365 is undefined: fewer than two daily returns that differ; at least 1.0 is asked, "
    "unknown fails": {"value": None, "outcome": Outcome.UNDEFINED},
    "max_drawdown_frac is 0.2, at most 0.10 is asked, too high by 0.1": {**FALL, "outcome": Outcome.FAILED},
}


@pytest.mark.parametrize("words", SENTENCES)
def test_a_criterion_is_a_sentence(words: str) -> None:
    assert sentence(Finding(**(FINDING | SENTENCES[words]))) == words


def _staged(**changes: Any) -> DeskConfig:
    in_dollars = {"opening_cash": {"USDT": Decimal(2100), "BTC": Decimal(0)}}
    return PAPER.model_copy(update={"stage": "paper", **in_dollars, **changes})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (_staged(stage="micro-300"), ["micro-300", "micro-200", "full-2100"]),
        (_staged(mode="live"), ["paper", "real money"]),
        (_staged(reporting_currency="EUR"), ["EUR", "USDT"]),
        (_staged(opening_cash=PAPER.opening_cash), ["BTC", "opening_cash"]),
        (_staged(meta=PAPER.meta.model_copy(update={"quorum": 2})), ["quorum: 1"]),
    ],
)
def test_a_desk_that_contradicts_its_stage_is_one_sentence(config: DeskConfig, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load_stages(config)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_desk_file_may_name_its_stage_or_none(tmp_path: Path) -> None:
    assert load_stages(PAPER) is None
    shipped = find_config("configs/desks/laptop-paper.yaml").read_text()
    path = tmp_path / "staged.yaml"
    path.write_text(f"{shipped}\nstage: micro-100\n".replace('BTC: "0.1"', 'BTC: "0"'))
    spec = load_stages(load_desk(str(path)))
    assert spec is not None
    assert (spec.home, spec.plan) == ("micro-100", PLAN)


def _broken(change: str) -> dict[str, Any]:
    data: dict[str, Any] = read_yaml(find_config("configs/stages.yaml"))
    paper, micro = data["stages"][0], data["stages"][1]
    changes = {
        "two bounds": lambda: paper["exit"][0].update(at_most="3"),
        "no bound": lambda: paper["exit"][0].pop("at_least"),
        "one name twice": lambda: micro.update(name="paper"),
        "weeks go back": micro["approvals"].reverse,
        "a trigger twice": lambda: micro["rollback"].append(micro["rollback"][0]),
        "paper after money": lambda: data["stages"].append({**paper, "name": "again"}),
        "capital shrinks": lambda: micro.update(capital_usd="300"),
        "no exit": lambda: micro.update(exit=[]),
        "an unknown metric": lambda: micro["exit"][0].update(metric="sharp"),
    }
    changes[change]()
    return data


@pytest.mark.parametrize(
    "change",
    [
        "two bounds",
        "no bound",
        "one name twice",
        "weeks go back",
        "a trigger twice",
        "paper after money",
        "capital shrinks",
        "no exit",
        "an unknown metric",
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_in_one_sentence(change: str) -> None:
    with pytest.raises(UserError) as error:
        load(StagePlan, Path("stages.yaml"), _broken(change))
    assert "\n" not in str(error.value)


def test_a_home_that_is_no_stage_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no stage 'micro-300'"):
        StageSpec(plan=PLAN, home="micro-300")
