"""The desk's side of the stages: whom the ensemble hears, and what becomes of a person's order. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import ValidationError

from tg_actors.agents.kinds import AgentSpec, rebalancers
from tg_actors.domain.blocks import Opinions
from tg_actors.domain.decisions import RiskState
from tg_actors.domain.ids import sha256_text
from tg_actors.domain.stages import Evidence, StageChange, StageMove, StageOrder, StageState
from tg_actors.journal.chain import canonical
from tg_actors.journal.records import Event
from tg_actors.risk.stages import StageMachine, restaged
from tg_actors.risk.stages_plan import StageSpec

#: The request by which a person's order reaches the desk.
STAGE_VERB = "stage"
#: Events of the journal that tell of stages.
STAGE_EVENTS = frozenset(move.value for move in StageMove)


def evidence_sha256(evidence: Evidence) -> str:
    """Return the hex SHA-256 of what a person saw, by which an order names it."""
    return sha256_text("evidence", canonical(evidence))


def recalled(state: RiskState, event: Event) -> RiskState:
    """Return the risk room's memory after a stage event that came after its newest decision."""
    return restaged(state, StageChange.model_validate_json(event.payload).state)


class Staging:
    """What the coordinator must know of the stages. Without a spec everybody is heard.

    ``agents`` in the order of the desk: a stage without ``multi_model`` hears the first of them only, one
    without ``rebalancing`` none that rebalances.
    """

    def __init__(self, spec: StageSpec | None, agents: Sequence[AgentSpec]) -> None:
        self._machine = None if spec is None else StageMachine(spec)
        self._first_agent = next((agent.name for agent in agents), None)
        self._rebalancers = frozenset(rebalancers(agents))
        self.state: StageState | None = None

    def heard(self, opinions: tuple[Opinions, ...]) -> tuple[Opinions, ...]:
        """Return the opinions that the ensemble may hear; the others are journaled all the same."""
        if self._machine is None:
            return opinions
        limits = self._machine.limits(self.state)
        deaf_to = frozenset[str]() if limits.rebalancing else self._rebalancers
        return tuple(
            one
            for one in opinions
            if one.agent not in deaf_to and (limits.multi_model or one.agent == self._first_agent)
        )

    def obey(self, argument: str, equity: Decimal, at_ns: int) -> StageChange | str:
        """Carry out a person's order; returns what moved, or one sentence why nothing did."""
        if self._machine is None or self.state is None:
            return "refused: this desk has no stage"
        try:
            order = StageOrder.model_validate_json(argument)
        except ValidationError:
            return "refused: this is no order about a stage"
        if order.evidence is not None and evidence_sha256(order.evidence) != order.evidence_sha256:
            return "refused: the evidence is not the one that the order names"
        answer = self._machine.obey(self.state, order, equity, at_ns)
        if isinstance(answer, str):
            return f"refused: {answer}"
        self.state = answer.state
        return answer


def told(change: StageChange) -> str:
    """One sentence of what moved."""
    where = f"to {change.state.stage}" if change.state.stage != change.before else f"at {change.state.stage}"
    return f"stage: {_WORDS[change.move]} {where} by {change.actor}: {change.reason}"


_WORDS = {
    StageMove.PROMOTED: "promoted",
    StageMove.DEMOTED: "demoted",
    StageMove.PAUSED: "paused",
    StageMove.RESUMED: "resumed",
    StageMove.HALVED: "capital halved",
}
