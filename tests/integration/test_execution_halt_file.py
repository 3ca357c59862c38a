"""The kill switch as a file: it stops permits by being there, and removing it starts nothing."""

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.desk_words import UP, XRP, Scene, says
from tests.journal_words import ticking_clock
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal

BUY_TWICE = says({1: {XRP: UP}, 3: {XRP: UP}})


def _row(folder: Path) -> str:
    database = sqlite3.connect(folder / "desk.sqlite")
    try:
        [(state,)] = database.execute("SELECT state FROM control")
        return str(state)
    finally:
        database.close()


def test_a_file_beside_the_journal_stops_all_permits_and_is_written_down(tmp_path: Path) -> None:
    with Scene(script=BUY_TWICE).open(tmp_path) as desk:
        desk.run_to(0)
        (tmp_path / "HALT").touch()
        desk.run_to(1)
        assert desk.denials(1) == [DenialCode.TRADING_HALTED]
        assert desk.journal.permits() == []
        assert _row(tmp_path) == "HALTED"
        control = desk.journal.control()
        assert (control.actor, control.reason) == ("file", f"the file {tmp_path / 'HALT'} is there")
        [event] = desk.journal.events({"TradingStateChanged"})
        assert event.content()["actor"] == "file"


def test_a_file_that_comes_between_decision_and_permit_stops_the_permit(tmp_path: Path) -> None:
    with Scene(script=BUY_TWICE).open(tmp_path) as desk:
        desk.run_to(0)
        intents = []

        def touch_and_execute(decision: object) -> object:
            (tmp_path / "HALT").touch()
            intents.extend(decision.judgement.approved)  # type: ignore[attr-defined]  # a Decision
            return execute(decision)  # type: ignore[arg-type]  # a Decision

        execute = desk.executor.execute
        desk.executor.execute = touch_and_execute  # type: ignore[method-assign, assignment]  # for this test
        report = desk.run_to(1)
        assert len(intents) == 1
        assert [denied.code for denied in report.execution.denied] == [DenialCode.TRADING_HALTED]
        assert desk.journal.permits() == []


def test_nothing_is_resumed_by_removing_the_file_and_nobody_resumes_while_it_is_there(tmp_path: Path) -> None:
    with Scene(script=BUY_TWICE).open(tmp_path) as desk:
        (tmp_path / "HALT").touch()
        desk.run_to(1)
        for state in (TradingState.ACTIVE, TradingState.REDUCE_ONLY):
            with pytest.raises(UserError, match="remove it first"):
                desk.journal.set_trading_state(state, "go on", "a person", 0)
        desk.journal.set_trading_state(TradingState.HALTED, "twice is safe", "a person", 0)
        (tmp_path / "HALT").unlink()
        desk.run_to(2)
        assert desk.journal.trading_state() is TradingState.HALTED
        desk.journal.set_trading_state(TradingState.ACTIVE, "go on", "a person", 0)
        desk.run_to(3)
        assert len(desk.journal.permits()) == 1


def test_a_reader_believes_the_file_before_anybody_has_written_it_down(tmp_path: Path) -> None:
    Journal.open(tmp_path / "desk.sqlite", clock_ns=ticking_clock()).close()
    (tmp_path / "HALT").touch()
    with JournalReader.read_only(tmp_path / "desk.sqlite") as reader:
        assert reader.trading_state() is TradingState.HALTED
        assert _row(tmp_path) == "ACTIVE", "a reader writes nothing"
    journal = Journal.open(tmp_path / "desk.sqlite", clock_ns=ticking_clock())
    assert journal.trading_state() is TradingState.HALTED
    assert _row(tmp_path) == "HALTED"
    journal.close()


def test_another_place_can_be_named_and_a_backtest_looks_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "STOP"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    (tmp_path / "HALT").touch()
    path = tmp_path / "desk.sqlite"
    batch = Journal.open(path, Durability.BATCH, clock_ns=ticking_clock())
    assert batch.trading_state() is TradingState.ACTIVE
    batch.close()
    (tmp_path / "HALT").unlink()
    journal = Journal.open(path, clock_ns=ticking_clock(), halt_file=elsewhere)
    with journal.transaction("executor", 0) as tx:
        assert tx.trading_state() is TradingState.HALTED
    journal.close()


def test_the_command_line_refuses_to_resume_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tg_actors.cli.main import app

    monkeypatch.setenv("TG_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "desk"
    folder.mkdir(parents=True)
    journal = Journal.open(folder / "journal.sqlite", clock_ns=ticking_clock())
    journal.set_identity({"desk": "desk", "kind": "desk"})
    journal.close()
    (folder / "HALT").touch()
    result = CliRunner().invoke(app, ["resume", "--run", "desk"])
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (
        f"the file {folder / 'HALT'} is there and halts this desk: "
        "remove it first, then give the command again"
    )
