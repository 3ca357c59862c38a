"""Wire a planned desk in this process: the same cores that the actors hold, called directly."""

import os
from collections.abc import Callable
from pathlib import Path

from tg_actors.agents.kinds import open_agent
from tg_actors.desk.coordinator import ROLE, Coordinator, remember
from tg_actors.desk.inline import InlineExecution, InlineRoster
from tg_actors.desk.models import Models, RegistryModels, open_registry
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.ports import Execution, Market, Risk, Roster
from tg_actors.desk.staging import Staging
from tg_actors.domain.decisions import RiskState
from tg_actors.execution.start import start_executor
from tg_actors.journal.repository import Journal
from tg_actors.market.config import open_market
from tg_actors.meta.learning import open_ensemble
from tg_actors.risk.judge import RiskCore


class InlineMarket:
    """A snapshot builder as the cycle's market."""

    def __init__(self, plan: DeskPlan) -> None:
        self._builder = open_market(plan.market)
        self.observe = self._builder.advance


def wire_inline(
    plan: DeskPlan, journal: Journal, clock_ns: Callable[[], int], models: Models | None = None
) -> Coordinator:
    """Return a started coordinator with every core behind its ports; it resumes what the journal holds.

    ``models`` says which versions learned agents ask; by default those of the plan's registry, which a
    backtest looks at but once.
    """
    started = start_executor(plan.account, journal, _owner(), clock_ns())
    roster = InlineRoster([open_agent(spec, plan.market.symbols, plan.bar_ns) for spec in plan.agents])
    coordinator = assemble(
        plan,
        journal,
        clock_ns(),
        market=InlineMarket(plan),
        roster=roster,
        risk=inline_risk(plan, journal),
        execution=InlineExecution(started.executor),
        models=models,
    )
    if started.alerts:
        coordinator.raise_alerts(started.alerts, coordinator.next_cycle - 1, 0)
    return coordinator


def inline_risk(plan: DeskPlan, journal: Journal) -> RiskCore:
    """Return the risk core of a plan with the memory that the journal holds."""
    spec = plan.risk
    risk = RiskCore(spec.limits, spec.instruments, spec.desk, spec.account, spec.bar_ns, spec.stages)
    risk.restore(remember(journal).risk or RiskState())
    return risk


def assemble(
    plan: DeskPlan,
    journal: Journal,
    wall_ns: int,
    *,
    market: Market,
    roster: Roster,
    risk: Risk,
    execution: Execution,
    models: Models | None = None,
) -> Coordinator:
    """Take the coordinator's lease and start it on whatever stands behind its ports."""
    coordinator = Coordinator(
        plan.desk,
        journal,
        journal.take_lease(ROLE, _owner(), wall_ns),
        market,
        roster,
        open_ensemble(plan.meta.agents, plan.meta.config),
        risk,
        execution,
        staging=Staging(plan.risk.stages, plan.agents),
        models=models or models_of(plan),
        obey=False,
    )
    coordinator.start(remember(journal))
    return coordinator


def models_of(plan: DeskPlan) -> RegistryModels:
    """Return the versions of a plan's registry; a desk follows what is promoted, a backtest does not."""
    registry = None if plan.models is None else open_registry(Path(plan.models))
    return RegistryModels(plan.agents, registry, follows=plan.account.durable, bar_ns=plan.bar_ns)


def _owner() -> str:
    return f"pid {os.getpid()}"
