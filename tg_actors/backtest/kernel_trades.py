"""Round trips: the fills of a replay from flat to flat."""

from dataclasses import dataclass, field

import numpy as np

from tg_actors.backtest.kernel import ColumnReplay
from tg_actors.domain.blocks import F64

#: What sums of floats may leave of a position that was closed.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One position from its first fill until it was flat, or until the end of the bars.

    ``quantity`` is the largest position, signed. Prices are averages over what entered and what left;
    ``exit_price`` and ``exit_bar`` are None while the position is open. ``pnl`` is after fees, open
    positions marked at the last close. ``mae_frac`` and ``mfe_frac`` say how far price went against and
    for the position, as fractions of the entry price, at least 0; None without highs and lows, or where
    the entry price is 0.
    """

    entry_bar: int
    exit_bar: int | None
    quantity: float
    entry_price: float
    exit_price: float | None
    fees: float
    pnl: float
    is_open: bool
    mae_frac: float | None = None
    mfe_frac: float | None = None


@dataclass(slots=True)
class _Leg:
    """A position while it is counted."""

    entry_bar: int
    position: float = 0.0
    peak: float = 0.0
    paid: float = 0.0
    entered: float = 0.0
    received: float = 0.0
    left: float = 0.0
    fees: float = field(default=0.0)

    def add(self, quantity: float, price: float, fee: float) -> None:
        if self.position * quantity >= 0:
            self.entered += abs(quantity)
            self.paid += abs(quantity) * price
        else:
            self.left += abs(quantity)
            self.received += abs(quantity) * price
        self.position += quantity
        self.peak = max(self.peak, self.position, key=abs)
        self.fees += fee

    def close(self, exit_bar: int | None, mark: float) -> RoundTrip:
        sign = 1 if self.peak > 0 else -1
        pnl = sign * (self.received - self.paid) + self.position * mark - self.fees
        return RoundTrip(
            entry_bar=self.entry_bar,
            exit_bar=exit_bar,
            quantity=self.peak,
            entry_price=self.paid / self.entered,
            exit_price=None if exit_bar is None else self.received / self.left,
            fees=self.fees,
            pnl=pnl,
            is_open=exit_bar is None,
        )


def trades(replayed: ColumnReplay, high: F64 | None = None, low: F64 | None = None) -> tuple[RoundTrip, ...]:
    """Return the round trips, oldest first.

    A fill that turns a position round is split into two, its fee in proportion. ``high`` and
    ``low`` are the ``(T,)`` bars that were replayed. An open trade is marked as the replay marked it.
    """
    trips: list[RoundTrip] = []
    leg: _Leg | None = None
    for bar, _, quantity, price, fee in replayed.fills.tolist():
        position = 0.0 if leg is None else leg.position
        turns = position * quantity < 0 and abs(quantity) >= abs(position) * (1 - _ROUNDING)
        closing = -position if turns else 0.0
        if leg is not None and turns:
            leg.add(closing, price, fee * min(closing / quantity, 1.0))
            trips.append(leg.close(bar, 0.0))
            leg = None
        if abs(quantity - closing) > _ROUNDING * abs(quantity):
            leg = leg or _Leg(bar)
            leg.add(quantity - closing, price, fee * (1 - closing / quantity))
    if leg is not None:
        trips.append(leg.close(None, (replayed.final_equity - replayed.cash) / leg.position))
    return tuple(trips if high is None or low is None else (_with_range(t, high, low) for t in trips))


def _with_range(trip: RoundTrip, high: F64, low: F64) -> RoundTrip:
    end = len(high) if trip.exit_bar is None else trip.exit_bar + 1
    if not trip.entry_price:
        return trip
    highest, lowest = np.nanmax(high[trip.entry_bar : end]), np.nanmin(low[trip.entry_bar : end])
    up, down = highest / trip.entry_price - 1, 1 - lowest / trip.entry_price
    against, along = (down, up) if trip.quantity > 0 else (up, down)
    ranges = {"mae_frac": max(0.0, float(against)), "mfe_frac": max(0.0, float(along))}
    values = {name: getattr(trip, name) for name in trip.__slots__} | ranges
    return RoundTrip(**values)
