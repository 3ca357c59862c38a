"""The stage machine against any sequence of marks, orders and restarts."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.stage_words import DAY_NS, PLAN, capital, evidence, order, spec
from tg_actors.domain.stages import Outcome, StageChange, StageMove, StageState
from tg_actors.risk.stages import RULE, StageMachine, transitions

NAMES = PLAN.names
outcomes = st.lists(st.sampled_from(Outcome), min_size=1, max_size=3)
gains = st.integers(-400, 400).map(lambda cents: Decimal(cents) / 4)


class StageModel(RuleBasedStateMachine):
    """A desk of any home; the model knows only what the roadmap promises, not how it is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.equity = Decimal(5_000)
        self.at_ns = 0
        self.home = ""

    def _begin(self, home: str) -> None:
        self.home = home
        self.machine = StageMachine(spec(home))
        self.state: StageState = self.machine.begin(self.equity, self.at_ns)

    @precondition(lambda self: not self.home)
    @rule(home=st.sampled_from(NAMES))
    def open_the_desk(self, home: str) -> None:
        self._begin(home)
        assert self._rank() == max(0, NAMES.index(home) - 1)

    @precondition(lambda self: self.home)
    @rule(gain=gains, days=st.integers(1, 9))
    def mark(self, gain: Decimal, days: int) -> None:
        before, self.at_ns = self.state, self.at_ns + days * DAY_NS
        self.equity = max(self.equity + gain, Decimal(1))
        self.state, changes = self.machine.on_mark(before, self.equity, self.at_ns)
        assert self.machine.on_mark(self.state, self.equity, self.at_ns) == (self.state, ())
        # Nothing but a person leads up, resumes, or gives capital back.
        assert all(change.actor == RULE for change in changes)
        assert {change.move for change in changes} <= {StageMove.DEMOTED, StageMove.PAUSED, StageMove.HALVED}
        assert NAMES.index(before.stage) - 1 <= self._rank() <= NAMES.index(before.stage)
        assert not (before.paused and not self.state.paused)
        # Only a desk of paper money, demoted to paper, may use more than before.
        assert self.state.capital_usd <= before.capital_usd or self.state.stage == self.home == "paper"
        assert (self.state.stage, self.state.halved) == (before.stage, before.halved) or changes

    @precondition(lambda self: self.home)
    @rule(shown=outcomes, stale=st.booleans())
    def promote(self, shown: list[Outcome], stale: bool) -> None:
        target = self.machine.target(self.state)
        from_ns = 0 if stale else self.state.since_ns
        proof = evidence(self.state.stage, target or "nowhere", *shown, from_ns=from_ns)
        answer = self._obey(StageMove.PROMOTED, proof)
        passes = all(outcome in {Outcome.MET, Outcome.NOT_APPLICABLE} for outcome in shown)
        if isinstance(answer, StageChange):
            assert passes
            assert answer.state.stage == target
            assert answer.evidence == proof
        else:
            demoted_since = self.state.demoted_ns is not None and from_ns < self.state.demoted_ns
            assert target is None or self.state.paused or not passes or demoted_since

    @precondition(lambda self: self.home)
    @rule()
    def demote(self) -> None:
        before = self.state
        assert isinstance(self._obey(StageMove.DEMOTED, None), StageChange), "always possible"
        assert self._rank() == max(0, NAMES.index(before.stage) - 1)
        assert self._rank() < NAMES.index(before.stage) or self.state.paused

    @precondition(lambda self: self.home)
    @rule()
    def promote_without_evidence(self) -> None:
        assert isinstance(self._obey(StageMove.PROMOTED, None), str)

    @precondition(lambda self: self.home)
    @rule(move=st.sampled_from([StageMove.PAUSED, StageMove.RESUMED]))
    def pause_or_resume(self, move: StageMove) -> None:
        stage = self.state.stage
        self._obey(move, None)
        assert (self.state.stage, bool(self.state.paused)) == (stage, move is StageMove.PAUSED)

    @precondition(lambda self: self.home)
    @rule()
    def restart(self) -> None:
        self.machine = StageMachine(spec(self.home))
        self.state = StageState.model_validate_json(self.state.model_dump_json())

    @invariant()
    def never_more_than_the_stage_allows(self) -> None:
        if not self.home:
            return
        limits = self.machine.limits(self.state)
        assert limits.capital_usd == self.state.capital_usd <= capital(self.state)
        below = self._rank() < NAMES.index(self.home)
        assert limits.capital_usd <= PLAN[self.home].capital_usd or not below
        assert bool(limits.closed) is (below or bool(self.state.paused))
        assert self.state.approval_above_usd == PLAN[self.state.stage].approval_above_usd(self.state.week)
        assert self.state.equity_peak >= self.equity

    def _obey(self, move: StageMove, proof: object) -> StageChange | str:
        wish = order(move, self.state.stage, proof)  # type: ignore[arg-type]  # evidence or None
        answer = self.machine.obey(self.state, wish, self.equity, self.at_ns)
        if isinstance(answer, StageChange):
            self.state = answer.state
        return answer

    def _rank(self) -> int:
        return NAMES.index(self.state.stage)


TestStages = StageModel.TestCase
TestStages.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("stage", PLAN.stages, ids=lambda stage: stage.name)
@given(lost=st.decimals("0.01", "3000", places=2))
def test_a_drawdown_rule_fires_exactly_at_its_limit(stage: object, lost: Decimal) -> None:
    name = stage.name  # type: ignore[attr-defined]  # parametrised with stages
    machine = StageMachine(spec(name, rehearsal=True))
    state = machine.begin(Decimal(10_000), 0)
    _, changes = machine.on_mark(state, Decimal(10_000) - lost, DAY_NS)
    limit = PLAN[name].rollback[0].limit * PLAN[name].capital_usd
    assert bool(changes) is (lost >= limit)


def test_every_row_of_the_table_leads_to_a_stage_of_the_plan_and_none_but_a_promotion_up() -> None:
    for ((stage, halved), _), step in transitions(PLAN).items():
        assert step.stage in NAMES
        gained = (NAMES.index(step.stage), not step.halved) > (NAMES.index(stage), not halved)
        assert gained is (step.move is StageMove.PROMOTED)
