import pytest

from tg_actors.rl.acts import Roles
from tg_actors.rl.improvement import (
    ENDED,
    TABLE,
    WATCHED,
    Attempt,
    Began,
    Collected,
    Event,
    ImprovementPlan,
    Judged,
    Stage,
    Trained,
    Watched,
    Withdrawn,
    advance,
    attempt_after,
    wanted,
)
from tg_actors.rl.sequential import SequentialPlan

#: It bets more than the default, to see differences of a usual day at the first look.
BOLD = SequentialPlan(rate_max=0.25)
PLAN = ImprovementPlan(canary_days=7, probation_days=14, sequential=BOLD)
BEGUN: list[Event] = [
    Began(champion=1),
    Collected(market="m", first_day=0, end_day=100),
    Trained(version=2, sha256="ab", scale_frac=0.01),
    Judged(passed=True, why="open"),
]


def days(count: int, difference: float, first: int = 100) -> list[Event]:
    """Days on which the challenger earns as much more, and the champion nothing; they differ a little."""
    return [
        Watched(day=first + k, challenger_frac=difference + (0.001 if k % 2 else -0.001), champion_frac=0.0)
        for k in range(count)
    ]


def test_a_better_challenger_goes_through_every_stage() -> None:
    attempt, seen = Attempt(), []
    for event in (*BEGUN, *days(60, 0.01)):
        attempt = advance(attempt, event, PLAN) if not attempt.has_ended or event is BEGUN[0] else attempt
        seen.append(attempt.stage)
    order = list(dict.fromkeys(seen))
    assert order == [
        Stage.COLLECTING,
        Stage.TRAINING,
        Stage.GATE,
        Stage.SHADOW,
        Stage.CANARY,
        Stage.CHAMPION,
        Stage.SETTLED,
    ]
    # 28 days of shadow, 7 as canary, 14 as champion.
    assert (seen.index(Stage.CANARY) - 3, seen.index(Stage.CHAMPION) - 3) == (28, 35)
    assert seen.index(Stage.SETTLED) - 3 == 49


def test_nothing_is_known_before_day_28_and_looks_are_weekly_after_it() -> None:
    shadow = attempt_after((*BEGUN, *days(27, 0.05)), PLAN)
    assert shadow.stage is Stage.SHADOW
    undecided = attempt_after((*BEGUN, *days(30, 0.0)), PLAN)
    assert undecided.stage is Stage.SEQUENTIAL
    # From then on every day is a good one: the next look is on day 35, not on day 34.
    almost = attempt_after((*BEGUN, *days(30, 0.0), *days(4, 0.5, 130)), PLAN)
    assert almost.stage is Stage.SEQUENTIAL
    watched = attempt_after((*BEGUN, *days(30, 0.0), *days(40, 0.01, 130)), PLAN)
    assert watched.stage in {Stage.CANARY, Stage.CHAMPION, Stage.SETTLED}


def test_a_worse_one_is_refused_in_shadow_and_an_equal_one_after_a_year() -> None:
    worse = attempt_after((*BEGUN, *days(28, -0.01)), PLAN)
    assert worse.stage is Stage.REFUSED
    assert "worse than the champion" in worse.why
    equal = attempt_after((*BEGUN, *days(364, 0.0)), PLAN)
    assert equal.stage is Stage.REFUSED
    assert "undecided after 364 days" in equal.why


@pytest.mark.parametrize("served", [28, 36])
def test_a_drawdown_takes_a_serving_one_back_at_once(served: int) -> None:
    crash = Watched(day=100 + served, challenger_frac=-0.2, champion_frac=-0.2)
    attempt = attempt_after((*BEGUN, *days(served, 0.01), crash), PLAN)
    assert attempt.stage is Stage.ROLLED_BACK
    assert "drawdown" in attempt.why


def test_a_second_test_takes_a_champion_back_that_turns_out_worse() -> None:
    slow = PLAN.model_copy(update={"probation_days": 300, "drawdown_frac_max": 0.9})
    attempt = attempt_after((*BEGUN, *days(36, 0.01)), slow)
    k = 0
    while attempt.stage is Stage.CHAMPION:
        attempt = advance(attempt, days(1, -0.01, 136 + k)[0], slow)
        k += 1
    assert attempt.stage is Stage.ROLLED_BACK
    assert "worse than the one before" in attempt.why
    assert k < 90


@pytest.mark.parametrize("event", [Began(champion=1), *BEGUN[1:], *days(1, 0.0), Withdrawn(why="x")])
@pytest.mark.parametrize("stage", list(Stage))
def test_only_what_the_table_names_can_happen(stage: Stage, event: Event) -> None:
    attempt = attempt_after(BEGUN, PLAN).model_copy(update={"stage": stage})
    if (stage, type(event)) in TABLE:
        attempt = attempt.model_copy(update={"watch": attempt.paired})
        advance(attempt, event, PLAN)
        return
    with pytest.raises(ValueError, match="nothing can be"):
        advance(attempt, event, PLAN)


def test_every_stage_can_be_left_and_every_attempt_can_be_withdrawn() -> None:
    left = {stage for stage, _ in TABLE}
    assert left == set(Stage)
    withdrawn = {stage for stage, event in TABLE if event is Withdrawn}
    assert withdrawn == set(Stage) - ENDED


def test_a_day_is_taken_once_and_in_order() -> None:
    attempt = attempt_after((*BEGUN, *days(3, 0.0)), PLAN)
    for day in (102, 99):
        with pytest.raises(ValueError, match="comes after it was passed"):
            advance(attempt, Watched(day=day, challenger_frac=0.0, champion_frac=0.0), PLAN)


def test_roles_follow_from_the_stage_alone() -> None:
    attempt = attempt_after(BEGUN, PLAN)
    roles = Roles(champion=1)
    by_stage = {s: wanted(attempt.model_copy(update={"stage": s}), PLAN, roles) for s in Stage}
    assert by_stage[Stage.SHADOW].shadow == by_stage[Stage.SEQUENTIAL].shadow == 2
    assert (by_stage[Stage.CANARY].canary, by_stage[Stage.CANARY].canary_share_frac) == (2, 0.1)
    assert by_stage[Stage.CHAMPION].champion == 2
    assert all(by_stage[s].champion == 1 for s in Stage if s not in {Stage.CHAMPION, Stage.SETTLED})
    back = wanted(attempt.model_copy(update={"stage": Stage.ROLLED_BACK}), PLAN, Roles(champion=2))
    assert back.rollback


def test_an_attempt_round_trips_in_every_stage() -> None:
    attempt = Attempt()
    for event in (*BEGUN, *days(50, 0.01)):
        if attempt.has_ended and not isinstance(event, Began):
            break
        attempt = advance(attempt, event, PLAN)
        assert Attempt.model_validate_json(attempt.model_dump_json()) == attempt
    assert attempt.stage not in WATCHED
