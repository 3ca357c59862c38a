"""Kill-switch drills through the command a user types: no permit above a halt, whichever door it came by."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(300)


def test_thirty_halts_in_a_burst_leave_no_permit_above_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tg_actors.cli.main", "drill", "--count", "30", "--seed", "2", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["drills"] == figures["halts"] == 30
    assert figures["permits_after_halt"] == figures["violations"] == 0
    # Every halt fell into a burst, and was felt there.
    assert figures["permits"] >= 30
    assert figures["denials"] >= 30
    assert set(figures["by_door"]) == {"row", "file"}
    assert 0 < figures["command_to_commit_ms_p50"] <= figures["command_to_commit_ms_p99"]
