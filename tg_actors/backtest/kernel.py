"""The replay kernel: what target positions over bars are worth, in float64 and without a desk.

It serves sweeps and baselines. Everything else about a backtest (agents, risk, orders, stops) is the
event path's, :mod:`tg_actors.desk.experiment`; on what both can express they agree to 1e-9.

The rules, which docs/backtests.md explains with examples:

* A target is a signed fraction of equity, -1 to 1. It is decided on ``close[t]``; NaN leaves everything
  as it is. An order is sent when the target differs from the last one (which is 0 at first), or for
  every bar with ``on="every_bar"``. An order of less than 1e-9 of the equity is not sent.
* The fill rule says at which market price p it fills: ``signal_close`` at ``close[t]``, ``next_open`` at
  the open of the next bar. With ``size_at="fill"`` the position becomes ``target * equity(p) / p``, with
  ``size_at="decision"`` it becomes ``target * equity(close[t]) / close[t]``; slippage and fee come on top.
* A buy that the cash does not cover, fee included, is reduced to what it covers; cash is never negative.
  What a short sale brings is cash, so equity is always ``cash + quantity * price``. Borrowing is free.
* A bar with a NaN price is missing: nothing is decided or filled on it, and equity is marked at the last
  close. An order waits for the next bar; a decision that comes before that replaces it.
* Equity of 0 or less, at a fill or at a close, is ruin: the position goes to the lender at the price where
  equity is 0, without a fee, and the account stays flat for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.costs import SlippageModel, SlippageTerms
from tg_actors.backtest.fills import FillRule, kernel_lag_bars
from tg_actors.domain.blocks import F64

SizeAt = Literal["fill", "decision"]
OrderOn = Literal["change", "every_bar"]

#: Orders below this part of the equity are rounding, not decisions.
DUST_FRAC = 1e-9

#: One fill: bar that filled, bar that decided, signed quantity, price paid, fee in quote currency.
FILL_DTYPE = np.dtype(
    [
        ("bar", np.int64),
        ("decided", np.int64),
        ("quantity", np.float64),
        ("price", np.float64),
        ("fee", np.float64),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRules:
    """How targets become fills.

    ``fee_frac`` is charged on the notional of every fill, 0 to below 1.

    Raises:
        ValueError: the fee is out of range.
    """

    fill: FillRule = FillRule.NEXT_OPEN
    fee_frac: float = 0.0
    slippage: SlippageModel = field(default_factory=SlippageModel)
    size_at: SizeAt = "fill"
    on: OrderOn = "change"

    def __post_init__(self) -> None:
        if not 0 <= self.fee_frac < 1:
            raise ValueError(f"fee_frac is a fraction from 0 to below 1, not {self.fee_frac}")


@dataclass(frozen=True, slots=True, eq=False)
class ColumnReplay:
    """What came of one instrument.

    ``equity (T,)`` is marked at the close of every bar, ``fills`` has :data:`FILL_DTYPE`, ``quantity`` and
    ``cash`` are what is held after the last bar. ``at_ns`` are the times of the bars as they were given.
    ``ruin_bar`` is the bar on which the account ended, None normally.
    """

    equity: F64
    fills: NDArray[np.void]
    cash: float
    quantity: float
    initial_equity: float
    final_equity: float
    at_ns: NDArray[np.int64] | None = None
    ruin_bar: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SleevesReplay:
    """Equal sleeves of capital, one per instrument, that never pass money to each other."""

    columns: tuple[ColumnReplay, ...]

    @property
    def equity(self) -> F64:
        """Equity of all sleeves together ``(T,)``."""
        total: F64 = np.sum([column.equity for column in self.columns], axis=0)
        return total

    @property
    def final_equity(self) -> float:
        """Equity of all sleeves after the last bar."""
        return sum(column.final_equity for column in self.columns)


def replay(
    open_: F64,
    close: F64,
    targets: F64,
    rules: KernelRules,
    cash: float = 10_000.0,
    at_ns: NDArray[np.int64] | None = None,
    *,
    volume: F64 | None = None,
) -> ColumnReplay:
    """Replay the targets ``(T,)`` of one instrument over its bars ``(T,)``; pure and deterministic.

    Raises:
        ValueError: shapes differ, a price is not positive, a target is outside -1 to 1, the cash is not
            positive, the fill rule needs books, or the slippage model needs volumes.
    """
    _check(open_, close, targets, cash, volume)
    known = np.isfinite(open_ + close)
    if known.all():
        return _replay_traded(open_, close, targets, rules, cash, at_ns, volume)
    traded = np.flatnonzero(known)
    part = None if volume is None else volume[traded]
    done = _replay_traded(open_[traded], close[traded], targets[traded], rules, cash, at_ns, part)
    fills = done.fills
    fills["bar"], fills["decided"] = traded[fills["bar"]], traded[fills["decided"]]
    return replace(
        done,
        # The equity of a bar is that of the newest one that traded, the cash before the first.
        equity=np.concatenate(([cash], done.equity))[np.cumsum(known)],
        ruin_bar=None if done.ruin_bar is None else int(traded[done.ruin_bar]),
    )


def _replay_traded(
    open_: F64,
    close: F64,
    targets: F64,
    rules: KernelRules,
    cash: float,
    at_ns: NDArray[np.int64] | None,
    volume: F64 | None,
) -> ColumnReplay:
    """Replay bars that have all traded."""
    bars = _Bars(open_, close, rules.slippage.terms(close, volume))
    decided = decisions(targets, rules.on)
    decided = decided[decided + kernel_lag_bars(rules.fill) < len(close)]
    course = _fill_all(bars, decided, targets[decided], rules, cash)
    equity = course.mark(close)
    return ColumnReplay(
        equity=equity,
        fills=course.table(),
        cash=course.cash,
        quantity=course.quantity,
        initial_equity=cash,
        final_equity=float(equity[-1]) if len(equity) else cash,
        at_ns=at_ns,
        ruin_bar=course.ruin,
    )


def replay_many(
    open_: F64,
    close: F64,
    targets: F64,
    rules: KernelRules,
    cash: float = 10_000.0,
    at_ns: NDArray[np.int64] | None = None,
    *,
    volume: F64 | None = None,
) -> SleevesReplay:
    """Replay ``(T, n)`` arrays as n sleeves of ``cash / n`` each.

    Arrays whose columns lie in one piece (``np.asfortranarray``) are read about twice as fast.

    Raises:
        ValueError: as :func:`replay`, or the arrays are not ``(T, n)``.
    """
    if targets.ndim != 2 or not targets.shape[1]:  # noqa: PLR2004 - (T, n)
        raise ValueError(f"targets of many instruments are (T, n), not {targets.shape}")
    n = targets.shape[1]
    columns = tuple(
        replay(
            open_[:, k],
            close[:, k],
            targets[:, k],
            rules,
            cash / n,
            at_ns,
            volume=None if volume is None else volume[:, k],
        )
        for k in range(n)
    )
    return SleevesReplay(columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Bars:
    """The bars that traded, and what slippage says for each."""

    open_: F64
    close: F64
    slippage: SlippageTerms


#: One fill as it is walked: bar, bar of the decision, quantity, price, fee; cash and position after it.
_Walked = tuple[int, int, float, float, float, float, float]
_WIDTH = 7


class _Course:
    """Cash and position from fill to fill."""

    def __init__(self, cash: float) -> None:
        self._initial_cash = cash
        self.fills: list[_Walked] = []
        self.ruin: int | None = None

    @property
    def cash(self) -> float:
        """Cash after the last fill."""
        return self.fills[-1][5] if self.fills else self._initial_cash

    @property
    def quantity(self) -> float:
        """Position after the last fill."""
        return self.fills[-1][6] if self.fills else 0.0

    def mark(self, close: F64) -> F64:
        """Equity at every close; the first close at or below 0 is ruin, and what came later is undone."""
        equity = self._marked(close)
        if equity.min(initial=np.inf) > 0:
            return equity
        first = int(np.flatnonzero(equity <= 0)[0])
        if self.ruin is None or first < self.ruin:
            self.fail(first)
            equity = self._marked(close)
        return equity

    def fail(self, bar: int) -> None:
        """End the account on a bar: the lender takes the position over where equity is 0."""
        while self.fills and self.fills[-1][0] > bar:
            self.fills.pop()
        if self.quantity:
            self.fills.append((bar, bar, -self.quantity, -self.cash / self.quantity, 0.0, 0.0, 0.0))
        self.ruin = bar

    def table(self) -> NDArray[np.void]:
        """The fills."""
        table = np.empty(len(self.fills), dtype=FILL_DTYPE)
        for name, column in zip(FILL_DTYPE.names or (), self._columns(), strict=False):
            table[name] = column
        return table

    def _columns(self) -> F64:
        """The fills as rows of floats, one per column of a fill; counts of bars are exact far beyond need."""
        flat = np.fromiter(chain.from_iterable(self.fills), np.float64, _WIDTH * len(self.fills))
        return np.ascontiguousarray(flat.reshape(-1, _WIDTH).T)

    def _marked(self, close: F64) -> F64:
        columns = self._columns()
        lengths = np.diff(columns[0].astype(np.int64), prepend=0, append=len(close))
        equity: F64 = np.repeat(np.append(0.0, columns[6]), lengths)
        equity *= close
        equity += np.repeat(np.append(self._initial_cash, columns[5]), lengths)
        return equity


def _fill_all(
    bars: _Bars, decided: NDArray[np.int64], targets: F64, rules: KernelRules, cash: float
) -> _Course:
    """Walk the orders in time; plain floats, because each fill needs the cash that the last one left."""
    course = _Course(cash)
    lag = kernel_lag_bars(rules.fill)
    at = decided + lag
    market = (bars.open_ if lag else bars.close)[at]
    sized = market if rules.size_at == "fill" else bars.close[decided]
    columns = (at, decided, targets, market, sized, bars.slippage.base[at], bars.slippage.impact[at])
    held, with_fee, fee_frac, impact_max = 0.0, 1 + rules.fee_frac, rules.fee_frac, bars.slippage.impact_max
    add = course.fills.append
    # Calls are dear here: hence comparisons in place of min, max and abs.
    for bar, decided_bar, target, price, size_price, base, impact in _rows(columns):
        equity = cash + held * size_price
        if held < 0 and (equity <= 0 or cash + held * price <= 0):
            course.fail(bar)
            break
        delta = target * equity / size_price - held
        size = delta if delta > 0 else -delta
        if size * size_price <= DUST_FRAC * equity:
            continue
        moved = impact * size
        worse = base + (moved if moved < impact_max else impact_max)  # noqa: FURB136 - see above
        if delta > 0:
            paid = price * (1 + worse)
            if size * paid * with_fee > cash:
                size = delta = cash / (paid * with_fee)
                if not size:
                    continue
            fee = size * paid * fee_frac
            cash -= size * paid + fee
            if cash < 0:  # the last digit of a division
                cash = 0.0
        else:
            paid = price * (1 - worse) if worse < 1 else 0.0
            fee = size * paid * fee_frac
            cash += size * paid - fee
        # A position that is closed is exactly 0.
        held = 0.0 if delta == -held else held + delta
        add((bar, decided_bar, delta, paid, fee, cash, held))
    return course


def _rows(
    columns: Sequence[NDArray[np.int64] | F64],
) -> "zip[tuple[int, int, float, float, float, float, float]]":
    return zip(*(column.tolist() for column in columns), strict=True)


def decisions(targets: F64, on: OrderOn) -> NDArray[np.int64]:
    """Return the bars on which an order is decided, of bars that have all traded."""
    spoken = ~np.isnan(targets)
    said = np.arange(len(targets)) if spoken.all() else np.flatnonzero(spoken)
    if on == "every_bar" or not len(said):
        return said
    values = targets if len(said) == len(targets) else targets[said]
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    first = [0] if values[0] else []
    decided: NDArray[np.int64] = said[np.concatenate((np.array(first, dtype=np.int64), changes))]
    return decided


def _check(open_: F64, close: F64, targets: F64, cash: float, volume: F64 | None) -> None:
    shapes = {array.shape for array in (open_, close, targets, volume) if array is not None}
    if len(shapes) != 1 or targets.ndim != 1:
        raise ValueError(f"bars and targets of one instrument are (T,) alike, not {sorted(shapes)}")
    if any(_least(prices) <= 0 or _most(prices) == np.inf for prices in (open_, close)):
        raise ValueError("a price is not a positive number")
    low, high = _least(targets), _most(targets)
    if low < -1 or high > 1:
        raise ValueError(f"a target is a fraction of equity from -1 to 1, not {low if low < -1 else high}")
    if not 0 < cash < np.inf:
        raise ValueError(f"the cash to begin with is a positive number, not {cash}")


def _least(values: F64) -> float:
    """The smallest number, NaN left out; NaN where there is none."""
    least = values.min(initial=np.inf)
    return float(np.fmin.reduce(values) if np.isnan(least) else least)


def _most(values: F64) -> float:
    """The largest number, NaN left out; NaN where there is none."""
    most = values.max(initial=-np.inf)
    return float(np.fmax.reduce(values) if np.isnan(most) else most)
