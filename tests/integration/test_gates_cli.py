"""``tg gates``: from a paper run to a promoted desk, every refusal, and what explain says."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli_words import Answer
from tests.desk_words import OPENING, SYMBOLS, UP, XRP, Desk, Scene, says, ticking_clock
from tests.stage_words import PLAN
from tg_actors.desk.gates_view import stage_of
from tg_actors.domain.stages import Outcome, StageChange, StageMove
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.risk.stages_plan import Criterion, Metric, Stage, StagePlan, StageSpec

CASH = {"USDT": "10000", "BTC": "0"}


def refused(answer: Answer, *words: str) -> None:
    """The command ended with one sentence that holds all the words, and said nothing else."""
    assert (answer.code, answer.out) == (2, ""), answer
    (line,) = answer.err.strip().splitlines()
    assert [word for word in words if word not in line] == [], line


def easy(stage: Stage) -> Stage:
    """A stage that a week without a single trade can leave."""
    least = (Criterion(metric=Metric.UPTIME, at_least=Decimal("0.99")),)
    return stage.model_copy(update={"duration_days_min": 1, "entry": (), "exit": least, "pairs": None})


EASY = StagePlan(resampling=PLAN.resampling, stages=tuple(easy(stage) for stage in PLAN.stages))


@pytest.fixture
def easy_plan(monkeypatch: pytest.MonkeyPatch, home: Path) -> StagePlan:
    """Write the easy stages where the command line looks first: below the working folder."""
    folder = Path("configs")
    folder.mkdir()
    (folder / "stages.yaml").write_text(EASY.model_dump_json())
    return EASY


@contextmanager
def a_run(home: Path, name: str, scene: Scene, kind: str = "desk") -> Iterator[Desk]:
    """A desk whose journal lies where the command line finds it."""
    folder = home / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal.open(folder / "journal.sqlite", Durability.FULL, clock_ns=ticking_clock())
    if journal.identity() is None:
        executor = scene.plan("").account.executor.model_dump_json()
        journal.set_identity({"kind": kind, "desk": "d", "executor": executor})
    with scene.open_on(journal, scene.open_venue) as desk:
        yield desk


def scene(home_stage: str | None, plan: StagePlan = EASY, **facts: Any) -> Scene:
    stages = None if home_stage is None else StageSpec(plan=plan, home=home_stage)
    paths = {symbol: [OPENING[symbol]] * 80 for symbol in SYMBOLS}
    return Scene(**{"stages": stages, "cash": CASH, "paths": paths, **facts})


def moves(desk: Desk) -> list[StageChange]:
    events = desk.journal.events({move.value for move in StageMove})
    return [StageChange.model_validate_json(event.payload) for event in events]


@pytest.mark.usefixtures("easy_plan")
def test_a_paper_run_opens_a_micro_desk_and_everything_is_on_record(
    home: Path, tg: Callable[..., Answer]
) -> None:
    with a_run(home, "paper-run", scene("paper")) as desk:
        desk.run(30)
    micro = scene("micro-100", script=says({}, otherwise={XRP: UP}))
    with a_run(home, "micro-run", micro) as desk:
        desk.run(2)
        assert desk.journal.permits() == []
    shut = json.loads(tg("gates", "status", "--run", "micro-run", "--json").out)
    assert (shut["stage"], shut["home"], shut["target"]) == ("paper", "micro-100", "micro-100")
    assert "may trade from micro-100 on" in shut["closed"]
    assert shut["passes"] is False
    refused(tg("gates", "promote", "--run", "micro-run", "--confirm", "micro-100"), "micro-100", "days")
    borrowed = ("--run", "micro-run", "--evidence", "paper-run")
    refused(tg("gates", "promote", *borrowed), "--confirm micro-100")
    refused(tg("gates", "promote", *borrowed, "--confirm", "micro-200"), "micro-200", "nothing was changed")
    done = tg("gates", "promote", *borrowed, "--confirm", "micro-100", "--reason", "a month", "--json")
    assert done.code == 0, done
    said = json.loads(done.out)
    waiting = json.loads(tg("gates", "status", "--run", "micro-run", "--json").out)
    assert "promote by" in waiting["pending"][0]
    assert "a month" in waiting["pending"][0]
    with a_run(home, "micro-run", micro) as desk:
        desk.run(1)
        desk.coordinator.obey()
        (promoted,) = moves(desk)
        desk.run(1)
        # Week 1 of micro-100: every entry waits for a person.
        assert len(desk.journal.approvals(open_only=True)) == 1
        assert desk.journal.permits() == []
    assert (promoted.actor, promoted.reason) == (said["actor"], "a month")
    assert promoted.evidence_sha256 == said["evidence_sha256"]
    assert promoted.evidence is not None
    assert (promoted.evidence.run, promoted.evidence.stage) == ("paper-run", "paper")
    after = json.loads(tg("gates", "status", "--run", "micro-run", "--json").out)
    assert (after["stage"], after["capital_usd"], after["approval_above_usd"]) == ("micro-100", "100", "0")
    assert after["pending"] == []
    assert "every entry waits for a person" in tg("gates", "status", "--run", "micro-run").out


@pytest.mark.usefixtures("easy_plan")
def test_evidence_that_proves_nothing_is_refused_in_one_sentence(
    home: Path, tg: Callable[..., Answer]
) -> None:
    with a_run(home, "micro-run", scene("micro-100")) as desk:
        desk.run(2)
    with a_run(home, "backtest-x", scene("paper"), kind="backtest") as desk:
        desk.run(30)
    with a_run(home, "no-stage", scene(None)) as desk:
        desk.run(2)
    with a_run(home, "other", scene("micro-500")) as desk:
        desk.run(2)
    for run, words in {
        "backtest-x": ["backtest"],
        "no-stage": ["no stage"],
        "other": ["is at micro-200", "needs evidence of paper"],
        "nowhere": ["no run is called"],
    }.items():
        answer = tg("gates", "promote", "--run", "micro-run", "--evidence", run, "--confirm", "micro-100")
        refused(answer, *words)
    refused(tg("gates", "promote", "--run", "no-stage", "--confirm", "x"), "no stage", "stage: paper")
    refused(tg("gates", "demote", "--run", "no-stage", "--reason", "x"), "no stage")
    refused(tg("gates", "demote", "--run", "backtest-x", "--reason", "x"), "backtest")
    refused(tg("gates", "demote", "--run", "micro-run"), "--reason")
    refused(tg("gates", "explain", "--run", "no-stage", "--stage", "micro-300"), "micro-300", "micro-200")


@pytest.mark.usefixtures("easy_plan")
def test_a_person_demotes_pauses_and_resumes(home: Path, tg: Callable[..., Answer]) -> None:
    # Below the lowest stage there is only a pause.
    for verb, paused in (("pause", "doubts"), ("resume", ""), ("demote", "doubts")):
        with a_run(home, "run", scene("paper")) as desk:
            desk.run(1)
        answer = tg("gates", verb, "--run", "run", "--reason", "doubts")
        assert answer.code == 0, answer
        assert "when the desk starts again" in answer.err
        with a_run(home, "run", scene("paper")) as desk:
            desk.run(1)
            desk.coordinator.obey()
            state = stage_of(desk.journal)
        assert state is not None
        assert (state.stage, state.paused) == ("paper", paused)
    refused(tg("gates", "promote", "--run", "run", "--confirm", "micro-100"), "paused (doubts)")
    assert "nothing is entered" in tg("gates", "explain", "--run", "run").out


def test_explain_of_a_short_run_says_what_is_undefined(home: Path, tg: Callable[..., Answer]) -> None:
    with a_run(home, "run", scene(None)) as desk:
        desk.run(5)
    answer = tg("gates", "explain", "--run", "run")
    assert answer.code == 0, answer
    assert "stays shut" in answer.out
    assert "profit_factor_closed_trades is undefined: no closed trade" in answer.out.replace("\n", " ")
    assert "parse_rate_frac is not asked" in answer.out


@pytest.mark.data
def test_explain_over_recorded_data_says_which_criterion_fails_and_by_how_much(
    home: Path, tg: Callable[..., Answer], data_dir: Path
) -> None:
    window = ("--from", "2020-03-01", "--to", "2020-05-01", "--instruments", "BTC/USDT,XRP/USDT")
    ran = tg("backtest", "run", "--market", "recorded", "--data", data_dir, *window, "--json")
    assert ran.code == 0, ran
    figures = json.loads(ran.out)
    found = json.loads(tg("gates", "explain", "--json").out)
    assert (found["stage"], found["judged_as"], found["target"]) == (None, "paper", "micro-100")
    failed = {c["metric"]: c for c in found["criteria"] if c["outcome"] == Outcome.FAILED}
    assert failed
    for name in ("sharpe_daily_365", "max_drawdown_frac", "win_rate_closed_trades"):
        (criterion,) = [c for c in found["criteria"] if c["metric"] == name]
        assert criterion["value"] == pytest.approx(figures[name], abs=1e-5)
        bound = float(criterion["asked"].split()[-1])
        short = bound - figures[name] if "least" in criterion["asked"] else figures[name] - bound
        assert criterion["short"] == pytest.approx(max(0.0, short), abs=1e-5)
        assert (criterion["outcome"] == Outcome.FAILED) is (short > 0)
        assert math.isfinite(criterion["chance_frac"])
    text = tg("gates", "explain").out.replace("\n", " ")
    for name in failed:
        assert f"FAILED {name} is " in text
    assert "too low by" in text or "too high by" in text
