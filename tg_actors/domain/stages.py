"""Words of the stages: how far a desk is trusted, what moved it, and the evidence a person saw."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, field_validator

from tg_actors.domain.message import Message


class StageMove(StrEnum):
    """What can become of a stage; the values name the events in the journal."""

    PROMOTED = "StagePromoted"
    DEMOTED = "StageDemoted"
    PAUSED = "StagePaused"
    RESUMED = "StageResumed"
    HALVED = "CapitalHalved"


class StageState(Message):
    """Where a desk stands on its way to the whole capital; journaled with every decision.

    ``home`` is the first stage at which the desk may trade, as its file says: below it nothing is
    entered. ``since_ns`` is when the stage was entered, ``week`` counts from 1 since then.
    ``capital_usd`` is what sizing may use at most. ``equity_open``, ``equity_peak`` and
    ``week_equity_open`` are marks of the whole account since then. ``paused`` says why nothing is
    entered, empty when it is. ``approval_above_usd``: entries above it need a person this week, 0 all,
    None none. ``demoted_ns`` is the last demotion, None before the first: older evidence is void.
    """

    stage: str
    home: str
    since_ns: int
    week: int = Field(default=1, ge=1)
    capital_usd: Decimal = Field(gt=0)
    halved: bool = False
    paused: str = ""
    equity_open: Decimal
    equity_peak: Decimal
    week_equity_open: Decimal
    losing_weeks: int = Field(default=0, ge=0)
    approval_above_usd: Decimal | None = Field(default=None, ge=0)
    demoted_ns: int | None = None


class Outcome(StrEnum):
    """What a criterion says of the evidence. Only the first and the last let a gate pass."""

    MET = "met"
    FAILED = "failed"
    UNDEFINED = "undefined"
    NOT_APPLICABLE = "not applicable"


class Finding(Message):
    """One criterion against the evidence.

    ``gate`` says whose criterion it is, such as "paper exit". ``asked`` reads "at least 1.0".
    ``short`` is by how much the value misses what is asked, 0 when it does not, None when undefined.
    ``low`` and ``high`` bound the value by bootstrap; ``chance_frac`` is how often a strategy without
    skill passes. None where there is nothing to resample, or where skill plays no part.
    """

    gate: str
    metric: str
    asked: str
    value: float | None
    outcome: Outcome
    short: float | None = None
    low: float | None = None
    high: float | None = None
    chance_frac: float | None = Field(default=None, ge=0, le=1)


class Evidence(Message):
    """What a journal says for or against leaving a stage, bound to the very events it was read from.

    ``run`` and ``account`` say whose journal, ``journal_seq`` and ``journal_hash`` its newest decision.
    """

    run: str
    account: str
    stage: str
    target: str
    from_ns: int
    to_ns: int
    cycles: int = Field(ge=0)
    journal_seq: int = Field(ge=0)
    journal_hash: str
    findings: tuple[Finding, ...]

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Criteria that keep the gate shut, in their order."""
        return tuple(f for f in self.findings if f.outcome in {Outcome.FAILED, Outcome.UNDEFINED})

    @property
    def passes(self) -> bool:
        """Whether the gate is open: something was asked, and nothing is missing."""
        return bool(self.findings) and not self.failing


class StageOrder(Message):
    """A person's word about the stage of a desk, left in its journal as the argument of a request.

    ``before`` is the stage that the person saw: a desk that has moved meanwhile refuses.
    """

    move: StageMove
    before: str
    actor: str = Field(min_length=1)
    reason: str
    evidence: Evidence | None = None
    evidence_sha256: str = ""

    @field_validator("move")
    @classmethod
    def _is_a_persons(cls, move: StageMove) -> StageMove:
        if move is StageMove.HALVED:
            raise ValueError("only a rollback rule halves the capital")
        return move


class StageChange(Message):
    """What moved a desk and where it stands since: payload of the event named by ``move``.

    ``actor`` is a person, or the risk room for a rollback rule. ``equity`` is the mark it happened at.
    """

    move: StageMove
    before: str
    reason: str
    actor: str
    at_ns: int
    equity: Decimal
    state: StageState
    evidence: Evidence | None = None
    evidence_sha256: str = ""
