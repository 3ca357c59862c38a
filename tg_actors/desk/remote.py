"""The desk on Ray: the same ports, with actors behind them and every wait bounded."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tg_actors.desk.inline import hear
from tg_actors.desk.ports import Hearing
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Decision, DenialCode, Judgement, RiskState, Settlement, Targets
from tg_actors.domain.stages import StageState
from tg_actors.execution.sender import ExecutionReport
from tg_actors.meta.ensemble import CombineRequest
from tg_actors.risk.breakers import rearm
from tg_actors.risk.judge import JudgeRequest
from tg_actors.risk.stages import restaged
from tg_actors.rl.model import Model
from tg_actors.runtime.actors import DEATHS, Handle, gather, persist, restart

#: Hears the name of an actor whenever a call to it fails because its process is gone.
OnDeath = Callable[[str], None]


class RemoteActor:
    """One actor that the desk cannot do without: idempotent calls, repeated until it is back.

    A process that lives and answers nobody (stopped, swapped out, stuck) is ended: its successor recovers
    from the journal, and it would be fenced if it ever went on.
    """

    def __init__(self, name: str, handle: Handle, on_death: OnDeath, patience_s: float) -> None:
        self.name = name
        self.handle = handle
        self._on_death = on_death
        self._patience_s = patience_s

    def ask(self, call: Callable[[], Any]) -> Any:
        """Wait for an answer; raises TimeoutError when the actor stays away too long."""
        return persist(
            call, self._patience_s, lambda: self._on_death(self.name), lambda: restart(self.handle)
        )


class RemoteMarket(RemoteActor):
    """Asks for the next snapshot ahead of time and keeps the reference that all readers share.

    A ``live`` market is asked when its bar has closed: before that it knows nothing of it, and says so.
    """

    def __init__(
        self, name: str, handle: Handle, on_death: OnDeath, patience_s: float, *, live: bool = False
    ) -> None:
        super().__init__(name, handle, on_death, patience_s)
        self._live = live
        self._ahead: tuple[int, Any] | None = None
        self.reference: Any = None

    def observe(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a cycle; it stays in the object store, mapped without a copy."""
        snapshot: MarketSnapshot | None = self.ask(lambda: self._refer(cycle))
        if snapshot is not None and not self._live:
            self._ahead = (cycle + 1, self.handle.observe.remote(cycle + 1))
        return snapshot

    def _refer(self, cycle: int) -> Any:
        if self._ahead is not None and self._ahead[0] == cycle:
            self.reference = self._ahead[1]
            self._ahead = None
        else:
            self.reference = self.handle.observe.remote(cycle)
        return self.reference


class RemoteRoster:
    """Asks all agents at once and waits until the deadline.

    A slow or stalled agent never delays the desk by more than the deadline and never gets a second
    call while it owes an answer. With ``persistent`` a dead agent is asked again until the
    deadline: a market that waits for the desk (full speed) must not run away from a restart.
    """

    def __init__(
        self,
        agents: Mapping[str, Handle],
        market: RemoteMarket,
        on_death: OnDeath,
        deadline_s: float,
        *,
        persistent: bool,
    ) -> None:
        self.agents = dict(agents)
        self.given_up: set[str] = set()
        self._market = market
        self._on_death = on_death
        self._deadline_s = deadline_s
        self._persistent = persistent
        self._memories: dict[str, F64] = {}
        self._models: dict[str, Model | None] = {}
        self._owed: dict[str, Any] = {}

    def recall(self, memories: Mapping[str, F64]) -> None:
        """Hand every agent its memory; a lost call is repeated when the agent says it is blank."""
        self._memories = dict(memories)
        for name in self.agents:
            self.recall_one(name)

    def follow(self, agent: str, model: Model | None) -> None:
        """Hand a learned agent its version; calls of one caller arrive in their order."""
        self._models[agent] = model
        self.agents[agent].follow.remote(model)

    def recall_one(self, name: str) -> None:
        """Hand one agent its memory, and a learned one the version that it asks."""
        if name in self._models:
            self.agents[name].follow.remote(self._models[name])
        self.agents[name].recall.remote(self._memories.get(name))

    def opine(self, snapshot: MarketSnapshot) -> Hearing:
        """Ask all and sift what came in time."""
        started = time.perf_counter()
        end = started + self._deadline_s
        absent: dict[str, Abstention] = dict.fromkeys(sorted(self.given_up), Abstention.GIVEN_UP)
        answers: dict[str, Opinions] = {}
        latency_ms: dict[str, float] = {}
        asking = [name for name in self.agents if name not in self.given_up and not self._owes(name)]
        absent |= {n: Abstention.LATE for n in self.agents if n not in asking and n not in absent}
        while asking and (left := end - time.perf_counter()) > 0:
            asked_s = time.perf_counter() - started
            asking, took = self._round(asking, left, answers, absent)
            latency_ms |= {name: (asked_s + seconds) * 1e3 for name, seconds in took.items()}
        absent = {name: why for name, why in absent.items() if name not in answers}
        ordered = {name: answers[name] for name in self.agents if name in answers}
        hearing = hear(ordered, absent, self._memories, len(snapshot.symbols))
        return Hearing(hearing.opinions, hearing.absent, hearing.memories, latency_ms)

    def _round(
        self, asking: list[str], left_s: float, answers: dict[str, Opinions], absent: dict[str, Abstention]
    ) -> tuple[list[str], dict[str, float]]:
        """Ask some agents once; return those worth another question, and how long the others took."""
        refs = {name: self.agents[name].opine.remote(self._market.reference) for name in asking}
        gathered = gather(refs, left_s)
        came, failed = gathered.came, gathered.failed
        late = [name for name in asking if name not in came and name not in failed]
        self._owed |= {name: refs[name] for name in late}
        absent |= dict.fromkeys(late, Abstention.LATE)
        blank = [name for name, opinions in came.items() if _is_blank(opinions)]
        answers |= {name: opinions for name, opinions in came.items() if name not in blank}
        absent |= dict.fromkeys(blank, Abstention.RECALLING)
        for name in blank:
            # Nobody is blank but a new process: the old one died while nobody was asking.
            self._on_death(name)
            self.recall_one(name)
        dead = [name for name, error in failed.items() if isinstance(error, DEATHS)]
        absent |= {name: Abstention.DEAD if name in dead else Abstention.INCOHERENT for name in failed}
        for name in failed:
            self._on_death(name)
        again = [name for name in dead if self._persistent and name not in self.given_up]
        if again:
            time.sleep(0.05)  # a restarting actor refuses at once; do not spin
        return blank + again, {name: took for name, took in gathered.seconds.items() if name in answers}

    def _owes(self, name: str) -> bool:
        """Whether an agent still works on an earlier question; at most one may be open."""
        ref = self._owed.get(name)
        if ref is None:
            return False
        gathered = gather({name: ref}, 0.001)
        if name not in gathered.came and name not in gathered.failed:
            return True
        del self._owed[name]
        return False


def _is_blank(opinions: Opinions) -> bool:
    return bool(opinions.abstained) and all(why is Abstention.RECALLING for why in opinions.abstained)


class RemoteEnsemble(RemoteActor):
    """The meta agent behind its handle."""

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures."""
        # It reads the window and no other part that is large: the rest need not travel twice.
        light = replace(request.snapshot, days=None, references=None, facts=None, depth=None)
        small = replace(request, snapshot=light)
        targets: Targets = self.ask(lambda: self.handle.combine.remote(small))
        return targets


#: A risk room that forgets itself this often within one cycle stays unavailable for that cycle.
_RECALLS_MAX = 5


def _is_unavailable(judgement: Judgement) -> bool:
    return any(denied.code is DenialCode.RISK_UNAVAILABLE for denied in judgement.denied)


class RemoteRisk(RemoteActor):
    """The risk room behind its handle; hands a restarted one its memory before it judges."""

    def __init__(self, name: str, handle: Handle, on_death: OnDeath, patience_s: float) -> None:
        super().__init__(name, handle, on_death, patience_s)
        self._state: RiskState | None = None

    def recall(self, state: RiskState | None) -> None:
        """Set what it remembers."""
        self._state = state
        self.ask(lambda: self.handle.recall.remote(state))

    def judge(self, request: JudgeRequest) -> Judgement:
        """Judge; a blank room denies everything, is told its memory, and is asked again."""
        judgement: Judgement = self.ask(lambda: self.handle.judge.remote(request))
        for _ in range(_RECALLS_MAX):
            if not _is_unavailable(judgement):
                self._state = judgement.state
                return judgement
            self._on_death(self.name)
            self.recall(self._state)
            judgement = self.ask(lambda: self.handle.judge.remote(request))
        # It denies everything, but what it was to remember must not be forgotten with it.
        return judgement.model_copy(update={"state": self._state or RiskState()})

    def rearm(self, equity: Decimal) -> RiskState:
        """Start the breakers again from this equity, also those of a process that dies right now."""
        self._state = rearm(self._state or RiskState(), equity)
        self.ask(lambda: self.handle.recall.remote(self._state))
        return self._state

    def restage(self, stage: StageState) -> RiskState:
        """Move the desk to another stage, also in a process that dies right now."""
        self._state = restaged(self._state or RiskState(), stage)
        self.ask(lambda: self.handle.recall.remote(self._state))
        return self._state


class RemoteExecution(RemoteActor):
    """The executor behind its handle; every call may be repeated, none sends twice."""

    def __init__(
        self, name: str, handle: Handle, on_death: OnDeath, patience_s: float, market: RemoteMarket
    ) -> None:
        super().__init__(name, handle, on_death, patience_s)
        self._market = market

    def begin_settle(self, snapshot: MarketSnapshot) -> Callable[[], Settlement]:
        """Start settling beside the opinions; the returned call waits."""
        first = [self.handle.settle.remote(self._market.reference)]

        def wait() -> Settlement:
            settlement: Settlement = self.ask(
                lambda: first.pop() if first else self.handle.settle.remote(self._market.reference)
            )
            return settlement

        del snapshot  # travels by reference
        return wait

    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what was approved; a decision to do nothing needs no call."""
        if not decision.judgement.approved:
            return ExecutionReport()
        report: ExecutionReport = self.ask(lambda: self.handle.execute.remote(decision))
        alerts: tuple[str, ...] = ()
        while report.unsettled:
            # It died after it had settled this cycle: the new process must look at the market first.
            self._on_death(self.name)
            settlement: Settlement = self.ask(lambda: self.handle.settle.remote(self._market.reference))
            alerts += settlement.alerts
            report = self.ask(lambda: self.handle.execute.remote(decision))
        return replace(report, alerts=alerts + report.alerts)

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Close everything."""
        del snapshot  # travels by reference
        report: ExecutionReport = self.ask(lambda: self.handle.flatten.remote(self._market.reference))
        return report
