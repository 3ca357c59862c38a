"""The order book of one account: what is open, what has ended, who belongs together."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from tg_actors.exchange.orders import Dedupe, EndReason, VenueOrder, WorkingOrder

#: Ended orders that the books still show. Real venues forget too; a client that repeats an older
#: id is beyond any protection here, the journal's permit is what forbids it.
ENDED_KEPT = 1000


class Listing(Protocol):
    """A market's index over the open orders of all accounts."""

    def add(self, order: WorkingOrder) -> None:
        """Note an order that has opened or changed its stance."""

    def remove(self, order: WorkingOrder) -> None:
        """Forget an order that ends or is about to change its stance."""


class OrderBook:
    """Open orders in submit order, by instrument and by OCO group, and the newest ended ones.

    ``ended`` is keyed by ordinal: an id may come back once its order has ended.
    """

    def __init__(
        self,
        open_orders: Iterable[WorkingOrder] = (),
        ended: Iterable[VenueOrder] = (),
        listing: Listing | None = None,
    ) -> None:
        self.open: dict[str, WorkingOrder] = {}
        self.ended: dict[int, VenueOrder] = {}
        self._listing = listing
        self._numbers: dict[int, WorkingOrder] = {}
        self._ended_numbers: dict[str, list[int]] = {}
        self._by_symbol: dict[str, dict[str, WorkingOrder]] = {}
        #: Ids that no order bears now but that mean something: see :func:`_reserved`.
        self._reserved: Counter[str] = Counter()
        # A dict, not a set: it is iterated, and its order must be the same in every process.
        self._changed: dict[str, None] = {}
        for order in open_orders:
            self.add(order)
        for past in ended:
            self._keep(past)

    def add(self, order: WorkingOrder) -> None:
        """Open an order; orders are added in the order of their numbers."""
        self.open[order.client_order_id] = self._numbers[order.number] = order
        self._by_symbol.setdefault(order.spec.symbol, {})[order.client_order_id] = order
        self._reserved.update(_reserved(order))
        self.mark_changed(order.spec.symbol)
        if self._listing is not None:
            self._listing.add(order)

    def close(self, order: WorkingOrder, reason: EndReason, at_ns: int) -> VenueOrder:
        """Move an order from open to ended and return how it ended."""
        if self._listing is not None:
            self._listing.remove(order)
        del self.open[order.client_order_id], self._numbers[order.number]
        del self._by_symbol[order.spec.symbol][order.client_order_id]
        for client_order_id in _reserved(order):
            self._reserved[client_order_id] -= 1
            if not self._reserved[client_order_id]:
                del self._reserved[client_order_id]
        self.mark_changed(order.spec.symbol)
        ended = order.ended_view(reason, at_ns)
        self._keep(ended)
        if len(self.ended) > ENDED_KEPT:
            self._drop(next(iter(self.ended)))
        return ended

    def trigger(self, order: WorkingOrder) -> None:
        """Make a waiting order executable."""
        if self._listing is not None:
            self._listing.remove(order)
        order.trigger()
        if self._listing is not None:
            self._listing.add(order)

    def unlist(self, order: WorkingOrder) -> None:
        """Take an order out of the market's index only: this book is about to be replaced."""
        if self._listing is not None:
            self._listing.remove(order)

    def mark_changed(self, symbol: str) -> None:
        """Note that the orders of an instrument, or what they wait for, may be others than before."""
        self._changed[symbol] = None

    def take_changed(self) -> tuple[str, ...]:
        """Return the instruments noted since the last call."""
        changed = tuple(self._changed)
        self._changed.clear()
        return changed

    def forget(self, until_ns: int) -> None:
        """Drop orders that ended at or before an instant."""
        past = [n for n, o in self.ended.items() if o.ended_at_ns is not None and o.ended_at_ns <= until_ns]
        for number in past:
            self._drop(number)

    def of(self, symbol: str) -> tuple[WorkingOrder, ...]:
        """Open orders of one instrument in submit order."""
        return tuple(self._by_symbol.get(symbol, {}).values())

    def pool_members(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Open orders that share this order's hold: its OCO group, or itself alone while open."""
        if order.spec.oco_group is None:
            return [order] if self.is_open(order) else []
        return [other for other in self.of(order.spec.symbol) if other.pool == order.pool]

    def siblings(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Open orders that a fill of this one takes quantity from."""
        return [other for other in self.pool_members(order) if other is not order]

    def group_symbol(self, oco_group: str) -> str | None:
        """Instrument of an OCO group with an open order, None when there is no such group."""
        return next((o.spec.symbol for o in self.open.values() if o.spec.oco_group == oco_group), None)

    def is_open(self, order: WorkingOrder) -> bool:
        """Whether this very order is open; its id alone may belong to a later one."""
        return order.number in self._numbers

    def knows(self, client_order_id: str, dedupe: Dedupe = Dedupe.FOREVER) -> bool:
        """Whether an id is taken: by an open order, by one still to come alive, or by an ended one."""
        if client_order_id in self.open or self._reserved[client_order_id] > 0:
            return True
        return dedupe is Dedupe.FOREVER and client_order_id in self._ended_numbers

    def numbered(self, number: int) -> WorkingOrder | None:
        """Return an open order by its ordinal."""
        return self._numbers.get(number)

    def show(self, number: int) -> VenueOrder | None:
        """Show one order by its ordinal, open or ended."""
        order = self._numbers.get(number)
        return self.ended.get(number) if order is None else order.view()

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Show the newest order of an id, open or ended; None when the books do not know it."""
        named = self.named(client_order_id)
        return named[-1] if named else None

    def named(self, client_order_id: str) -> tuple[VenueOrder, ...]:
        """Show every remembered order of an id, the open one last."""
        past = (self.ended[number] for number in self._ended_numbers.get(client_order_id, ()))
        order = self.open.get(client_order_id)
        return tuple(past) if order is None else (*past, order.view())

    def _keep(self, order: VenueOrder) -> None:
        self.ended[order.number] = order
        self._ended_numbers.setdefault(order.client_order_id, []).append(order.number)

    def _drop(self, number: int) -> None:
        name = self.ended.pop(number).client_order_id
        self._ended_numbers[name].remove(number)
        if not self._ended_numbers[name]:
            del self._ended_numbers[name]


def _reserved(order: WorkingOrder) -> tuple[str, ...]:
    """Ids of exits still to come alive, and of the entry that an exit belongs to: they must stay unique."""
    children = order.bracket.child_ids if order.bracket is not None else ()
    return children if order.parent is None else (*children, order.parent)
