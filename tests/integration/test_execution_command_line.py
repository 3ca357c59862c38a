"""``tg approvals``, ``tg approve``, ``tg reject`` on a run's journal."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.desk_words import UP, XRP, Desk, Scene, says
from tests.execution_words import HandClock
from tg_actors.cli.main import app
from tg_actors.domain.errors import UserError
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose first order waits, lying where the command line looks."""
    monkeypatch.setenv("TG_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "desk"
    folder.mkdir(parents=True)
    clock = HandClock()
    clock.wall = wall_ns()
    scene = Scene(
        script=says({0: {XRP: UP}}),
        executor={"approval": ApprovalPolicy(above_notional=Decimal(0))},
        clock=clock,
    )
    journal = Journal.open(folder / "journal.sqlite", clock_ns=clock.wall_ns)
    with scene.open_on(journal, scene.open_venue) as desk:
        desk.run(1)
        yield desk


def _tg(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--run", "desk"])


def _rows(*arguments: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(_tg("approvals", *arguments, "--json").stdout)
    return rows


def test_a_waiting_order_is_listed_approved_and_sent(desk: Desk) -> None:
    [row] = _rows()
    assert (row["symbol"], row["side"], row["state"]) == (XRP, "buy", "pending")
    assert row["order"] in _tg("approvals").stdout
    granted = json.loads(_tg("approve", row["order"], "--json").stdout)
    assert (granted["intent_id"], granted["state"]) == (row["intent_id"], "granted")
    assert granted["user"].endswith("(cli)")
    desk.run(1)
    assert len(desk.orders()) == 1
    assert _rows() == []
    [used] = _rows("--all")
    assert used["state"] == "used"


def test_a_rejected_order_is_gone_and_a_second_word_is_one_sentence(desk: Desk) -> None:
    [row] = _rows()
    assert _tg("reject", row["order"], "--reason", "too big").exit_code == 0
    assert _rows() == []
    assert _rows("--all")[0]["reason"] == "too big"
    answer = _tg("approve", row["order"])
    assert isinstance(answer.exception, UserError)
    assert str(answer.exception).startswith(f"order {row['order']} is refused already, by ")
    desk.run(1)
    assert desk.orders() == []
