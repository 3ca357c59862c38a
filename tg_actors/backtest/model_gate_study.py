"""Challengers of known skill before the gate: how many without any does it let through? Pure, seeded."""

import numpy as np
from pydantic import Field

from tg_actors.backtest.model_gate import CRITERIA, GatePlan, GateSample, judge
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_PER_YEAR

#: Daily deviation of every strategy, and its share that all seeds of one training have in common.
_DEVIATION_FRAC = 0.01
_COMMON_FRAC = 0.8
_T_DEGREES, _T_STD = 4, 2.0**0.5
#: What twice the costs take a day.
_COSTS_DAILY_FRAC = 0.0003
_TURNOVER_DAILY = 1.0
_TRIALS = 20


class GateChances(Message):
    """How often challengers of one true Sharpe ratio pass, in all and row by row."""

    challengers: int = Field(ge=1)
    days: int
    sharpe_365: float
    lucky_of: int
    promoted_frac: float
    rows: dict[str, float]


def planted(
    seed: int, sharpe: float, *, days: int = 365, lucky_of: int = 1, seeds: int = 10, windows: int = 8
) -> GateSample:
    """Return a challenger of known true Sharpe ratio; champion and rule have no skill.

    ``lucky_of``: so many configurations of this skill were tried and the one that looks best comes to the
    gate, with all others in the ledger. The same seed gives the same sample.
    """
    rng = np.random.default_rng(seed)
    edge = sharpe / np.sqrt(DAYS_PER_YEAR)
    common = edge + _noise(rng, (lucky_of, 1, days))
    own = _noise(rng, (lucky_of, seeds, days))
    # Deviations stay 1 while the seeds share most of what they do.
    mixed = edge + (common - edge) * np.sqrt(_COMMON_FRAC) + own * np.sqrt(1.0 - _COMMON_FRAC)
    tried = mixed * _DEVIATION_FRAC
    means = tried.mean(axis=1)
    best = int((means.mean(axis=1) / means.std(axis=1)).argmax())
    chosen = tried[best]
    rivals = _noise(rng, (2, days)) * _DEVIATION_FRAC
    return GateSample(
        seeds=chosen,
        stressed=chosen - _COSTS_DAILY_FRAC,
        champion=rivals[0],
        rule=rivals[1],
        tried=np.delete(means, best, axis=0).T,
        windows=windows,
        turnover_daily=np.full(seeds, _TURNOVER_DAILY),
        trials=max(lucky_of, _TRIALS),
    )


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> F64:
    drawn: F64 = rng.standard_t(_T_DEGREES, shape) / _T_STD
    return drawn


def study(
    plan: GatePlan, *, challengers: int, sharpe: float, seed: int, lucky_of: int = 1, days: int = 365
) -> GateChances:
    """Hold many planted challengers against the gate; the same seed gives the same answer."""
    met = []
    for k in range(challengers):
        report = judge("", planted(seed + k, sharpe, lucky_of=lucky_of, days=days), plan, seed=seed + k)
        met.append([row.passed for row in report.rows])
    passed = np.array(met)
    return GateChances(
        challengers=challengers,
        days=days,
        sharpe_365=sharpe,
        lucky_of=lucky_of,
        promoted_frac=float(passed.all(axis=1).mean()),
        rows=dict(zip((one.name for one in CRITERIA), passed.mean(axis=0).tolist(), strict=True)),
    )
