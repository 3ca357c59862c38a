"""The permit transaction and permits a second, beside a bare SQLite commit of the same bytes."""

import argparse
import itertools
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from benchmarks.ground import machine, private_home, quantile, show
from tg_actors.chaos.burst import decision_of, intents_of
from tg_actors.chaos.drills import unlimited_plan
from tg_actors.execution.start import start_executor
from tg_actors.journal.repository import Journal, Transaction
from tg_actors.market.config import open_market
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder

_PER_CYCLE = 50


class TimedJournal(Journal):
    """Notes how long every transaction took, from the wish for the lock to the commit on disk."""

    took_s: list[float]

    @contextmanager
    def transaction(self, role: str, epoch: int) -> Iterator[Transaction]:
        began = time.perf_counter()
        with super().transaction(role, epoch) as transaction:
            yield transaction
        self.took_s.append(time.perf_counter() - began)


def main() -> None:
    """Permit one order after the other; then commit the same number of bytes with nothing around."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--permits", type=int, default=2_000)
    args = parser.parse_args()
    before = machine()
    with private_home() as home:
        permit_s, whole_s, bytes_each = _permits(home, args.permits)
        bare_s = _bare(home / "bare.sqlite", args.permits, bytes_each)
    figures = {
        "permits": args.permits,
        "permit_ms_p50": _ms(quantile(permit_s, 0.5)),
        "permit_ms_p99": _ms(quantile(permit_s, 0.99)),
        # A permit, the practice exchange's answer and its own transaction: what an order costs.
        "permit_and_answer_ms_p50": _ms(quantile(whole_s, 0.5)),
        "permits_per_s": round(len(whole_s) / sum(whole_s), 1),
        "journal_bytes_per_permit": bytes_each,
        "bare_commit_ms_p50": _ms(quantile(bare_s, 0.5)),
        "bare_commit_ms_p99": _ms(quantile(bare_s, 0.99)),
        "bare_commits_per_s": round(len(bare_s) / sum(bare_s), 1),
        "ratio_p50": round(quantile(permit_s, 0.5) / quantile(bare_s, 0.5), 2),
        "ratio_p99": round(quantile(permit_s, 0.99) / quantile(bare_s, 0.99), 2),
    }
    show("permits", before, figures)


def _permits(home: Path, count: int) -> tuple[list[float], list[float], int]:
    """Seconds of every permit transaction, of every order as a whole, and journal bytes per permit."""
    folder = RunFolder(home / "permits")
    folder.path.mkdir()
    plan = unlimited_plan(1, folder)
    whole_s: list[float] = []
    permit_s: list[float] = []
    journal = TimedJournal.open(plan.journal, clock_ns=wall_ns)
    assert isinstance(journal, TimedJournal)
    with journal:
        journal.took_s = []
        executor = start_executor(plan.account, journal, "bench", wall_ns()).executor
        market = open_market(plan.market)
        for cycle in itertools.count():
            if len(whole_s) >= count:
                break
            snapshot = market.advance(cycle)
            assert snapshot is not None
            equity: Decimal = executor.settle(snapshot).account.equity
            for intent in itertools.islice(intents_of(plan, snapshot), _PER_CYCLE):
                decision = decision_of(plan, snapshot, intent, equity)
                journal.took_s.clear()
                began = time.perf_counter()
                executor.execute(decision)
                whole_s.append(time.perf_counter() - began)
                permit_s.append(journal.took_s[0])
        sizes = [len(event.payload) for event in journal.events({"OrderPermitted"})]
    return permit_s, whole_s, round(statistics.mean(sizes))


def _bare(path: Path, count: int, size: int) -> list[float]:
    """Commit so many times so many bytes, as durable as the journal, and nothing else."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE bare (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL)")
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO bare (payload) VALUES (?)", ("x" * size,))
        database.execute("COMMIT")
        took.append(time.perf_counter() - began)
    database.close()
    return took


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


if __name__ == "__main__":
    main()
