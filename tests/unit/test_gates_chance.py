from decimal import Decimal

import numpy as np
import pytest

from tests.stage_words import PLAN
from tg_actors.portfolio.performance import max_drawdown, sharpe_daily_365
from tg_actors.portfolio.resampling import stationary
from tg_actors.risk.gates import Spread
from tg_actors.risk.gates_chance import (
    Sample,
    drawdown,
    largest_loss,
    profit_factor,
    sharpe,
    spreads,
    win_rate,
    without_skill,
)
from tg_actors.risk.stages_plan import Criterion, Metric

MANY = PLAN.resampling.model_copy(update={"samples": 20_000})
NOTHING = np.empty(0)
SHARPE_1 = Criterion(metric=Metric.SHARPE, at_least=Decimal(1))


def of(criterion: Criterion, sample: Sample, days_min: int = 30) -> Spread:
    return spreads(sample, [criterion], MANY, days_min)[criterion]


def daily(days: int, mean: float = 0.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def test_luck_alone_passes_a_sharpe_of_one_over_thirty_days_in_37_of_100_cases() -> None:
    """../shared/facts/rl.md 5.4: 37 to 39 % of strategies without skill."""
    of_nothing = of(SHARPE_1, Sample(NOTHING, NOTHING)).chance_frac
    of_thirty = of(SHARPE_1, Sample(daily(30), NOTHING)).chance_frac
    assert of_nothing == pytest.approx(0.385, abs=0.02)
    assert of_thirty == pytest.approx(0.385, abs=0.02)
    harder = Criterion(metric=Metric.SHARPE, at_least=Decimal("1.5"))
    assert of(harder, Sample(NOTHING, NOTHING)).chance_frac == pytest.approx(0.325, abs=0.02)


def test_more_days_leave_less_to_luck() -> None:
    samples = {days: Sample(daily(days), NOTHING) for days in (30, 90, 730)}
    few = PLAN.resampling
    chances = [spreads(sample, [SHARPE_1], few, 30)[SHARPE_1].chance_frac or 0 for sample in samples.values()]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.1


def test_without_skill_nothing_is_earned_at_the_same_volatility() -> None:
    shown = daily(400, mean=0.01)
    lucky = without_skill(np.random.default_rng(2), shown, 2_000, 30)
    assert lucky.shape == (2_000, 400)
    assert abs(lucky.mean()) < 1e-4
    assert lucky.std() == pytest.approx(shown.std(ddof=1), rel=0.02)
    assert np.abs(lucky).max() > 8 * lucky.std(), "fat tails"


def test_statistics_of_rows_are_those_of_the_report() -> None:
    rows = np.random.default_rng(3).normal(0.001, 0.02, (5, 60))
    for row, ratio, fall in zip(rows, sharpe(rows), drawdown(rows), strict=True):
        assert ratio == pytest.approx(sharpe_daily_365(row))
        assert fall == pytest.approx(max_drawdown(np.concatenate(([1.0], np.cumprod(1 + row)))))


def test_statistics_of_trades() -> None:
    trades = np.array([[0.02, -0.01, 0.0, 0.03], [0.01, 0.02, 0.03, 0.04]])
    assert win_rate(trades).tolist() == [0.5, 1.0]
    assert profit_factor(trades)[0] == pytest.approx(5.0)
    assert np.isnan(profit_factor(trades)[1])
    assert largest_loss(trades).tolist() == [0.01, 0.0]


def test_a_statistic_that_is_not_defined_is_not_a_number() -> None:
    assert np.isnan(sharpe(np.zeros((1, 30)))[0])


def test_blocks_run_on_around_the_end_and_have_the_asked_length() -> None:
    indices = stationary(np.random.default_rng(4), 50, 2_000, 5.0)
    assert indices.shape == (2_000, 50)
    assert (indices.min(), indices.max()) == (0, 49)
    goes_on = (np.diff(indices, axis=1) % 50 == 1).mean()
    # A new block begins with probability 1/5 and then hits the next index once in 50.
    assert goes_on == pytest.approx(0.8 + 0.2 / 50, abs=0.01)
    assert np.bincount(indices.ravel(), minlength=50) == pytest.approx(np.full(50, 2_000), rel=0.15)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 desks with a true Sharpe of 1.9 over a year, 95 % of the intervals hold it."""
    truth = 0.001 / 0.01 * np.sqrt(365)
    held = 0
    few = PLAN.resampling.model_copy(update={"samples": 400})
    for seed in range(200):
        shown = Sample(daily(365, mean=0.001, seed=seed), NOTHING)
        spread = spreads(shown, [SHARPE_1], few, 30)[SHARPE_1]
        held += (spread.low or 0) <= truth <= (spread.high or 0)
    assert 0.88 <= held / 200 <= 0.99


def test_equal_samples_give_equal_figures_and_another_seed_others() -> None:
    shown = Sample(daily(30), np.random.default_rng(5).normal(0.001, 0.01, 40))
    criteria = PLAN["paper"].exit
    once = spreads(shown, criteria, PLAN.resampling, 30)
    assert spreads(shown, criteria, PLAN.resampling, 30) == once
    reseeded = PLAN.resampling.model_copy(update={"seed": 7})
    assert spreads(shown, criteria, reseeded, 30) != once
    alone = spreads(shown, criteria[1:2], PLAN.resampling, 30)
    assert alone[criteria[1]] == once[criteria[1]], "a figure does not depend on who else is asked"


def test_nothing_to_draw_from_gives_no_interval_and_no_chance_but_that_of_the_sharpe() -> None:
    found = spreads(Sample(NOTHING, NOTHING), PLAN["paper"].exit, PLAN.resampling, 30)
    assert all((spread.low, spread.high) == (None, None) for spread in found.values())
    assert {c.metric for c, spread in found.items() if spread.chance_frac is not None} == {Metric.SHARPE}


def test_trades_without_their_mean_win_by_luck_alone() -> None:
    even = Criterion(metric=Metric.PROFIT_FACTOR, at_least=Decimal(1))
    chance = of(even, Sample(NOTHING, np.random.default_rng(6).normal(0.02, 0.01, 200))).chance_frac
    assert chance == pytest.approx(0.5, abs=0.05), "however good the trades were"


def test_a_machine_s_own_figures_have_neither_interval_nor_chance() -> None:
    uptime = Criterion(metric=Metric.UPTIME, at_least=Decimal("0.99"))
    assert spreads(Sample(daily(30), daily(30)), [uptime], PLAN.resampling, 30) == {}
