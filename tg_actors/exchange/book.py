"""The order book of one account: what is open, what has ended, who belongs together."""

from collections.abc import Iterable

from tg_actors.exchange.orders import EndReason, VenueOrder, WorkingOrder

#: Ended orders that the books still show. Real venues forget too; a client that repeats an older
#: id is beyond any protection here, the journal's permit is what forbids it.
ENDED_KEPT = 1000


class OrderBook:
    """Open orders in submit order, by instrument and by OCO group, and the newest ended ones."""

    def __init__(self, open_orders: Iterable[WorkingOrder] = (), ended: Iterable[VenueOrder] = ()) -> None:
        self.open: dict[str, WorkingOrder] = {}
        self.ended: dict[str, VenueOrder] = {order.client_order_id: order for order in ended}
        self._by_symbol: dict[str, dict[str, WorkingOrder]] = {}
        # A dict, not a set: it is iterated, and its order must be the same in every process.
        self._changed: dict[str, None] = {}
        for order in open_orders:
            self.add(order)

    def add(self, order: WorkingOrder) -> None:
        """Open an order; orders are added in the order of their numbers."""
        self.open[order.client_order_id] = order
        self._by_symbol.setdefault(order.spec.symbol, {})[order.client_order_id] = order
        self.mark_changed(order.spec.symbol)

    def close(self, order: WorkingOrder, reason: EndReason, at_ns: int) -> VenueOrder:
        """Move an order from open to ended and return how it ended."""
        del self.open[order.client_order_id]
        del self._by_symbol[order.spec.symbol][order.client_order_id]
        self.mark_changed(order.spec.symbol)
        ended = self.ended[order.client_order_id] = order.ended_view(reason, at_ns)
        if len(self.ended) > ENDED_KEPT:
            del self.ended[next(iter(self.ended))]
        return ended

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
        self.ended = {
            client_order_id: order
            for client_order_id, order in self.ended.items()
            if order.ended_at_ns is None or order.ended_at_ns > until_ns
        }

    def of(self, symbol: str) -> tuple[WorkingOrder, ...]:
        """Open orders of one instrument in submit order."""
        return tuple(self._by_symbol.get(symbol, {}).values())

    def pool_members(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Open orders that share this order's hold: its OCO group, or itself alone while open."""
        return [other for other in self.of(order.spec.symbol) if other.pool == order.pool]

    def siblings(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Open orders that a fill of this one takes quantity from."""
        return [other for other in self.pool_members(order) if other is not order]

    def group_symbol(self, oco_group: str) -> str | None:
        """Instrument of an OCO group with an open order, None when there is no such group."""
        return next((o.spec.symbol for o in self.open.values() if o.spec.oco_group == oco_group), None)

    def knows(self, client_order_id: str) -> bool:
        """Whether an id is taken: by an order, open or ended, or by a bracket still to come alive."""
        if client_order_id in self.open or client_order_id in self.ended:
            return True
        brackets = (order.bracket for order in self.open.values())
        return any(client_order_id in bracket.child_ids for bracket in brackets if bracket is not None)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Show one order, open or ended; None when the books do not know it."""
        order = self.open.get(client_order_id)
        return self.ended.get(client_order_id) if order is None else order.view()
