"""The stage machine: marks and a person's orders in, the new stage and what moved it out. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.decisions import RiskState
from tg_actors.domain.money import ZERO
from tg_actors.domain.stages import Evidence, StageChange, StageMove, StageOrder, StageState
from tg_actors.risk.stages_plan import Rollback, Stage, StagePlan, StageSpec, Trigger

WEEK_NS = 7 * 86_400_000_000_000
#: Who is named when a rollback rule, not a person, moved the desk.
RULE = "risk"


class StageEvent(StrEnum):
    """What can happen to a desk at a stage: the first four are a person's, the others a rule's."""

    PROMOTE = "promote"
    DEMOTE = "demote"
    PAUSE = "pause"
    RESUME = "resume"
    DRAWDOWN = "drawdown"
    LOSING_WEEKS = "losing weeks"


@dataclass(frozen=True, slots=True)
class Step:
    """What an event does: the move, the stage after it, and whether its capital is halved."""

    move: StageMove
    stage: str
    halved: bool = False


#: A stage and whether its capital is halved.
Place = tuple[str, bool]
Table = dict[tuple[Place, StageEvent], Step]

_EVENT_OF_ORDER = {
    StageMove.PROMOTED: StageEvent.PROMOTE,
    StageMove.DEMOTED: StageEvent.DEMOTE,
    StageMove.PAUSED: StageEvent.PAUSE,
    StageMove.RESUMED: StageEvent.RESUME,
}
_EVENT_OF_TRIGGER = {
    Trigger.DRAWDOWN: StageEvent.DRAWDOWN,
    Trigger.LOSING_WEEKS: StageEvent.LOSING_WEEKS,
}
#: Moves that begin a new time at a stage: its weeks, marks and evidence start again.
_ENTERING = frozenset({StageMove.PROMOTED, StageMove.DEMOTED, StageMove.HALVED})


def transitions(plan: StagePlan) -> Table:
    """Return every move there is. What has no row cannot happen.

    Below the lowest stage there is only a pause. Half the capital cannot be halved again: what would
    do so demotes. Promoted at half the capital, a desk gets the whole capital of its stage back.
    """
    table: Table = {}
    for stage in plan.stages:
        for halved in (False, True):
            place, above = (stage.name, halved), stage if halved else plan.above(stage.name)
            table[place, StageEvent.DEMOTE] = _step(plan, stage, Rollback.DEMOTE, halved=halved)
            table[place, StageEvent.PAUSE] = Step(StageMove.PAUSED, stage.name, halved)
            table[place, StageEvent.RESUME] = Step(StageMove.RESUMED, stage.name, halved)
            if above is not None:
                table[place, StageEvent.PROMOTE] = Step(StageMove.PROMOTED, above.name)
            for rule in stage.rollback:
                event = _EVENT_OF_TRIGGER[rule.trigger]
                table[place, event] = _step(plan, stage, rule.action, halved=halved)
    return table


def _step(plan: StagePlan, stage: Stage, action: Rollback, *, halved: bool) -> Step:
    if action is Rollback.HALVE and not halved:
        return Step(StageMove.HALVED, stage.name, halved=True)
    below = plan.below(stage.name)
    if action is Rollback.PAUSE or below is None:
        return Step(StageMove.PAUSED, stage.name, halved)
    return Step(StageMove.DEMOTED, below.name)


@dataclass(frozen=True, slots=True)
class StageLimits:
    """What a stage allows now. ``closed`` says why nothing is entered, empty when entries are open."""

    stage: str
    capital_usd: Decimal
    pairs: frozenset[str] | None
    leverage_max: Decimal
    multi_model: bool
    rebalancing: bool
    closed: str


class StageMachine:
    """Moves a desk between stages; remembers only :class:`StageState`, which its caller keeps.

    Equal states and events give equal answers, and a mark that is repeated changes nothing.
    """

    def __init__(self, spec: StageSpec) -> None:
        self._plan = spec.plan
        self._home = spec.home
        self._rehearsal = spec.rehearsal
        self._table = transitions(spec.plan)

    def begin(self, equity: Decimal, at_ns: int) -> StageState:
        """Return the state of a desk that was never marked: below its home, which a person must open.

        A desk whose home is the lowest stage is at home at once, and so is a rehearsal.
        """
        below = None if self._rehearsal else self._plan.below(self._home)
        blank = StageState(
            stage=self._home if below is None else below.name,
            home=self._home,
            since_ns=at_ns,
            capital_usd=Decimal(1),
            equity_open=equity,
            equity_peak=equity,
            week_equity_open=equity,
        )
        return self._entered(blank, (blank.stage, False), equity, at_ns)

    def on_mark(
        self, state: StageState | None, equity: Decimal, at_ns: int
    ) -> tuple[StageState, tuple[StageChange, ...]]:
        """Take in one mark of the whole account and apply the rollback rules that it fires, once each.

        A rule looks at the losses since its stage was entered: the drawdown from the highest equity,
        as a fraction of the stage's capital, and the weeks that closed below their opening. Never
        raises; a stage that the plan no longer knows begins again.
        """
        if state is None or state.stage not in self._plan:
            return self.begin(equity, at_ns), ()
        now = self._marked(state, equity, at_ns)
        place = (now.stage, now.halved)
        changes: list[StageChange] = []
        for event, reason in tuple(self._fired(now, equity)):
            step = self._table[place, event]
            if step.move in _ENTERING and place != (now.stage, now.halved):
                continue  # one step back a mark; a pause may come on top
            before, now = now, self._moved(now, step, reason, equity, at_ns)
            if step.move in _ENTERING or not before.paused:
                changes.append(_change(step, place[0], now, RULE, reason, equity, at_ns))
        return now, tuple(changes)

    def obey(self, state: StageState, order: StageOrder, equity: Decimal, at_ns: int) -> StageChange | str:
        """Carry out a person's order; returns what moved, or one sentence why nothing did.

        Demotion is always possible. A promotion needs evidence of this stage, for the stage that
        follows, that passes its gate and is younger than the last demotion.
        """
        if order.before != state.stage:
            return f"the desk is at {state.stage} by now, not at {order.before}"
        step = self._table.get(((state.stage, state.halved), _EVENT_OF_ORDER[order.move]))
        if step is None:
            return f"{state.stage} is the highest stage"
        if refusal := _REFUSALS[step.move](state, step, order.evidence):
            return refusal
        moved = self._moved(state, step, order.reason, equity, at_ns)
        change = _change(step, state.stage, moved, order.actor, order.reason, equity, at_ns)
        proof = {"evidence": order.evidence, "evidence_sha256": order.evidence_sha256}
        return change.model_copy(update=proof)

    def target(self, state: StageState) -> str | None:
        """Return where a promotion would lead, None from the highest stage."""
        step = self._table.get(((state.stage, state.halved), StageEvent.PROMOTE))
        return None if step is None else step.stage

    def limits(self, state: StageState | None) -> StageLimits:
        """Return what is allowed now; before the first mark, what will be after it."""
        stands = state if state is not None and state.stage in self._plan else self.begin(ZERO, 0)
        stage = self._plan[stands.stage]
        return StageLimits(
            stage=stage.name,
            capital_usd=self._capital(stage.name, halved=stands.halved),
            pairs=None if stage.pairs is None else frozenset(stage.pairs),
            leverage_max=stage.leverage_max,
            multi_model=stage.multi_model,
            rebalancing=stage.rebalancing,
            closed=self._closed(stands),
        )

    def _closed(self, state: StageState) -> str:
        if self._rehearsal:
            return ""
        if self._is_below_home(state.stage):
            return f"the desk is at {state.stage} and may trade from {self._home} on: see tg gates promote"
        return state.paused

    def _is_below_home(self, stage: str) -> bool:
        names = self._plan.names
        return names.index(stage) < names.index(self._home)

    def _capital(self, stage: str, *, halved: bool) -> Decimal:
        """Below its home a desk enters nothing; what it still holds is sized by the smallest up to home."""
        names = self._plan.names
        rank = names.index(stage)
        above = self._plan.stages[rank : max(rank, names.index(self._home)) + 1]
        whole = min(one.capital_usd for one in above)
        return whole / 2 if halved else whole

    def _approval(self, stage: str, week: int) -> Decimal | None:
        return None if self._rehearsal else self._plan[stage].approval_above_usd(week)

    def _marked(self, state: StageState, equity: Decimal, at_ns: int) -> StageState:
        """Move the peak and the week on; what the plan says may have changed since the last mark."""
        stage = self._plan[state.stage]
        week = max(state.week, (at_ns - state.since_ns) // WEEK_NS + 1)
        update: dict[str, object] = {
            "home": self._home,
            "capital_usd": self._capital(stage.name, halved=state.halved),
            "equity_peak": max(state.equity_peak, equity),
            "approval_above_usd": self._approval(stage.name, week),
        }
        if week > state.week:
            lost = equity < state.week_equity_open
            update |= {
                "week": week,
                "week_equity_open": equity,
                "losing_weeks": state.losing_weeks + 1 if lost else 0,
            }
        return state.model_copy(update=update)

    def _fired(self, state: StageState, equity: Decimal) -> Iterator[tuple[StageEvent, str]]:
        """Rules whose limit is reached by this mark; all are read off before the first is applied."""
        reached = {
            Trigger.DRAWDOWN: (state.equity_peak - equity) / state.capital_usd,
            Trigger.LOSING_WEEKS: Decimal(state.losing_weeks),
        }
        for rule in self._plan[state.stage].rollback:
            if reached[rule.trigger] >= rule.limit:
                yield _EVENT_OF_TRIGGER[rule.trigger], _REASONS[rule.trigger](state, equity)

    def _moved(self, state: StageState, step: Step, reason: str, equity: Decimal, at_ns: int) -> StageState:
        """Apply a step. Only a person's resume ends a pause; whatever happens, the marks start again."""
        begun = "" if self._rehearsal else state.paused or reason
        paused = {StageMove.PAUSED: begun, StageMove.RESUMED: ""}
        marks = {"equity_peak": equity, "week_equity_open": equity, "losing_weeks": 0}
        fresh = state.model_copy(update={"paused": paused.get(step.move, state.paused), **marks})
        if step.move is StageMove.DEMOTED:
            fresh = fresh.model_copy(update={"demoted_ns": at_ns})
        return (
            self._entered(fresh, (step.stage, step.halved), equity, at_ns)
            if step.move in _ENTERING
            else fresh
        )

    def _entered(self, state: StageState, place: Place, equity: Decimal, at_ns: int) -> StageState:
        stage, halved = place
        return state.model_copy(
            update={
                "stage": stage,
                "halved": halved,
                "since_ns": at_ns,
                "week": 1,
                "capital_usd": self._capital(stage, halved=halved),
                "equity_open": equity,
                "approval_above_usd": self._approval(stage, 1),
            }
        )


def restaged(state: RiskState, stage: StageState) -> RiskState:
    """Return the risk room's memory at another stage; everything else is remembered."""
    return state.model_copy(update={"stage": stage})


def unstaged(state: StageState) -> StageLimits:
    """Return what a desk may do that was at a stage and has lost it: what it holds, it may close.

    Taking a line out of a desk file must not be the way past every gate.
    """
    return StageLimits(
        stage=state.stage,
        capital_usd=state.capital_usd,
        pairs=None,
        leverage_max=Decimal(1),
        multi_model=True,
        rebalancing=False,
        closed=f"the desk was at stage {state.stage} and its file names none: write stage: {state.home}",
    )


def _drawdown_reason(state: StageState, equity: Decimal) -> str:
    lost = state.equity_peak - equity
    frac = lost / state.capital_usd
    return f"lost {lost:.2f} from the highest equity, {frac:.1%} of the stage's {state.capital_usd} USD"


def _weeks_reason(state: StageState, _: Decimal) -> str:
    return f"{state.losing_weeks} losing weeks in a row"


_REASONS: dict[Trigger, Callable[[StageState, Decimal], str]] = {
    Trigger.DRAWDOWN: _drawdown_reason,
    Trigger.LOSING_WEEKS: _weeks_reason,
}


def _refuse_promotion(state: StageState, step: Step, evidence: Evidence | None) -> str:
    if state.paused:
        return f"the desk is paused ({state.paused}): resume it before it is promoted"
    if evidence is None or not evidence.passes:
        return "a promotion needs evidence that passes the gate"
    if (evidence.stage, evidence.target) != (state.stage, step.stage):
        return f"the evidence is for {evidence.stage} to {evidence.target}, not {state.stage} to {step.stage}"
    if state.demoted_ns is not None and evidence.from_ns < state.demoted_ns:
        return "the evidence begins before the last demotion"
    return ""


def _refuse_resume(state: StageState, _: Step, __: Evidence | None) -> str:
    return "" if state.paused else "the desk is not paused"


def _refuse_nothing(_: StageState, __: Step, ___: Evidence | None) -> str:
    return ""


_REFUSALS: dict[StageMove, Callable[[StageState, Step, Evidence | None], str]] = {
    StageMove.PROMOTED: _refuse_promotion,
    StageMove.RESUMED: _refuse_resume,
    StageMove.DEMOTED: _refuse_nothing,
    StageMove.PAUSED: _refuse_nothing,
}


def _change(
    step: Step, before: str, after: StageState, actor: str, reason: str, equity: Decimal, at_ns: int
) -> StageChange:
    return StageChange(
        move=step.move, before=before, reason=reason, actor=actor, at_ns=at_ns, equity=equity, state=after
    )
