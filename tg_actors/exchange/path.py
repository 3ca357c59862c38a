"""The market as the exchange meets it: one step of bars, and the path of prices inside a bar.

The rule is called ``ohlc_path``: a bar that closed at or above its open is walked open, low, high,
close, any other open, high, low, close. With ``low_first`` every bar is walked open, low, high, close.
Every trigger and limit is met in path order, so a stop and a take in one bar have one answer, the same
for everybody.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, Depth, MarketSnapshot
from tg_actors.domain.money import ONE, ZERO, from_float
from tg_actors.exchange.config import Intrabar

#: Points of a path: the open and the ends of its three legs.
N_POINTS = 4

#: Columns of ``ohlcv``.
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class MarketStep:
    """One bar per instrument, all of one cycle.

    Shapes: ``ohlcv (n, 5)``, ``bid``/``ask (n,)`` at the close, ``has_bar (n,)``, False where
    nothing trades in this cycle (the row is then ignored and may hold NaN). ``depth`` are the books at the
    close, where the market shows any.
    Units: prices in quote currency, volume in base currency, ``at_ns`` (the close) in UTC ns.
    """

    cycle: int
    at_ns: int
    bar_ns: int
    symbols: tuple[str, ...]
    ohlcv: F64
    bid: F64
    ask: F64
    has_bar: NDArray[np.bool_]
    depth: Depth | None = None

    @classmethod
    def from_snapshot(cls, snapshot: MarketSnapshot) -> Self:
        """Take the bars of a snapshot; an instrument without a fresh bar does not trade."""
        return cls(
            snapshot.cycle,
            snapshot.at_ns,
            snapshot.bar_ns,
            snapshot.symbols,
            snapshot.ohlcv,
            snapshot.bid,
            snapshot.ask,
            snapshot.is_fresh,
            snapshot.depth,
        )

    def check(self) -> None:
        """Refuse a market that no venue could show.

        Raises:
            ValueError: shapes disagree, or a bar has a price that is not finite or not positive,
                a high below or a low above its open or close, a negative volume, a crossed book.
        """
        n = len(self.symbols)
        if (self.ohlcv.shape, self.bid.shape, self.ask.shape, self.has_bar.shape) != (
            (n, 5),
            *((n,),) * 3,
        ):
            raise ValueError(f"cycle {self.cycle}: the step's arrays do not hold {n} instruments")
        broken = self.has_bar & ~self._sound()
        if broken.any():
            bad = [self.symbols[row] for row in np.flatnonzero(broken)]
            raise ValueError(f"cycle {self.cycle}: impossible bar or book for {', '.join(bad)}")

    def _sound(self) -> NDArray[np.bool_]:
        open_, high, low, close, volume = self.ohlcv.T
        # Minima and maxima keep NaN and comparisons with it are False: NaN anywhere is unsound.
        inside = (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close))
        positive = (np.minimum(low, self.bid) > 0) & (volume >= 0)
        finite = np.maximum(np.maximum(high, self.ask), volume) < np.inf
        sound: NDArray[np.bool_] = inside & positive & finite & (self.bid <= self.ask)
        return sound


@dataclass(frozen=True, slots=True)
class BarPath:
    """One bar in money: its four path points, when each is reached, spread and volume.

    The open is reached as the bar begins and each leg takes a third of the bar. ``half_spread_frac``
    is half of the closing spread as a fraction of the close, taken to hold all through the bar.
    """

    points: tuple[Decimal, ...]
    times_ns: tuple[int, ...]
    half_spread_frac: Decimal
    volume: Decimal

    @classmethod
    def of(cls, step: MarketStep, row: int, rule: Intrabar = Intrabar.OHLC_PATH) -> Self:
        """Convert one row of a step."""
        open_, high, low, close, volume = (from_float(number) for number in step.ohlcv[row].tolist())
        inner = (low, high) if close >= open_ or rule is Intrabar.LOW_FIRST else (high, low)
        spread = from_float(step.ask[row]) - from_float(step.bid[row])
        legs = N_POINTS - 1
        return cls(
            points=(open_, *inner, close),
            times_ns=tuple(step.at_ns - step.bar_ns * (legs - leg) // legs for leg in range(N_POINTS)),
            half_spread_frac=spread / (2 * close),
            volume=volume,
        )

    def seen_from(self, point: int, arrival_ns: int) -> Decimal | None:
        """Return where on the leg to ``point`` an order begins to see the market; None before it arrives.

        Prices move evenly along a leg.
        """
        start, end = max(point - 1, 0), point
        if arrival_ns <= self.times_ns[start]:
            return self.points[start]
        if arrival_ns > self.times_ns[end]:
            return None
        part = Decimal(arrival_ns - self.times_ns[start]) / (self.times_ns[end] - self.times_ns[start])
        return self.points[start] + (self.points[end] - self.points[start]) * part

    def participation(self, quantity: Decimal) -> Decimal:
        """Return the part of the bar's volume that a quantity is, at most 1; all of it where none traded."""
        if quantity <= ZERO:
            return ZERO
        return ONE if quantity >= self.volume else quantity / self.volume


def touch(level: Decimal, here: Decimal, end: Decimal, *, falling: bool) -> Decimal | None:
    """Return where on the leg from ``here`` to ``end`` a trigger at ``level`` goes off, if it does.

    A price already beyond the level triggers at once, at ``here``: that is the gap rule.
    """
    sign = -1 if falling else 1
    if sign * here >= sign * level:
        return here
    return level if sign * end >= sign * level else None


def pass_through(level: Decimal, here: Decimal, end: Decimal, *, falling: bool) -> Decimal | None:
    """Return where the leg trades strictly beyond a limit, None when it only touches.

    At the limit itself others may stand in the queue before us, so a touch proves no fill.
    """
    sign = -1 if falling else 1
    if sign * here > sign * level:
        return here
    return level if sign * end > sign * level else None
