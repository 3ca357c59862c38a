"""What moves together: correlations of daily returns, shrunk, and the clusters they form. Pure.

Closes come as ``(d, n)``, one row a UTC day, oldest first, NaN where a name did not trade. A pair is
compared on the days on which both have a close: what lies between two such days is compounded, so a
coin's weekend goes into the Monday of the index it is compared with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64

#: Rolling windows of the desk, calendar days; the longest is the one that decides.
WINDOWS_DAYS = (30, 60, 90)
#: A pair is known with this part of the window's days; an index has 5 sessions in 7 days.
KNOWN_FRAC = 0.5
#: Smallest eigenvalue that a matrix is left with.
_EIGEN_MIN = 1e-10
#: Machines differ in the last places of a sum; what is decided from a matrix must not.
_DIGITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Correlations of daily log returns over one window.

    Shapes: ``matrix (n, n)`` shrunk, positive semi-definite, unit diagonal; ``sample (n, n)`` before that;
    ``count (n, n)`` returns behind each pair; ``volatility_frac (n,)`` standard deviation of a name's
    returns per its own step. Rows and columns of names that are not ``known (n,)`` are NaN in ``matrix``.
    ``shrinkage_frac`` is the weight of the common mean, 0..1.
    """

    window_days: int
    matrix: F64
    sample: F64
    count: I64
    volatility_frac: F64
    known: NDArray[np.bool_]
    shrinkage_frac: float

    @property
    def mean(self) -> float:
        """Mean correlation of the known pairs, NaN below two names."""
        return float(off_diagonal(self.matrix).mean()) if self.known.sum() > 1 else float("nan")

    @property
    def dispersion(self) -> float:
        """Standard deviation of the correlations of the known pairs, NaN below two names."""
        return float(off_diagonal(self.matrix).std()) if self.known.sum() > 1 else float("nan")


def correlate(closes: F64, window_days: int) -> Correlations:
    """Correlate the log returns of the last ``window_days`` calendar days.

    A name is known when it and every other known name have returns on half the days of the window;
    where that fails, the name with the most gaps is given up first.

    Args:
        closes: ``(d, n)``, positive or NaN; days before the window are not looked at.
        window_days: at least 2.
    """
    moments = _Moments.of(np.log(closes[-(window_days + 1) :]))
    known = _known(moments, ceil(window_days * KNOWN_FRAC))
    inside = np.ix_(known, known)
    matrix = np.full_like(moments.r, np.nan)
    shrinkage = 0.0
    if known.any():
        shrunk, shrinkage = shrink(moments.take(known))
        matrix[inside] = np.round(nearest_correlation(shrunk), _DIGITS)
    return Correlations(
        window_days=window_days,
        matrix=matrix,
        sample=moments.r,
        count=moments.count,
        volatility_frac=np.where(known, moments.volatility, np.nan),
        known=known,
        shrinkage_frac=shrinkage,
    )


def off_diagonal(matrix: F64) -> F64:
    """Return every known pair once."""
    pairs: F64 = matrix[np.triu_indices(len(matrix), 1)]
    return pairs[np.isfinite(pairs)]


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Sums over the common days of every pair of standardised returns ``z``; all ``(n, n)``.

    ``r`` is the mean of ``z_i z_j``, ``pi`` of ``(z_i z_j - r)^2``, ``theta`` of
    ``(z_i^2 - 1)(z_i z_j - r)``.
    """

    r: F64
    pi: F64
    theta: F64
    count: I64
    volatility: F64

    @classmethod
    def of(cls, logs: F64) -> "_Moments":
        n = logs.shape[1]
        r, pi, theta = (np.full((n, n), np.nan) for _ in range(3))
        count, volatility = np.zeros((n, n), dtype=np.int64), np.full(n, np.nan)
        for a, b, x, y in paired_steps(logs):
            count[np.ix_(a, b)] = count[np.ix_(b, a)] = len(x)
            if not len(x):
                continue
            zx, zy = _standardise(x), _standardise(y)
            # einsum, no matrix product: BLAS may add in another order on another machine.
            block = np.einsum("ti,tj->ij", zx, zy) / len(x)
            here, there = np.ix_(a, b), np.ix_(b, a)
            r[here], r[there] = block, block.T
            square = np.einsum("ti,tj->ij", zx**2, zy**2) / len(x) - block**2
            pi[here], pi[there] = square, square.T
            theta[there] = (np.einsum("ti,tj->ij", zx, zy**3) / len(x) - block).T
            theta[here] = np.einsum("ti,tj->ij", zx**3, zy) / len(x) - block
            if a is b:
                volatility[a] = x.std(axis=0)
        return cls(r, pi, theta, count, volatility)

    def take(self, known: NDArray[np.bool_]) -> "_Moments":
        inside = np.ix_(known, known)
        return _Moments(
            self.r[inside], self.pi[inside], self.theta[inside], self.count[inside], self.volatility
        )


def paired_steps(logs: F64) -> Iterator[tuple[I64, I64, F64, F64]]:
    """Yield columns ``a``, columns ``b`` and their log returns between common days, every pair once.

    Columns that trade on the same days are taken together: coins with coins, coins with indices.
    """
    present = np.isfinite(logs)
    calendars, which = np.unique(present.T, axis=0, return_inverse=True)
    groups = [np.flatnonzero(which == k) for k in range(len(calendars))]
    for k, a in enumerate(groups):
        for m in range(k, len(groups)):
            rows = calendars[k] & calendars[m]
            steps = np.diff(logs[rows], axis=0)
            yield a, groups[m], steps[:, a], steps[:, groups[m]]


def _standardise(x: F64) -> F64:
    """Mean 0, standard deviation 1; what never moves has no correlation: NaN."""
    sd = x.std(axis=0)
    z: F64 = (x - x.mean(axis=0)) / np.where(sd > 0, sd, np.nan)
    return z


def _known(moments: _Moments, returns_min: int) -> NDArray[np.bool_]:
    """Drop names until every remaining pair is known; the one that misses most goes first."""
    gaps = (moments.count < returns_min) | ~np.isfinite(moments.r)
    known = ~gaps.diagonal().copy()
    while (missing := (gaps & known & known[:, np.newaxis]).sum(axis=1)).any():
        # Of equals the last one: instruments stand before references.
        known[len(known) - 1 - int(missing[::-1].argmax())] = False
    return known


def shrink(moments: _Moments) -> tuple[F64, float]:
    """Pull correlations towards their mean as far as the sample is noise; the matrix and the weight.

    Ledoit and Wolf (2004), "Honey, I shrunk the sample covariance matrix", on standardised returns; the
    variance of each pair is divided by its own number of returns, which with one calendar for all is
    their formula.
    """
    n = len(moments.r)
    others = ~np.eye(n, dtype=bool)
    if n <= 2:  # noqa: PLR2004 - with one pair the mean is the pair
        return moments.r, 0.0
    target = float(moments.r[others].mean())
    rho = 0.5 * target * (moments.theta + moments.theta.T)
    noise = float(((moments.pi - rho) / moments.count)[others].sum())
    spread = float(((moments.r - target) ** 2)[others].sum())
    frac = min(max(noise / spread, 0.0), 1.0) if spread > 0 else 0.0
    return np.where(others, frac * target + (1.0 - frac) * moments.r, 1.0), frac


def nearest_correlation(matrix: F64) -> F64:
    """Return a correlation matrix without negative eigenvalues; a sound one as it is.

    Negative eigenvalues, which pairs of different days may leave, are cut off and the diagonal is scaled
    back to 1 (Rebonato and Jaeckel 1999).
    """
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= _EIGEN_MIN:
        return matrix
    root = vectors * np.sqrt(np.maximum(values, _EIGEN_MIN))
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True))
    fixed: F64 = np.einsum("ik,jk->ij", root, root)
    np.fill_diagonal(fixed, 1.0)
    return fixed


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which correlation on two names belong together, measured by the market itself.

    ``mean + sigmas * dispersion`` of all known pairs: coins correlate by 0.6 anyway, and what says something
    is to stand out. Never below ``low``, where a market of strangers would find neighbours; never above
    ``high``, or a crash in which everything is one would find nobody.
    """

    low: float
    high: float
    sigmas: float = 1.0

    def of(self, matrix: F64) -> float:
        """Return the threshold for a matrix; ``low`` where no pair is known."""
        pairs = off_diagonal(matrix)
        if not len(pairs):
            return self.low
        return float(min(max(pairs.mean() + self.sigmas * pairs.std(), self.low), self.high))


@dataclass(frozen=True, slots=True, eq=False)
class LeadLags:
    """Who moves first: ``correlation (k, n, n)`` of ``[lag, leader, follower]``, 0 where it may be chance.

    ``lags_days[k]`` is how many common days the follower comes later.
    """

    lags_days: tuple[int, ...]
    correlation: F64

    def __len__(self) -> int:
        return int(np.count_nonzero(self.correlation))


def find_lead_lags(closes: F64, lags_days: Sequence[int], alpha_frac: float) -> LeadLags:
    """Find pairs whose returns at a distance correlate beyond chance.

    Under independence a correlation of ``T`` returns has the standard error ``1 / sqrt(T)`` (Bartlett);
    the bound holds for all pairs and lags together with probability ``1 - alpha_frac`` (Bonferroni).

    Args:
        closes: ``(d, n)``, positive or NaN.
        lags_days: positive.
        alpha_frac: chance of one false find among all.
    """
    n = closes.shape[1]
    found = np.zeros((len(lags_days), n, n))
    trials = max(n * (n - 1) * len(lags_days), 1)
    bound = NormalDist().inv_cdf(1.0 - alpha_frac / (2 * trials))
    for a, b, x, y in paired_steps(np.log(closes)):
        for k, lag in enumerate(lags_days):
            if len(x) - lag > bound**2:
                found[k][np.ix_(a, b)] = _significant(x[:-lag], y[lag:], bound)
                found[k][np.ix_(b, a)] = _significant(y[:-lag], x[lag:], bound)
    for matrix in found:
        np.fill_diagonal(matrix, 0.0)
    return LeadLags(tuple(lags_days), found)


def _significant(early: F64, late: F64, bound: float) -> F64:
    r = np.einsum("ti,tj->ij", _standardise(early), _standardise(late)) / len(early)
    # NaN, a name that never moves, is no find.
    return np.where(np.abs(r) * sqrt(len(early)) >= bound, r, 0.0)
