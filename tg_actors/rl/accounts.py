"""Cash and positions of many accounts at once, moved bar by bar by the rules of the replay kernel.

* A target is decided on ``close[t]`` and filled at ``open[t+1]``: the position becomes ``target * equity /
  p``; slippage, which is always adverse, and the fee come on top. An order of less than 1e-9 of the equity
  is not sent; a buy is cut to what ``leverage_max`` allows after its costs (1: what the cash covers).
* At the close funding is paid on the position, and interest on what is borrowed: cash below 0, coins sold
  short.
* Before the fill and at the close, an account of equity at or below ``liquidation_level`` times its used
  margin (entry value over ``leverage_max``, as the practice exchange reckons) is closed there at once,
  slippage and fee included. At level 0 that is ruin. What a gap takes beyond the equity is the lender's
  loss: equity ends at 0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

Flags = NDArray[np.bool_]
#: Orders below this part of the equity are rounding, not decisions; the replay kernel has the same number.
DUST_FRAC = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRules:
    """What trading costs, how far one may go, how long an episode lasts.

    ``fee_frac`` of every fill's notional; ``borrow_frac`` a bar of what is borrowed; ``bars`` are the
    decisions of an episode, ``cash`` what it begins with.

    Raises:
        ValueError: a number is out of range.
    """

    fee_frac: float = 0.001
    borrow_frac: float = 0.0
    leverage_max: float = 1.0
    shorts: bool = False
    liquidation_level: float = 0.0
    bars: int = 512
    cash: float = 10_000.0

    def __post_init__(self) -> None:
        if not (0 <= self.fee_frac < 1 and 0 <= self.borrow_frac < 1):
            raise ValueError("fee_frac and borrow_frac are fractions from 0 to below 1")
        if not (1 <= self.leverage_max < np.inf and 0 < self.cash < np.inf and self.bars >= 1):
            raise ValueError("leverage_max and bars are at least 1, cash is above 0")
        if not 0 <= self.liquidation_level < 1 or (self.liquidation_level and self.leverage_max == 1):
            raise ValueError("liquidation_level is 0 to below 1, and of borrowed money: leverage_max above 1")


@dataclass(frozen=True, slots=True, eq=False)
class BarPrices:
    """One bar for every account, each ``(n,)``: where orders fill, where they are valued, what it costs."""

    open_: F64
    close: F64
    worse: F64
    funding: F64


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """What a bar did to every account, each ``(n,)``: what rewards are computed from.

    ``before`` and ``after`` are equity at the two closes, ``turnover`` what was traded as a part of the
    equity, ``closed`` and ``won`` whether a trade ended and whether it left more than there was,
    ``liquidated`` whether the account did, ``drawdown`` a positive fraction of the peak, ``verb`` 0 buy, 1
    sell, 2 hold.
    """

    before: F64
    after: F64
    turnover: F64
    closed: Flags
    won: Flags
    liquidated: Flags
    drawdown: F64
    verb: NDArray[np.int64]


class Accounts:
    """``n`` accounts in parallel; every array is ``(n,)``."""

    def __init__(self, n: int, rules: EpisodeRules) -> None:
        self._rules = rules
        self._can_fall = rules.shorts or rules.leverage_max > 1
        self._margin_frac = rules.liquidation_level / rules.leverage_max
        zeros = np.zeros(n)
        self.cash, self.quantity, self.cost = zeros + rules.cash, zeros.copy(), zeros.copy()
        self.equity, self.peak, self._stake = zeros + rules.cash, zeros + rules.cash, zeros.copy()
        self._nobody = np.zeros(n, dtype=np.bool_)

    def begin(self, rows: Any) -> None:
        """Give these accounts their first cash again."""
        for array in (self.cash, self.equity, self.peak):
            array[rows] = self._rules.cash
        for array in (self.quantity, self.cost, self._stake):
            array[rows] = 0.0

    def move(self, bar: BarPrices, target: F64, ordered: Flags, verb: NDArray[np.int64]) -> Passage:
        """Fill the orders of a bar and value what is held at its close."""
        before, gone = self.equity, self._nobody
        value = self.quantity * bar.open_
        if self._can_fall:
            gone = self._fallen(self.cash + value)
            if gone.any():
                self._close_out(gone, bar.open_, bar.worse)
                ordered, value = ordered & ~gone, self.quantity * bar.open_
        turnover, closed, won = self._fill(bar, value, target, ordered)
        self._carry(bar)
        self.equity = self.cash + self.quantity * bar.close
        if self._can_fall:
            fell = self._fallen(self.equity)
            if fell.any():
                self._close_out(fell, bar.close, bar.worse)
                gone, self.equity = gone | fell, self.cash + self.quantity * bar.close
        self.peak = np.maximum(self.peak, self.equity)
        drawdown = 1.0 - self.equity / self.peak
        return Passage(before, self.equity.copy(), turnover, closed, won, gone, drawdown, verb)

    def _fill(self, bar: BarPrices, value: F64, target: F64, ordered: Flags) -> tuple[F64, Flags, Flags]:
        """Trade towards the targets; return turnover, which trades ended, and which of them won."""
        rules, price, held = self._rules, bar.open_, self.quantity
        equity = self.cash + value
        delta = target * equity / price - held
        leverage = rules.leverage_max
        unit = price * (1.0 + bar.worse) * (1.0 + rules.fee_frac)
        room = self.cash / unit
        if leverage > 1:
            room = (leverage * self.cash + (leverage - 1.0) * value) / (
                leverage * unit - (leverage - 1.0) * price
            )
        sent = ordered & (np.abs(delta) * price > DUST_FRAC * equity)
        delta = np.where(sent, np.minimum(delta, np.maximum(room, 0.0)), 0.0)
        size = np.abs(delta)
        paid = price * (1.0 + np.sign(delta) * bar.worse)
        flow = delta * paid
        self.cash = self.cash - flow - size * paid * rules.fee_frac
        now = held + delta
        turned = held * now <= 0.0
        closed = turned & (held != 0.0)
        won = closed & (self.cash + now * price > self._stake)
        opened = turned & (now != 0.0)
        self._stake = np.where(opened, equity, self._stake)
        share = now / np.where(held == 0.0, 1.0, held)
        self.cost = np.where(
            opened, now * paid, np.where(held * delta > 0.0, self.cost + flow, self.cost * share)
        )
        self.quantity = now
        return size * price / np.maximum(equity, DUST_FRAC), closed, won

    def _carry(self, bar: BarPrices) -> None:
        value = self.quantity * bar.close
        self.cash = self.cash - value * bar.funding
        if self._rules.borrow_frac:
            borrowed = np.maximum(-self.cash, 0.0) + np.maximum(-value, 0.0)
            self.cash = self.cash - self._rules.borrow_frac * borrowed

    def _fallen(self, equity: F64) -> Flags:
        fallen: Flags = (self.quantity != 0.0) & (equity <= self._margin_frac * np.abs(self.cost))
        return fallen

    def _close_out(self, rows: Flags, price: F64, worse: F64) -> None:
        held = self.quantity[rows]
        paid = price[rows] * (1.0 - np.sign(held) * worse[rows])
        left = self.cash[rows] + held * paid - np.abs(held) * paid * self._rules.fee_frac
        self.cash[rows] = np.maximum(left, 0.0)
        self.quantity[rows] = self.cost[rows] = 0.0
