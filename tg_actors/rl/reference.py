"""The environment's arithmetic for one account in plain floats: the oracle of the arrays."""

from collections.abc import Sequence

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import DUST_FRAC, EpisodeRules
from tg_actors.rl.episodes import BUY, LEVELS, SELL
from tg_actors.rl.market import LearningMarket


class Reference:
    """One episode of one instrument, step by step; the rules are those of :mod:`tg_actors.rl.accounts`."""

    def __init__(self, market: LearningMarket, rules: EpisodeRules, asset: int, start: int) -> None:
        self._market, self._rules, self._asset, self._bar = market, rules, asset, start
        self.cash, self.quantity, self.cost = rules.cash, 0.0, 0.0
        self.equity = self.peak = rules.cash
        self.level = 0
        self.is_liquidated = False

    def step(self, verb: int, size: int) -> float:
        """Act on the close of this bar and return the equity at the next one."""
        level = self.level + {BUY: size + 1, SELL: -size - 1}.get(verb, 0)
        level = min(max(level, -LEVELS if self._rules.shorts else 0), LEVELS)
        is_ordered, self.level, self._bar = level != self.level, level, self._bar + 1
        at = (self._bar, self._asset)
        worse = float(self._market.worse[at])
        self._end_if_fallen(float(self._market.open_[at]), worse)
        if is_ordered and not self.is_liquidated:
            self._fill(float(self._market.open_[at]), worse)
        price = float(self._market.close[at])
        self.cash -= self.quantity * price * float(self._market.funding[at])
        if self.cash < 0:
            self.cash -= self._rules.borrow_frac * -self.cash
        if self.quantity < 0:
            self.cash -= self._rules.borrow_frac * -self.quantity * price
        self._end_if_fallen(price, worse)
        self.equity = self.cash + self.quantity * price
        self.peak = max(self.peak, self.equity)
        return self.equity

    def _fill(self, price: float, worse: float) -> None:
        rules = self._rules
        equity = self.cash + self.quantity * price
        change = self.level / LEVELS * rules.leverage_max * equity / price - self.quantity
        if abs(change) * price <= DUST_FRAC * equity:
            return
        if change > 0:
            change = min(change, max(self._affordable(price, worse), 0.0))
        paid = price * (1 + worse) if change > 0 else price * (1 - worse)
        self.cash -= change * paid + abs(change) * paid * rules.fee_frac
        held, self.quantity = self.quantity, self.quantity + change
        if held * self.quantity <= 0:
            self.cost = self.quantity * paid
        elif held * change > 0:
            self.cost += change * paid
        else:
            self.cost *= self.quantity / held

    def _affordable(self, price: float, worse: float) -> float:
        """The change after which the position is worth ``leverage_max`` times the equity that is left."""
        leverage = self._rules.leverage_max
        unit = price * (1 + worse) * (1 + self._rules.fee_frac)
        room = leverage * self.cash + (leverage - 1) * self.quantity * price
        return room / (leverage * unit - (leverage - 1) * price)

    def _end_if_fallen(self, price: float, worse: float) -> None:
        equity = self.cash + self.quantity * price
        used = abs(self.cost) / self._rules.leverage_max
        if not self.quantity or equity > self._rules.liquidation_level * used:
            return
        paid = price * (1 - worse if self.quantity > 0 else 1 + worse)
        left = self.cash + self.quantity * paid - abs(self.quantity) * paid * self._rules.fee_frac
        self.cash, self.quantity, self.cost, self.is_liquidated = max(left, 0.0), 0.0, 0.0, True


def equity_of(
    market: LearningMarket, rules: EpisodeRules, asset: int, start: int, actions: Sequence[tuple[int, int]]
) -> F64:
    """Return equity at every close ``(len(actions) + 1,)`` of an episode, the first cash included."""
    account = Reference(market, rules, asset, start)
    return np.array([rules.cash, *(account.step(verb, size) for verb, size in actions)])
