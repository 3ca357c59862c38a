import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from tests.stage_words import DAY_NS, PERSON, PLAN, WEEK_NS, evidence, order, spec, usd
from tg_actors.domain.stages import Outcome, StageChange, StageMove, StageState
from tg_actors.risk.stages import RULE, StageEvent, StageMachine, transitions
from tg_actors.risk.stages_table import markdown_tables

LADDER = ("paper", "micro-100", "micro-200", "micro-500", "micro-1000", "full-2100")


class Year:
    """A desk that is marked once a day, and a person beside it."""

    def __init__(self, home: str = "paper", equity: float = 10_000.0, *, rehearsal: bool = False) -> None:
        self.machine = StageMachine(spec(home, rehearsal=rehearsal))
        self.equity = usd(equity)
        self.day = 0
        self.changes: list[StageChange] = []
        self.state: StageState = self.machine.begin(self.equity, 0)

    def live(self, days: int, gain_a_day: float = 0.0) -> None:
        """Let days pass, each with the same gain in dollars."""
        for _ in range(days):
            self.day += 1
            self.equity += usd(gain_a_day)
            self.state, moved = self.machine.on_mark(self.state, self.equity, self.day * DAY_NS)
            self.changes += moved

    def order(self, move: StageMove, *outcomes: Outcome, from_ns: int | None = None) -> StageChange | str:
        target = self.machine.target(self.state) or ""
        since = self.state.since_ns if from_ns is None else from_ns
        proof = evidence(self.state.stage, target, *outcomes, from_ns=since)
        answer = self.machine.obey(
            self.state, order(move, self.state.stage, proof), self.equity, self.day * DAY_NS
        )
        if isinstance(answer, StageChange):
            self.changes.append(answer)
            self.state = answer.state
        return answer

    @property
    def told(self) -> list[tuple[int, StageMove, str]]:
        return [(change.at_ns // DAY_NS, change.move, change.state.stage) for change in self.changes]


def test_a_scripted_year_goes_exactly_as_the_tables_say() -> None:
    year = Year()
    assert (year.state.stage, year.state.capital_usd) == ("paper", Decimal(2100))
    year.live(30, gain_a_day=5)
    year.order(StageMove.PROMOTED)
    approvals = []
    for _ in range(4):
        approvals.append(year.state.approval_above_usd)
        year.live(7, gain_a_day=0.1)
    # Week 1 everything, week 2 above 25 dollars, weeks 3 and 4 nothing.
    assert approvals == [Decimal(0), Decimal(25), None, None]
    year.order(StageMove.PROMOTED)  # to 200
    year.live(3, gain_a_day=-6)
    assert year.state.stage == "micro-200", "18 of 200 dollars are 9 %"
    year.live(1, gain_a_day=-2)
    assert year.state.stage == "micro-100", "20 of 200 dollars are 10 %"
    assert (year.state.week, year.state.approval_above_usd) == (1, Decimal(0))
    year.live(28, gain_a_day=0.1)
    for _ in range(3):  # to 200, 500, 1000
        year.order(StageMove.PROMOTED)
        year.live(28, gain_a_day=1)
    assert year.state.stage == "micro-1000"
    year.live(21, gain_a_day=-1)
    assert year.state.paused == "3 losing weeks in a row"
    assert year.state.stage == "micro-1000", "21 of 1000 dollars are no drawdown"
    assert "paused" in str(year.order(StageMove.PROMOTED))
    year.order(StageMove.RESUMED)
    year.order(StageMove.PROMOTED)  # to the whole capital
    year.live(10, gain_a_day=10)
    year.live(1, gain_a_day=-314)
    assert not year.state.halved, "314 of 2100 dollars are below 15 %"
    year.live(1, gain_a_day=-1)
    assert (year.state.stage, year.state.halved, year.state.capital_usd) == ("full-2100", True, Decimal(1050))
    year.live(1, gain_a_day=-157)
    assert year.state.halved
    year.live(1, gain_a_day=-1)
    assert (year.state.stage, year.state.halved, year.state.capital_usd) == (
        "micro-1000",
        False,
        Decimal(1000),
    )
    moves = [(move, stage) for _, move, stage in year.told]
    assert moves == [
        (StageMove.PROMOTED, "micro-100"),
        (StageMove.PROMOTED, "micro-200"),
        (StageMove.DEMOTED, "micro-100"),
        (StageMove.PROMOTED, "micro-200"),
        (StageMove.PROMOTED, "micro-500"),
        (StageMove.PROMOTED, "micro-1000"),
        (StageMove.PAUSED, "micro-1000"),
        (StageMove.RESUMED, "micro-1000"),
        (StageMove.PROMOTED, "full-2100"),
        (StageMove.HALVED, "full-2100"),
        (StageMove.DEMOTED, "micro-1000"),
    ]
    automatic = {StageMove.DEMOTED, StageMove.PAUSED, StageMove.HALVED}
    assert all(change.actor == (RULE if change.move in automatic else PERSON) for change in year.changes)
    assert 200 < year.day <= 365


def test_a_rule_fires_once_however_often_its_mark_is_repeated() -> None:
    year = Year("micro-100")
    year.order(StageMove.PROMOTED)
    year.live(1, gain_a_day=-10)
    assert year.told == [(0, StageMove.PROMOTED, "micro-100"), (1, StageMove.DEMOTED, "paper")]
    again, moved = year.machine.on_mark(year.state, year.equity, year.day * DAY_NS)
    assert (again, moved) == (year.state, ())


def test_a_drawdown_counts_from_the_highest_equity_of_the_stage() -> None:
    year = Year("micro-100")
    year.order(StageMove.PROMOTED)
    year.live(5, gain_a_day=4)
    year.live(1, gain_a_day=-9.99)
    assert year.state.stage == "micro-100"
    year.live(1, gain_a_day=-0.01)
    assert year.state.stage == "paper"
    assert "10.0% of the stage's 100 USD" in year.changes[-1].reason


def test_a_winning_or_flat_week_breaks_the_row() -> None:
    year = Year()
    for gain in (-1, -1, 0, -1, -1, 1, -1, -1):
        year.live(7, gain_a_day=gain)
        assert year.state.paused == ""
    year.live(7, gain_a_day=-1)
    assert year.state.paused == "3 losing weeks in a row"
    year.live(70, gain_a_day=-1)
    assert [move for _, move, _ in year.told] == [StageMove.PAUSED], "paused once"


def test_a_demotion_and_a_pause_of_the_same_mark_are_both_done() -> None:
    year = Year("micro-100")
    year.order(StageMove.PROMOTED)
    year.live(14, gain_a_day=-0.1)
    year.live(6, gain_a_day=-0.1)
    year.live(1, gain_a_day=-9)
    assert [move for _, move, _ in year.told[1:]] == [StageMove.DEMOTED, StageMove.PAUSED]
    assert (year.state.stage, year.state.paused) == ("paper", "3 losing weeks in a row")


def test_below_its_home_a_desk_enters_nothing_until_a_person_promotes_it() -> None:
    year = Year("micro-100")
    assert year.state.stage == "paper"
    limits = year.machine.limits(year.state)
    assert "may trade from micro-100 on" in limits.closed
    assert limits.capital_usd == 100, "what it holds is sized by the smaller capital"
    year.live(400)
    assert year.told == []
    year.order(StageMove.PROMOTED)
    assert year.machine.limits(year.state).closed == ""


def test_a_rehearsal_begins_at_home_asks_nobody_and_tells_every_rule_that_fires() -> None:
    year = Year("micro-100", rehearsal=True)
    year.live(1)
    assert (year.state.stage, year.state.approval_above_usd) == ("micro-100", None)
    year.live(48, gain_a_day=-0.1)
    assert [move for _, move, _ in year.told] == [StageMove.PAUSED, StageMove.PAUSED]
    year.live(1, gain_a_day=-10)
    assert year.state.stage == "paper"
    limits = year.machine.limits(year.state)
    assert (limits.closed, limits.capital_usd) == ("", Decimal(100)), "nobody could open it again"


@pytest.mark.parametrize(
    ("outcomes", "ok"),
    [
        ((Outcome.MET,), True),
        ((Outcome.MET, Outcome.NOT_APPLICABLE), True),
        ((Outcome.MET, Outcome.FAILED), False),
        ((Outcome.MET, Outcome.UNDEFINED), False),
    ],
)
def test_only_evidence_that_passes_promotes(outcomes: tuple[Outcome, ...], ok: bool) -> None:
    year = Year()
    answer = year.order(StageMove.PROMOTED, *outcomes)
    assert isinstance(answer, StageChange) is ok


def test_nobody_is_promoted_without_evidence_or_on_that_of_another_gate() -> None:
    machine = StageMachine(spec())
    state = machine.begin(usd(10_000), 0)
    for proof in (None, evidence("micro-100", "micro-200"), evidence("paper", "micro-200")):
        answer = machine.obey(state, order(StageMove.PROMOTED, "paper", proof), usd(1), 1)
        assert isinstance(answer, str)
        assert "evidence" in answer


def test_evidence_from_before_a_demotion_is_void() -> None:
    year = Year("micro-100")
    year.order(StageMove.PROMOTED)
    year.live(1, gain_a_day=-10)
    year.live(5)
    assert "before the last demotion" in str(year.order(StageMove.PROMOTED, from_ns=0))
    assert isinstance(year.order(StageMove.PROMOTED, from_ns=DAY_NS), StageChange)


def test_an_order_for_another_stage_than_the_desk_is_at_is_refused() -> None:
    year = Year()
    stale = order(StageMove.DEMOTED, "micro-100")
    assert "at paper by now" in str(year.machine.obey(year.state, stale, usd(1), 1))


def test_a_halved_desk_is_promoted_to_its_whole_capital() -> None:
    year = Year("full-2100")
    year.state = year.machine.begin(year.equity, 0).model_copy(
        update={"stage": "full-2100", "halved": True, "capital_usd": Decimal(1050)}
    )
    assert year.machine.target(year.state) == "full-2100"
    year.order(StageMove.PROMOTED)
    assert (year.state.halved, year.state.capital_usd) == (False, Decimal(2100))
    assert year.order(StageMove.PROMOTED) == "full-2100 is the highest stage"


def test_a_stage_that_the_plan_has_lost_begins_again_below() -> None:
    machine = StageMachine(spec("micro-100"))
    lost = machine.begin(usd(10_000), 0).model_copy(update={"stage": "micro-300"})
    state, _ = machine.on_mark(lost, usd(10_000), DAY_NS)
    assert state.stage == "paper"
    assert machine.limits(state).closed


def test_resuming_what_is_not_paused_is_refused_and_a_pause_outlives_a_demotion() -> None:
    year = Year("micro-100")
    year.order(StageMove.PROMOTED)
    assert year.order(StageMove.RESUMED) == "the desk is not paused"
    year.order(StageMove.PAUSED)
    year.order(StageMove.DEMOTED)
    assert (year.state.stage, year.state.paused) == ("paper", "why not")
    year.order(StageMove.RESUMED)
    assert year.state.paused == ""


def test_weeks_begin_with_the_stage() -> None:
    year = Year()
    year.live(6)
    assert year.state.week == 1
    year.live(1)
    assert year.state.week == 2
    state, _ = year.machine.on_mark(year.state, year.equity, 10 * WEEK_NS - 1)
    assert state.week == 10


def test_the_table_has_every_row_that_the_roadmap_names() -> None:
    table = transitions(PLAN)
    assert PLAN.names == LADDER
    for below, stage in itertools.pairwise(LADDER):
        assert table[(stage, False), StageEvent.DEMOTE].stage == below
        assert table[(below, False), StageEvent.PROMOTE].stage == stage
        assert table[(stage, False), StageEvent.LOSING_WEEKS].move is StageMove.PAUSED
    for stage in LADDER[1:-1]:
        step = table[(stage, False), StageEvent.DRAWDOWN]
        assert (step.move, step.stage) == (StageMove.DEMOTED, LADDER[LADDER.index(stage) - 1])
    assert table[("full-2100", False), StageEvent.DRAWDOWN].move is StageMove.HALVED
    assert ((("full-2100", False), StageEvent.PROMOTE)) not in table
    assert table[("paper", False), StageEvent.DEMOTE].move is StageMove.PAUSED


@pytest.mark.parametrize("marker", ["stages", "stage gates", "stage moves"])
def test_the_documented_tables_are_the_configuration(marker: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "stages.md").read_text()
    inside = page.split(f"<!-- {marker}: begin -->\n")[1].split(f"\n<!-- {marker}: end -->")[0]
    assert inside.strip() == markdown_tables(PLAN)[marker]
