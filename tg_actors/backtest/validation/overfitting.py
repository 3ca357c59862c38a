"""How much of a Sharpe ratio is luck, and how much of it is the search for it. Pure NumPy.

Ratios here are *per observation* (per day for daily returns), never yearly, unless a name says so.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.performance import RETURN_RESOLUTION

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.577_215_664_901_532_9
#: Numbers of one slice of the combinations of :func:`pbo`; 8 MB.
_SLICE_NUMBERS = 1_000_000
_OBSERVATIONS_MIN = 3


@dataclass(frozen=True, slots=True)
class Moments:
    """What the distribution of a Sharpe ratio depends on.

    ``sharpe`` per observation with ddof 1; ``skew`` and ``kurtosis`` of the population, 0 and 3 if normal.
    """

    count: int
    sharpe: float
    skew: float
    kurtosis: float

    @property
    def variance(self) -> float:
        """Variance of the estimated ratio times ``count - 1`` (Mertens 2002)."""
        return 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2


def moments(returns: F64) -> Moments | None:
    """Return the moments of returns ``(n,)``, None for fewer than three or for returns that never differ."""
    if returns.size < _OBSERVATIONS_MIN or np.ptp(returns) <= RETURN_RESOLUTION:
        return None
    centred = returns - returns.mean()
    second = float(np.square(centred).mean())
    return Moments(
        count=returns.size,
        sharpe=float(returns.mean() / returns.std(ddof=1)),
        skew=float((centred**3).mean()) / second**1.5,
        kurtosis=float((centred**4).mean()) / second**2,
    )


def probabilistic_sharpe(returns: F64, benchmark: float = 0.0) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds ``benchmark``, both per observation.

    Bailey and López de Prado (2012): ``Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2))``.
    None where the ratio is undefined.
    """
    seen = moments(returns)
    if seen is None or seen.variance <= 0.0:
        return None
    return _NORMAL.cdf((seen.sharpe - benchmark) * math.sqrt((seen.count - 1) / seen.variance))


def sharpe_of_luck(trials: int, trials_std: float) -> float:
    """Return the largest Sharpe ratio to expect of ``trials`` strategies without skill.

    Bailey and López de Prado (2014): the mean of the maximum of N normal numbers of standard deviation
    ``trials_std``; in the unit of ``trials_std``, 0 for one trial.

    Raises:
        ValueError: fewer than one trial.
    """
    if trials < 1:
        raise ValueError(f"whoever shows a result has tried at least once, got {trials} trials")
    if trials == 1:
        return 0.0
    # From the lower tail: 1 / N is still told from 0 where 1 - 1 / N is no longer told from 1.
    plain = -_NORMAL.inv_cdf(1.0 / trials)
    rare = -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return trials_std * ((1.0 - _EULER_MASCHERONI) * plain + _EULER_MASCHERONI * rare)


def deflated_sharpe(returns: F64, trials: int, trials_std: float | None = None) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds what the best of ``trials`` reaches by luck.

    Bailey and López de Prado (2014).

    Args:
        returns: of the strategy that was chosen, ``(n,)``.
        trials: strategies tried before this one was chosen, itself included.
        trials_std: standard deviation of the trials' Sharpe ratios per observation. None takes what ``n``
            observations of strategies without skill would show, ``1 / sqrt(n - 1)``.
    """
    std = trials_std if trials_std is not None else 1.0 / math.sqrt(max(returns.size - 1, 1))
    return probabilistic_sharpe(returns, sharpe_of_luck(trials, std))


def track_record_min(returns: F64, benchmark: float = 0.0, level: float = 0.95) -> float | None:
    """Return how many observations make :func:`probabilistic_sharpe` reach ``level``, all else equal.

    Bailey and López de Prado (2012). None where the ratio is undefined or not above ``benchmark``: then no
    length is enough.
    """
    seen = moments(returns)
    if seen is None or seen.sharpe <= benchmark:
        return None
    return 1.0 + seen.variance * (_NORMAL.inv_cdf(level) / (seen.sharpe - benchmark)) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What the cross-validation of a choice found, over all ``(splits,)`` halves of the sample.

    ``logits``: of the relative rank, out of sample, of the strategy that was best in sample. ``in_sample``
    and ``out_of_sample``: its Sharpe ratios per observation.
    """

    logits: F64
    in_sample: F64
    out_of_sample: F64

    @property
    def probability(self) -> float:
        """Probability of backtest overfitting: how often the best in sample is in the worse half outside."""
        return float((self.logits <= 0.0).mean())

    @property
    def loss_probability(self) -> float:
        """How often the best in sample loses out of sample."""
        return float((self.out_of_sample < 0.0).mean())


def pbo(returns: F64, blocks: int = 16) -> Overfitting:
    """Cross-validate the choice of the best of many strategies: CSCV of Bailey et al. (2017).

    Time is cut into ``blocks`` equal pieces (what is left over at the beginning is dropped); every half of
    them is a sample to choose in, the other half the test. A strategy that never moves has a Sharpe ratio
    of 0. Equal ratios share their mean rank.

    Args:
        returns: ``(n, strategies)``.
        blocks: even.

    Raises:
        ValueError: an odd number of blocks, fewer than two strategies or a block of fewer than two returns.
    """
    if blocks % 2 or blocks < 2:  # noqa: PLR2004 - two halves
        raise ValueError(f"blocks must be an even number, got {blocks}")
    length, strategies = returns.shape[0] // blocks, returns.shape[1]
    if strategies < 2 or length < 2:  # noqa: PLR2004 - a choice, and a deviation
        raise ValueError(f"{returns.shape[0]} returns of {strategies} strategies do not fill {blocks} blocks")
    pieces = returns[returns.shape[0] - length * blocks :].reshape(blocks, length, strategies)
    # Centred once: sums of squares of small numbers around zero lose no digits.
    centre = pieces.mean(axis=(0, 1))
    sums, squares = (pieces - centre).sum(axis=1), np.square(pieces - centre).sum(axis=1)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    count = length * blocks // 2
    parts = [
        _score(chosen[at : at + step], sums, squares, centre, count)
        for step in (max(1, _SLICE_NUMBERS // strategies),)
        for at in range(0, len(chosen), step)
    ]
    return Overfitting(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _score(chosen: F64, sums: F64, squares: F64, centre: F64, count: int) -> tuple[F64, F64, F64]:
    """Logit of the rank, ratio inside, ratio outside of the best of each choice of blocks."""
    inside = _ratios(chosen @ sums, chosen @ squares, centre, count)
    other = 1.0 - chosen
    outside = _ratios(other @ sums, other @ squares, centre, count)
    rows = np.arange(len(chosen))
    best = inside.argmax(axis=1)
    reached = outside[rows, best][:, np.newaxis]
    rank = (outside < reached).sum(axis=1) + ((outside == reached).sum(axis=1) + 1.0) / 2.0
    part = rank / (outside.shape[1] + 1.0)
    return np.log(part / (1.0 - part)), inside[rows, best], reached[:, 0]


def _ratios(sums: F64, squares: F64, centre: F64, count: int) -> F64:
    """Sharpe ratios from sums of centred returns; 0 where nothing moved."""
    deviation = np.sqrt(np.maximum(squares - sums**2 / count, 0.0) / (count - 1))
    moved = deviation > RETURN_RESOLUTION
    ratios: F64 = np.where(moved, (sums / count + centre) / np.where(moved, deviation, 1.0), 0.0)
    return ratios
