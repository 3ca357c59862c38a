"""Desks for tests on Ray: a lively plan, actors that can die from inside, books checked at the end."""

import os
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import ray

from tg_actors.desk.config import DeskConfig, load_desk
from tg_actors.desk.crew import Crew, Station
from tg_actors.desk.history import rebuilt_books
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.wiring import wire_inline
from tg_actors.execution.follower import unseal
from tg_actors.execution.start import open_exchange
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns

T = TypeVar("T")

INSTRUMENTS = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,DOGE/USDT,ADA/USDT,XRP/BTC"


#: Few enough to start quickly.
TECHNICAL = ("trend", "mean_reversion", "breakout", "momentum")
#: One of each kind, and a second technical one.
EVERY_KIND = (
    "trend",
    "momentum",
    "liquidity",
    "smart_money",
    "volume_profile",
    "correlation",
    "rebalancing",
)


def lively_plan(
    folder: Path, speed: str = "max", seed: int = 11, agents: tuple[str, ...] = TECHNICAL
) -> tuple[DeskPlan, DeskConfig]:
    """A desk that trades often enough for a short test to see every kind of order."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = Flags(instruments=INSTRUMENTS, seed=seed, speed=speed)
    config = flagged(load_desk("configs/desks/laptop-paper.yaml"), flags)
    lively = {
        "confidence_frac_min": Decimal("0.1"),
        "cooldown_bars": 0,
        "rebalance_band_frac": Decimal("0.1"),
        "trades_per_day_max": 500,
        "take_atr_multiple": Decimal(2),
    }
    risk = config.risk.model_copy(update=lively)
    config = config.model_copy(update={"risk": risk, "agents": agents})
    spec, feed = plan_market(config)
    plan = make_plan(config, spec, feed, folder, str(folder / "journal.sqlite"), durable=True)
    eager = {"enter_score": 0.25, "exit_score": 0.05, "agreement_min": 0.3}
    specs = tuple(a.model_copy(update=eager) if a.kind == "technical" else a for a in plan.agents)
    return plan.model_copy(update={"agents": specs}), config


def new_journal(plan: DeskPlan, durability: Durability = Durability.FULL) -> Journal:
    """Open the journal of a plan and say whose it is."""
    journal = Journal.open(plan.journal, durability, clock_ns=wall_ns)
    if journal.identity() is None:
        journal.set_identity({"executor": plan.account.executor.model_dump_json()})
    return journal


def inline_digest(plan: DeskPlan, cycles: int) -> str:
    """Run the same desk in this process and return the digest of its journal."""
    inline = plan.model_copy(update={"journal": f"{plan.folder}/inline.sqlite"})
    with new_journal(inline, Durability.BATCH) as journal:
        coordinator = wire_inline(inline, journal, wall_ns)
        while coordinator.next_cycle < cycles:
            coordinator.step()
        return digest(journal)


def poll_until(look: Callable[[], T | None], timeout_s: float) -> T | None:
    """Look again and again until there is something to see, at most so long; None when there is not."""
    end = time.monotonic() + timeout_s
    while (seen := look()) is None and time.monotonic() < end:
        time.sleep(0.05)
    return seen


def mortal(crew: Crew) -> Crew:
    """The same crew, whose actors can be told to die from inside."""
    return Crew(
        stations=tuple(
            Station(s.name, mortal_class(s.cls), s.args, s.policy, s.concurrency) for s in crew.stations
        ),
        market=crew.market,
        meta=crew.meta,
        risk=crew.risk,
        executor=crew.executor,
        agents=crew.agents,
    )


def mortal_class(cls: type[Any]) -> type[Any]:
    """Add a way to die. A local class travels by value, so that workers need not import the tests."""

    class Mortal(cls):  # type: ignore[misc]  # the base is the actor class under test
        @ray.method(max_task_retries=0)  # else Ray would retry the crash itself
        def die(self, code: int) -> None:
            os._exit(code)

    Mortal.__name__ = Mortal.__qualname__ = cls.__name__
    return Mortal


def assert_books_whole(plan: DeskPlan, journal: JournalReader) -> None:
    """Position = sum of fills, cash exact, no order twice: journal against the exchange's own ledger."""
    fills, permits = journal.fills(), journal.permits()
    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert len({permit.intent_id for permit in permits}) == len(permits)
    books = rebuilt_books(journal)
    for symbol, position in books.positions.items():
        signed = [fill.quantity * fill.side.sign for fill in fills if fill.symbol == symbol]
        assert position.quantity == sum(signed, Decimal(0))
    saved = journal.venue_state("practice", plan.account.executor.account)
    assert saved is not None
    exchange = open_exchange(plan.account)
    exchange.load(unseal(saved[1])[1])
    held = exchange.balances()
    for currency, amount in books.expected_balances().items():
        assert held.get(currency, Decimal(0)) == amount, currency
