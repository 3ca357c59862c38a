"""The coordinator core: runs cycles, journals decisions, obeys people and breakers. No Ray, no clock."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.desk.arms import ARM_SWITCHED, ARM_VERB, Arms, Switch, switches
from tg_actors.desk.arms import told as told_arm
from tg_actors.desk.block import decode
from tg_actors.desk.cycle import CycleReport, DecisionCycle, Ports
from tg_actors.desk.models import MODEL_FOLLOWED, Followed, Models, RegistryModels, followed_in
from tg_actors.desk.ports import Ensemble, Execution, Market, Risk, Roster
from tg_actors.desk.staging import STAGE_EVENTS, STAGE_VERB, Staging, recalled, told
from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.domain.decisions import Decision, RiskState, TradingHalted
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal, Transaction
from tg_actors.meta.learned import META
from tg_actors.meta.learning import Remembering

ROLE = "coordinator"
#: A person has re-armed the breakers: payload is what the risk room remembers since.
REARMED = "BreakersRearmed"
#: Who is named in the control row when a breaker, not a person, changed the trading state.
BREAKER = "risk"
#: A breaker only tightens: it never loosens what a person or the executor has demanded.
_SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCE_ONLY: 1, TradingState.HALTED: 2}


class Alert(Message):
    """Something a person should look at."""

    text: str
    cycle: int


@dataclass(slots=True)
class Handlers:
    """What a request from a person does; verbs are the keys."""

    restart_agent: Callable[[str], str] = field(default=lambda _: "agents run inline: nothing to restart")


@dataclass(frozen=True, slots=True)
class Memory:
    """What the journal remembers.

    The last decided cycle, breakers re-armed after it, arms switched, versions of models followed;
    ``arms`` the agents of that cycle, whose rewards the meta agent remembers.
    """

    decision: Decision | None
    memories: dict[str, F64]
    risk: RiskState | None
    switches: tuple[Switch, ...] = ()
    followed: tuple[Followed, ...] = ()
    arms: tuple[str, ...] = ()


def remember(journal: JournalReader) -> Memory:
    """Read the newest decision and every agent's memory from the journal."""
    decision = journal.last_decision()
    if decision is None:
        return Memory(None, {}, None, switches(journal), followed_in(journal))
    found = journal.decision(decision.cycle)
    risk = decision.judgement.state
    for event in journal.events({REARMED, *STAGE_EVENTS}):
        if event.cycle > decision.cycle:
            rearmed = event.type == REARMED
            risk = RiskState.model_validate_json(event.payload) if rearmed else recalled(risk, event)
    memories, arms = ({}, ()) if found is None else _kept(found[1])
    return Memory(decision, memories, risk, switches(journal), followed_in(journal), arms)


def _kept(data: bytes) -> tuple[dict[str, F64], tuple[str, ...]]:
    block = decode(data)
    return block.memories, block.targets.agents


class Coordinator:
    """Drives one desk cycle by cycle.

    Start it, then ``step`` until it returns None. A step that was interrupted by a crash is
    finished by the next start: its decision stands in the journal, its permits tell what was sent.
    """

    def __init__(
        self,
        desk: str,
        journal: Journal,
        epoch: int,
        market: Market,
        roster: Roster,
        ensemble: Ensemble,
        risk: Risk,
        execution: Execution,
        *,
        staging: Staging,
        models: Models | None = None,
        obey: bool = True,
    ) -> None:
        self._journal = journal
        self._epoch = epoch
        self._market = market
        self._roster = roster
        self._meta = Remembering(ensemble)
        self._risk = risk
        self._execution = execution
        self._staging = staging
        self._models: Models = models or RegistryModels((), None, follows=False)
        self._obey = obey
        self.arms = Arms()
        ports = Ports(
            market, roster, self._meta, risk, execution, self._record, staging.heard, self.arms.switched
        )
        self._cycle = DecisionCycle(desk, ports)
        self._snapshot: MarketSnapshot | None = None
        self.handlers = Handlers()
        self.next_cycle = 0
        self.alerts: list[str] = []

    def start(self, memory: Memory) -> None:
        """Give everybody their memory and finish a cycle that was decided but not carried out."""
        next_cycle = 0 if memory.decision is None else memory.decision.cycle + 1
        for change in self._models.recall(memory.followed, next_cycle):
            self._roster.follow(change.said.agent, change.model)
        self._meta.recall(memory.memories.get(META), memory.arms)
        self._roster.recall({agent: kept for agent, kept in memory.memories.items() if agent != META})
        self._staging.state = None if memory.risk is None else memory.risk.stage
        self.arms.recall(memory.switches)
        if memory.decision is None:
            return
        decision = memory.decision
        self.next_cycle = next_cycle
        settlement = self._cycle.resume(decision)
        if settlement is not None and settlement.alerts:
            # What the executor found while it recovered.
            self.raise_alerts(settlement.alerts, decision.cycle, decision.at_ns)

    def step(self) -> CycleReport | None:
        """Run the next cycle; None when the market has ended."""
        told_of_models = self._follow()
        report = self._cycle.run(self.next_cycle)
        if report is None:
            return None
        self.next_cycle += 1
        alerts = told_of_models + market_alerts(self._snapshot, report.snapshot) + report.settlement.alerts
        alerts += report.execution.alerts
        alerts += tuple(told(change) for change in report.decision.judgement.stage_changes)
        self._snapshot = report.snapshot
        if alerts:
            self.raise_alerts(alerts, report.decision.cycle, report.decision.at_ns)
        if self._obey:
            self.obey()
        return report

    def _follow(self) -> tuple[str, ...]:
        """Hand agents the versions that are in force from the next cycle on; the journal first."""
        changes, alerts = self._models.due(self.next_cycle)
        for change in changes:
            self.append(MODEL_FOLLOWED, change.said, ref=change.said.agent)
            self._roster.follow(change.said.agent, change.model)
        return alerts

    def obey(self) -> None:
        """Carry out what people have asked for through the journal, oldest first."""
        for request in self._journal.pending_requests():
            if self._snapshot is None:
                return
            outcome = self._carry_out(request.verb, request.argument, self._snapshot)
            if outcome is None:
                continue  # it takes more than one cycle
            with self._transaction() as tx:
                tx.complete_request(request.id, outcome)

    def raise_alerts(self, alerts: tuple[str, ...], cycle: int, at_ns: int) -> None:
        """Journal alerts and keep the newest for display."""
        with self._transaction() as tx:
            for text in alerts:
                tx.append("AlertRaised", Alert(text=text, cycle=cycle), cycle=cycle, at_ns=at_ns)
        self.alerts = [*self.alerts, *alerts][-20:]

    def append(self, event: str, payload: Message, ref: str = "") -> None:
        """Journal one fact of supervision."""
        with self._transaction() as tx:
            tx.append(event, payload, ref=ref, cycle=self.next_cycle)

    def set_trading_state(self, state: TradingState, reason: str) -> None:
        """Tighten the trading state on behalf of supervision; it never loosens anybody's word."""
        at_ns = self._snapshot.at_ns if self._snapshot is not None else 0
        with self._transaction() as tx:
            if _SEVERITY[state] > _SEVERITY[tx.control.state]:
                tx.set_trading_state(state, reason, "supervisor", at_ns)

    def _carry_out(self, verb: str, argument: str, snapshot: MarketSnapshot) -> str | None:
        """Do what was asked; None when it must be gone on with in the next cycle."""
        if verb == "flatten":
            return self._flatten(snapshot)
        if verb == "rearm":
            self.append(REARMED, self._risk.rearm(self._equity()))
            return "breakers re-armed"
        if verb == STAGE_VERB:
            return self._restage(argument, snapshot.at_ns)
        if verb == ARM_VERB:
            return self._switch(argument, snapshot.at_ns)
        if verb == "restart_agent":
            return self.handlers.restart_agent(argument)
        return f"unknown request {verb!r}"

    def _flatten(self, snapshot: MarketSnapshot) -> str | None:
        if self._journal.trading_state() is TradingState.ACTIVE:
            return "ended by a resume"
        report = self._execution.flatten(snapshot)
        if report.denied:
            left = tuple(f"{denied.symbol}: not flattened, {denied.code}" for denied in report.denied)
            self.raise_alerts(left, snapshot.cycle, snapshot.at_ns)
        return None if report.unfinished else "every position is closed"

    def _restage(self, argument: str, at_ns: int) -> str:
        """Move the desk to another stage, as a person has ordered; the journal first."""
        change = self._staging.obey(argument, self._equity(), at_ns)
        if isinstance(change, str):
            return change
        self.append(change.move, change, ref=change.state.stage)
        self._risk.restage(change.state)
        return told(change)

    def _switch(self, argument: str, at_ns: int) -> str:
        """Enable or disable an arm from the next cycle on, as a person has ordered."""
        said = self.arms.obey(argument, self._arms_known(), self.next_cycle)
        if isinstance(said, str):
            return said
        with self._transaction() as tx:
            tx.append(ARM_SWITCHED, said, ref=said.arm, cycle=self.next_cycle, at_ns=at_ns)
        return told_arm(said)

    def _arms_known(self) -> tuple[str, ...]:
        decision = self._journal.last_decision()
        return () if decision is None else tuple(decision.weights)

    def _equity(self) -> Decimal:
        decision = self._journal.last_decision()
        return ZERO if decision is None else decision.equity

    def _record(self, decision: Decision, block: bytes) -> bool:
        with self._transaction() as tx:
            fresh = tx.record_decision(decision, block)
            if fresh:
                self._apply_breakers(tx, decision)
                self._tell_stages(tx, decision)
        self._staging.state = decision.judgement.state.stage
        return fresh

    def _tell_stages(self, tx: Transaction, decision: Decision) -> None:
        for change in decision.judgement.stage_changes:
            tx.append(change.move, change, change.state.stage, decision.cycle, decision.at_ns)

    def _apply_breakers(self, tx: Transaction, decision: Decision) -> None:
        halt = decision.judgement.halt
        if halt is not None and _is_said(tx, halt):
            tx.set_trading_state(halt.state, f"{halt.code}: {halt.detail}", BREAKER, decision.at_ns)
        elif _new_day(tx, decision):
            tx.set_trading_state(
                TradingState.ACTIVE, "a new day for the daily loss limit", BREAKER, decision.at_ns
            )

    def _transaction(self) -> AbstractContextManager[Transaction]:
        return self._journal.transaction(role=ROLE, epoch=self._epoch)


def market_alerts(before: MarketSnapshot | None, now: MarketSnapshot) -> tuple[str, ...]:
    """What is wrong with this cycle's data: refused bars, and instruments that have just gone stale."""
    refused = tuple(f"{symbol}: {count} bar(s) refused, {reason}" for symbol, reason, count in now.refused)
    if before is None or now.is_fresh.all():
        return refused
    silent = before.is_fresh & ~now.is_fresh
    return refused + tuple(
        f"{symbol}: no new bar" for symbol, is_silent in zip(now.symbols, silent, strict=True) if is_silent
    )


def _is_said(tx: Transaction, halt: TradingHalted) -> bool:
    """Whether a breaker tightens the trading state, or gives its own word for it another reason."""
    before, now = _SEVERITY[tx.control.state], _SEVERITY[halt.state]
    return now > before or (now == before and tx.control.actor == BREAKER)


def _new_day(tx: Transaction, decision: Decision) -> bool:
    """Whether only yesterday's daily loss holds the desk back; a person's word is never undone."""
    return (
        tx.control.actor == BREAKER
        and tx.control.state is TradingState.REDUCE_ONLY
        and not decision.judgement.state.daily_loss_tripped
        and not decision.judgement.state.drawdown_tripped
    )
