"""Where a result stands among the baselines, out of sample, with what luck explains taken off."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pydantic import Field

from tg_actors.backtest.population import (
    Outcome,
    Population,
    compound,
    percentile,
    sharpes_365,
)
from tg_actors.backtest.validation.bootstrap import Interval, interval, mean
from tg_actors.backtest.validation.evidence import Evidence, evidence
from tg_actors.backtest.validation.overfitting import pbo
from tg_actors.backtest.validation.significance import superior_ability
from tg_actors.backtest.validation.splits import Positions, Split, WalkForward
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_PER_YEAR

#: What everything is compared with first.
BENCHMARK = "buy_and_hold()"
CASH = "cash()"
#: In every window the baseline with the best Sharpe ratio of all days before it.
PAST_BEST = "best baseline of the past"
#: The middle of the population.
MEDIAN = "median baseline"


class Standing(Message):
    """One row of the table: evidence of a result, and its place among the baselines on the same days.

    ``sharpe_percentile`` and ``return_percentile`` are the parts of the distinct baselines that it beats,
    where a tie counts half; without a Sharpe ratio the first is undefined. ``ahead_yearly_frac`` is 365
    times the mean daily return above buy-and-hold, with its interval. ``windows_ahead`` of ``windows`` had
    a higher return than buy-and-hold. ``timing_p_value``: probability of earning as much with the same
    positions at random times, itself counted among the tries (Phipson and Smyth 2010); None where that was
    not tried.
    """

    name: str
    evidence: Evidence
    drawdown_frac: float
    sharpe_percentile: float | None = Field(ge=0, le=1)
    return_percentile: float = Field(ge=0, le=1)
    ahead_yearly_frac: float
    ahead_interval: Interval | None
    timing_p_value: float | None = None
    windows_ahead: int
    windows: int


def walk(days: int, windows: int, horizon_days: int = 0) -> tuple[Split, ...]:
    """Cut days into a first part to choose in, as long as two windows, and ``windows`` to test in; anchored.

    ``horizon_days`` are purged before each test window, and one day of embargo.

    Raises:
        UserError: there are not enough days for so many windows.
    """
    length = days // (windows + 2)
    if length < horizon_days + _WINDOW_DAYS_MIN:
        raise UserError(f"{days} days do not fill {windows} windows: choose fewer windows or a longer time")
    first = days - windows * length
    return tuple(WalkForward(windows, first, horizon=horizon_days, embargo=1).split(days))


#: A day of embargo, and two to have a deviation.
_WINDOW_DAYS_MIN = 3


def tested(splits: Sequence[Split]) -> Positions:
    """Return the days of all test windows, in order."""
    return np.concatenate([split.test for split in splits])


def past_best(population: Population, splits: Sequence[Split]) -> tuple[F64, tuple[str, ...]]:
    """Return the daily returns, over all test windows, of who was best before each, and who that was.

    A switch costs nothing here: it happens once a window.
    """
    chosen = [int(np.argmax(sharpes_365(population.returns[:, split.train]))) for split in splits]
    parts = [population.returns[k, split.test] for k, split in zip(chosen, splits, strict=True)]
    return np.concatenate(parts), tuple(population.names[k] for k in chosen)


class Judge:
    """Places results among a population on the test windows of a walk."""

    def __init__(self, population: Population, splits: Sequence[Split], seed: int) -> None:
        self._splits = tuple(splits)
        self._days = tested(splits)
        returns = population.returns[:, self._days]
        self._sharpes, self._totals = sharpes_365(returns), compound(returns)
        self._benchmark = population.returns[population.names.index(BENCHMARK)]
        self._costs, self._seed = population.costs.sentence, seed
        self._population = population

    def place(self, name: str, returns: F64, trials: int, by_chance: Iterable[F64] | None = None) -> Standing:
        """Place daily returns ``(days,)`` of the whole market's time; only the test windows count.

        ``trials`` is among how many it was chosen, itself included. ``by_chance`` are daily returns of random
        entries that trade as much.
        """
        mine = returns[self._days]
        p_value = None
        if by_chance is not None:
            as_good = [bool(mine.mean() <= other[self._days].mean()) for other in by_chance]
            p_value = (1 + sum(as_good)) / (1 + len(as_good))
        return self.place_tested(name, mine, trials, p_value)

    def place_tested(
        self, name: str, tested_returns: F64, trials: int, timing_p_value: float | None = None
    ) -> Standing:
        """Place daily returns that cover the test windows alone."""
        benchmark = self._benchmark[self._days]
        apart = tested_returns - benchmark
        mine, theirs = self._per_window(tested_returns), self._per_window(benchmark)
        row = tested_returns[np.newaxis]
        total, sharpe = float(compound(row)[0]), float(sharpes_365(row)[0])
        worth = np.cumprod(1.0 + tested_returns)
        around = interval(apart, mean, seed=self._seed)
        weighed = evidence(tested_returns, name=name, costs=self._costs, seed=self._seed, trials=trials)
        has_sharpe = weighed.sharpe_daily_365 is not None
        return Standing(
            name=name,
            evidence=weighed,
            drawdown_frac=float((1.0 - worth / np.maximum(np.maximum.accumulate(worth), 1.0)).max()),
            sharpe_percentile=percentile(sharpe, self._sharpes) if has_sharpe else None,
            return_percentile=percentile(total, self._totals),
            ahead_yearly_frac=float(apart.mean()) * DAYS_PER_YEAR,
            ahead_interval=None if around is None else _yearly(around),
            timing_p_value=timing_p_value,
            windows_ahead=int((mine > theirs).sum()),
            windows=len(self._splits),
        )

    def references(self) -> tuple[Standing, ...]:
        """Return buy-and-hold, the best baseline of the past, and the median one, by Sharpe ratio."""
        population = self._population
        middle = int(np.argsort(self._sharpes, kind="stable")[len(self._sharpes) // 2])
        followed, _ = past_best(population, self._splits)
        return (
            self.place(BENCHMARK, self._benchmark, 1),
            self.place_tested(PAST_BEST, followed, 1),
            self.place(f"{MEDIAN}: {population.names[middle]}", population.returns[middle], 1),
        )

    def _per_window(self, returns: F64) -> F64:
        ends = np.cumsum([split.test.size for split in self._splits])
        return np.array([compound(part[np.newaxis])[0] for part in np.split(returns, ends[:-1])])


def table(
    outcomes: Sequence[Outcome],
    population: Population,
    windows: int,
    by_chance: Mapping[str, Iterable[F64]],
    seed: int = 0,
) -> tuple[Standing, ...]:
    """Return references first, then every outcome, on ``windows`` test windows.

    Every outcome is deflated as if it had been chosen among the population and all outcomes. ``by_chance``
    are daily returns of random entries that trade as much, by the name of the outcome they belong to.

    Raises:
        UserError: the time is too short for so many windows.
    """
    judge = Judge(population, walk(population.returns.shape[1], windows), seed)
    trials = len(population) + len(outcomes)
    return (
        *judge.references(),
        *(judge.place(one.name, one.returns, trials, by_chance.get(one.name)) for one in outcomes),
    )


class Search(Message):
    """Whether the best of all baselines is better than a benchmark, the search for it taken into account.

    p-values of White's reality check (2000) and Hansen's test of superior predictive ability (2005, the
    consistent one): how often a search as wide among strategies that are no better finds one as good.
    """

    benchmark: str
    best: str
    reality_check: float
    spa: float
    strategies: int


def search(population: Population, seed: int = 0, benchmark: str | None = None) -> Search:
    """Test the whole population against a member, or against holding cash."""
    less = 0.0 if benchmark is None else population.returns[population.names.index(benchmark)]
    found = superior_ability((population.returns - less).T, seed=seed)
    return Search(
        benchmark=benchmark or CASH,
        best=population.names[found.best],
        reality_check=found.reality_check,
        spa=found.spa_consistent,
        strategies=len(population),
    )


def overfitting(population: Population) -> float | None:
    """Return how often the best of one half of the days is in the worse half of the ranking on the other.

    CSCV in 16 blocks (Bailey et al. 2017); None of fewer than two baselines or of 32 days.
    """
    if len(population) < _CHOICE_MIN or population.returns.shape[1] < _CHOICE_MIN * _BLOCKS:
        return None
    return pbo(population.returns.T, _BLOCKS).probability


_BLOCKS, _CHOICE_MIN = 16, 2


def _yearly(around: Interval) -> Interval:
    return Interval(
        low=around.low * DAYS_PER_YEAR, high=around.high * DAYS_PER_YEAR, level_frac=around.level_frac
    )
