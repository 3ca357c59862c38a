"""Volatility with a long memory, and shocks with fat tails; everything scaled to unit variance.

The log volatility is a sum of three Ornstein-Uhlenbeck processes. With half-lives of hours, days and
months their covariance decays nearly like a power law, as measured: the autocorrelation of absolute
hourly returns falls from 0.3 (1 h) to 0.2 (a day), 0.14 (a week) and 0.08 (a month), which no single
half-life gives. (Superposition: O. Barndorff-Nielsen and N. Shephard, J. R. Statist. Soc. B 63, 2001.)
"""

from math import sqrt

import numpy as np
from numpy.random import Generator

from tg_actors.domain.blocks import F64

#: Half-life in hours and variance of each component of the log volatility.
COMPONENTS = ((4.0, 0.16), (96.0, 0.13), (1440.0, 0.17))
_HALF_LIVES_H = np.array([half_life_h for half_life_h, _ in COMPONENTS])
_VARIANCES = np.array([variance for _, variance in COMPONENTS])
LOG_VARIANCE = float(_VARIANCES.sum())

#: A coin's own noise swells with the market's volatility to this power ...
COMMON_POWER = 0.7
#: ... and the rest of its log variance is its own.
OWN_SCALE = sqrt(1.0 - COMMON_POWER**2)

_TAIL_DEGREES = 6.0
_JUMP_CHANCE = 0.004
_JUMP_SIZE = 4.0
#: Variance of a shock: Student's t of 6 degrees has 1.5, jumps come on top.
_SHOCK_SCALE = 1.0 / sqrt(_TAIL_DEGREES / (_TAIL_DEGREES - 2.0) + _JUMP_CHANCE * _JUMP_SIZE**2 * 1.5)


def stationary(rng: Generator) -> F64:
    """Components ``(3,)`` as after an endless past."""
    components: F64 = np.sqrt(_VARIANCES) * rng.standard_normal(len(COMPONENTS))
    return components


def log_volatility(components: F64, normals: F64, hours: float) -> tuple[F64, F64]:
    """Advance the components of ``c`` processes by ``m`` bars of ``hours``.

    Args:
        components: state before, ``(c, 3)``.
        normals: standard normals, ``(m, c, 3)``.
        hours: length of a bar.

    Returns:
        Log volatility ``(m, c)`` with variance ``LOG_VARIANCE``, and the state after, ``(c, 3)``.
    """
    keep = 0.5 ** (hours / _HALF_LIVES_H)
    pushes = normals * np.sqrt(_VARIANCES * (1.0 - keep**2))
    path = np.empty(normals.shape[:2])
    for k, push in enumerate(pushes):
        components = components * keep + push
        path[k] = components[:, 0] + components[:, 1] + components[:, 2]
    return path, components


def own_volatility(market: F64, own: F64) -> F64:
    """Mix the market's log volatility into each coin's own, keeping the variance; any equal shapes."""
    return COMMON_POWER * market + OWN_SCALE * own


def unit_scale(log_vol: F64) -> F64:
    """Standard deviation of a bar whose mean square over time is 1."""
    return np.exp(log_vol - LOG_VARIANCE)


def shocks(rng: Generator, jump_rate: F64) -> F64:
    """Shocks of ``m`` bars with unit variance where ``jump_rate (m,)`` is 1: t-distributed, with jumps."""
    count = len(jump_rate)
    tails = rng.standard_t(_TAIL_DEGREES, count)
    jumps = (rng.random(count) < _JUMP_CHANCE * jump_rate) * rng.standard_t(_TAIL_DEGREES, count) * _JUMP_SIZE
    return _SHOCK_SCALE * (tails + jumps)
