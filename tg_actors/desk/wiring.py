"""Wire a planned desk in this process: the same cores that the actors hold, called directly."""

import os
from collections.abc import Callable

from tg_actors.desk.coordinator import ROLE, Coordinator, remember
from tg_actors.desk.inline import InlineExecution, InlineRoster
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.decisions import RiskState
from tg_actors.execution.start import start_executor
from tg_actors.journal.repository import Journal
from tg_actors.market.config import open_market
from tg_actors.meta.ensemble import EqualWeightEnsemble
from tg_actors.risk.judge import RiskCore
from tg_actors.technical.agent import TechnicalAgent


class InlineMarket:
    """A snapshot builder as the cycle's market."""

    def __init__(self, plan: DeskPlan) -> None:
        self._builder = open_market(plan.market)
        self.observe = self._builder.advance


def wire_inline(plan: DeskPlan, journal: Journal, clock_ns: Callable[[], int]) -> Coordinator:
    """Return a started coordinator with every core behind its ports; it resumes what the journal holds."""
    owner = f"pid {os.getpid()}"
    executor = start_executor(plan.account, journal, owner, clock_ns()).executor
    spec = plan.risk
    risk = RiskCore(spec.limits, spec.instruments, spec.desk, spec.account, spec.bar_ns)
    coordinator = Coordinator(
        plan.desk,
        journal,
        journal.take_lease(ROLE, owner, clock_ns()),
        InlineMarket(plan),
        InlineRoster([TechnicalAgent(agent.spec, agent.n) for agent in plan.agents]),
        EqualWeightEnsemble(plan.meta.agents, plan.meta.config),
        risk,
        InlineExecution(executor),
        obey=False,
    )
    memory = remember(journal)
    risk.restore(memory.risk or RiskState())
    coordinator.start(memory)
    return coordinator
