"""A shown book: price levels that takers eat into until the next one is shown."""

import decimal
from collections.abc import Sequence
from decimal import Decimal

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO

#: Price and size of one level.
Level = tuple[Decimal, Decimal]

#: Finer than any tick: what an order must hold stays a finite decimal.
_STEP = Decimal("1E-12")


class Depth:
    """Bids and asks of one instrument. ``side`` is always the side of the *taker*: a buy eats asks."""

    def __init__(self) -> None:
        # Worst level first, so that the best one is popped off the end.
        self._levels: dict[Side, list[Level]] = {Side.BUY: [], Side.SELL: []}
        self._sizes: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}

    def show(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replace both sides, given best level first.

        Raises:
            ValueError: a price or size is not positive or not finite, prices are not in strict order,
                or the best bid is not below the best ask; nothing is changed then.
        """
        _check(bids, falling=True)
        _check(asks, falling=False)
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise ValueError(f"crossed book: bid {bids[0][0]}, ask {asks[0][0]}")
        for side, levels in ((Side.BUY, asks), (Side.SELL, bids)):
            self._levels[side] = list(reversed(levels))
            self._sizes[side] = dict(levels)

    def top(self, side: Side) -> Level | None:
        """Return the best level that a taker would meet."""
        levels = self._levels[side]
        return levels[-1] if levels else None

    def within(self, side: Side, limit: Decimal, wanted: Decimal) -> Decimal:
        """Return what levels at the limit or better hold, counted up to ``wanted``."""
        found = ZERO
        for price, size in reversed(self._levels[side]):
            if found >= wanted or side.sign * price > side.sign * limit:
                break
            found += size
        return min(found, wanted)

    def take(self, side: Side, quantity: Decimal) -> None:
        """Take a quantity off, best level first; what is not there is not taken."""
        levels, sizes = self._levels[side], self._sizes[side]
        while quantity > ZERO and levels:
            price, size = levels.pop()
            taken = min(size, quantity)
            quantity -= taken
            del sizes[price]
            if size > taken:
                sizes[price] = size - taken
                levels.append((price, size - taken))

    def drop_top(self, side: Side) -> None:
        """Take the best level off: what is left of it is less than a lot."""
        price, _ = self._levels[side].pop()
        del self._sizes[side][price]

    def queue(self, side: Side, price: Decimal) -> Decimal:
        """Return what others offer at a price on the side where an order of ``side`` rests."""
        return self._sizes[side.opposite].get(price, ZERO)

    def reaches(self, side: Side, price: Decimal) -> bool:
        """Whether the side where an order of ``side`` rests is shown down to this price."""
        levels = self._levels[side.opposite]
        return bool(levels) and side.sign * price >= side.sign * levels[0][0]

    def walk_price(self, side: Side, quantity: Decimal) -> Decimal | None:
        """Return the notional of taking a quantity, per unit of it, rounded up; None: nothing is shown."""
        notional, left = ZERO, quantity
        for price, size in reversed(self._levels[side]):
            if left <= ZERO:
                break
            notional += price * min(size, left)
            left -= size
        return (notional / quantity).quantize(_STEP, decimal.ROUND_CEILING) if notional else None

    def quantity_for(self, side: Side, notional: Decimal) -> Decimal:
        """Return what a taker gets for a notional."""
        quantity = ZERO
        for price, size in reversed(self._levels[side]):
            part = min(size, notional / price)
            quantity, notional = quantity + part, notional - part * price
            if part < size:
                break
        return quantity

    def shown(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return what is left, bids and asks, best first."""
        bids, asks = self._levels[Side.SELL], self._levels[Side.BUY]
        return tuple(reversed(bids)), tuple(reversed(asks))


def _check(levels: Sequence[Level], *, falling: bool) -> None:
    sign = -1 if falling else 1
    last: Decimal | None = None
    for price, size in levels:
        sound = price.is_finite() and size.is_finite() and price > ZERO and size > ZERO
        if not sound or (last is not None and sign * price <= sign * last):
            raise ValueError(f"impossible level in the book: {size} at {price}")
        last = price
