"""Matching: one instrument's open orders walked along the path of one bar.

The rules, by name:

* ``next_open``: an order submitted at the close of a bar first meets the open of the next.
* ``ohlc_path``, ``low_first``: see :mod:`tg_actors.exchange.path`. Where two orders react at the same
  price the one submitted first is served first.
* *gap*: a trigger already passed at the open goes off at the open, which is the worse price.
* *taker*: market and triggered orders fill at the path price plus half the spread and slippage,
  on the tick, against us. A limit that the open already satisfies after the spread fills so too,
  never worse than its limit; a post-only order never takes.
* *maker*: a resting limit fills at its own price once the path trades strictly through it.
* *participation*: all orders together take at most ``volume_frac_max``, if any, of the bar's volume,
  first come first served along the path; an order tries once a bar, the rest waits for the next bar.
* *latency*: an order sees the path from ``latency_ms`` after it was sent, and is not there before. Without
  latency it is there from the open on, whatever the clock says.
* *immediate or cancel*: what does not fill at its first match is canceled as that bar ends.
"""

import decimal
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ONE, ZERO, to_step
from tg_actors.domain.orders import Liquidity, TimeInForce
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Clearing
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.orders import EndReason, Stance, WorkingOrder
from tg_actors.exchange.path import BarPath, pass_through, touch


class BarWalk:
    """The walk of one instrument through one bar; :meth:`visit` the points in order, then :meth:`finish`."""

    def __init__(
        self, instrument: Instrument, bar: BarPath, book: OrderBook, clearing: Clearing, tariff: Tariff
    ) -> None:
        self._instrument = instrument
        self._bar = bar
        self._book = book
        self._clearing = clearing
        self._tariff = tariff
        cap = tariff.volume_frac_max
        self._volume_left = None if cap is None else bar.volume * cap
        self._latency_ns = tariff.latency_ns
        self._tried: set[str] = set()
        self._point = 0

    def visit(self, point: int) -> None:
        """Move to a path point, 0 being the open, and let every order react on the way."""
        self._point = point
        here, end = self._bar.points[max(point - 1, 0)], self._bar.points[point]
        while (found := self._next(here, end)) is not None:
            here, order = found
            self._meet(order, here)
        for order in self._book.of(self._instrument.symbol):
            if self._has_arrived(order):
                order.trail(end)

    def finish(self) -> None:
        """Cancel what was immediate or cancel and has had its match."""
        for order in self._book.of(self._instrument.symbol):
            is_immediate = order.spec.time_in_force is TimeInForce.IOC
            if is_immediate and order.stance is not Stance.WAITING and self._has_arrived(order):
                self._clearing.end(order, EndReason.IOC_REMAINDER, self._bar.times_ns[-1])

    def _next(self, here: Decimal, end: Decimal) -> tuple[Decimal, WorkingOrder] | None:
        """Find the first price on the rest of the leg at which an order reacts, and the order."""
        first: tuple[Decimal, WorkingOrder] | None = None
        for order in self._book.of(self._instrument.symbol):
            start = here if self._latency_ns == 0 else self._seen_from(order, here)
            price = None if start is None else self._reaction(order, start, end)
            if price is not None and (first is None or abs(price - here) < abs(first[0] - here)):
                first = (price, order)
        return first

    def _reaction(self, order: WorkingOrder, here: Decimal, end: Decimal) -> Decimal | None:
        """Return the price on the leg at which one order reacts, None when it does not."""
        falling = order.falls_to_level
        if order.stance is Stance.WAITING:
            return touch(self._trigger(order), here, end, falling=falling)
        if order.client_order_id in self._tried:
            return None
        if order.stance is Stance.TAKING or (self._is_new(order) and self._takes_at(order, here)):
            return here
        return None if order.is_resting_ioc else pass_through(order.level, here, end, falling=falling)

    def _arrival_ns(self, order: WorkingOrder) -> int:
        """When an order reaches the exchange; the exits of a bracket are there already."""
        return order.submitted_at_ns + (self._latency_ns if order.parent is None else 0)

    def _has_arrived(self, order: WorkingOrder) -> bool:
        """Whether an order is there by the end of this leg."""
        return self._latency_ns == 0 or self._arrival_ns(order) <= self._bar.times_ns[self._point]

    def _is_new(self, order: WorkingOrder) -> bool:
        """Whether this leg is the first of the bar that the order sees: only there a limit can take."""
        if self._latency_ns == 0 or self._point == 0:
            return self._point == 0
        return self._bar.times_ns[self._point - 1] < self._arrival_ns(order)

    def _seen_from(self, order: WorkingOrder, here: Decimal) -> Decimal | None:
        """Where on the rest of the leg an order begins to see the market, None before it has arrived."""
        seen = self._bar.seen_from(self._point, self._arrival_ns(order))
        origin = self._bar.points[max(self._point - 1, 0)]
        return seen if seen is None or abs(seen - origin) > abs(here - origin) else here

    def _meet(self, order: WorkingOrder, here: Decimal) -> None:
        is_triggered = order.stance is Stance.WAITING
        if is_triggered:
            self._clearing.trigger(order, self._bar.times_ns[self._point])
            if not self._book.is_open(order):
                return
        may_take = is_triggered or self._is_new(order)
        if order.stance is Stance.TAKING or (may_take and self._takes_at(order, here)):
            self._take(order, here)
        elif not is_triggered:
            self._fill(order, self._fillable(order), order.level, Liquidity.MAKER)

    def _takes_at(self, order: WorkingOrder, here: Decimal) -> bool:
        """Whether a limit is satisfied by the book around ``here``: mid plus or minus half the spread."""
        if order.spec.post_only:
            return False
        sign = order.spec.side.sign
        return sign * here * (ONE + sign * self._bar.half_spread_frac) <= sign * order.level

    def _take(self, order: WorkingOrder, here: Decimal) -> None:
        quantity = self._fillable(order)
        participation = self._bar.participation(quantity)
        side = order.spec.side
        price = self._tariff.taker_price(
            self._instrument, side, here, self._bar.half_spread_frac, participation
        )
        if order.stance is Stance.RESTING:
            price = min(price, order.level) if side is Side.BUY else max(price, order.level)
        self._fill(order, quantity, price, Liquidity.TAKER)

    def _fillable(self, order: WorkingOrder) -> Decimal:
        """Whole lots that the order wants, the bar still gives and, to reduce only, the balance holds."""
        quantity = order.remaining
        if self._volume_left is not None:
            quantity = min(quantity, self._instrument.quantise_quantity(self._volume_left))
        return min(quantity, self._clearing.reducible(order)) if order.spec.reduce_only else quantity

    def _fill(self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> None:
        self._tried.add(order.client_order_id)
        if quantity > ZERO:
            at_ns = self._bar.times_ns[self._point]
            filled = self._clearing.settle(order, quantity, price, liquidity, at_ns)
            if self._volume_left is not None:
                self._volume_left -= filled

    def _trigger(self, order: WorkingOrder) -> Decimal:
        """Put a trigger on the tick, away from the price: only a trailing stop's can be off it."""
        rounding = decimal.ROUND_FLOOR if order.falls_to_level else decimal.ROUND_CEILING
        return to_step(order.level, self._instrument.tick, rounding)
