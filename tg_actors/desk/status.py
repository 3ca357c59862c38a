"""What the desk shows of itself: one message a cycle, kept on a board that readers read."""

import os
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tg_actors.desk.cycle import CycleReport
from tg_actors.desk.models import learned
from tg_actors.domain.blocks import Opinions
from tg_actors.domain.message import Message
from tg_actors.domain.money import money_text
from tg_actors.rl.agent import version_of
from tg_actors.runtime.home import RunFolder

if TYPE_CHECKING:
    from tg_actors.desk.crew import Crew
    from tg_actors.desk.health import Wards
    from tg_actors.desk.plan import DeskPlan
    from tg_actors.journal.readers import JournalReader

#: The status file is for people and slow readers; a desk at full speed must not wait for the disk.
_WRITE_EVERY_S = 0.5


class AgentStatus(Message):
    """One actor as the desk sees it. ``weight`` and ``opinion`` only for agents that opine.

    ``model`` is the version that a learned agent has asked, empty where it has none.
    """

    name: str
    health: str
    deaths: int
    weight: float | None = None
    opinion: str = ""
    latency_ms: float | None = None
    model: str | None = None


class PositionStatus(Message):
    """One open position; amounts as canonical text."""

    symbol: str
    quantity: str
    mark: str


class DeskStatus(Message):
    """The desk at the end of a cycle; latencies from market to last permit, of the newest cycles."""

    run: str
    pid: int
    dashboard_url: str | None
    cycle: int
    cycles_total: int | None
    at_ns: int
    trading_state: str
    equity: str
    equity_open: str
    reporting_currency: str
    positions: tuple[PositionStatus, ...]
    orders: int
    fills: int
    denied: int
    agents: tuple[AgentStatus, ...]
    latency_ms_p50: float
    latency_ms_p99: float
    alerts: tuple[str, ...]
    finished: bool


class StatusBoard:
    """Keeps the newest status, and writes it beside the journal now and then."""

    def __init__(self, plan: "DeskPlan", crew: "Crew", wards: "Wards", journal: "JournalReader") -> None:
        self._plan = plan
        self._crew = crew
        self._wards = wards
        self._folder = RunFolder(Path(plan.folder))
        self._models = dict.fromkeys((spec.name for spec in learned(plan.agents)), "")
        self._orders = len(journal.permits())
        self._fills = len(journal.fills())
        self._denied = 0
        curve = journal.equity_curve()
        self._equity_open = curve[0][1] if curve else None
        self._written_s = 0.0
        self.newest: DeskStatus | None = None

    def post(self, report: CycleReport, alerts: Sequence[str]) -> None:
        """Put up a new status."""
        account = report.settlement.account
        self._orders += len(report.execution.permitted) + report.settlement.protective
        self._fills += len(report.settlement.fills)
        self._denied += len(report.decision.judgement.denied) + len(report.execution.denied)
        self._equity_open = account.equity if self._equity_open is None else self._equity_open
        self.newest = DeskStatus(
            run=self._folder.name,
            pid=os.getpid(),
            dashboard_url=self._plan.dashboard_url,
            cycle=report.decision.cycle,
            cycles_total=self._plan.cycles_total,
            at_ns=report.decision.at_ns,
            trading_state=account.trading_state.value,
            equity=money_text(round(account.equity, 2)),
            equity_open=money_text(round(self._equity_open, 2)),
            reporting_currency=self._plan.account.executor.reporting_currency,
            positions=_positions(report),
            orders=self._orders,
            fills=self._fills,
            denied=self._denied,
            agents=self._agents(report),
            latency_ms_p50=self._wards.cycle_ms(0.5),
            latency_ms_p99=self._wards.cycle_ms(0.99),
            alerts=tuple(alerts),
            finished=False,
        )
        if time.monotonic() - self._written_s >= _WRITE_EVERY_S:
            self.flush(finished=False)

    def flush(self, *, finished: bool) -> None:
        """Write the newest status to the run's folder."""
        if self.newest is None:
            return
        self.newest = self.newest.model_copy(update={"finished": finished})
        self._folder.write_status(self.newest.model_dump(mode="json"))
        self._written_s = time.monotonic()

    def _agents(self, report: CycleReport) -> tuple[AgentStatus, ...]:
        said = {opinions.agent: opinions for opinions in report.hearing.opinions}
        agent_of = {station: agent for agent, station in self._crew.agents.items()}
        return tuple(
            self._agent(station, agent_of.get(station), said, report) for station in self._wards.health
        )

    def _agent(
        self, station: str, agent: str | None, said: dict[str, Opinions], report: CycleReport
    ) -> AgentStatus:
        opinion, latency_ms, weight = "", None, None
        if agent is not None:
            weight = report.decision.weights.get(agent, 0.0)
            latency = report.hearing.latency_ms.get(agent)
            latency_ms = None if latency is None else round(latency, 1)
            absent = report.decision.absent.get(agent)
            opinion = f"absent: {absent}" if absent else opinion_text(said[agent], report.snapshot.symbols)
            if agent in self._models and agent in said:
                self._models[agent] = version_of(said[agent])
        return AgentStatus(
            name=station,
            health=self._wards.health[station],
            deaths=self._wards.deaths[station],
            weight=None if weight is None else round(weight, 4),
            opinion=opinion,
            latency_ms=latency_ms,
            model=None if agent is None else self._models.get(agent),
        )


def opinion_text(opinions: Opinions, symbols: tuple[str, ...]) -> str:
    """The strongest view of an agent in one line, e.g. ``ETH/USDT +0.62 (3 of 5 speak)``."""
    strength = np.nan_to_num(np.abs(opinions.direction) * opinions.confidence, nan=-1.0)
    spoken = int((strength >= 0).sum())
    if spoken == 0:
        reason = next((why.value for why in opinions.abstained if why is not None), "")
        return f"abstains: {reason.replace('_', ' ')}"
    best = int(strength.argmax())
    return f"{symbols[best]} {opinions.direction[best]:+.2f} ({spoken} of {len(symbols)} speak)"


def _positions(report: CycleReport) -> tuple[PositionStatus, ...]:
    account = report.settlement.account
    return tuple(
        PositionStatus(symbol=s, quantity=money_text(q), mark=money_text(account.marks.get(s, Decimal(0))))
        for s, q in account.positions.items()
    )
