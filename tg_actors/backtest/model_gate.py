"""Is a newly trained model good enough to be watched beside the champion? Judged out of sample. Pure.

What is judged is the *typical* seed, the lower median by Sharpe ratio: neither the luck of the best one nor a
mean of seeds that nobody can serve. Every criterion is a row of one table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from pydantic import Field

from tg_actors.backtest.validation.bootstrap import Interval, interval, mean, sharpe_yearly_365
from tg_actors.backtest.validation.overfitting import deflated_sharpe, pbo
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_PER_YEAR
from tg_actors.portfolio.resampling import optimal_block, stationary

#: The middle half of sorted scores: a quarter is left out on either side.
_QUARTER = 0.25
_CHANCE_SAMPLES = 100
_CHANCE_BLOCKS = 8


class GatePlan(Message):
    """What a challenger must show, all of it after costs and on days that no training has seen.

    ``level_frac`` of all intervals; ``samples`` of every bootstrap; ``pbo_blocks`` of the cross-validation.
    """

    seeds_min: int = Field(default=10, ge=2)
    windows_min: int = Field(default=8, ge=1)
    days_min: int = Field(default=120, ge=30)
    dsr_frac_min: float = Field(default=0.95, gt=0, lt=1)
    pbo_frac_max: float = Field(default=0.2, gt=0, lt=1)
    drawdown_frac_max: float = Field(default=0.25, gt=0, lt=1)
    turnover_daily_max: float = Field(default=12.0, gt=0)
    level_frac: float = Field(default=0.95, gt=0, lt=1)
    samples: int = Field(default=2_000, ge=20)
    pbo_blocks: int = Field(default=16, ge=2, multiple_of=2)


@dataclass(frozen=True, eq=False, kw_only=True)
class GateSample:
    """Daily returns out of sample, after costs, all on the same days.

    ``seeds (S, days)``: the challenger, once per seed of its training; ``stressed (S, days)`` the same at
    twice the costs. ``champion`` and ``rule (days,)``: who decides now, and the best rigid rule known before
    these days. ``tried (days, K)``: other configurations tried, seeds averaged; there may be none.
    ``windows``: walk-forward test windows, equal parts of the days. ``turnover_daily (S,)``: what is traded a
    day, as a part of the equity. ``trials``: attempts in the trial ledger, this one included.
    """

    seeds: F64
    stressed: F64
    champion: F64
    rule: F64
    tried: F64
    windows: int
    turnover_daily: F64
    trials: int

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: lengths differ, or a return is not a number.
        """
        days = self.seeds.shape[1]
        lengths = {days, self.stressed.shape[1], len(self.champion), len(self.rule), len(self.tried)}
        if len(lengths) != 1 or self.stressed.shape != self.seeds.shape:
            raise ValueError(f"all returns of a gate are of the same days, not of {sorted(lengths)}")
        if len(self.turnover_daily) != len(self.seeds) or not 1 <= self.windows <= days:
            raise ValueError("a gate needs a turnover per seed, and windows of a day at least")
        parts = (self.seeds, self.stressed, self.champion, self.rule, self.tried, self.turnover_daily)
        if not all(np.isfinite(part).all() for part in parts):
            raise ValueError("a return of a gate is not a number")

    @cached_property
    def sharpes(self) -> F64:
        """Yearly Sharpe ratio of every seed; 0 of one that never moves."""
        known: F64 = np.nan_to_num(sharpe_yearly_365(self.seeds))
        return known

    @cached_property
    def typical(self) -> int:
        """The seed that is judged: the lower median."""
        order = np.argsort(self.sharpes, kind="stable")
        return int(order[(len(order) - 1) // 2])

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.seeds.shape[1])

    @property
    def challenger(self) -> F64:
        """Returns of the typical seed."""
        returns: F64 = self.seeds[self.typical]
        return returns


class GateRow(Message):
    """One criterion: what was asked, what was found, and how often a strategy without skill meets it.

    ``value`` None is undefined, and fails. ``chance_frac`` None was not asked for.
    """

    name: str
    meaning: str
    asked: str
    value: float | None
    interval: Interval | None = None
    passed: bool
    chance_frac: float | None = None


class GateReport(Message):
    """What the gate says of a challenger; it opens when every row has passed."""

    model: str
    days: int
    trials: int
    rows: tuple[GateRow, ...] = Field(min_length=1)
    chance_frac: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the gate opens."""
        return all(row.passed for row in self.rows)

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the criteria that failed."""
        return tuple(row.name for row in self.rows if not row.passed)

    @property
    def sentence(self) -> str:
        """The verdict as a person may repeat it."""
        if self.passed:
            return f"{self.model}: the gate is open, {len(self.rows)} criteria on {self.days} days"
        return f"{self.model}: refused by {', '.join(self.failing)} on {self.days} days"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A limit: at least, at most, or an interval wholly above it."""

    limit: float
    kind: str

    def asked(self) -> str:
        if self.kind == "above":
            return f"lower end above {self.limit:g}"
        return f"{'at least' if self.kind == 'least' else 'at most'} {self.limit:g}"

    def meets(self, value: float | None, around: Interval | None) -> bool:
        if value is None:
            return False
        if self.kind == "above":
            return around is not None and around.low > self.limit
        return value >= self.limit if self.kind == "least" else value <= self.limit


@dataclass(frozen=True, slots=True)
class _Criterion:
    """One row: its bound by the plan, and how value and interval are found."""

    name: str
    meaning: str
    bound: Callable[[GatePlan], _Bound]
    found: Callable[[GateSample, GatePlan, int], tuple[float | None, Interval | None]]


def _plain(value: Callable[[GateSample], float | None]) -> Callable[..., tuple[float | None, None]]:
    return lambda sample, _plan, _seed: (value(sample), None)


def _over(other: Callable[[GateSample], F64]) -> Callable[..., tuple[float | None, Interval | None]]:
    """Mean paired difference a year, with the interval of the stationary bootstrap."""

    def found(sample: GateSample, plan: GatePlan, seed: int) -> tuple[float | None, Interval | None]:
        apart = (sample.challenger - other(sample)) * DAYS_PER_YEAR
        around = interval(apart, mean, seed=seed, samples=plan.samples, level_frac=plan.level_frac)
        return float(apart.mean()), around

    return found


def _middle(sample: GateSample, plan: GatePlan, seed: int) -> tuple[float | None, Interval | None]:
    """Interquartile mean over seeds and windows; seeds are drawn again within every window.

    R. Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021. A score is
    the mean return of a seed in a window over the deviation of all its days, a year.
    """
    seeds, length = len(sample.seeds), sample.days // sample.windows
    deviation = sample.seeds.std(axis=1, ddof=1)
    parts = sample.seeds[:, sample.days - length * sample.windows :].reshape(seeds, sample.windows, length)
    scale = np.sqrt(DAYS_PER_YEAR) / np.where(deviation > 0.0, deviation, np.inf)
    scores = parts.mean(axis=2) * scale[:, np.newaxis]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, seeds, (plan.samples, seeds, sample.windows))
    means = _interquartile(scores[drawn, np.arange(sample.windows)].reshape(plan.samples, -1))
    tail = (1.0 - plan.level_frac) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    around = Interval(low=float(low), high=float(high), level_frac=plan.level_frac)
    return float(_interquartile(scores.reshape(1, -1))[0]), around


def _interquartile(scores: F64) -> F64:
    """Mean of the middle half of every row."""
    count = scores.shape[1]
    out = int(count * _QUARTER)
    found: F64 = np.sort(scores, axis=1)[:, out : count - out].mean(axis=1)
    return found


def _drawdown(sample: GateSample) -> float:
    """Of the worst seed."""
    worth = np.cumprod(1.0 + sample.seeds, axis=1)
    return float((1.0 - worth / np.maximum(np.maximum.accumulate(worth, axis=1), 1.0)).max())


def _overfitting(sample: GateSample, plan: GatePlan, seed: int) -> tuple[float | None, Interval | None]:
    del seed
    cash = np.zeros(sample.days)
    rivals = np.column_stack((sample.challenger, sample.champion, sample.rule, cash, sample.tried))
    blocks = min(plan.pbo_blocks, sample.days // 4 * 2)
    return pbo(rivals, blocks).probability, None


CRITERIA: tuple[_Criterion, ...] = (
    _Criterion(
        "days",
        "days out of sample",
        lambda plan: _Bound(plan.days_min, "least"),
        _plain(lambda sample: float(sample.days)),
    ),
    _Criterion(
        "windows",
        "walk-forward test windows",
        lambda plan: _Bound(plan.windows_min, "least"),
        _plain(lambda sample: float(sample.windows)),
    ),
    _Criterion(
        "seeds",
        "trainings with different seeds",
        lambda plan: _Bound(plan.seeds_min, "least"),
        _plain(lambda sample: float(len(sample.seeds))),
    ),
    _Criterion(
        "sharpe_iqm_365",
        "interquartile mean of yearly Sharpe ratios over seeds and windows",
        lambda _: _Bound(0.0, "above"),
        _middle,
    ),
    _Criterion(
        "sharpe_worst_seed_365",
        "yearly Sharpe ratio of the worst seed",
        lambda _: _Bound(0.0, "least"),
        _plain(lambda sample: float(sample.sharpes.min())),
    ),
    _Criterion(
        "dsr_frac",
        "probability that it is better than the luck of all trials (deflated Sharpe ratio)",
        lambda plan: _Bound(plan.dsr_frac_min, "least"),
        _plain(lambda sample: deflated_sharpe(sample.challenger, sample.trials)),
    ),
    _Criterion(
        "pbo_frac",
        "probability that choosing it is overfitting: among champion, rule, cash and all that was tried",
        lambda plan: _Bound(plan.pbo_frac_max, "most"),
        _overfitting,
    ),
    _Criterion(
        "gain_over_champion_frac",
        "mean daily difference to the champion, a year",
        lambda _: _Bound(0.0, "above"),
        _over(lambda sample: sample.champion),
    ),
    _Criterion(
        "gain_over_rule_frac",
        "mean daily difference to the rigid rule, a year",
        lambda _: _Bound(0.0, "above"),
        _over(lambda sample: sample.rule),
    ),
    _Criterion(
        "max_drawdown_frac",
        "largest fall from a peak, of the worst seed",
        lambda plan: _Bound(plan.drawdown_frac_max, "most"),
        _plain(_drawdown),
    ),
    _Criterion(
        "turnover_daily",
        "traded a day as a part of the equity, of the busiest seed",
        lambda plan: _Bound(plan.turnover_daily_max, "most"),
        _plain(lambda sample: float(sample.turnover_daily.max())),
    ),
    _Criterion(
        "sharpe_stressed_365",
        "yearly Sharpe ratio at twice the costs",
        lambda _: _Bound(0.0, "least"),
        _plain(lambda sample: float(np.nan_to_num(sharpe_yearly_365(sample.stressed))[sample.typical])),
    ),
)


def judge(model: str, sample: GateSample, plan: GatePlan, *, seed: int, draws: int = 0) -> GateReport:
    """Hold a challenger against every criterion; the same seed gives the same report.

    With ``draws`` every row also says how often strategies without skill meet it, and the report how often
    they meet all rows: see :func:`without_skill`.
    """
    chances, whole = _chances(sample, plan, seed, draws)
    rows = tuple(
        GateRow(
            name=one.name,
            meaning=one.meaning,
            asked=bound.asked(),
            value=value,
            interval=around,
            passed=bound.meets(value, around),
            chance_frac=chances.get(one.name),
        )
        for one in CRITERIA
        for bound in (one.bound(plan),)
        for value, around in (one.found(sample, plan, seed),)
    )
    return GateReport(model=model, days=sample.days, trials=sample.trials, rows=rows, chance_frac=whole)


def without_skill(sample: GateSample, rng: np.random.Generator) -> GateSample:
    """Return the same days drawn again, every return less its mean: equal noise, and nothing to find.

    Blocks of the stationary bootstrap keep what days and strategies have in common; twice the costs take as
    much more as they did.
    """
    taken = sample.stressed.mean(axis=1, keepdims=True) - sample.seeds.mean(axis=1, keepdims=True)
    days = stationary(rng, sample.days, 1, optimal_block(sample.challenger))[0]
    seeds = sample.seeds - sample.seeds.mean(axis=1, keepdims=True)
    stressed = sample.stressed - sample.stressed.mean(axis=1, keepdims=True) + taken
    return replace(
        sample,
        seeds=seeds[:, days],
        stressed=stressed[:, days],
        champion=(sample.champion - sample.champion.mean())[days],
        rule=(sample.rule - sample.rule.mean())[days],
        tried=(sample.tried - sample.tried.mean(axis=0))[days],
    )


def _chances(
    sample: GateSample, plan: GatePlan, seed: int, draws: int
) -> tuple[dict[str, float], float | None]:
    if draws == 0:
        return {}, None
    rng = np.random.default_rng([seed, 1])
    blocks = min(plan.pbo_blocks, _CHANCE_BLOCKS)
    quick = plan.model_copy(update={"samples": min(plan.samples, _CHANCE_SAMPLES), "pbo_blocks": blocks})
    reports = [judge("", without_skill(sample, rng), quick, seed=seed + k) for k in range(draws)]
    names = [one.name for one in CRITERIA]
    met = np.array([[row.passed for row in report.rows] for report in reports])
    return dict(zip(names, met.mean(axis=0).tolist(), strict=True)), float(met.all(axis=1).mean())
