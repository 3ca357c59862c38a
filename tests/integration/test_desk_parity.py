"""What a run does depends on its market and limits alone: not on clock, commit or prefetch."""

import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from tg_actors.desk.config import load_desk
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.wiring import wire_inline
from tg_actors.journal.digest import digest
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify

CYCLES = 120


def _plan(seed: int = 7, *, durable: bool = False, prefetch: int = 256) -> DeskPlan:
    """The shipped desk, all agents, on the simulated market; bolder, so that a short run trades."""
    flags = Flags(market="simulated", seed=seed, instruments="BTC/USDT,XRP/USDT,XRP/BTC", speed="max")
    config = flagged(load_desk("configs/desks/laptop-paper.yaml"), flags)
    bold = config.risk.model_copy(
        update={"confidence_frac_min": Decimal("0.1"), "rebalance_band_frac": Decimal("0.1")}
    )
    config = config.model_copy(update={"risk": bold})
    spec, feed = plan_market(config)
    spec = spec.model_copy(update={"prefetch_cycles": prefetch})
    return make_plan(config, spec, feed, Path(), "", durable=durable)


def _run(
    path: Path, plan: DeskPlan, durability: Durability, batch: int = 256, cycles: int = CYCLES, clock: int = 1
) -> str:
    """Trade and return the digest of everything that was decided, permitted and filled."""
    tick = itertools.count(clock).__next__
    with Journal.open(path, durability, clock_ns=tick, batch=batch) as journal:
        coordinator = wire_inline(plan, journal, tick)
        while coordinator.next_cycle < cycles:
            assert coordinator.step() is not None
        assert verify(journal).problems == ()
        assert journal.fills(), "a run without trades would prove nothing"
        return digest(journal)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _run(tmp_path_factory.mktemp("reference") / "desk.sqlite", _plan(), Durability.BATCH)


def test_the_same_seed_gives_the_same_run_whatever_the_clock_says(tmp_path: Path, reference: str) -> None:
    assert _run(tmp_path / "a", _plan(), Durability.BATCH, clock=10**18) == reference


def test_another_seed_gives_another_run(tmp_path: Path, reference: str) -> None:
    assert _run(tmp_path / "a", _plan(seed=8), Durability.BATCH) != reference


@pytest.mark.parametrize("batch", [1, 7])
def test_how_many_transactions_make_a_commit_changes_nothing(
    batch: int, tmp_path: Path, reference: str
) -> None:
    assert _run(tmp_path / "a", _plan(), Durability.BATCH, batch=batch) == reference


def test_a_durable_desk_decides_as_a_backtest_does(tmp_path: Path, reference: str) -> None:
    assert _run(tmp_path / "a", _plan(durable=True), Durability.FULL) == reference


@pytest.mark.parametrize("prefetch", [1, 13])
def test_how_far_the_market_is_read_ahead_changes_nothing(
    prefetch: int, tmp_path: Path, reference: str
) -> None:
    assert _run(tmp_path / "a", _plan(prefetch=prefetch), Durability.BATCH) == reference


def test_a_run_in_pieces_is_the_run_in_one(tmp_path: Path, reference: str) -> None:
    path, plan = tmp_path / "a", _plan(durable=True)
    digests = [_run_piece(path, plan, cycles) for cycles in (1, 2, 37, CYCLES - 1, CYCLES)]
    assert digests[-1] == reference


def _run_piece(path: Path, plan: DeskPlan, cycles: int) -> str:
    tick = itertools.count(1).__next__
    with Journal.open(path, Durability.FULL, clock_ns=tick) as journal:
        coordinator = wire_inline(plan, journal, tick)
        while coordinator.next_cycle < cycles:
            assert coordinator.step() is not None
        return digest(journal)
