"""The stages as tables for people: what each allows and asks, and what moves a desk between them."""

from collections.abc import Sequence
from decimal import Decimal

from tg_actors.domain.stages import StageMove
from tg_actors.risk.stages import StageEvent, Step, transitions
from tg_actors.risk.stages_plan import Criterion, RollbackRule, Stage, StagePlan, Trigger

_COLUMNS = ("stage", "capital", "days", "pairs", "leverage", "agents heard", "rebalancing", "approvals")


def markdown_tables(plan: StagePlan) -> dict[str, str]:
    """Return the tables of ``docs/stages.md`` by the names of their markers."""
    return {"stages": _stages(plan), "stage gates": _gates(plan), "stage moves": _moves(plan)}


def _stages(plan: StagePlan) -> str:
    rows = [
        (
            stage.name,
            f"{stage.capital_usd} USD{'' if stage.real_money else ' of paper'}",
            str(stage.duration_days_min),
            "all" if stage.pairs is None else ", ".join(stage.pairs),
            f"{stage.leverage_max}",
            "all" if stage.multi_model else "the first",
            "yes" if stage.rebalancing else "no",
            _approvals(stage),
        )
        for stage in plan.stages
    ]
    return _table(_COLUMNS, rows)


def _approvals(stage: Stage) -> str:
    words = [f"from week {step.from_week}: {_above(step.above_usd)}" for step in stage.approvals]
    return "; ".join(words) or "none"


def _above(above_usd: Decimal | None) -> str:
    if above_usd is None:
        return "none"
    return "every entry" if above_usd == 0 else f"entries above {above_usd} USD"


def _gates(plan: StagePlan) -> str:
    """One row a criterion, one column a stage; what a stage's entry adds stands with its name."""
    asked: dict[str, dict[str, str]] = {}
    for stage in plan.stages:
        for criterion in stage.exit:
            asked.setdefault(_name(criterion), {})[stage.name] = _bound(criterion)
        for criterion in stage.entry:
            asked.setdefault(f"{_name(criterion)}, to enter", {})[stage.name] = _bound(criterion)
    rows = [(name, *(bounds.get(stage, "") for stage in plan.names)) for name, bounds in asked.items()]
    return _table(("to leave", *plan.names), rows)


def _name(criterion: Criterion) -> str:
    return f"`{criterion.metric}`{', where an LLM speaks' if criterion.when_llm else ''}"


def _bound(criterion: Criterion) -> str:
    return f"≥ {criterion.at_least}" if criterion.at_least is not None else f"≤ {criterion.at_most}"


def _moves(plan: StagePlan) -> str:
    """What a person's word and each rule does at every stage; half the capital only where it can be."""
    table = transitions(plan)
    halvable = {step.stage for step in table.values() if step.move is StageMove.HALVED}
    places = [
        (s.name, halved) for s in plan.stages for halved in (False, True) if not halved or s.name in halvable
    ]
    rows = []
    for name, halved in places:
        rule = {trigger: plan[name].rule(trigger) for trigger in Trigger}
        rows.append(
            (
                f"{name}{' at half' if halved else ''}",
                _step(table.get(((name, halved), StageEvent.PROMOTE))),
                _step(table.get(((name, halved), StageEvent.DEMOTE))),
                _ruled(rule[Trigger.DRAWDOWN], table.get(((name, halved), StageEvent.DRAWDOWN))),
                _ruled(rule[Trigger.LOSING_WEEKS], table.get(((name, halved), StageEvent.LOSING_WEEKS))),
            )
        )
    return _table(
        ("stage", "a person promotes", "a person demotes", "drawdown", "losing weeks in a row"), rows
    )


def _ruled(rule: RollbackRule | None, step: Step | None) -> str:
    if rule is None:
        return "-"
    limit = f"{rule.limit:.0%}" if rule.trigger is Trigger.DRAWDOWN else f"{rule.limit}"
    return f"{limit}: {_step(step)}"


_WORDS = {
    StageMove.PROMOTED: "to {stage}",
    StageMove.DEMOTED: "back to {stage}",
    StageMove.PAUSED: "pause",
    StageMove.RESUMED: "resume",
    StageMove.HALVED: "half the capital",
}


def _step(step: Step | None) -> str:
    return "-" if step is None else _WORDS[step.move].format(stage=step.stage)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
