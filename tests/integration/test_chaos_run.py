"""A short chaos run through the command a user types: real Ray, real clients, real signals."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.ray_desks import poll_until
from tg_actors.chaos.household import MARK, Household

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

CHAOS = [sys.executable, "-m", "tg_actors.cli.main", "chaos", "--json", "--desks", "1"]


def carriers(mark: str) -> list[psutil.Process]:
    """Every process of one run, orphans included."""
    return list(Household(mark, {}).everybody())


def mark_of(run: "subprocess.Popen[str]") -> str:
    """The mark of a run, as soon as it has started anybody."""

    def look() -> str | None:
        for child in psutil.Process(run.pid).children():
            with suppress(psutil.Error):
                if mark := child.environ().get(MARK):
                    return mark
        return None

    found = poll_until(look, timeout_s=120)
    assert found is not None
    return found


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    run = subprocess.Popen([*CHAOS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()


def test_a_minute_of_chaos_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with started("--minutes", "0.8", "--seed", "5", "--keep", str(tmp_path / "kept")) as run:
        mark = mark_of(run)
        said, complained = run.communicate(timeout=800)
    assert run.returncode == 0, said + complained
    assert not carriers(mark)
    figures = json.loads(said)
    for wrong in ("duplicates", "lost_fills", "permits_after_halt", "unresolved", "violations"):
        assert figures[wrong] == 0, figures
    assert figures["drift"] == "0"
    # What even a slow machine must have been through, or nothing was proven.
    assert figures["kills"] >= 10
    assert figures["faults"] >= 50
    assert figures["orders"] >= 20
    assert figures["fills"] >= 10
    assert figures["recoveries"] >= 5
    assert figures["recovery_s_p50"] <= figures["recovery_s_p99"]
    assert (tmp_path / "kept" / "chaos-0" / "journal.sqlite").exists()


def test_a_run_that_is_killed_by_its_user_leaves_nobody_behind(tmp_path: Path) -> None:
    with started("--minutes", "5", "--keep", str(tmp_path / "kept")) as run:
        mark = mark_of(run)
        assert poll_until(lambda: len(carriers(mark)) > 3 or None, timeout_s=120)
        # Two wishes to stop; the second does not wait for the calm. Equal signals could become one.
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGTERM)
        assert run.wait(120) == 130
        assert not carriers(mark)
