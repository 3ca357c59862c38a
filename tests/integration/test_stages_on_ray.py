"""The stage of a desk of actors: obeyed, and remembered by whoever dies."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import ray

from tests.ray_desks import lively_plan, mortal, mortal_class, new_journal, poll_until
from tests.stage_words import PLAN, evidence, order, spec
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.crew import Crew
from tg_actors.desk.gates_view import leave_order, stage_of
from tg_actors.desk.launch import crew_of, launch
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.session import Session
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg
from tg_actors.domain.stages import StageMove
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify
from tg_actors.runtime.actors import look_up
from tg_actors.runtime.clock import wall_ns

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray"), pytest.mark.timeout(300)]


@pytest.fixture
def names() -> Iterator[list[str]]:
    """Actors that end with the test."""
    spawned: list[str] = []
    yield spawned
    for name in spawned:
        if (handle := look_up(name)) is not None:
            ray.kill(handle, no_restart=True)


def trade(session: Session) -> None:
    """Let the desk trade on; a session survives whoever is dead at its beginning."""
    session.start()
    assert poll_until(lambda: session.wait(0.2), timeout_s=200) == "enough cycles"


def codes(journal: JournalReader) -> set[str]:
    judgements = (event.content()["judgement"] for event in journal.events({"CycleDecided"}))
    return {denied["code"] for judgement in judgements for denied in judgement["denied"]}


def staged(plan: DeskPlan) -> DeskPlan:
    """The plan with stages, and with dollars alone: bitcoin's price would move it between them."""
    stages = spec("micro-100", pairs=None, approvals=(), rebalancing=True)
    dollars = {"USDT": Decimal(10_000), "BTC": Decimal(0)}
    executor = plan.account.executor.model_copy(update={"opening_cash": dollars})
    return plan.model_copy(
        update={
            "risk": plan.risk.model_copy(update={"stages": stages}),
            "account": plan.account.model_copy(update={"executor": executor}),
        }
    )


def test_a_promotion_is_obeyed_and_outlives_risk_room_and_coordinator(
    tmp_path: Path, names: list[str]
) -> None:
    base, config = lively_plan(tmp_path)
    plan = staged(base)
    crew: Crew = mortal(crew_of(plan, config.supervision))
    names += ["CoordinatorActor", *(station.name for station in crew.stations)]
    with new_journal(plan):
        pass
    launched = launch(plan, crew, mortal_class(CoordinatorActor))
    with Journal.open(plan.journal, clock_ns=wall_ns) as journal:
        Session(launched, 0).prepare(120)
        trade(Session(launched, 25))
        assert codes(journal) & {DenialCode.STAGE_PAUSED}
        assert journal.permits() == []

        look_up("RiskActor").die.remote(1)  # type: ignore[union-attr]  # it is there
        leave_order(journal, order(StageMove.PROMOTED, "paper", evidence("paper", "micro-100")))
        trade(Session(launched, 26))
        look_up("CoordinatorActor").die.remote(1)  # type: ignore[union-attr]  # it is there
        look_up("RiskActor").die.remote(1)  # type: ignore[union-attr]  # it is there
        trade(Session(launched, 70))

        state = stage_of(journal)
        assert state is not None
        assert (state.stage, state.paused) == ("micro-100", "")
        entries = [o for o in journal.orders() if o.intent.leg is Leg.ENTRY]
        assert entries
        limit = PLAN["micro-100"].capital_usd * plan.risk.limits.position_frac_max
        paid_in_dollars = [o.intent for o in entries if o.intent.spec.symbol.endswith("/USDT")]
        assert all(i.spec.quantity * i.reference_price <= limit for i in paid_in_dollars)
        assert [event.type for event in journal.events({"StagePromoted"})] == ["StagePromoted"]
        assert verify(journal).ok
