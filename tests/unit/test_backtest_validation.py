"""Statistics of belief against closed forms, simulations and other libraries."""

import itertools
import math
import re
from statistics import NormalDist

import numpy as np
import purgedcv
import pytest
from arch.bootstrap import SPA, optimal_block_length

from tg_actors.backtest.validation import bootstrap, montecarlo, overfitting, significance
from tg_actors.backtest.validation.evidence import DEFINITIONS, Evidence, Verdict, evidence
from tg_actors.domain.blocks import F64
from tg_actors.portfolio.metrics import sharpe_daily_365
from tg_actors.portfolio.resampling import optimal_block

COSTS = "fee 10 bps"


def daily(days: int, sharpe_365: float = 0.0, seed: int = 1) -> F64:
    """Fat-tailed daily returns of one per cent with a true yearly Sharpe ratio."""
    noise = np.random.default_rng(seed).standard_t(5, days) / math.sqrt(5 / 3)
    returns: F64 = 0.01 * (noise + sharpe_365 / math.sqrt(365))
    return returns


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_agree_with_purgedcv(seed: int) -> None:
    returns = daily(400, 3.0, seed)
    seen = overfitting.moments(returns)
    assert seen is not None
    # They take ddof 0 in a Sharpe ratio, we ddof 1: three digits of 400.
    assert overfitting.probabilistic_sharpe(returns) == pytest.approx(
        purgedcv.probabilistic_sharpe_ratio(returns, 0.0), abs=2e-3
    )
    assert overfitting.deflated_sharpe(returns, 50, 0.05) == pytest.approx(
        purgedcv.deflated_sharpe_ratio(returns, 50, 0.05**2), abs=2e-3
    )
    theirs = purgedcv.min_track_record_length(seen.sharpe, 0.0, 0.05, seen.skew, seen.kurtosis)
    ours = overfitting.track_record_min(returns)
    assert ours is not None
    assert theirs - 1 <= ours <= theirs


def test_a_track_record_of_the_length_asked_for_is_believed() -> None:
    returns = daily(500, 2.0)
    seen = overfitting.moments(returns)
    assert seen is not None
    length = overfitting.track_record_min(returns)
    assert length is not None
    at_length = seen.sharpe * math.sqrt((length - 1) / seen.variance)
    assert NormalDist().cdf(at_length) == pytest.approx(0.95)
    assert overfitting.track_record_min(-returns) is None


@pytest.mark.parametrize("trials", [2, 10, 100, 1_000])
def test_luck_is_the_mean_maximum_of_normal_numbers(trials: int) -> None:
    drawn = np.random.default_rng(3).standard_normal((4_000, trials)).max(axis=1).mean()
    # Bailey and López de Prado's formula is an approximation for many trials.
    assert overfitting.sharpe_of_luck(trials, 1.0) == pytest.approx(drawn, abs=0.06 if trials > 2 else 0.2)
    assert overfitting.sharpe_of_luck(trials, 0.1) == pytest.approx(
        overfitting.sharpe_of_luck(trials, 1) / 10
    )


def test_however_many_trials_there_is_a_luckiest_one() -> None:
    luck = [overfitting.sharpe_of_luck(10**power, 1.0) for power in range(1, 30)]
    assert all(after > before for before, after in itertools.pairwise(luck))
    assert luck[-1] < math.sqrt(2.0 * math.log(10**29))  # what no mean maximum of normal numbers exceeds


def test_one_trial_needs_no_deflation_and_none_makes_no_sense() -> None:
    returns = daily(300, 1.0)
    assert overfitting.deflated_sharpe(returns, 1) == overfitting.probabilistic_sharpe(returns)
    with pytest.raises(ValueError, match="at least once"):
        overfitting.sharpe_of_luck(0, 1.0)


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.01] * 10], ids=["none", "two", "all equal"])
def test_what_has_no_deviation_has_no_probability(returns: list[float]) -> None:
    assert overfitting.probabilistic_sharpe(np.array(returns)) is None
    assert overfitting.track_record_min(np.array(returns)) is None


@pytest.mark.parametrize("shape", [(120, 7), (203, 12)])
def test_the_probability_of_overfitting_agrees_with_purgedcv(shape: tuple[int, int]) -> None:
    returns = np.random.default_rng(5).normal(0, 0.01, shape)
    returns[:, 0] += 0.002
    ours = overfitting.pbo(returns, blocks=8)
    # They put a remainder into the first blocks, we drop it at the beginning.
    kept = returns[shape[0] % 8 :]
    theirs = purgedcv.probability_of_backtest_overfitting(kept.T, n_splits=8)
    assert len(ours.logits) == theirs.n_combos == math.comb(8, 4)
    assert ours.probability == pytest.approx(theirs.pbo, abs=1e-12)


def test_overfitting_of_noise_is_a_coin_and_of_a_true_edge_rare() -> None:
    rng = np.random.default_rng(7)
    noise = np.mean([overfitting.pbo(rng.normal(0, 0.01, (160, 10)), 8).probability for _ in range(40)])
    assert 0.4 < noise < 0.65
    edge = rng.normal(0, 0.01, (600, 20))
    edge[:, 3] += 0.003
    found = overfitting.pbo(edge, 8)
    assert found.probability == 0
    assert found.loss_probability == 0
    assert (found.in_sample > 0).all()


def test_combinations_are_scored_in_slices_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(9).normal(0, 0.01, (96, 6))
    whole = overfitting.pbo(returns, 8)
    monkeypatch.setattr(overfitting, "_SLICE_NUMBERS", 30)
    assert np.array_equal(overfitting.pbo(returns, 8).logits, whole.logits)


@pytest.mark.parametrize(
    ("shape", "blocks", "words"),
    [((99, 5), 7, "even"), ((99, 1), 8, "do not fill"), ((15, 5), 8, "do not fill")],
)
def test_pbo_refuses_what_cannot_be_halved(shape: tuple[int, int], blocks: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        overfitting.pbo(np.zeros(shape), blocks)


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.7, -0.5])
def test_block_lengths_are_those_of_arch(memory: float) -> None:
    rng = np.random.default_rng(11)
    for n in (30, 101, 400, 777):
        series = rng.standard_t(5, n)
        for k in range(1, n):
            series[k] += memory * series[k - 1]
        theirs = max(1.0, float(optimal_block_length(series)["stationary"].iloc[0]))
        assert optimal_block(series) == pytest.approx(theirs, rel=1e-9)
    assert optimal_block(np.zeros(50)) == 1
    assert optimal_block(np.arange(3.0)) == 1


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        around = bootstrap.interval(daily(300, 1.0, seed), seed=seed, samples=300, level_frac=0.9)
        assert around is not None
        held += around.low <= 1.0 <= around.high
    assert 0.82 <= held / 200 <= 0.97


def test_dependence_makes_intervals_wider() -> None:
    rng = np.random.default_rng(13)
    independent = rng.normal(0, 0.01, 600)
    trending = np.convolve(independent, np.ones(8) / math.sqrt(8), mode="same")
    widths = []
    for returns in (independent, trending):
        around = bootstrap.interval(returns, bootstrap.mean, seed=1)
        assert around is not None
        widths.append(around.high - around.low)
    assert widths[1] > 1.8 * widths[0]


def test_any_figure_has_an_interval_and_slices_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = daily(200, 1.0)
    found = {
        statistic: bootstrap.interval(returns, statistic, seed=3, block_mean=5.0, samples=500)
        for statistic in (bootstrap.sharpe_yearly_365, bootstrap.total_return, bootstrap.drawdown)
    }
    for statistic, around in found.items():
        assert around is not None
        assert around.low < float(statistic(returns[np.newaxis])[0]) < around.high
    monkeypatch.setattr(bootstrap, "_SLICE_NUMBERS", 200 * 500)
    assert (
        bootstrap.interval(returns, seed=3, block_mean=5.0, samples=500) == found[bootstrap.sharpe_yearly_365]
    )
    assert bootstrap.interval(returns[:1], seed=3) is None
    assert bootstrap.interval(np.zeros(20), seed=3) is None


def test_one_day_drawn_again_and_again_has_no_sharpe_ratio() -> None:
    rows = np.full((3, 7), 0.1)
    rows[1, 0] = 0.2
    found = bootstrap.sharpe_yearly_365(rows)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == pytest.approx(sharpe_daily_365(rows[1]))
    around = bootstrap.interval(np.array([0.1, 0.3]), seed=1, block_mean=1.0)
    assert around is not None
    assert abs(around.high) < 100


def excess(strategies: int = 12, days: int = 500, seed: int = 15) -> F64:
    returns: F64 = np.random.default_rng(seed).normal(0, 0.01, (days, strategies))
    return returns


def test_clearly_bad_strategies_weigh_on_the_upper_test_alone() -> None:
    returns = excess(60)
    returns[:, 4] += 0.001
    returns[:, 6:] -= 0.004
    many = significance.superior_ability(returns, seed=1, samples=4_000, block_mean=1.0)
    few = significance.superior_ability(returns[:, :6], seed=1, samples=4_000, block_mean=1.0)
    assert many.best == few.best
    assert many.spa_consistent == pytest.approx(few.spa_consistent, abs=0.005)
    assert many.spa_upper > 3 * many.spa_consistent


@pytest.mark.parametrize("edge", [0.0, 0.0006, 0.0012])
def test_superior_ability_agrees_with_arch(edge: float) -> None:
    returns = excess()
    returns[:, 4] += edge
    returns[:, 5] -= 0.004  # clearly bad: weighs on White's test and Hansen's upper one
    # arch does not divide by deviations: equal ones make both tests one.
    returns = (returns - returns.mean(0)) / returns.std(0) * 0.01 + returns.mean(0)
    ours = significance.superior_ability(returns, seed=1, samples=4_000, block_mean=4.0)
    theirs = SPA(np.zeros(len(returns)), -returns, block_size=4, reps=4_000, seed=2)
    theirs.compute()
    assert ours.spa_consistent == pytest.approx(theirs.pvalues["consistent"], abs=0.04)
    assert ours.spa_lower == pytest.approx(theirs.pvalues["lower"], abs=0.04)
    assert ours.reality_check == pytest.approx(theirs.pvalues["upper"], abs=0.04)
    assert ours.spa_lower <= ours.spa_consistent <= ours.spa_upper


def test_superior_ability_rejects_noise_about_as_often_as_it_says_and_finds_an_edge() -> None:
    chances = [
        significance.superior_ability(
            excess(8, 200, seed), seed=seed, samples=200, block_mean=2.0
        ).spa_consistent
        for seed in range(100)
    ]
    assert (np.array(chances) < 0.1).mean() <= 0.19  # 1 in 1,000 for an honest test
    returns = excess()
    returns[:, 7] += 0.003
    found = significance.superior_ability(returns, seed=1, samples=400)
    assert (found.best, found.spa_consistent, found.reality_check) == (7, 0.0, 0.0)


def test_a_market_of_losers_has_no_best_and_one_that_never_moves_does_no_harm() -> None:
    losers = excess() - 0.01
    losers[:, 3] = 0.0
    assert significance.superior_ability(losers, seed=1, samples=200).spa_consistent == 1
    with pytest.raises(ValueError, match="at least 8"):
        significance.superior_ability(losers[:7], seed=1)


def test_adjusted_p_values_by_hand() -> None:
    p = np.array([0.04, 0.01, 0.03, 0.005])
    assert significance.holm(p) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert significance.benjamini_hochberg(p) == pytest.approx([0.04, 0.02, 0.04, 0.02])
    assert significance.holm(np.array([0.9, 0.8])).max() == 1
    assert significance.benjamini_hochberg(np.array([0.2])) == pytest.approx([0.2])


def test_other_orders_of_trades_end_alike_and_other_trades_do_not() -> None:
    profits = np.random.default_rng(19).normal(0.004, 0.02, 80)
    shuffled = montecarlo.shuffled_trades(profits, seed=1, samples=500)
    total = float(np.prod(1 + profits) - 1)
    assert shuffled.total_return == pytest.approx(total)
    assert shuffled.drawdown.std() > 0
    resampled = montecarlo.resampled_trades(profits, seed=1, samples=500)
    around = resampled.interval("total_return")
    assert around.low < total < around.high
    ruined = montecarlo.resampled_trades(np.array([0.1, -1.0]), seed=1, samples=400)
    assert ruined.ruin_frac == pytest.approx(0.75, abs=0.08)
    assert ruined.drawdown.max() == 1


def candles(bars: int = 400, instruments: int = 3) -> F64:
    rng = np.random.default_rng(21)
    close = 100 * np.cumprod(1 + rng.normal(0, 0.01, (bars, instruments)), axis=0)
    open_ = np.concatenate((np.full((1, instruments), 100.0), close[:-1])) * 1.001
    high, low = np.maximum(open_, close) * 1.004, np.minimum(open_, close) * 0.996
    return np.stack([open_, high, low, close, np.full_like(close, 7.0)], axis=2)


def test_other_candles_are_the_same_candles_in_another_order() -> None:
    market = candles()
    other = montecarlo.resampled_candles(market, seed=1, block_bars=12)
    assert (other[..., 1] >= other[..., [0, 3]].max(axis=2)).all()
    assert (other[..., 2] <= other[..., [0, 3]].min(axis=2)).all()

    def shapes(ohlcv: F64) -> F64:
        return ohlcv[1:, :, :4] / ohlcv[:-1, :, 3:4]

    drawn, known = shapes(other), shapes(market)
    came_from = [int(np.abs(known - one).sum(axis=(1, 2)).argmin()) for one in drawn]
    # Every bar comes from one bar of all instruments at once, and mostly the next one follows.
    assert drawn == pytest.approx(known[came_from])
    follows = np.mean(np.diff(came_from) == 1)
    assert 0.85 < follows < 0.97
    assert np.array_equal(montecarlo.resampled_candles(market, seed=1, block_bars=12), other)
    single = montecarlo.resampled_candles(market[:, 0], seed=1, block_bars=12)
    assert single == pytest.approx(other[:, 0])
    with pytest.raises(ValueError, match="finite"):
        montecarlo.resampled_candles(np.full((5, 5), np.nan), seed=1, block_bars=3)


def test_evidence_carries_all_that_is_needed_to_doubt_it() -> None:
    returns = daily(730, 2.5, seed=3)
    found = evidence(returns, name="trend", costs=COSTS, seed=1, trials=1)
    assert found == evidence(returns, name="trend", costs=COSTS, seed=1, trials=1)
    assert found.verdict is Verdict.SUPPORTED
    assert found.is_supported
    assert found.sharpe_daily_365 == sharpe_daily_365(returns)
    assert found.sharpe_interval is not None
    assert found.sharpe_daily_365 is not None
    assert found.sharpe_interval.low < found.sharpe_daily_365 < found.sharpe_interval.high
    assert found.sharpe_interval.excludes_zero
    assert found.psr_frac == found.dsr_frac
    assert (found.sample_days, found.costs, found.trials, found.sharpe_luck_365) == (730, COSTS, 1, 0.0)
    assert found.track_record_days_min is not None
    assert found.track_record_days_min < 730
    assert re.fullmatch(
        r"trend: supported; sharpe_daily_365 \d\.\d\d \[\d\.\d\d, \d\.\d\d\] at 95%, "
        r"PSR \d+\.\d%, DSR \d+\.\d% with 1 trial, 730 days \(fee 10 bps\)",
        found.sentence,
    )


def test_the_same_returns_found_by_a_long_search_are_no_evidence() -> None:
    returns = daily(730, 1.6, seed=3)
    once = evidence(returns, name="x", costs=COSTS, seed=1)
    often = evidence(returns, name="x", costs=COSTS, seed=1, trials=1_000)
    assert once.is_supported
    assert often.verdict is Verdict.INDISTINGUISHABLE
    assert often.sharpe_interval == once.sharpe_interval
    assert often.sharpe_luck_365 > 2
    # Trials that resemble each other leave less to luck.
    alike = evidence(returns, name="x", costs=COSTS, seed=1, trials=1_000, trials_std_365=0.05)
    assert alike.is_supported
    assert alike.trials_std_365 == 0.05


@pytest.mark.parametrize(
    ("returns", "verdict"),
    [
        (daily(730, -3.0), Verdict.LOSING),
        (daily(730, 0.0), Verdict.INDISTINGUISHABLE),
        (daily(20, 9.0), Verdict.TOO_SHORT),
        (np.zeros(100), Verdict.UNDEFINED),
        (np.empty(0), Verdict.UNDEFINED),
    ],
    ids=["losing", "nothing", "short", "flat", "empty"],
)
def test_verdicts(returns: F64, verdict: Verdict) -> None:
    found = evidence(returns, name="x", costs=COSTS, seed=1)
    assert found.verdict is verdict
    assert not found.is_supported
    assert f"x: {verdict}" in found.sentence
    assert f"{returns.size} days" in found.sentence


def test_definitions_name_parts_of_the_evidence() -> None:
    assert set(DEFINITIONS) <= set(Evidence.model_fields)
