"""Choosing the best on the training days, judged on many paths through one history."""

import numpy as np
import pytest

from tg_actors.backtest.choice_paths import ChoicePaths, choice_paths
from tg_actors.backtest.population import Population, TradingCosts, sharpes_365
from tg_actors.backtest.validation.splits import CombinatorialPurged
from tg_actors.domain.blocks import F64


def a_population(returns: F64) -> Population:
    k, days = returns.shape
    nothing = np.zeros(k)
    names = tuple(f"rule({n})" for n in range(k))
    day_ns = np.arange(1, days + 1, dtype=np.int64)
    return Population(names, day_ns, returns, nothing, nothing, nothing, {}, TradingCosts(0.0, 0.0))


def noise(k: int, days: int, seed: int = 3) -> F64:
    return np.random.default_rng(seed).normal(0.0, 0.01, (k, days))


def found(returns: F64, cut: CombinatorialPurged | None = None) -> ChoicePaths:
    paths = choice_paths(a_population(returns)) if cut is None else choice_paths(a_population(returns), cut)
    assert paths is not None
    return paths


def test_the_best_of_noise_shines_in_sample_alone() -> None:
    lucky = [found(noise(100, 720, seed)) for seed in range(12)]
    assert all(paths.sharpe_in_sample > 1.0 for paths in lucky)
    assert abs(np.mean([paths.sharpe_median for paths in lucky])) < 0.35
    assert all(paths.sharpe_median < paths.sharpe_in_sample for paths in lucky)
    assert all(paths.chosen > 1 for paths in lucky)


def test_what_is_there_is_found_on_every_path() -> None:
    returns = noise(100, 720)
    returns[7] += 0.002
    paths = found(returns)
    assert (paths.splits, len(paths.sharpe_daily_365), paths.chosen, paths.losing_frac) == (28, 7, 1, 0.0)
    # One rule on every path: each is the whole time, and all of them are the same.
    alone = float(sharpes_365(returns[7:8])[0])
    assert paths.sharpe_daily_365 == pytest.approx((alone,) * 7)
    assert paths.sharpe_in_sample == pytest.approx(alone)


def test_paths_are_those_of_a_plain_loop() -> None:
    returns, cut = noise(5, 200), CombinatorialPurged(groups=4, test_groups=2, embargo=2)
    groups = np.array_split(np.arange(200), 4)
    tests = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    followed: dict[int, list[F64]] = {group: [] for group in range(4)}
    for pair in tests:
        train = np.ones(200, dtype=bool)
        for group in pair:
            train[groups[group][0] : groups[group][-1] + 3] = False
        best = int(sharpes_365(returns[:, train]).argmax())
        for group in pair:
            followed[group].append(returns[best, groups[group]])
    whole = np.array([np.concatenate([followed[group][path] for group in range(4)]) for path in range(3)])
    assert found(returns, cut).sharpe_daily_365 == pytest.approx(sorted(sharpes_365(whole)))


@pytest.mark.parametrize("shape", [(1, 720), (100, 239), (3, 0)])
def test_too_little_says_nothing(shape: tuple[int, int]) -> None:
    assert choice_paths(a_population(noise(*shape))) is None
