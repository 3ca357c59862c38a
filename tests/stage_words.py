"""Stages for tests: the shipped plan, small changes of it, evidence and a person's orders."""

from decimal import Decimal
from typing import Any

from tg_actors.desk.config import load_plan
from tg_actors.desk.staging import evidence_sha256
from tg_actors.domain.stages import Evidence, Finding, Outcome, StageMove, StageOrder, StageState
from tg_actors.risk.stages_plan import StagePlan, StageSpec

PLAN = load_plan()
DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
PERSON = "ada (cli)"


def spec(home: str = "paper", *, rehearsal: bool = False, **changes: Any) -> StageSpec:
    """The shipped plan with a home, some fields of that stage changed."""
    stages = tuple(s.model_copy(update=changes) if s.name == home else s for s in PLAN.stages)
    plan = StagePlan(resampling=PLAN.resampling, stages=stages)
    return StageSpec(plan=plan, home=home, rehearsal=rehearsal)


def evidence(stage: str, target: str, *outcomes: Outcome, from_ns: int = 0) -> Evidence:
    """Evidence with these outcomes, one criterion that is met if none is given."""
    findings = tuple(
        Finding(gate=f"{stage} exit", metric="trades", asked="at least 1", value=1.0, outcome=outcome)
        for outcome in outcomes or (Outcome.MET,)
    )
    return Evidence(
        run="a-run",
        account="paper",
        stage=stage,
        target=target,
        from_ns=from_ns,
        to_ns=from_ns + 30 * DAY_NS,
        cycles=720,
        journal_seq=1,
        journal_hash="0" * 64,
        findings=findings,
    )


def order(move: StageMove, before: str, proof: Evidence | None = None, reason: str = "why not") -> StageOrder:
    """A person's order."""
    sha = "" if proof is None else evidence_sha256(proof)
    return StageOrder(
        move=move, before=before, actor=PERSON, reason=reason, evidence=proof, evidence_sha256=sha
    )


def usd(amount: float | str) -> Decimal:
    return Decimal(str(amount))


def capital(state: StageState) -> Decimal:
    """What the plan lets a desk at this state use at most."""
    whole = PLAN[state.stage].capital_usd
    return whole / 2 if state.halved else whole
