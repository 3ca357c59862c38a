"""Which instruments a bar can touch: two array comparisons first, floats for the few, Decimal for none.

A screen may let too much through, never too little: its margin is far above the rounding of floats
and far below a tick, and whatever passes is decided again in Decimal.
"""

from collections.abc import Sequence

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import from_float
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.orders import Stance, WorkingOrder
from tg_actors.exchange.path import HIGH, LOW, MarketStep
from tg_actors.exchange.quotes import Alignment

_MARGIN = 1e-9
_ALWAYS = (np.inf, -np.inf)


class Screen:
    """Per instrument, the price at or below which and at or above which some open order stirs."""

    def __init__(self, symbols: Sequence[str], book: OrderBook) -> None:
        self._symbols = tuple(symbols)
        self._row_of = {symbol: row for row, symbol in enumerate(self._symbols)}
        self._book = book
        self._falls_to: F64 = np.full(len(symbols), -np.inf)
        self._rises_to: F64 = np.full(len(symbols), np.inf)

    def awake(self, step: MarketStep, alignment: Alignment) -> list[tuple[str, int]]:
        """Return instruments with an order that may react, with their rows in the step, in our order.

        The trailing stops of all others follow the bar here.
        """
        self._refresh()
        ours, theirs = alignment.ours, alignment.theirs
        stirs = step.ohlcv[theirs, LOW] <= self._falls_to[ours]
        stirs |= step.ohlcv[theirs, HIGH] >= self._rises_to[ours]
        found = np.flatnonzero(stirs & step.has_bar[theirs])
        pairs = sorted(zip(ours[found].tolist(), theirs[found].tolist(), strict=True))
        return [(self._symbols[our], their) for our, their in pairs if self._reacts(our, step, their)]

    def _refresh(self) -> None:
        """Take in the instruments whose orders have changed since the last step."""
        for symbol in self._book.take_changed():
            bounds = [_stirring_prices(order) for order in self._book.of(symbol)]
            row = self._row_of[symbol]
            self._falls_to[row] = max((low for low, _ in bounds), default=-np.inf)
            self._rises_to[row] = min((high for _, high in bounds), default=np.inf)

    def _reacts(self, our: int, step: MarketStep, their: int) -> bool:
        symbol, bar = self._symbols[our], step.ohlcv[their]
        low, high = float(bar[LOW]), float(bar[HIGH])
        self._book.mark_changed(symbol)
        orders = self._book.of(symbol)
        if any(_may_react(order, low, high) for order in orders):
            return True
        for order in orders:
            order.trail(from_float(high if order.spec.side is Side.SELL else low))
        return False


def _stirring_prices(order: WorkingOrder) -> tuple[float, float]:
    """Prices at or below which, and at or above which, an order or its watermark moves."""
    if order.stance is Stance.TAKING or order.is_resting_ioc:
        return _ALWAYS
    level, falling = float(order.level), order.falls_to_level
    watermark = None if order.watermark is None else float(order.watermark)
    if falling:
        return level * (1 + _MARGIN), np.inf if watermark is None else watermark * (1 - _MARGIN)
    return -np.inf if watermark is None else watermark * (1 + _MARGIN), level * (1 - _MARGIN)


def _may_react(order: WorkingOrder, low: float, high: float) -> bool:
    """Whether a bar with this range can trigger or fill an order."""
    if order.stance is Stance.TAKING or order.is_resting_ioc:
        return True
    level, falling = float(order.level), order.falls_to_level
    if order.watermark is not None:
        # The watermark may first follow the price within the bar, and the trigger follows it.
        watermark = float(order.watermark)
        level *= max(1.0, high / watermark) if falling else min(1.0, low / watermark)
    return low <= level * (1 + _MARGIN) if falling else high >= level * (1 - _MARGIN)
