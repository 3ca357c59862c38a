"""The account that a learned agent keeps in thought for every instrument, by the rules it was trained by."""

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.accounts import Accounts, BarPrices, EpisodeRules, Flags
from tg_actors.rl.episodes import HOLD, LEVELS, SIGN, account_columns
from tg_actors.rl.market import F32

_MONEY = ("cash", "quantity", "cost", "equity", "peak")
#: Columns of a memory: the account, the level wished for, whether it is still to be filled, its age in bars,
#: and for how many bars the level has stood.
COLUMNS = (*_MONEY, "level", "ordered", "age", "since")
#: Bars for which a level has stood that was never changed.
_LONG_AGO = 1e6


class Books:
    """``n`` accounts in thought; a wish is filled at the open of the next bar that there is.

    ``level_max`` and ``shorts`` are those of the model: a level beyond them is cut when the next action is
    taken, as an episode would.
    """

    def __init__(self, n: int, rules: EpisodeRules, level_max: int) -> None:
        self._rules, self._n = rules, n
        self.accounts = Accounts(n, rules)
        self.level: I64 = np.zeros(n, dtype=np.int64)
        self.ordered: Flags = np.zeros(n, dtype=np.bool_)
        self.age, self.since = np.zeros(n), np.full(n, _LONG_AGO)
        self._low = -level_max if rules.shorts else 0
        self._high = level_max

    def memory(self) -> F64:
        """Return everything as ``(n, 9)``, by :data:`COLUMNS`."""
        money = [getattr(self.accounts, name) for name in _MONEY]
        return np.column_stack((*money, self.level, self.ordered, self.age, self.since))

    def restore(self, memory: F64) -> None:
        """Take back a memory.

        Raises:
            ValueError: it is not one of these books.
        """
        if memory.shape != (self._n, len(COLUMNS)) or not np.isfinite(memory).all():
            raise ValueError(f"a memory holds the accounts of {self._n} instruments")
        columns = dict(zip(COLUMNS, np.array(memory, dtype=np.float64).T, strict=True))
        if np.abs(columns["level"]).max(initial=0.0) > LEVELS or columns["equity"].min(initial=1.0) <= 0.0:
            raise ValueError("a memory holds a level beyond the limit, or an account without equity")
        for name in _MONEY:
            setattr(self.accounts, name, columns[name].copy())
        self.level = columns["level"].astype(np.int64)
        self.ordered = columns["ordered"] != 0.0
        self.age, self.since = columns["age"].copy(), columns["since"].copy()

    def pass_bar(self, open_: F64, close: F64, worse: float, funding: F64, traded: Flags) -> None:
        """Fill what was ordered and value what is held; a row without a bar stands still."""
        before = [getattr(self.accounts, name).copy() for name in _MONEY]
        bar = BarPrices(
            np.where(traded, open_, 1.0),
            np.where(traded, close, 1.0),
            np.full(self._n, worse),
            np.where(traded, funding, 0.0),
        )
        target = self.level.astype(np.float64) * (self._rules.leverage_max / LEVELS)
        verbs = np.full(self._n, HOLD, dtype=np.int64)
        passage = self.accounts.move(bar, target, self.ordered & traded, verbs)
        for name, old in zip(_MONEY, before, strict=True):
            setattr(self.accounts, name, np.where(traded, getattr(self.accounts, name), old))
        self.ordered = self.ordered & ~traded
        self.age, self.since = self.age + traded, self.since + traded
        self._begin(traded & (passage.liquidated | (self.accounts.equity <= 0.0)))
        flat = (self.level == 0) & (self.accounts.quantity == 0.0)
        self._begin(traded & flat & (self.age >= self._rules.bars))

    def observe(self, out: F32) -> None:
        """Write the account's part ``(n, 4)`` of an observation."""
        accounts = self.accounts
        equity = np.maximum(accounts.equity, 1e-9)
        value = equity - accounts.cash
        account_columns(
            out,
            value / (equity * self._rules.leverage_max),
            self.level / LEVELS,
            (value - accounts.cost) / equity,
            1.0 - equity / np.maximum(accounts.peak, 1e-9),
        )

    def act(self, actions: NDArray[np.int64], acting: Flags) -> None:
        """Change the levels of the rows that act by actions ``(n, 2)``."""
        wanted = self.level + SIGN[actions[:, 0]] * (actions[:, 1] + 1)
        level = np.where(acting, np.minimum(np.maximum(wanted, self._low), self._high), self.level)
        moved = level != self.level
        self.ordered = self.ordered | moved
        self.since = np.where(moved, 0.0, self.since)
        self.level = level

    def _begin(self, rows: Flags) -> None:
        if rows.any():
            self.accounts.begin(rows)
            self.level = np.where(rows, 0, self.level)
            self.ordered = self.ordered & ~rows
            self.age = np.where(rows, 0.0, self.age)
