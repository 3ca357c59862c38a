import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.rl.sequential import (
    PairedDays,
    SequentialPlan,
    Side,
    evidence_against,
    evidence_for,
    log_evidence,
    look,
)
from tg_actors.rl.sequential_study import RULES, study

PLAN = SequentialPlan()
TWICE = SequentialPlan(rate_max=2 * PLAN.rate_max)
LOOKS = np.arange(28, 365, 7)
differences = st.lists(st.floats(-0.2, 0.2, allow_nan=False), min_size=1, max_size=60)


def after(values: list[float], scale_frac: float = 0.01, plan: SequentialPlan = PLAN) -> PairedDays:
    seen = PairedDays(scale_frac=scale_frac)
    for value in values:
        seen = seen.then(value, plan)
    return seen


@given(values=differences)
def test_the_evidence_is_the_mean_worth_of_all_who_bet(values: list[float]) -> None:
    worths, past = np.ones(len(PLAN.rates)), 0.0
    for day, value in enumerate(values):
        unit = value / 0.01
        usual = max(1.0, math.sqrt(past / max(day, 1)))
        worths = np.where(
            worths > 0.0, worths * np.maximum(1.0 + np.array(PLAN.rates) * unit / usual, 0.0), 0.0
        )
        past += unit * unit
    assert math.exp(log_evidence(after(values).up)) == pytest.approx(
        float(worths.mean()), rel=1e-6, abs=1e-12
    )


def test_on_average_nobody_gains_by_betting_on_differences_without_a_mean() -> None:
    # All sequences of 10 days of a small gain of 9 chances in 10 and a loss of 9 times its size.
    gain, loss, days = 0.003, -0.027, 10
    mean = 0.0
    for losses in range(days + 1):
        chance = math.comb(days, losses) * 0.1**losses * 0.9 ** (days - losses)
        # The order matters where the usual size has grown: every place of the losses counts alike.
        several = list(itertools.combinations(range(days), losses))
        for places in several:
            values = [loss if day in places else gain for day in range(days)]
            mean += chance / len(several) * evidence_for(after(values))
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_a_day_that_costs_more_than_was_bet_is_never_made_up_for() -> None:
    lost = after([0.01] * 200 + [-0.5] + [0.01] * 20)
    assert evidence_for(after([0.01] * 200)) > 1e6
    assert evidence_for(lost) == 0.0
    assert look(lost, PLAN) is not Side.CHALLENGER


def test_a_usual_size_that_is_far_too_small_does_not_make_it_credulous() -> None:
    days = np.random.default_rng(11).standard_t(4, (1_000, 364)) / 2**0.5
    for times in (3.0, 10.0):
        assert RULES["always_valid"][1](times * days, LOOKS, PLAN).any(axis=1).mean() <= 0.05


@given(values=differences)
def test_what_speaks_for_one_speaks_against_the_other_who_goes_sooner(values: list[float]) -> None:
    seen, mirrored = after(values), after([-value for value in values], plan=TWICE)
    assert evidence_for(mirrored) == pytest.approx(evidence_against(seen))
    assert PairedDays.model_validate_json(seen.model_dump_json()) == seen


def test_who_loses_as_much_as_a_usual_day_varies_is_found_within_three_weeks() -> None:
    assert look(after([-0.011, -0.009] * 10), PLAN) is Side.CHAMPION
    assert look(after([0.011, 0.009] * 10), PLAN) is Side.UNDECIDED


def test_a_year_of_equal_days_decides_by_their_sign() -> None:
    better = [0.004, -0.002] * 100
    assert look(after(better, 0.003), PLAN) is Side.CHALLENGER
    assert look(after([-value for value in better], 0.003), PLAN) is Side.CHAMPION
    assert look(after([0.004, -0.004] * 100, 0.003), PLAN) is Side.UNDECIDED


def test_a_day_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        PairedDays(scale_frac=0.01).then(math.nan, PLAN)


def test_looks_are_weekly_from_day_28_to_a_year() -> None:
    looks = [day for day in range(500) if PLAN.is_look(day)]
    assert (looks[0], looks[1], looks[-1], len(looks)) == (28, 35, 364, 49)


def test_promotions_under_weekly_looks_are_rare_without_skill_and_frequent_with_it() -> None:
    found = {(row.rule, row.sharpe_365, row.noise): row for row in study(PLAN, seed=0, rows=4_000)}
    assert found["always_valid", 0.0, "t4"].promoted_frac <= 0.02
    assert found["always_valid", 3.0, "t4"].promoted_frac >= 0.65
    assert found["always_valid", 4.0, "t4"].promoted_frac >= 0.88
    # What others promote without any skill.
    assert found["ahead_30_days", 0.0, "t4"].promoted_frac >= 0.99
    assert found["naive_weekly", 0.0, "t4"].promoted_frac >= 0.2
    assert 0.03 <= found["once", 0.0, "t4"].promoted_frac <= 0.08
    # Rare disasters that have not happened yet deceive a naive test.
    skewed = found["always_valid", 0.0, "disasters"].promoted_frac
    assert skewed <= 0.02
    assert found["naive_weekly", 0.0, "disasters"].promoted_frac >= 0.2


def test_the_study_and_the_test_agree_on_every_look() -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_t(4, 364) / 2**0.5 + 4.0 / 365**0.5
    seen, first = PairedDays(scale_frac=1.0), None
    for day, value in enumerate(values.tolist(), start=1):
        seen = seen.then(value, PLAN)
        if first is None and PLAN.is_look(day) and look(seen, PLAN) is Side.CHALLENGER:
            first = day
    hits = RULES["always_valid"][1](values[np.newaxis], LOOKS, PLAN)[0]
    assert first == int(LOOKS[int(hits.argmax())])
