from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tg_actors.backtest.model_gate import CRITERIA, GatePlan, GateReport, GateSample, judge, without_skill
from tg_actors.backtest.model_gate_study import planted, study

QUICK = GatePlan(samples=200, pbo_blocks=10)


def test_a_planted_good_challenger_passes_every_criterion() -> None:
    report = judge("rl-good@2", planted(3, 6.0), QUICK, seed=1)
    assert report.passed, report.sentence
    assert report.failing == ()
    assert [row.name for row in report.rows] == [one.name for one in CRITERIA]


def test_a_planted_bad_challenger_is_refused_by_all_that_measures_skill() -> None:
    report = judge("rl-bad@2", planted(3, -3.0), QUICK, seed=1)
    assert {"sharpe_iqm_365", "sharpe_worst_seed_365", "dsr_frac", "gain_over_champion_frac"} <= set(
        report.failing
    )


def test_the_luckiest_of_twenty_without_skill_is_refused_although_it_looks_good() -> None:
    report = judge("rl-lucky@2", planted(7, 0.0, lucky_of=20), QUICK, seed=1)
    rows = {row.name: row for row in report.rows}
    assert (rows["sharpe_iqm_365"].value or 0.0) > 1.0
    assert rows["sharpe_iqm_365"].passed
    assert not rows["dsr_frac"].passed
    assert not report.passed


def test_of_many_challengers_without_skill_no_more_than_alpha_are_let_through() -> None:
    found = study(QUICK, challengers=200, sharpe=0.0, seed=100)
    assert found.promoted_frac <= 0.01
    assert study(QUICK, challengers=40, sharpe=6.0, seed=100).promoted_frac >= 0.8


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        (
            "seeds",
            lambda s: replace(
                s, seeds=s.seeds[:5], stressed=s.stressed[:5], turnover_daily=s.turnover_daily[:5]
            ),
        ),
        ("windows", lambda s: replace(s, windows=4)),
        (
            "days",
            lambda s: replace(
                s,
                seeds=s.seeds[:, :100],
                stressed=s.stressed[:, :100],
                champion=s.champion[:100],
                rule=s.rule[:100],
                tried=s.tried[:100],
            ),
        ),
        ("dsr_frac", lambda s: replace(s, trials=10**9)),
        ("gain_over_champion_frac", lambda s: replace(s, champion=s.challenger + 0.001)),
        ("gain_over_rule_frac", lambda s: replace(s, rule=s.challenger + 0.001)),
        ("turnover_daily", lambda s: replace(s, turnover_daily=s.turnover_daily * 100.0)),
        ("sharpe_stressed_365", lambda s: replace(s, stressed=s.seeds - 0.02)),
    ],
)
def test_each_criterion_alone_keeps_a_good_challenger_out(
    name: str, changed: Callable[[GateSample], GateSample]
) -> None:
    report = judge("rl-good@2", changed(planted(3, 6.0)), QUICK, seed=1)
    assert name in report.failing


def test_one_seed_that_falls_too_far_is_enough() -> None:
    sample = planted(3, 6.0)
    seeds = sample.seeds.copy()
    seeds[4, 50:56] = -0.06
    assert "max_drawdown_frac" in judge("x", replace(sample, seeds=seeds), QUICK, seed=1).failing


def test_the_typical_seed_is_the_lower_median_and_not_the_best() -> None:
    sample = planted(3, 2.0)
    order = sorted(sample.sharpes.tolist())
    assert sample.sharpes[sample.typical] == order[4]


def test_without_skill_keeps_the_noise_and_takes_the_mean_away() -> None:
    sample = planted(3, 6.0)
    drawn = [without_skill(sample, np.random.default_rng(k)) for k in range(200)]
    means = np.array([one.challenger.mean() for one in drawn])
    assert abs(means.mean()) < 3.0 * means.std() / 200**0.5 + 1e-4
    assert np.mean([one.seeds.std() for one in drawn]) == pytest.approx(sample.seeds.std(), rel=0.05)


def test_every_row_says_how_often_no_skill_meets_it_and_the_report_how_often_all() -> None:
    report = judge("rl-good@2", planted(3, 6.0), QUICK, seed=1, draws=40)
    chances = {row.name: row.chance_frac for row in report.rows}
    assert chances["days"] == 1.0
    assert chances["dsr_frac"] is not None
    assert chances["dsr_frac"] <= 0.1
    assert report.chance_frac == 0.0
    assert GateReport.model_validate_json(report.model_dump_json()) == report
    assert report == judge("rl-good@2", planted(3, 6.0), QUICK, seed=1, draws=40)


def test_a_sample_of_unequal_days_is_refused() -> None:
    sample = planted(3, 0.0)
    with pytest.raises(ValueError, match="same days"):
        replace(sample, rule=sample.rule[:-1])
