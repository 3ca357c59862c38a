"""Matching against a shown book: one instrument, the orders of all accounts.

The rules, by name:

* ``book_walk``: a taker (a market order, a trigger that went off, a limit that crosses as it
  arrives) eats the shown levels from the best on, one fill a level at the level's price, never past
  its limit. What it takes is gone for everybody until the next book is shown.
* *exhausted*: what a market order finds no level for is canceled; so is the rest of an immediate or
  cancel.
* *maker*: a resting limit fills at its own price, when a newly shown book crosses it (as much as
  the levels that cross it hold) or when others print a trade at or through its price.
* *price-time*: among resting orders of all accounts the better price is served first, then the
  earlier order.
* *queue*: the size shown at its price as an order comes to rest stands before it. Prints at that
  price eat it first; a later book that shows less there shortens it; a print through it ends it.
* *trigger*: stops, takes and trailing stops watch the mark, which is the mid of each shown book and
  the price of each print. A mark beyond the trigger on arrival sets it off at once.
"""

import itertools
from collections.abc import MutableMapping, Sequence
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Liquidity, TimeInForce
from tg_actors.exchange.clearing import Clearing
from tg_actors.exchange.depth import Depth, Level
from tg_actors.exchange.orders import EndReason, Stance, WorkingOrder
from tg_actors.exchange.quotes import Quote
from tg_actors.exchange.standing import Party, Standing, Turns
from tg_actors.exchange.state import ShownMarket


class Pit:
    """Where one instrument meets the market that is shown to it."""

    def __init__(self, instrument: Instrument, marks: MutableMapping[str, Decimal], turns: Turns) -> None:
        self._instrument = instrument
        self._marks = marks
        self.depth = Depth()
        self.standing = Standing(turns)
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None

    def quote(self) -> Quote | None:
        """Return mark, bid and ask; a side that is empty now keeps its last price."""
        mark = self._marks.get(self._instrument.symbol)
        if mark is None:
            return None
        return Quote(mark, mark if self.bid is None else self.bid, mark if self.ask is None else self.ask)

    def show(self, bids: Sequence[Level], asks: Sequence[Level], at_ns: int) -> None:
        """Replace the book and let every order react."""
        self.depth.show(bids, asks)
        self.bid = bids[0][0] if bids else self.bid
        self.ask = asks[0][0] if asks else self.ask
        for side in Side:
            self._shorten_queues(side)
            self._cross(side, at_ns)
        if bids and asks:
            self._move_mark((bids[0][0] + asks[0][0]) / 2, at_ns)

    def restore(self, shown: ShownMarket) -> None:
        """Show a remembered book again; nobody reacts, all have reacted to it before."""
        self.depth.show(shown.bids, shown.asks)
        self.bid, self.ask = shown.bid, shown.ask

    def print(self, price: Decimal, quantity: Decimal, taker_side: Side, at_ns: int) -> None:
        """Let others trade and whoever stands in their way be filled."""
        self._serve_print(price, quantity, taker_side.opposite, at_ns)
        self._move_mark(price, at_ns)

    def arrive(self, party: Party, at_ns: int) -> None:
        """Let an order that has just opened meet the shown book."""
        self._meet(party.order, party.clearing, at_ns)
        self._stir(at_ns)

    def _move_mark(self, mark: Decimal, at_ns: int) -> None:
        self._marks[self._instrument.symbol] = mark
        self.standing.trail(mark)
        self._stir(at_ns)

    def _stir(self, at_ns: int) -> None:
        """Set off every order whose trigger the mark has passed, one after the other."""
        mark = self._marks.get(self._instrument.symbol)
        while mark is not None and (party := self.standing.triggered(mark)) is not None:
            party.clearing.trigger(party.order, at_ns)
            if party.clearing.is_open(party.order):
                self._meet(party.order, party.clearing, at_ns)

    def _meet(self, order: WorkingOrder, clearing: Clearing, at_ns: int) -> None:
        if order.stance is Stance.WAITING:
            return
        if not order.spec.post_only:
            self._take(order, clearing, at_ns)
        if not clearing.is_open(order):
            return
        if order.stance is Stance.TAKING:
            clearing.end(order, EndReason.BOOK_EXHAUSTED, at_ns)
        elif order.spec.time_in_force is TimeInForce.IOC:
            clearing.end(order, EndReason.IOC_REMAINDER, at_ns)
        else:
            order.queue_ahead = self.depth.queue(order.spec.side, order.level)

    def _take(self, order: WorkingOrder, clearing: Clearing, at_ns: int) -> None:
        """Walk the book from the best level on."""
        side = order.spec.side
        limit = order.level if order.stance is Stance.RESTING else None
        while clearing.is_open(order) and (top := self.depth.top(side)) is not None:
            price, size = top
            if limit is not None and side.sign * price > side.sign * limit:
                return
            quantity = self._fillable(order, clearing, size, at_ns)
            if quantity is None:
                return
            if quantity == ZERO:
                self.depth.drop_top(side)
                continue
            self.depth.take(side, clearing.settle(order, quantity, price, Liquidity.TAKER, at_ns))

    def _cross(self, side: Side, at_ns: int) -> None:
        """Fill resting orders that a newly shown book crosses, as makers, from what crosses them."""
        while (party := self.standing.best(side)) is not None and (top := self.depth.top(side)) is not None:
            order, clearing = party.order, party.clearing
            if side.sign * top[0] > side.sign * order.level:
                return
            offered = self.depth.within(side, order.level, order.remaining)
            quantity = self._fillable(order, clearing, offered, at_ns)
            if quantity == ZERO:
                self.depth.drop_top(side)
            elif quantity is not None:
                filled = clearing.settle(order, quantity, order.level, Liquidity.MAKER, at_ns)
                self.depth.take(side, filled)

    def _serve_print(self, price: Decimal, quantity: Decimal, side: Side, at_ns: int) -> None:
        """Hand a print down the line: better prices first, then the queue at its price."""
        left, ours = quantity, ZERO
        for party in self.standing.served_at(side, price):
            order, clearing = party.order, party.clearing
            if not clearing.is_open(order):
                continue
            if order.level != price:
                order.queue_ahead = ZERO
                left -= self._fill_print(party, left, at_ns)
                continue
            # ``left`` is what reaches this price; ahead stand others, then our earlier orders.
            reach = left - ours
            ahead = min(order.queue_ahead, max(reach, ZERO))
            order.queue_ahead -= ahead
            ours += self._fill_print(party, reach - ahead, at_ns)

    def _fill_print(self, party: Party, offered: Decimal, at_ns: int) -> Decimal:
        order, clearing = party.order, party.clearing
        if offered <= ZERO:
            return ZERO
        quantity = self._fillable(order, clearing, offered, at_ns)
        if not quantity:
            return ZERO
        return clearing.settle(order, quantity, order.level, Liquidity.MAKER, at_ns)

    def _fillable(
        self, order: WorkingOrder, clearing: Clearing, offered: Decimal, at_ns: int
    ) -> Decimal | None:
        """Return the whole lots of an offer that an order wants; None when it has been ended instead.

        An order that may only reduce and finds nothing to reduce ends here.
        """
        wanted = order.remaining
        if order.spec.reduce_only:
            wanted = min(wanted, clearing.reducible(order))
            if wanted == ZERO:
                clearing.end(order, EndReason.NOTHING_TO_REDUCE, at_ns)
                return None
        return self._instrument.quantise_quantity(min(wanted, offered))

    def _shorten_queues(self, side: Side) -> None:
        """Cut queues to what is shown now; deeper than the shown levels nothing is known."""
        reached = itertools.takewhile(
            lambda party: self.depth.reaches(side, party.order.level), self.standing.resting(side)
        )
        for party in reached:
            order = party.order
            order.queue_ahead = min(order.queue_ahead, self.depth.queue(side, order.level))
