"""The five conditions of the correlation agent, worked out from one day's closes. Pure.

Everything is measured against the market itself: a correlation says something by how far it lies from
the mean of all pairs, in units of their dispersion, and a move by the standard deviation of the one that
moves. ``squash`` makes a score of such a number: 1 is worth 0.46, 2 is worth 0.76.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.institutional.correlation_spec import CorrelationSpec
from tg_actors.portfolio.correlation import WINDOWS_DAYS, Correlations, correlate, find_lead_lags
from tg_actors.portfolio.weights import ALLOCATORS, capped

#: Smallest unit of a change of correlation.
_UNIT_MIN = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class CrossView:
    """What one day says. ``scores (k, n)`` in the order of ``CONDITIONS``, NaN where not known.

    ``known (n,)`` is 1 or 0; ``target (n,)`` weights that sum to 1 at most, NaN where not known; ``mean`` the
    mean correlation of the instruments; ``references_known`` whether any reference had days enough.
    """

    scores: F64
    known: F64
    target: F64
    mean: float
    references_known: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Market:
    """What the conditions are computed from; instruments are the first ``n`` names.

    ``trend (n + r,)`` is the move over the trend's days in standard deviations, NaN unknown,
    ``market_trend`` the same of the equal-weighted market; ``short``, ``middle`` and ``long`` are the
    correlations of instruments and references, ``leader`` is a column of them.
    """

    n: int
    leader: int
    trend: F64
    market_trend: float
    short: Correlations
    middle: Correlations
    long: Correlations
    closes: F64
    spec: CorrelationSpec

    @property
    def unit(self) -> float:
        """What a change of correlation is measured by: the dispersion of the pairs, or chance if larger.

        Chance is the standard error of a correlation in the short window; hundredths are never much.
        """
        pairs = _pairs(self.long.sample[: self.n, : self.n])
        chance = (1.0 - self.mean(self.long) ** 2) / sqrt(self.short.window_days)
        return max(float(np.nanstd(pairs)), chance, _UNIT_MIN)

    def mean(self, of: Correlations) -> float:
        return float(np.nanmean(_pairs(of.matrix[: self.n, : self.n])))

    def mean_of_each(self) -> F64:
        """Mean correlation of every instrument with the other known ones."""
        matrix = self.middle.matrix[: self.n, : self.n].copy()
        np.fill_diagonal(matrix, np.nan)
        counted = np.isfinite(matrix).sum(axis=1)
        mean: F64 = np.nansum(matrix, axis=1) / np.where(counted > 0, counted, np.nan)
        return mean


def _pairs(matrix: F64) -> F64:
    pairs: F64 = matrix[np.triu_indices(len(matrix), 1)]
    return pairs if np.isfinite(pairs).any() else np.zeros(1)


def squash(x: F64) -> F64:
    """Squeeze any number into -1..1, NaN stays NaN."""
    score: F64 = np.tanh(x / 2.0)
    return score


def _per(x: F64, unit: float) -> F64:
    """Divide by a dispersion; where nothing differs, nothing stands out."""
    return x / unit if unit > 0 else np.zeros_like(x)


def _leader(market: _Market) -> F64:
    """-1: moves with a leader that falls, and more so than it used to."""
    fall = max(float(squash(-market.trend)[market.leader]), 0.0)
    near = np.maximum(market.middle.matrix[: market.n, market.leader], 0.0)
    rise = market.short.matrix[: market.n, market.leader] - market.long.matrix[: market.n, market.leader]
    return -fall * near * (1.0 + squash(_per(rise, market.unit))) / 2.0


def _stress(market: _Market) -> F64:
    """-1: the whole market falls while everything becomes one."""
    rise = np.array([market.mean(market.short) - market.mean(market.long)])
    panic = np.maximum(squash(_per(rise, market.unit)), 0.0)
    fall = np.maximum(squash(np.array([-market.market_trend])), 0.0)
    return -float((panic * fall)[0]) * np.maximum(np.nan_to_num(market.mean_of_each()), 0.0)


def _references(market: _Market) -> F64:
    """-1: moves with an index that falls, or against one that rises; the worst of them counts."""
    rho = market.middle.matrix[: market.n, market.n :]
    pulls = rho * squash(market.trend[market.n :])
    worst: F64 = np.nan_to_num(pulls).min(axis=1, initial=0.0)
    return worst


def _diversifier(market: _Market) -> F64:
    """1: goes its own way, more than others do, and does not fall."""
    mean = market.mean_of_each()
    spread = float(np.nanstd(mean)) if np.isfinite(mean).any() else 0.0
    apart = squash(_per(np.nan_to_num(market.mean(market.middle) - mean), spread))
    own = (1.0 + np.nan_to_num(squash(market.trend[: market.n]))) / 2.0
    return np.maximum(apart, 0.0) * own


def _lead_lag(market: _Market) -> F64:
    """What those who lead beyond chance have done and the follower has not yet."""
    found = find_lead_lags(market.closes, market.spec.lags_days, market.spec.alpha_frac)
    pull, weight = np.zeros(market.n), np.zeros(market.n)
    for lag, matrix in zip(found.lags_days, found.correlation[:, :, : market.n], strict=True):
        moved = _step_ago(market.closes, lag) / market.long.volatility_frac
        pull += np.nan_to_num(moved) @ matrix
        weight += np.abs(matrix).sum(axis=0)
    return squash(pull / np.where(weight > 0, weight, 1.0)) * np.minimum(weight, 1.0)


#: Every condition returns a score -1..1 per instrument.
CONDITIONS: dict[str, Callable[[_Market], F64]] = {
    "leader": _leader,
    "stress": _stress,
    "references": _references,
    "diversifier": _diversifier,
    "lead_lag": _lead_lag,
}


def study(closes: F64, symbols: tuple[str, ...], spec: CorrelationSpec) -> CrossView:
    """Work out all conditions from closes ``(d, n + r)``, instruments before references."""
    n = len(symbols)
    short, middle, long = (correlate(closes, window) for window in WINDOWS_DAYS)
    known = (short.known & middle.known & long.known)[:n]
    if not known.any():
        blank = np.full((len(CONDITIONS), n), np.nan)
        return CrossView(blank, np.zeros(n), np.full(n, np.nan), 0.0, references_known=False)
    market = _Market(
        n=n,
        leader=_leader_of(symbols, spec.leader, known, long.matrix),
        trend=_trend(closes, spec.trend_days, long.volatility_frac),
        market_trend=_market_trend(closes[:, :n][:, known], spec.trend_days),
        short=short,
        middle=middle,
        long=long,
        closes=closes[-(max(WINDOWS_DAYS) + 1) :],
        spec=spec,
    )
    scores = np.array([np.where(known, condition(market), np.nan) for condition in CONDITIONS.values()])
    target = _target(long, known, spec)
    return CrossView(scores, known.astype(np.float64), target, market.mean(long), bool(long.known[n:].any()))


def _leader_of(symbols: tuple[str, ...], base: str, known: NDArray[np.bool_], matrix: F64) -> int:
    """Column of the leader: its first known instrument, else whoever correlates most with the others."""
    named = [k for k, symbol in enumerate(symbols) if known[k] and symbol.partition("/")[0] == base]
    if named:
        return named[0]
    closeness = np.where(known, np.nansum(matrix[: len(symbols), : len(symbols)], axis=1), -np.inf)
    return int(closeness.argmax())


def _trend(closes: F64, days: int, volatility: F64) -> F64:
    """Move over the last days in standard deviations of that many steps; NaN where not known."""
    logs = np.log(closes[-(days + 1) :])
    there = np.isfinite(logs)
    steps = there.sum(axis=0) - 1
    first = np.take_along_axis(logs, there.argmax(axis=0)[np.newaxis], axis=0)[0]
    last = np.take_along_axis(logs[::-1], there[::-1].argmax(axis=0)[np.newaxis], axis=0)[0]
    scale = volatility * np.sqrt(np.maximum(steps, 1))
    trend: F64 = (last - first) / np.where((steps > 0) & (scale > 0), scale, np.nan)
    return trend


def _market_trend(closes: F64, days: int) -> float:
    """Move of the equal-weighted market over the last days in its own standard deviations."""
    market = np.log(closes).mean(axis=1, keepdims=True)
    steps = np.diff(market[np.isfinite(market[:, 0])], axis=0)
    return float(np.nan_to_num(_trend(np.exp(market), days, steps.std(axis=0)))[0])


def _step_ago(closes: F64, lag: int) -> F64:
    """Each name's return of its ``lag``-th newest step, NaN where it has none."""
    moved = np.full(closes.shape[1], np.nan)
    for column, path in enumerate(np.log(closes).T):
        known = path[np.isfinite(path)]
        if len(known) > lag:
            moved[column] = known[-lag] - known[-lag - 1]
    return moved


def _target(long: Correlations, known: NDArray[np.bool_], spec: CorrelationSpec) -> F64:
    """Weights of the known instruments by the allocator that the owner chose."""
    target = np.full(len(known), np.nan)
    inside = np.flatnonzero(known)
    sigma = long.volatility_frac[inside]
    covariance = long.matrix[np.ix_(inside, inside)] * np.outer(sigma, sigma)
    target[inside] = capped(ALLOCATORS[spec.target](covariance), spec.target_cap_frac)
    return target
