"""Figures of closed trades: profits after fees, and how far prices ran for and against them."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.portfolio.trades import ClosedTrade

_TRADES_MIN = 2


class Excursion(NamedTuple):
    """How far the price ran against and for a trade while it was open, fractions of its entry, 0 at least."""

    adverse_frac: float
    favourable_frac: float


class BarRanges(NamedTuple):
    """What an instrument's price did in every bar: ``open_ns``, ``high``, ``low``, each ``(m,)`` in order."""

    bar_ns: int
    open_ns: I64
    high: F64
    low: F64


def excursion(trade: ClosedTrade, bars: BarRanges) -> Excursion:
    """Return the excursions of a trade over the bars that lie wholly inside it, and its exit.

    The bars of entry and exit themselves do not count, save through the prices paid: which part of them the
    trade saw is not known. Sweeney (1996).
    """
    inside = slice(
        int(np.searchsorted(bars.open_ns, trade.opened_ns)),
        int(np.searchsorted(bars.open_ns, trade.closed_ns - bars.bar_ns, side="right")),
    )
    entry, left = float(trade.entry), float(trade.exit)
    highest = float(np.fmax.reduce(bars.high[inside], initial=max(entry, left)))
    lowest = float(np.fmin.reduce(bars.low[inside], initial=min(entry, left)))
    up, down = highest / entry - 1.0, 1.0 - lowest / entry
    return Excursion(down, up) if trade.side is Side.BUY else Excursion(up, down)


def excursions(trades: Sequence[ClosedTrade], bars: Mapping[str, BarRanges]) -> list[Excursion]:
    """Return the excursions of every trade, none at all where the bars of an instrument are missing."""
    if any(trade.symbol not in bars for trade in trades):
        return []
    return [excursion(trade, bars[trade.symbol]) for trade in trades]


def win_rate(trades: Sequence[ClosedTrade]) -> float | None:
    """Return the part of the trades that earned something after fees."""
    return sum(trade.pnl > ZERO for trade in trades) / len(trades) if trades else None


def profit_factor(profits: Sequence[Decimal]) -> float | None:
    """Return the sum of profits over the sum of losses; None without a loss."""
    lost = -sum((profit for profit in profits if profit < ZERO), ZERO)
    won = sum((profit for profit in profits if profit > ZERO), ZERO)
    return float(won) / float(lost) if lost > ZERO else None


def payoff_ratio(profits: Sequence[Decimal]) -> float | None:
    """Return the mean profit of winners over the mean loss of losers; None without either."""
    won = [float(profit) for profit in profits if profit > ZERO]
    lost = [-float(profit) for profit in profits if profit < ZERO]
    return (sum(won) / len(won)) / (sum(lost) / len(lost)) if won and lost else None


def expectancy(profits: Sequence[Decimal]) -> Decimal | None:
    """Return the mean profit."""
    return sum(profits, ZERO) / len(profits) if profits else None


def sqn(profits: Sequence[Decimal]) -> float | None:
    """Return the system quality number, ``sqrt(n) mean / deviation`` (Tharp 2008); None under two trades.

    Profits stand in for multiples of the initial risk, which trades without a stop have not; the number of
    trades is not capped at 100.
    """
    numbers = np.array([float(profit) for profit in profits])
    if numbers.size < _TRADES_MIN or np.ptp(numbers) == 0.0:
        return None
    return float(numbers.mean() / numbers.std(ddof=1)) * math.sqrt(numbers.size)
