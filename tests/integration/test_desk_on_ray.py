"""The desk as actors: the same bytes as inline, whoever dies, and readable from outside."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import ray

from tests.ray_desks import (
    EVERY_KIND,
    assert_books_whole,
    inline_digest,
    lively_plan,
    mortal,
    mortal_class,
    new_journal,
    poll_until,
)
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.crew import Crew
from tg_actors.desk.history import open_positions
from tg_actors.desk.launch import crew_of, launch
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.session import Session
from tg_actors.domain.orders import Leg, TradingState
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify
from tg_actors.runtime.actors import Handle, look_up
from tg_actors.runtime.clock import wall_ns

#: Cycles after the last death.
CYCLES_MORE = 40
#: Deaths of random actors after everybody has died once; `make chaos` asks for many.
MORE_DEATHS = int(os.environ.get("TG_CHAOS_DEATHS", "2"))

pytestmark = [
    pytest.mark.ray,
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.timeout(600 + 30 * MORE_DEATHS),
]
T = TypeVar("T")


class Desk:
    """A launched desk that ends with the test."""

    def __init__(self, plan: DeskPlan, crew: Crew) -> None:
        self.plan = plan
        self.crew = crew
        with new_journal(plan):
            pass
        self.launched = launch(plan, crew, mortal_class(CoordinatorActor))
        self.names = ["CoordinatorActor", *(station.name for station in crew.stations)]

    def session(self, cycles: int | None) -> Session:
        session = Session(self.launched, cycles)
        session.prepare(120)
        return session

    def actor(self, name: str) -> Handle:
        handle = look_up(name)
        assert handle is not None, name
        return handle

    def end(self) -> None:
        for name in self.names:
            if (handle := look_up(name)) is not None:
                ray.kill(handle, no_restart=True)


@pytest.fixture
def desks() -> Iterator[list[Desk]]:
    launched: list[Desk] = []
    yield launched
    for desk in launched:
        desk.end()


def finish(session: Session) -> str:
    outcome = poll_until(lambda: session.wait(0.2), timeout_s=300)
    assert outcome is not None
    return outcome


def drive(session: Session, look: Callable[[], T | None]) -> T | None:
    """Follow the session as its driver does, until there is something to see."""

    def step() -> T | None:
        assert session.wait(0.02) is None
        return look()

    return poll_until(step, timeout_s=120)


def cycles_in(journal: JournalReader, at_least: int) -> int | None:
    count = journal.cycles_count()
    return count if count >= at_least else None


def test_every_actor_dies_once_and_the_journal_is_that_of_an_undisturbed_inline_run(
    tmp_path: Path, desks: list[Desk]
) -> None:
    plan, config = lively_plan(tmp_path, agents=EVERY_KIND)
    desk = Desk(plan, mortal(crew_of(plan, config.supervision)))
    desks.append(desk)
    cycles = CYCLES_MORE + 12 * (len(desk.names) + MORE_DEATHS)
    session = desk.session(cycles)

    assert set(desk.names) <= set(ray.util.list_named_actors())
    session.start()
    rng = np.random.default_rng(3)
    order = [*rng.permutation(desk.names).tolist(), *rng.choice(desk.names, MORE_DEATHS).tolist()]
    with JournalReader.read_only(plan.journal) as journal:
        for nth, name in enumerate(order):
            # Each dies in the middle of the work, some cycles after the one before.
            assert drive(session, lambda n=nth: cycles_in(journal, 12 * (n + 1))), name  # type: ignore[misc]
            desk.actor(name).die.remote(1)
        assert finish(session) == "enough cycles"
        died = {event.ref for event in journal.events({"ActorDied"})}
        fills = journal.fills()
        assert {"ExecutorActor:paper", "RiskActor", "SmartMoneyActor:smart_money"} <= died
        assert {order.intent.leg for order in journal.orders()} >= {Leg.ENTRY, Leg.STOP, Leg.TAKE, Leg.EXIT}
        assert len(fills) > 20
        assert verify(journal).ok
        assert_books_whole(plan, journal)
        assert digest(journal) == inline_digest(plan, cycles)


def test_a_paced_desk_goes_on_without_a_dead_agent_and_obeys_people(
    tmp_path: Path, desks: list[Desk]
) -> None:
    plan, config = lively_plan(tmp_path, speed="36000")  # ten cycles a second
    desk = Desk(plan, mortal(crew_of(plan, config.supervision)))
    desks.append(desk)
    session = desk.session(None)
    session.start()
    with Journal.open(plan.journal, clock_ns=wall_ns) as journal:
        assert poll_until(lambda: cycles_in(journal, 5), timeout_s=120)
        desk.actor("TechnicalActor:trend").die.remote(1)
        assert poll_until(lambda: _absent(journal, "trend"), timeout_s=60) in {"dead", "late", "recalling"}
        assert poll_until(lambda: _restarted(journal, "TechnicalActor:trend"), timeout_s=60)
        assert poll_until(lambda: _absent(journal, "trend") is None or None, timeout_s=60)

        assert poll_until(lambda: len(journal.fills()) > 3 or None, timeout_s=120)
        journal.set_trading_state(TradingState.HALTED, "test", "test", 0)
        halted_at = max(event.seq for event in journal.events({EventType.TRADING_STATE_CHANGED}))
        seen = journal.cycles_count()
        assert poll_until(lambda: cycles_in(journal, seen + 10), timeout_s=60)
        assert not list(journal.events({EventType.ORDER_PERMITTED}, halted_at))

        journal.set_trading_state(TradingState.REDUCE_ONLY, "test", "test", 0)
        journal.request("flatten", "", "test")
        assert poll_until(lambda: not _last_positions(journal) or None, timeout_s=60)
        journal.request("restart_agent", "TechnicalActor:momentum", "test")
        assert poll_until(lambda: not journal.pending_requests() or None, timeout_s=60)
        session.stop()
        assert finish(session) == "stopped"
        assert verify(journal).ok
        assert_books_whole(plan, journal)


def _absent(journal: JournalReader, agent: str) -> str | None:
    decision = journal.last_decision()
    return None if decision is None else decision.absent.get(agent)


def _restarted(journal: JournalReader, actor: str) -> bool | None:
    return any(event.ref == actor for event in journal.events({"ActorRestarted"})) or None


def _last_positions(journal: JournalReader) -> list[str]:
    return [row["symbol"] for row in open_positions(journal)]
