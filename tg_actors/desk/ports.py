"""What the decision cycle needs from the rest of the desk; inline cores and Ray actors both fill it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Decision, Judgement, RiskState, Settlement, Targets
from tg_actors.domain.stages import StageState
from tg_actors.execution.sender import ExecutionReport
from tg_actors.meta.ensemble import CombineRequest
from tg_actors.risk.judge import JudgeRequest
from tg_actors.rl.model import Model


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who answered before the deadline, and why the others did not.

    ``memories`` is the newest memory of every agent, also of those that are absent;
    ``latency_ms`` per agent that answered, as the desk saw it; it decides nothing.
    """

    opinions: tuple[Opinions, ...]
    absent: dict[str, Abstention]
    memories: dict[str, F64]
    latency_ms: dict[str, float] = field(default_factory=dict)


class Market(Protocol):
    """Where snapshots come from."""

    def observe(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a cycle, None after the last one. May be repeated."""
        ...


class Roster(Protocol):
    """All opining agents: ask each, wait until the deadline."""

    def opine(self, snapshot: MarketSnapshot) -> Hearing:
        """Return what came in time; the rest is absent with a reason, never a hold."""
        ...

    def recall(self, memories: Mapping[str, F64]) -> None:
        """Hand every agent its memory after a start; agents without one start blank."""
        ...

    def follow(self, agent: str, model: Model | None) -> None:
        """Hand a learned agent the version that it asks from the next cycle on; None: it abstains."""
        ...


class Ensemble(Protocol):
    """The meta agent."""

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures."""
        ...


class Risk(Protocol):
    """The risk room."""

    def judge(self, request: JudgeRequest) -> Judgement:
        """Size, resize or deny."""
        ...

    def rearm(self, equity: Decimal) -> RiskState:
        """A person resumes trading: breakers start again from this equity; the new memory."""
        ...

    def restage(self, stage: StageState) -> RiskState:
        """A person moves the desk to another stage, or ends a pause; the new memory."""
        ...


class Execution(Protocol):
    """The executor of the desk's account."""

    def begin_settle(self, snapshot: MarketSnapshot) -> Callable[[], Settlement]:
        """Start taking in what the venue did; the returned call waits for the result."""
        ...

    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what was approved."""
        ...

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Close everything."""
        ...
