"""Supervision policy, pure: deaths in, what to do about them out. Ray is only the mechanism."""

from collections import deque
from enum import StrEnum

from pydantic import Field, field_validator

from tg_actors.domain.message import Message
from tg_actors.domain.orders import TradingState


class Restart(StrEnum):
    """When a dead child comes back: always, only after a crash, or never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Remedy(StrEnum):
    """What the coordinator does about a death."""

    RESTART = "restart"
    GIVE_UP = "give_up"
    ESCALATE = "escalate"


class ChildPolicy(Message):
    """How often a child may die, and what follows when it dies more often.

    At most ``intensity`` deaths within ``period_s`` are answered by a restart. Beyond that the
    trading state becomes ``escalate_to`` if one is named, otherwise the child is given up and the
    desk goes on without it (an agent then abstains). Source: Erlang/OTP supervisor intensity.
    """

    restart: Restart = Restart.PERMANENT
    intensity: int = Field(default=5, ge=0)
    period_s: int = Field(default=300, gt=0)
    escalate_to: TradingState | None = None

    @field_validator("escalate_to")
    @classmethod
    def _tightens(cls, state: TradingState | None) -> TradingState | None:
        if state is TradingState.ACTIVE:
            raise ValueError("an escalation must be REDUCE_ONLY or HALTED")
        return state


class Supervisor:
    """Counts deaths per child (one_for_one) and answers each with a remedy.

    The deaths are journaled by the caller; replaying them restores the counts.
    """

    def __init__(self, policies: dict[str, ChildPolicy]) -> None:
        self._policies = policies
        self._deaths: dict[str, deque[int]] = {child: deque() for child in policies}
        self._given_up: set[str] = set()

    def on_death(self, child: str, wall_ns: int, *, crashed: bool = True) -> Remedy:
        """Take note of a death and say what to do; ``crashed`` is False when it left by itself.

        Raises:
            KeyError: no policy names this child; a child without a policy is a bug.
        """
        policy = self._policies[child]
        deaths = self._deaths[child]
        deaths.append(wall_ns)
        while deaths[0] <= wall_ns - policy.period_s * 1_000_000_000:
            deaths.popleft()
        if policy.restart is Restart.TEMPORARY or (policy.restart is Restart.TRANSIENT and not crashed):
            return self._give_up(child)
        if len(deaths) <= policy.intensity:
            return Remedy.RESTART
        return self._give_up(child) if policy.escalate_to is None else Remedy.ESCALATE

    def recall(self, child: str, wall_ns: int) -> None:
        """Count a death that the journal remembers; its remedy was applied then."""
        self._deaths[child].append(wall_ns)

    def escalation(self, child: str) -> TradingState:
        """Trading state that an escalation of this child demands."""
        return self._policies[child].escalate_to or TradingState.HALTED

    def is_given_up(self, child: str) -> bool:
        """Whether the child is out until a person restarts it."""
        return child in self._given_up

    def deaths(self, child: str) -> int:
        """Deaths within the current period."""
        return len(self._deaths[child])

    def pardon(self, child: str) -> None:
        """A person restarts the child: its record is wiped."""
        self._given_up.discard(child)
        self._deaths[child].clear()

    def _give_up(self, child: str) -> Remedy:
        self._given_up.add(child)
        return Remedy.GIVE_UP
