"""Who traded: public trades split by size into whales and retail, bar by bar. Pure, arrays only.

A tape does not say who stands behind a trade; the size of the order that took it is the only trace (C. Lee,
B. Radhakrishna, Inferring Investor Behavior: Evidence from TORQ Data, Journal of Financial Markets 3, 2000).
A large market order is printed as many trades, one for each resting order that it meets: in the captures of
``shared/data/trades`` two trades of three stand in the millisecond of the one before. So the prints of one
sweep are joined before anything is measured. What is sliced over minutes on purpose stays hidden.
"""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64

#: Columns of :func:`flow_by_size`, also names of facts.
FLOW_COLUMNS = ("retail_buy_usd", "retail_sell_usd", "whale_buy_usd", "whale_sell_usd")

_BUY, _SELL = 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Public trades in the order of the tape.

    Shapes ``(t,)``: ``at_ns`` never falls, ``price`` in quote currency, ``size`` in base units, ``side`` the
    taker's: 1 bought, -1 sold.
    """

    at_ns: I64
    price: F64
    size: F64
    side: I64

    def __post_init__(self) -> None:
        """Refuse what no tape holds.

        Raises:
            ValueError: lengths differ, time runs backwards, or a price, size or side is impossible.
        """
        t = len(self.at_ns)
        if not len(self.price) == len(self.size) == len(self.side) == t:
            raise ValueError("trades: at_ns, price, size and side must be equally long")
        if t and (np.diff(self.at_ns) < 0).any():
            raise ValueError("trades: time runs backwards")
        if not (np.isfinite(self.price) & (self.price > 0) & np.isfinite(self.size) & (self.size >= 0)).all():
            raise ValueError("trades: every price must be positive, every size finite and not negative")
        if not np.isin(self.side, (_BUY, _SELL)).all():
            raise ValueError("trades: a side is the taker's, 1 or -1")


@dataclass(frozen=True, slots=True, eq=False)
class TakerOrders:
    """Orders that took liquidity, each joined from its prints: shapes ``(k,)``, ``usd`` in quote currency."""

    at_ns: I64
    usd: F64
    side: I64


def joined(trades: Trades, gap_ns: int = 0) -> TakerOrders:
    """Join neighbouring trades of one side that are no further apart than ``gap_ns``: one order's sweep.

    With 0 only prints of the very same time stamp are joined (venues stamp milliseconds).
    """
    if not len(trades.at_ns):
        return TakerOrders(trades.at_ns, trades.price, trades.side)
    apart = (np.diff(trades.at_ns) > gap_ns) | (np.diff(trades.side) != 0)
    first = np.concatenate(([0], np.flatnonzero(apart) + 1))
    usd: F64 = np.add.reduceat(trades.price * trades.size, first)
    return TakerOrders(trades.at_ns[first], usd, trades.side[first])


def flow_by_size(orders: TakerOrders, whale_usd: float, start_ns: int, bar_ns: int, bars: int) -> F64:
    """Add up who bought and sold in every bar: ``(bars, 4)`` dollars, in the order of ``FLOW_COLUMNS``.

    Bar ``k`` holds what happened in ``start_ns + [k, k + 1) * bar_ns``; what lies outside of all bars is left
    out. An order of exactly ``whale_usd`` is a whale's.
    """
    bar = (orders.at_ns - start_ns) // bar_ns
    inside = (bar >= 0) & (bar < bars)
    column = 2 * (orders.usd >= whale_usd) + (orders.side == _SELL)
    cell = (bar * len(FLOW_COLUMNS) + column)[inside]
    cells = bars * len(FLOW_COLUMNS)
    flow: F64 = np.bincount(cell, weights=orders.usd[inside], minlength=cells).astype(np.float64)
    return flow.reshape(bars, len(FLOW_COLUMNS))
