"""The default reward: log growth of equity net of costs, and shaping that changes no best policy.

Shaping pays ``gamma * potential' - potential`` and takes the whole potential back when an episode ends for
good (A. Ng, D. Harada, S. Russell, ICML 1999): whatever it pays on the way, it pays nothing in all.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import Passage

#: A bar that leaves less than this part of the equity counts as if it had left this part: ruin is finite.
LEFT_FRAC_MIN = 1e-4


class Reward(Protocol):
    """What a bar is worth to ``n`` learners; it may remember their episodes."""

    def begin(self, rows: Any) -> None:
        """Forget the episodes of these rows."""

    def pay(self, passage: Passage) -> F64:
        """Return the rewards of a bar ``(n,)``; a liquidated row has ended for good."""

    def owed(self) -> F64:
        """Return what is still to be settled ``(n,)`` if every episode ended for good right now."""


def log_growth(passage: Passage) -> F64:
    """Return the log growth of a bar ``(n,)``; without ruin it sums up to log(last / first equity)."""
    grown: F64 = np.log(np.maximum(passage.after / passage.before, LEFT_FRAC_MIN))
    return grown


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthTerms:
    """The weights of a growth reward.

    ``risk_aversion`` 1 is log growth itself; every unit more takes half the squared move. ``turnover_cost``
    is taken per equity traded, on top of the real costs. The potential is ``sharpe_weight`` times the Sharpe
    ratio of the last ``sharpe_bars`` or so (-1..1), plus ``win_weight`` times won less lost trades over
    their number and 10, minus ``drawdown_weight`` times the drawdown beyond ``drawdown_knee_frac``.
    ``gamma`` is the learner's discount. Everything is in usual moves of the instrument.
    """

    risk_aversion: float = 1.0
    turnover_cost: float = 0.0
    drawdown_weight: float = 5.0
    drawdown_knee_frac: float = 0.1
    sharpe_weight: float = 0.1
    sharpe_bars: float = 64.0
    win_weight: float = 0.1
    gamma: float = 0.99


#: Trades that a share of won ones is measured against, so that the first one says little.
_TRADES_PRIOR = 10.0


class GrowthReward:
    """``(log growth - risk - turnover) / usual move`` plus the shaping, for ``n`` rows."""

    def __init__(self, terms: GrowthTerms, move_frac: F64) -> None:
        self._terms, self._move = terms, move_frac
        zeros = np.zeros(len(move_frac))
        self._mean, self._square, self._balance, self._trades = (zeros.copy() for _ in range(4))
        self._potential, self._wins = zeros.copy(), zeros.copy()

    def begin(self, rows: Any) -> None:
        """Forget the episodes of these rows."""
        for array in (self._mean, self._square, self._balance, self._trades, self._wins, self._potential):
            array[rows] = 0.0

    def pay(self, passage: Passage) -> F64:
        """Return the rewards of a bar."""
        terms = self._terms
        growth = log_growth(passage)
        moved = growth / self._move
        paid = moved
        if terms.risk_aversion != 1.0:
            paid = paid - 0.5 * (terms.risk_aversion - 1.0) * growth * moved
        if terms.turnover_cost:
            paid = paid - terms.turnover_cost * passage.turnover / self._move
        before, self._potential = self._potential, self._potential_after(moved, passage)
        return paid + terms.gamma * self._potential - before

    def owed(self) -> F64:
        """Take the potential back."""
        return -self._potential

    def _potential_after(self, moved: F64, passage: Passage) -> F64:
        terms = self._terms
        weight = 1.0 / terms.sharpe_bars
        self._mean = self._mean + weight * (moved - self._mean)
        self._square = self._square + weight * (moved * moved - self._square)
        spread = np.sqrt(self._square)
        sharpe = self._mean / np.where(spread > 0.0, spread, 1.0)
        if passage.closed.any():
            self._trades = self._trades + passage.closed
            self._balance = self._balance + np.where(passage.won, 1.0, -1.0) * passage.closed
            self._wins = self._balance / (self._trades + _TRADES_PRIOR)
        excess = np.maximum(passage.drawdown - terms.drawdown_knee_frac, 0.0)
        potential: F64 = terms.sharpe_weight * sharpe + terms.win_weight * self._wins
        return (potential - terms.drawdown_weight * excess) * ~passage.liquidated
