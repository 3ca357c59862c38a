"""Where a desk stands and what its next gate says: for people sentences, for programs plain data."""

from dataclasses import dataclass
from typing import Any

from tg_actors.desk.coordinator import remember
from tg_actors.desk.gates import Window, gather, is_live, window_of
from tg_actors.desk.history import executor_spec
from tg_actors.desk.staging import STAGE_VERB, evidence_sha256
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import money_text
from tg_actors.domain.stages import Evidence, Finding, Outcome, StageMove, StageOrder, StageState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.portfolio.performance import DAY_NS
from tg_actors.risk.gates import DEFINITIONS
from tg_actors.risk.stages import StageMachine
from tg_actors.risk.stages_plan import Metric, StagePlan, StageSpec

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Source:
    """A run whose journal is looked into."""

    run: str
    journal: JournalReader


@dataclass(frozen=True, slots=True)
class Standing:
    """A desk before its next gate.

    ``state`` is None for a run without stages, which is judged as if it stood at ``stage``. ``target``
    is where a promotion leads, None from the highest stage; ``closed`` says why nothing is entered.
    """

    run: str
    state: StageState | None
    stage: str
    target: str | None
    closed: str
    days_left: float | None
    pending: tuple[str, ...]
    evidence: Evidence | None

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs; money as text, times UTC nanoseconds."""
        state = self.state
        return {
            "run": self.run,
            "stage": None if state is None else state.stage,
            "judged_as": self.stage,
            "target": self.target,
            "home": None if state is None else state.home,
            "since_ns": None if state is None else state.since_ns,
            "week": None if state is None else state.week,
            "losing_weeks": None if state is None else state.losing_weeks,
            "capital_usd": None if state is None else money_text(state.capital_usd),
            "halved": None if state is None else state.halved,
            "approval_above_usd": None
            if state is None or state.approval_above_usd is None
            else money_text(state.approval_above_usd),
            "closed": self.closed,
            "days_left": None if self.days_left is None else round(self.days_left, _DIGITS),
            "pending": list(self.pending),
            "passes": self.evidence is not None and self.evidence.passes,
            "evidence_run": None if self.evidence is None else self.evidence.run,
            "evidence_from_ns": None if self.evidence is None else self.evidence.from_ns,
            "evidence_to_ns": None if self.evidence is None else self.evidence.to_ns,
            "evidence_sha256": None if self.evidence is None else evidence_sha256(self.evidence),
            "criteria": [finding_json(f) for f in (self.evidence.findings if self.evidence else ())],
        }


def standing(
    desk: Source, plan: StagePlan, evidence: Source | None, as_stage: str | None, now_ns: int
) -> Standing:
    """Return where a run stands, on its own evidence or on that of another run.

    Args:
        desk: the run that would be promoted.
        plan: the stages.
        evidence: another run to be judged in its place, None for its own journal.
        as_stage: the stage to judge a run without stages by, None for the lowest.
        now_ns: UTC nanoseconds of the machine; counts only for markets that go by the clock.

    Raises:
        UserError: the other run proves nothing about this one, or the stage is unknown.
    """
    state = stage_of(desk.journal)
    if state is None or state.stage not in plan:
        return _unstaged(desk, plan, as_stage)
    machine = StageMachine(StageSpec(plan=plan, home=state.home if state.home in plan else state.stage))
    target = machine.target(state)
    found: Evidence | None = None
    if target is not None:
        found = _evidence(desk, state, target, plan, evidence, now_ns)
    lasted = 0.0 if found is None else (found.to_ns - found.from_ns) / DAY_NS
    return Standing(
        run=desk.run,
        state=state,
        stage=state.stage,
        target=target,
        closed=machine.limits(state).closed,
        days_left=None if target is None else max(0.0, plan[state.stage].duration_days_min - lasted),
        pending=_pending(desk.journal),
        evidence=found,
    )


def stage_of(journal: JournalReader) -> StageState | None:
    """Return the stage that a journal remembers, None for a desk without stages."""
    risk = remember(journal).risk
    return None if risk is None else risk.stage


def _unstaged(desk: Source, plan: StagePlan, as_stage: str | None) -> Standing:
    name = as_stage or plan.names[0]
    if name not in plan:
        raise UserError(f"there is no stage {name!r}: use {', '.join(plan.names)}")
    target = plan.above(name) or plan[name]
    found = gather(desk.journal, desk.run, plan, Window(name, target.name))
    left = max(0.0, plan[name].duration_days_min - (found.to_ns - found.from_ns) / DAY_NS)
    return Standing(desk.run, None, name, target.name, "", left, (), found)


def _evidence(
    desk: Source, state: StageState, target: str, plan: StagePlan, other: Source | None, now_ns: int
) -> Evidence:
    """Read the evidence in the desk's own journal, or in another run's that may speak for it."""
    source, theirs = desk, state
    if other is not None and other.run != desk.run:
        source, theirs = other, _borrowed(desk, state, plan, other)
    window = window_of(theirs, target, now_ns if is_live(source.journal) else None, state.demoted_ns or 0)
    return gather(source.journal, source.run, plan, window)


def _borrowed(desk: Source, state: StageState, plan: StagePlan, other: Source) -> StageState:
    """Return the stage of another run whose evidence counts for this desk.

    Paper money proves the desk, whoever holds the account; real money proves only its own account.
    """
    theirs = stage_of(other.journal)
    kind = (other.journal.identity() or {}).get("kind")
    if theirs is None:
        raise UserError(f"{other.run} has no stage and proves nothing: name a run at {state.stage}")
    if kind == "backtest":
        raise UserError(f"{other.run} is a backtest: a gate takes only what a running desk has shown")
    if theirs.stage != state.stage:
        raise UserError(f"{other.run} is at {theirs.stage}, but {desk.run} needs evidence of {state.stage}")
    if theirs.paused:
        raise UserError(f"{other.run} is paused ({theirs.paused}): it proves nothing until it is resumed")
    accounts = {executor_spec(source.journal).account for source in (desk, other)}
    if plan[theirs.stage].real_money and len(accounts) > 1:
        raise UserError(f"{other.run} trades another account, which proves nothing about real money here")
    return theirs


def _pending(journal: JournalReader) -> tuple[str, ...]:
    """Orders of people that the desk has not carried out yet, because it does not run."""
    waiting = [request for request in journal.pending_requests() if request.verb == STAGE_VERB]
    orders = [StageOrder.model_validate_json(request.argument) for request in waiting]
    return tuple(f"{_VERBS[order.move]} by {order.actor}: {order.reason}" for order in orders)


_VERBS = {
    StageMove.PROMOTED: "promote",
    StageMove.DEMOTED: "demote",
    StageMove.PAUSED: "pause",
    StageMove.RESUMED: "resume",
}


def leave_order(journal: Journal, order: StageOrder) -> int:
    """Leave a person's order in the desk's journal; it is carried out after the desk's next cycle."""
    return journal.request(STAGE_VERB, order.model_dump_json(), order.actor)


def finding_json(finding: Finding) -> dict[str, Any]:
    """One criterion as plain data, its sentence and definition included."""
    data = finding.model_dump(mode="json")
    rounded = {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in data.items()}
    return {**rounded, "sentence": sentence(finding), "definition": DEFINITIONS[Metric(finding.metric)][0]}


def sentence(finding: Finding) -> str:
    """Say of one criterion what it asks, what there is, by how much it fails, and what that is worth."""
    metric = Metric(finding.metric)
    if finding.outcome is Outcome.UNDEFINED:
        return f"{metric} is undefined: {DEFINITIONS[metric][1]}; {finding.asked} is asked, unknown fails"
    if finding.outcome is Outcome.NOT_APPLICABLE:
        return f"{metric} is not asked: {DEFINITIONS[metric][1]}"
    side = "low" if finding.asked.startswith("at least") else "high"
    fails = f", too {side} by {figure(finding.short)}" if finding.outcome is Outcome.FAILED else ""
    return f"{metric} is {figure(finding.value)}, {finding.asked} is asked{fails}{_worth(finding)}"


def _worth(finding: Finding) -> str:
    parts = []
    if finding.low is not None:
        parts.append(f"could as well lie between {figure(finding.low)} and {figure(finding.high)}")
    if finding.chance_frac is not None:
        parts.append(f"{finding.chance_frac:.0%} of strategies without skill pass")
    return f" ({'; '.join(parts)})" if parts else ""


def figure(value: float | None) -> str:
    """A figure as a person reads it: four significant digits."""
    return "undefined" if value is None else f"{value:.4g}"
