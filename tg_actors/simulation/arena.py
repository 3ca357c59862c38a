"""Where seeds are played: one folder, one fresh journal per seed, and the figures of many of them."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tg_actors.domain.money import ZERO
from tg_actors.journal.halt_file import NAME
from tg_actors.journal.repository import Journal
from tg_actors.simulation.disk import shared_statements
from tg_actors.simulation.guards import without
from tg_actors.simulation.run import Outcome, run_seed

_HOUR_NS = 3_600 * 10**9
_JOURNAL = "desk.sqlite"


class Arena:
    """Plays seeds one after the other in a folder of its own. Not to be shared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Empty and of the newest schema: a copy of it takes a hundredth of what making one takes.
        fresh = folder / "fresh.sqlite"
        Journal.open(fresh, clock_ns=lambda: 0).close()
        self._fresh = fresh.read_bytes()

    def play(
        self, seeds: Iterable[int], guard: str | None = None, *, keep_trace: bool = False
    ) -> Iterator[Outcome]:
        """Yield the outcome of each seed, with one guard of the product switched off if it is named."""
        with shared_statements() as close_all, _switched(guard):
            for seed in seeds:
                close_all()
                for old in (*self._folder.glob(f"{_JOURNAL}*"), self._folder / NAME):
                    old.unlink(missing_ok=True)
                (self._folder / _JOURNAL).write_bytes(self._fresh)
                yield run_seed(seed, self._folder / _JOURNAL, keep_trace=keep_trace)
            close_all()


@contextmanager
def _switched(guard: str | None) -> Iterator[None]:
    if guard is None:
        yield
        return
    with without(guard):
        yield


@dataclass(slots=True)
class Figures:
    """Sums over seeds; ``trace_hash`` is the SHA-256 of the seeds' hashes in their order."""

    seeds: int = 0
    virtual_ns: int = 0
    orders: int = 0
    kills: int = 0
    zombies: int = 0
    faults: int = 0
    duplicates: int = 0
    lost_fills: int = 0
    drift: Decimal = ZERO
    permits_after_halt: int = 0
    unresolved: int = 0
    violations: int = 0
    trace_hash: str = hashlib.sha256().hexdigest()
    #: The first seed that broke an invariant, None while none has.
    first_bad_seed: int | None = None

    @property
    def virtual_hours(self) -> float:
        """Time that passed in the simulated worlds."""
        return self.virtual_ns / _HOUR_NS


def summarise(outcomes: Iterable[Outcome]) -> Figures:
    """Add up outcomes, which must come in the order of their seeds."""
    figures, sha = Figures(), hashlib.sha256()
    for outcome in outcomes:
        verdict = outcome.verdict
        sha.update(outcome.trace_hash.encode())
        figures.seeds += 1
        figures.virtual_ns += outcome.virtual_ns
        figures.orders += outcome.orders
        figures.kills += outcome.kills
        figures.zombies += outcome.zombies
        figures.faults += outcome.faults
        figures.duplicates += verdict.count("duplicate")
        figures.lost_fills += verdict.count("lost_fill")
        figures.drift += verdict.drift
        figures.permits_after_halt += verdict.count("permit_after_halt")
        figures.unresolved += verdict.count("unresolved")
        figures.violations += len(verdict.violations)
        if verdict.violations and figures.first_bad_seed is None:
            figures.first_bad_seed = outcome.seed
    figures.trace_hash = sha.hexdigest()
    return figures
