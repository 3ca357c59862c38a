"""Spawn a desk on a running Ray cluster: every actor at once, then the coordinator."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from tg_actors.agents.actor import ACTORS
from tg_actors.desk.actor import CoordinatorActor
from tg_actors.desk.config import SupervisionConfig
from tg_actors.desk.crew import Crew, Station, man
from tg_actors.desk.plan import DeskPlan
from tg_actors.execution.actor import ExecutorActor, ExecutorActorSpec
from tg_actors.execution.shadow.actor import ShadowActor, ShadowActorSpec
from tg_actors.execution.start import open_account
from tg_actors.execution.venues.connection import AlpacaConnection, InlineConnection
from tg_actors.journal.halt_file import NAME as HALT_FILE
from tg_actors.market.actor import MarketActor
from tg_actors.meta.actor import MetaActor
from tg_actors.risk.actor import RiskActor
from tg_actors.runtime.actors import Handle, spawn
from tg_actors.runtime.keys import read_key

#: trade, stop, report and room for one more reader.
_COORDINATOR_CALLS = 4
#: settle or execute, and the heartbeat beside it.
_EXECUTOR_CALLS = 2


def crew_of(plan: DeskPlan, supervision: SupervisionConfig) -> Crew:
    """Name every supervised actor of a planned desk."""
    executor = ExecutorActorSpec(
        journal=plan.journal,
        account=plan.account,
        coordinator_silence_s_max=supervision.coordinator_silence_s_max,
        speed=plan.speed,
        live=plan.live_from_ns is not None,
        halt_file=str(Path(plan.folder) / HALT_FILE),
    )
    account = plan.account.executor.account
    core = (
        Station("MarketActor", MarketActor, (plan.market,), supervision.core),
        Station("MetaActor", MetaActor, (plan.meta,), supervision.core),
        Station("RiskActor", RiskActor, (plan.risk,), supervision.core),
        Station(f"ExecutorActor:{account}", ExecutorActor, (executor,), supervision.core, _EXECUTOR_CALLS),
    )
    agents = tuple(
        Station(
            f"{ACTORS[spec.kind].__name__}:{spec.name}",
            ACTORS[spec.kind],
            (spec, plan.market.symbols, plan.bar_ns),
            supervision.agents,
        )
        for spec in plan.agents
    )
    onlookers = _shadow(plan, supervision)
    return Crew(
        stations=tuple(replace(s, node_resource=plan.node_resource) for s in core + agents + onlookers),
        market=core[0].name,
        meta=core[1].name,
        risk=core[2].name,
        executor=core[3].name,
        agents={spec.name: station.name for spec, station in zip(plan.agents, agents, strict=True)},
        onlookers=tuple(station.name for station in onlookers),
    )


def _shadow(plan: DeskPlan, supervision: SupervisionConfig) -> tuple[Station, ...]:
    """The reader that compares venue and journal, where there is a venue and a key that cannot trade."""
    connection = plan.account.connection
    if isinstance(connection, InlineConnection) or connection.read_key is None:
        return ()
    # It looks only: another key, no operator's door, no stream.
    mute = {} if isinstance(connection, AlpacaConnection) else {"streams": False, "nonce_fence": False}
    reading = connection.model_copy(update={"key": connection.read_key, "operator": None, **mute})
    account = plan.account.model_copy(update={"connection": reading})
    spec = ShadowActorSpec(journal=plan.journal, account=account)
    opens = functools.partial(open_account, ring=read_key)
    return (Station("ShadowActor", ShadowActor, (spec, opens), supervision.core),)


@dataclass(frozen=True, slots=True)
class Launched:
    """A spawned desk. Ray ends an actor with the last handle of its creator: hold this while it trades."""

    coordinator: Handle
    crew: tuple[Handle, ...]


def launch(plan: DeskPlan, crew: Crew, coordinator: type[CoordinatorActor] = CoordinatorActor) -> Launched:
    """Spawn everybody in parallel; the coordinator answers once all of them do.

    The crew belongs to this process, not to the coordinator, whose death would end it.
    """
    handles = tuple(man(station) for station in crew.stations)
    chief = spawn(
        coordinator,
        "CoordinatorActor",
        plan,
        crew,
        concurrency=_COORDINATOR_CALLS,
        node_resource=plan.node_resource,
    )
    return Launched(chief, handles)
