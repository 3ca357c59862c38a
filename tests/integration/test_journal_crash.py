"""A process that dies at any moment leaves a whole journal with everything it was promised."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.journal_words import a_permit, an_intent, ticking_clock
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify

ROOT = Path(__file__).parents[2]

#: Permits one intent after another and says so only after the commit.
WRITER = """
import sys
from tests.journal_words import a_permit, an_intent, ticking_clock
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal

journal = Journal.open(sys.argv[1], Durability(sys.argv[2]), clock_ns=ticking_clock(), batch=7)
epoch = journal.take_lease("executor", "mortal", 0)
first = len(journal.permits())
for cycle in range(first, first + 100_000):
    intent = an_intent(cycle)
    with journal.transaction("executor", epoch) as tx:
        tx.insert_permit(a_permit(intent), intent)
    print(cycle, flush=True)
"""


def _write_until_killed(path: Path, durability: Durability, promises: int) -> int:
    """Kill the writer while it works on; returns the number of the last permit it called committed."""
    command = [sys.executable, "-c", WRITER, str(path), durability.value]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = -1
        for _ in range(promises):
            last = int(process.stdout.readline())
        process.kill()
        said = process.stdout.read().splitlines()
    # The pipe may end in the middle of a number.
    return int(said[-2]) if len(said) > 1 else last


@pytest.mark.parametrize("durability", Durability)
def test_a_killed_writer_breaks_no_promise(tmp_path: Path, durability: Durability) -> None:
    path = tmp_path / "desk.db"
    rng = np.random.default_rng(7)
    for death in range(2):
        promised = _write_until_killed(path, durability, promises=int(rng.integers(1, 40)))
        with Journal.open(path, clock_ns=ticking_clock()) as journal:
            permits = journal.permits()
            assert permits == [a_permit(an_intent(cycle)) for cycle in range(len(permits))]
            # A batch may be lost whole, and no more than one.
            lost = 7 if durability is Durability.BATCH else 0
            assert len(permits) > promised - lost
            assert verify(journal).problems == ()
            lease = journal.lease("executor")
            assert lease is not None
            assert lease.epoch == death + 1
