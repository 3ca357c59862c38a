"""A driver that is killed leaves no exchange behind that would keep the next start out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray_desks import poll_until
from tg_actors.runtime.lock import holder

#: Starts an exchange as a paper desk does, tells its process, and is killed from outside.
DRIVER = """
import json, os, subprocess, sys
state = sys.argv[1]
command = [sys.executable, "-m", "tg_actors.cli.main", "exchange", "serve", "--clock", "stepped"]
command += ["--port", "0", "--state", state, "--json", "--parent", str(os.getpid())]
exchange = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
print(json.dumps({"pid": exchange.pid, "said": json.loads(exchange.stdout.readline())}), flush=True)
sys.stdin.read()
"""


@pytest.mark.timeout(120)
def test_an_exchange_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    state = tmp_path / "exchange"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdin is not None
    assert driver.stdout is not None
    with driver.stdin, driver.stdout:
        started = json.loads(driver.stdout.readline())
        assert holder(state / "exchange.lock") == started["pid"]
        driver.kill()
        driver.wait()
    freed = poll_until(lambda: True if holder(state / "exchange.lock") is None else None, timeout_s=60)
    if not freed:
        os.kill(started["pid"], 9)
    assert freed, "the exchange goes on without a desk"
