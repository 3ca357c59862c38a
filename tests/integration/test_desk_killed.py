"""`kill -9` of a whole desk in the middle of a run, through the command a user types."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.ray_desks import poll_until
from tg_actors.desk.config import load_desk
from tg_actors.domain.errors import JournalError, UserError
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

CYCLES = 400
#: Coordinator, market, meta, risk, executor, and the agents of the default desk.
ACTORS = 5 + len(load_desk("laptop-paper").agents)
INSTRUMENTS = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,XRP/BTC"
MARKET = ["--market", "simulated", "--seed", "5", "--instruments", INSTRUMENTS]
TG = [sys.executable, "-m", "tg_actors.cli.main"]


@pytest.fixture
def home() -> Iterator[Path]:
    # Beside pytest's own folders, whose names are too long for Ray's sockets.
    folder = Path(tempfile.mkdtemp(prefix="tghome", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def tg(home: Path, *arguments: str, timeout_s: float = 300) -> dict[str, object]:
    """Run a command to its end and return the JSON object it prints last."""
    done = subprocess.run(
        [*TG, *arguments, "--json"],
        env=os.environ | {"TG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def tree(pid: int) -> list[psutil.Process]:
    """A process and everything it has started, itself last."""
    process = psutil.Process(pid)
    return [*process.children(recursive=True), process]


def journal_of(home: Path) -> Path | None:
    return next(iter((home / "runs").glob("*-simulated-*/journal.sqlite")), None)


@pytest.mark.parametrize("victims", ["everybody", "the driver alone"])
def test_a_killed_desk_resumes_and_ends_with_the_books_of_an_undisturbed_one(
    home: Path, tmp_path: Path, victims: str
) -> None:
    run = ["run", *MARKET, "--speed", "max", "--cycles", str(CYCLES), "--no-dashboard"]
    desk = subprocess.Popen(
        [*TG, *run, "--json"],
        env=os.environ | {"TG_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    everybody: list[psutil.Process] = []
    try:
        assert poll_until(lambda: _cycles(home, CYCLES // 2), timeout_s=240)
        everybody = tree(desk.pid)
        actors = [process for process in everybody if "Actor" in process.name()]
        assert len(actors) == ACTORS
        # Killed alone, the driver leaves orphans: those that trade must end by themselves.
        for process in everybody if victims == "everybody" else everybody[-1:]:
            process.send_signal(signal.SIGKILL)
        desk.wait()
        _, alive = psutil.wait_procs(actors, timeout=60)
        assert not alive
    finally:
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        desk.kill()
        desk.wait()

    killed_at = _cycles(home, 1)
    assert killed_at is not None
    assert killed_at < CYCLES
    resumed = tg(home, *run)
    undisturbed = tg(tmp_path, "backtest", "run", *MARKET, "--cycles", str(CYCLES))
    same = ("cycles", "bars", "orders", "fills", "final_equity", "fees", "max_drawdown_frac", "digest")
    assert {key: resumed[key] for key in same} == {key: undisturbed[key] for key in same}
    assert resumed["cycles_session"] == CYCLES - killed_at
    assert int(str(resumed["fills"])) > 0
    journal = journal_of(home)
    assert journal is not None
    with JournalReader.read_only(journal) as reader:
        assert verify(reader).ok
    assert tg(home, "db", "digest")["digest"] == resumed["digest"]


def _cycles(home: Path, at_least: int) -> int | None:
    journal = journal_of(home) if (home / "runs").is_dir() else None
    if journal is None:
        return None
    try:
        with JournalReader.read_only(journal) as reader:
            count = reader.cycles_count()
    except UserError:  # it is still being made
        return None
    except JournalError as error:  # and its maker holds it
        if not error.retryable:
            raise
        return None
    return count if count >= at_least else None
