"""Follow orders to their end by the venue's books: fills, ends, lost answers."""

from collections.abc import Collection, Iterable

from tg_actors.domain.errors import VenueError
from tg_actors.domain.orders import Fill, Order, OrderState
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.venues.port import VenueNews, VenueOrder
from tg_actors.execution.wire import Wire
from tg_actors.journal.repository import Transaction

_NS = 1_000_000_000

#: Venue books -> the event that leads there from UNKNOWN. FILLED is reached through its fills.
_FOUND: dict[OrderState, OrderEvent] = {
    OrderState.OPEN: OrderEvent.ACCEPT,
    OrderState.PARTIAL: OrderEvent.ACCEPT,
    OrderState.FILLED: OrderEvent.ACCEPT,
    OrderState.CANCELED: OrderEvent.CANCEL,
    OrderState.EXPIRED: OrderEvent.EXPIRE,
    OrderState.REJECTED: OrderEvent.REJECT,
}
#: The event by which the venue ends an order that we know to be there.
_ENDED: dict[OrderState, OrderEvent] = {
    OrderState.CANCELED: OrderEvent.CANCEL,
    OrderState.EXPIRED: OrderEvent.EXPIRE,
}
_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIAL})
#: Look-ups without a trace that it takes, after the deadline, to call an order not found.
NEGATIVE_LOOKUPS_MIN = 2


_SEQ_BYTES = 8


def seal(seq: int, state: bytes) -> bytes:
    """Write a venue's state together with the number of the newest event it has seen."""
    return seq.to_bytes(_SEQ_BYTES, "big") + state


def unseal(sealed: bytes) -> tuple[int, bytes]:
    """Undo :func:`seal`."""
    return int.from_bytes(sealed[:_SEQ_BYTES], "big"), sealed[_SEQ_BYTES:]


class Follower:
    """Turns venue books into journaled facts; it never sends anything."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._negative: dict[str, int] = {}
        #: Under which cycle a fill is journaled: the one that is being settled, or the next.
        self.cycle = 0
        #: Trades of others that have halted the desk: each does once, also when several are read again.
        self._strange: set[str] = set()
        #: Fills that no settlement has told of yet.
        self.untold: list[Fill] = []

    def settle(self, news: VenueNews, at_ns: int) -> tuple[str, ...]:
        """Absorb the news of a cycle together with the venue's checkpoint: both or neither."""
        return self._see(news) + self._write(news, at_ns, self._wire.venue.checkpoint())

    def absorb(self, news: VenueNews, at_ns: int) -> tuple[str, ...]:
        """Journal and apply fills and ends in one transaction.

        Returns alerts: late fills, fills of orders that are not ours, and what could not be read.
        """
        return self._see(news) + self._write(news, at_ns, None)

    def pull_trades(self, at_ns: int, since_ns: int = 0) -> tuple[str, ...]:
        """Journal executions that the venue shows and the journal does not, oldest first.

        Raises:
            VenueError: the venue did not say; nothing is known.
        """
        known = self._wire.state.trade_ids
        missing = tuple(f for f in self._wire.venue.trades(since_ns) if f.trade_id not in known)
        return self._write(VenueNews(fills=missing), at_ns, None)

    def resolve(
        self, at_ns: int, *, resting: bool = False, only: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Look up orders of unknown fate and orders whose cancel is on its way. Returns alerts.

        With ``resting`` also those that the venue is known to hold; with ``only`` none but these.
        """
        live = tuple(self._wire.state.live.values())
        wanted = [o for o in live if o.state is OrderState.UNKNOWN]
        wanted += [
            o for o in live if o.state is OrderState.CANCEL_PENDING or (resting and o.state in _RESTING)
        ]
        alerts: list[str] = []
        for order in wanted:
            if only is None or order.client_order_id in only:
                alerts += self._look_up(order, at_ns)
        return tuple(alerts)

    def _write(self, news: VenueNews, at_ns: int, checkpoint: bytes | None) -> tuple[str, ...]:
        # News from outside may have lost a fill on their way: an end is looked up before it is believed.
        is_outside = self._wire.venue.capabilities.wall_deadlines
        doubted = [client_id for client_id, _, _ in news.ended] if is_outside else []
        proven = () if is_outside else news.ended
        alerts: list[str] = []
        if news.fills or proven or checkpoint:
            with self._wire.transaction() as tx:
                for fill in news.fills:
                    alerts += self._fill(tx, fill)
                for client_id, state, reason in proven:
                    self._end(tx, client_id, state, reason, at_ns)
                if checkpoint is not None:
                    venue = self._wire.venue
                    sealed = seal(tx.head.seq, checkpoint)
                    tx.save_venue_state(venue.name, venue.account, self.cycle, sealed)
        if doubted:
            alerts += self.resolve(at_ns, resting=True, only=doubted)
        return tuple(alerts)

    def _see(self, news: VenueNews) -> tuple[str, ...]:
        """Take note of what the venue does not show; it stays unseen until news without a gap."""
        sight = self._wire.state.sight
        is_new = bool(news.gap) and news.gap != sight.gap
        sight.blind = sight.blind | news.blind if news.gap else frozenset()
        sight.gap = news.gap
        return (f"the venue is not wholly seen: {news.gap}",) if is_new else ()

    def _fill(self, tx: Transaction, fill: Fill) -> Iterable[str]:
        state = self._wire.state
        if fill.client_order_id not in state.orders:
            if fill.at_ns < state.begun_ns or fill.trade_id in self._strange:
                return ()  # the account's history, part of what it held at the start; or said before
            self._strange.add(fill.trade_id)
            why = f"{fill.symbol}: trade {fill.trade_id} belongs to no order of this desk"
            return self._wire.halt(tx, why, fill.at_ns)
        if not tx.insert_fill(fill, self.cycle):
            return ()
        order, late = state.fill(fill)
        state.active_wall_ns = self._wire.clock.wall_ns()
        self.untold.append(fill)
        tx.save_order(order, fill.at_ns)
        return (f"{fill.symbol}: late fill {fill.trade_id} of {order.client_order_id}",) if late else ()

    def _end(self, tx: Transaction, client_id: str, ended: OrderState, reason: str, at_ns: int) -> None:
        order = self._wire.state.orders.get(client_id)
        if order is not None and order.is_live and ended in _ENDED:
            self._wire.save(tx, advance(order, _ENDED[ended], reason), at_ns)

    def _look_up(self, order: Order, at_ns: int) -> tuple[str, ...]:
        client_id = order.client_order_id
        try:
            found = self._wire.venue.look_up(client_id)
            alerts = self._catch_up(order, found, at_ns)
        except VenueError as lost:
            self._wire.note(lost)
            return ()  # no information is not "not there"
        if found is None:
            return self._not_there(order, at_ns)
        self._negative.pop(client_id, None)
        order = self._wire.state.orders[client_id]
        known = _FOUND if order.state is OrderState.UNKNOWN else _ENDED
        if not order.is_live or found.state not in known or _is_behind(order, found):
            return alerts
        with self._wire.transaction() as tx:
            self._wire.save(tx, advance(order, known[found.state], found.reason), at_ns)
        return alerts

    def _catch_up(self, order: Order, found: VenueOrder | None, at_ns: int) -> tuple[str, ...]:
        """Pull the fills that the venue shows and we do not: they are not late, we are."""
        filled = None if found is None else found.filled_quantity
        return self.pull_trades(at_ns) if filled is not None and filled > order.filled_quantity else ()

    def _not_there(self, order: Order, at_ns: int) -> tuple[str, ...]:
        capabilities = self._wire.venue.capabilities
        if order.state is not OrderState.UNKNOWN or not capabilities.look_up_by_client_id:
            return ()
        now_ns = self._venue_ns(at_ns)
        if now_ns is None or now_ns <= self._horizon_ns(order):
            return ()
        seen = self._negative.get(order.client_order_id, 0) + 1
        self._negative[order.client_order_id] = seen
        if seen < NEGATIVE_LOOKUPS_MIN:
            return ()
        with self._wire.transaction() as tx:
            self._wire.save(tx, advance(order, OrderEvent.PROVE_ABSENT, "two look-ups found no trace"), at_ns)
        return (f"{order.intent.spec.symbol}: order {order.client_order_id} never reached the venue",)

    def _venue_ns(self, at_ns: int) -> int | None:
        """The time by which the venue keeps deadlines, as measured; None before it was.

        Our clock may have been set since the order left, and its deadline has not moved with it.
        """
        clock, offset_ns = self._wire.clock, self._wire.state.sight.clock_offset_ns
        if not self._wire.venue.capabilities.wall_deadlines:
            return clock.desk_ns(at_ns)
        return None if offset_ns is None else clock.wall_ns() + offset_ns

    def _horizon_ns(self, order: Order) -> int:
        """Until when an order that nobody has seen may still appear."""
        spec, capabilities = self._wire.spec, self._wire.venue.capabilities
        latest_s = spec.limits.venue_deadline_s
        deadline_ns = self._wire.state.deadlines.get(
            order.client_order_id, order.intent.decided_at_ns + latest_s * _NS
        )
        read_lag_s = max(spec.read_lag_s_max, capabilities.read_lag_s)
        # Without a deadline that the venue keeps, only long silence says anything.
        grace_s = spec.clock_skew_s_max if capabilities.expiry_s_max else capabilities.unknown_horizon_s
        return deadline_ns + (grace_s + read_lag_s) * _NS


def _is_behind(order: Order, found: VenueOrder) -> bool:
    """Whether the venue has ended this order with more filled than we have journaled."""
    filled = found.filled_quantity
    return found.state in _ENDED and filled is not None and filled > order.filled_quantity
