"""Which runs are backtests, whatever a person called them."""

from pathlib import Path

import pytest

from tg_actors.cli.reading import backtests, described, running_desks
from tg_actors.domain.errors import UserError
from tg_actors.journal.repository import Journal
from tg_actors.runtime.home import run_folder
from tg_actors.runtime.lock import sole_desk


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_HOME", str(tmp_path))


def a_run(name: str, kind: str) -> None:
    with Journal.open(str(run_folder(name).journal), clock_ns=lambda: 1) as journal:
        journal.set_identity({"kind": kind})


def test_a_backtest_with_a_name_of_its_own_is_listed() -> None:
    with pytest.raises(UserError, match="there is no backtest"):
        backtests()
    a_run("backtest-laptop", "backtest")
    a_run("mine", "backtest")
    a_run("paper", "desk")
    run_folder("begun")
    (run_folder("broken").journal).write_bytes(b"no journal")
    assert sorted(backtests()) == ["backtest-laptop", "mine"]


def test_a_listing_says_what_a_run_is_and_survives_a_broken_one() -> None:
    with Journal.open(str(run_folder("mine").journal), clock_ns=lambda: 1) as journal:
        market = '{"symbols":["BTC/USDT"],"timeframe":"1h","source":{"kind":"recorded"}}'
        journal.set_identity({"kind": "backtest", "desk": "laptop-paper", "market": market})
    (run_folder("broken").journal).write_bytes(b"no journal")
    said = described("mine")
    assert (said["desk"], said["market"], said["instruments"]) == ("laptop-paper", "recorded", 1)
    assert (said["cycles"], said["total_return_frac"]) == (0, None)
    assert described("broken")["desk"] is None


def test_a_running_backtest_is_no_desk_that_a_halt_could_mean() -> None:
    a_run("mine", "backtest")
    a_run("paper", "desk")
    run_folder("new")
    with (
        sole_desk(run_folder("mine").lock),
        sole_desk(run_folder("paper").lock),
        sole_desk(run_folder("new").lock),
    ):
        assert running_desks() == ["new", "paper"]
