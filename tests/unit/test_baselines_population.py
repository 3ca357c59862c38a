"""A population: what each member earned, who is a twin, and where a result stands among them."""

import math

import numpy as np
import pytest

from tests.baseline_words import HOUR_NS, noise
from tg_actors.backtest.baselines.library import library
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import (
    DayGrid,
    Outcome,
    Population,
    TradingCosts,
    gather,
    percentile,
    run_baselines,
    sharpes_365,
)
from tg_actors.backtest.standing import BENCHMARK, Judge, overfitting, past_best, search, table, walk
from tg_actors.domain.errors import UserError

COSTS = TradingCosts(fee_frac=0.001, slippage_bps=2.0)
DAY = 24


def population(bars: MarketBars, *families: str) -> Population:
    return gather(bars, run_baselines(bars, library(HOUR_NS, families), COSTS), COSTS)


def outcome(name: str, returns: list[float]) -> Outcome:
    return Outcome(name, np.array(returns), 0.0, 0.0, 0.0, 0)


def test_moving_averages_earn_what_a_plain_loop_earns() -> None:
    bars = noise(700, 3)
    found = {o.name: o for o in run_baselines(bars, library(HOUR_NS, ["sma_cross"]), COSTS)}
    targets = _crossed(bars.close, 24, 120)
    equity = sum(_plain(bars.open_[:, k], bars.close[:, k], targets[:, k]) for k in range(3)) / 3
    assert found["sma_cross(24,120,both)"].total_return_frac == pytest.approx(equity - 1.0, rel=1e-9)
    assert found["sma_cross(24,120,both)"].fills > 10


def _crossed(close: np.ndarray, fast: int, slow: int) -> np.ndarray:
    def mean(t: int, window: int) -> np.ndarray:
        return np.asarray(close[t - window + 1 : t + 1].mean(axis=0))

    rows = [np.zeros(close.shape[1])] * (slow - 1)
    return np.array(rows + [np.sign(mean(t, fast) - mean(t, slow)) for t in range(slow - 1, len(close))])


def _plain(open_: np.ndarray, close: np.ndarray, targets: np.ndarray) -> float:
    cash, held, wanted = 1.0, 0.0, 0.0
    for t in range(1, len(close)):
        if targets[t - 1] != wanted:
            wanted = targets[t - 1]
            trade = wanted * (cash + held * open_[t]) / open_[t] - held
            paid = open_[t] * (1 + math.copysign(2e-4, trade))
            if trade > 0 and trade * paid * 1.001 > cash:
                trade = cash / (paid * 1.001)
            cash -= trade * paid + abs(trade) * paid * 0.001
            held += trade
    return float(cash + held * close[-1])


def test_days_begin_with_the_capital_and_end_at_midnight() -> None:
    bars = noise(3 * DAY + 5, 1)
    days = DayGrid(bars.close_ns, bars.bar_ns)
    equity = np.linspace(101.0, 101.0 + 3 * DAY + 4, 3 * DAY + 5)
    closes = [100.0, equity[DAY - 1], equity[2 * DAY - 1], equity[3 * DAY - 1], equity[-1]]
    assert days.returns(equity, 100.0) == pytest.approx(np.diff(closes) / closes[:-1])
    assert len(days.day_ns) == 4


def test_after_ruin_there_are_no_returns() -> None:
    bars = noise(3 * DAY, 1)
    equity = np.concatenate((np.full(DAY, 50.0), np.zeros(2 * DAY)))
    returns = DayGrid(bars.close_ns, bars.bar_ns).returns(equity, 100.0)
    assert returns.tolist() == [-0.5, -1.0, 0.0]


def test_cash_earns_nothing_and_has_a_sharpe_ratio_of_zero() -> None:
    found = population(noise(400, 2), "cash")
    assert not found.returns.any()
    assert sharpes_365(found.returns).tolist() == [0.0]


def test_who_does_the_very_same_is_no_second_trial() -> None:
    bars = noise(200, 2)
    two = [outcome("a", [0.1] * 9), outcome("b", [0.2] * 9), outcome("twin of a", [0.1] * 9)]
    found = gather(bars, two, COSTS)
    assert found.names == ("a", "b")
    assert found.twins == {"twin of a": "a"}


def test_percentile_counts_who_is_beaten_and_half_of_who_is_equal() -> None:
    others = np.array([1.0, 2.0, 2.0, 3.0])
    assert percentile(2.0, others) == 0.5
    assert percentile(0.0, others) == 0.0
    assert percentile(9.0, others) == 1.0


def test_the_best_of_the_past_is_chosen_before_each_window() -> None:
    bars = noise(40 * DAY, 1)
    rng = np.random.default_rng(3)
    early, late = rng.normal(0, 0.001, (2, 40))
    early[:20] += 0.01
    late[20:] += 0.01
    found = gather(bars, [outcome("early", early.tolist()), outcome("late", late.tolist())], COSTS)
    splits = walk(40, 2)
    returns, chosen = past_best(found, splits)
    assert chosen[0] == "early"
    assert returns[: splits[0].test.size].tolist() == early[splits[0].test].tolist()
    assert splits[0].train[-1] < splits[0].test[0] - 1


def test_a_table_deflates_by_everybody_who_was_tried_and_counts_windows() -> None:
    bars = noise(60 * DAY, 3)
    found = population(bars, "cash", "buy_and_hold", "sma_cross")
    wins = Outcome("wins", found.returns[found.names.index(BENCHMARK)] + 0.01, 0.0, 0.0, 0.0, 0)
    other = found.returns[found.names.index(BENCHMARK)]
    hold, _, _, row = table([wins], found, 4, {"wins": [other, other + 0.02, other - 0.02]})
    assert (hold.timing_p_value, row.timing_p_value) == (None, 0.5)
    assert (hold.name, hold.windows_ahead, hold.ahead_yearly_frac) == (BENCHMARK, 0, 0.0)
    assert (row.windows_ahead, row.windows) == (4, 4)
    assert row.ahead_yearly_frac == pytest.approx(3.65)
    assert row.evidence.trials == len(found) + 1
    assert row.sharpe_percentile == 1.0
    assert row.evidence.sample_days == 40


def test_a_member_of_the_population_stands_where_it_is() -> None:
    found = population(noise(60 * DAY, 3), "cash", "buy_and_hold", "tsmom")
    judge = Judge(found, walk(60, 4), seed=0)
    order = np.argsort(sharpes_365(found.returns[:, np.arange(20, 60)]))
    best = judge.place("best", found.returns[order[-1]], 1)
    assert best.sharpe_percentile == pytest.approx(1.0 - 0.5 / len(found))


def test_a_search_among_noise_proves_nothing_and_one_among_skill_does() -> None:
    bars = noise(60 * DAY, 2)
    rng = np.random.default_rng(1)
    luck = [outcome(f"luck{k}", rng.normal(0, 0.01, 60).tolist()) for k in range(40)]
    lucky = gather(bars, luck, COSTS)
    assert search(lucky).spa > 0.05
    assert (overfitting(lucky) or 0.0) > 0.2
    skill = outcome("skill", rng.normal(0.01, 0.01, 60).tolist())
    found = search(gather(bars, [*luck, skill], COSTS))
    assert found.spa < 0.01
    assert overfitting(gather(bars, [*luck, skill], COSTS)) == pytest.approx(0.0, abs=0.05)
    assert overfitting(gather(bars, [skill], COSTS)) is None
    assert (found.best, found.strategies) == ("skill", 41)


def test_too_short_a_time_says_so() -> None:
    with pytest.raises(UserError, match="do not fill 8 windows"):
        walk(20, 8)


def test_targets_reach_the_bars_that_they_were_decided_on() -> None:
    bars = noise(300, 2)
    hold = next(b for b in library(HOUR_NS, ["buy_and_hold"]))
    assert hold.targets(Studies(bars)).all()
    (found,) = run_baselines(bars, [hold], COSTS)
    paid = bars.open_[1] * 1.0002 * 1.001
    assert found.total_return_frac == pytest.approx((bars.close[-1] / paid).mean() - 1.0)
