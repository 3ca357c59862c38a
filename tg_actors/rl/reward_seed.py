"""The first plan's reward, literally: kept for comparison, never for training. ``tg rl audit`` shows why."""

from typing import Any

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import Passage

_PNL_USD = 100.0
#: The plan's weight of this term has not come down to us: the audit's verdict is the same from 0 to 1.
_SHARPE_WEIGHT = 0.5
_SHARPE_BARS = 64.0
_DRAWDOWN_KNEE_FRAC = 0.1
_WIN_RATE_WEIGHT = 0.1
_ENTROPY_WEIGHT = 0.05
_VERBS = 3


class SeedReward:
    """``tanh(pnl/100) + sharpe/2 - max(drawdown - 0.1, 0)^2 + win_rate/10 - entropy/20`` for ``n`` rows.

    Everything but the first term is paid as a level on every bar. ``pnl`` is in quote currency, so the reward
    depends on the size of the account; ``sharpe`` is that of about the last 64 bars, per bar; ``entropy``
    (nats) is that of the buys, sells and holds so far.
    """

    def __init__(self, n: int) -> None:
        self._mean, self._square = np.zeros(n), np.zeros(n)
        self._wins, self._trades = np.zeros(n), np.zeros(n)
        self._verbs = np.zeros((n, _VERBS))

    def begin(self, rows: Any) -> None:
        """Forget the episodes of these rows."""
        for array in (self._mean, self._square, self._wins, self._trades, self._verbs):
            array[rows] = 0.0

    def pay(self, passage: Passage) -> F64:
        """Return the rewards of a bar."""
        pnl = passage.after - passage.before
        moved = pnl / passage.before
        self._mean = self._mean + (moved - self._mean) / _SHARPE_BARS
        self._square = self._square + (moved * moved - self._square) / _SHARPE_BARS
        spread = np.sqrt(np.maximum(self._square - self._mean * self._mean, 0.0))
        sharpe = self._mean / np.where(spread > 0.0, spread, 1.0)
        self._trades = self._trades + passage.closed
        self._wins = self._wins + passage.won
        win_rate = self._wins / np.maximum(self._trades, 1.0)
        excess = np.maximum(passage.drawdown - _DRAWDOWN_KNEE_FRAC, 0.0)
        self._verbs[np.arange(len(pnl)), passage.verb] += 1.0
        paid: F64 = np.tanh(pnl / _PNL_USD) + _SHARPE_WEIGHT * sharpe - excess * excess
        return paid + _WIN_RATE_WEIGHT * win_rate - _ENTROPY_WEIGHT * self._entropy()

    def owed(self) -> F64:
        """Nothing: what was paid is kept."""
        return np.zeros(len(self._mean))

    def _entropy(self) -> F64:
        share = self._verbs / self._verbs.sum(axis=1, keepdims=True)
        entropy: F64 = -(share * np.log(np.where(share > 0.0, share, 1.0))).sum(axis=1)
        return entropy
