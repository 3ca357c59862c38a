"""Follow orders to their end by the venue's books: fills, ends, lost answers, balances."""

from collections.abc import Iterable

from tg_actors.domain.errors import VenueError
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Fill, Order, OrderState, TradingState
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.venues.port import VenueNews
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

    def absorb(self, news: VenueNews, cycle: int, at_ns: int) -> tuple[str, ...]:
        """Journal and apply fills and ends, with the venue's checkpoint, in one transaction.

        Returns alerts: late fills, and fills of orders that are not ours.
        """
        checkpoint = self._wire.venue.checkpoint()
        if not (news.fills or news.ended or checkpoint):
            return ()
        alerts: list[str] = []
        with self._wire.transaction() as tx:
            for fill in news.fills:
                alerts += self._fill(tx, fill, cycle)
            for client_id, state, reason in news.ended:
                self._end(tx, client_id, state, reason, at_ns)
            if checkpoint is not None:
                venue = self._wire.venue
                tx.save_venue_state(venue.name, venue.account, cycle, seal(tx.head.seq, checkpoint))
        return tuple(alerts)

    def missing_trades(self) -> VenueNews:
        """Executions that the venue shows and the journal does not, oldest first."""
        known = self._wire.state.trade_ids
        return VenueNews(fills=tuple(f for f in self._wire.venue.trades() if f.trade_id not in known))

    def resolve(self, at_ns: int, *, resting: bool = False) -> tuple[str, ...]:
        """Look up orders of unknown fate and orders whose cancel is on its way. Returns alerts.

        With ``resting`` also those that the venue is known to hold.
        """
        live = tuple(self._wire.state.live.values())
        wanted = [o for o in live if o.state is OrderState.UNKNOWN]
        wanted += [
            o for o in live if o.state is OrderState.CANCEL_PENDING or (resting and o.state in _RESTING)
        ]
        alerts: list[str] = []
        for order in wanted:
            alerts += self._look_up(order, at_ns)
        return tuple(alerts)

    def reconcile(self, at_ns: int) -> tuple[str, ...]:
        """Compare balances with the books, exact to the last decimal; a difference halts the desk."""
        held = self._wire.venue.balances()
        expected = self._wire.state.books.expected_balances()
        differences = [
            f"{currency}: venue {money_text(held.get(currency, ZERO))}, books {money_text(amount)}"
            for currency, amount in expected.items()
            if held.get(currency, ZERO) != amount
        ]
        if not differences:
            return ()
        alert = f"balances differ from the books ({'; '.join(differences)}): trading halted"
        with self._wire.transaction() as tx:
            tx.set_trading_state(TradingState.HALTED, alert, "executor", at_ns)
        return (alert,)

    def _fill(self, tx: Transaction, fill: Fill, cycle: int) -> Iterable[str]:
        state = self._wire.state
        if fill.client_order_id not in state.orders:
            alert = f"{fill.symbol}: trade {fill.trade_id} belongs to no order of this desk: trading halted"
            tx.set_trading_state(TradingState.HALTED, alert, "executor", fill.at_ns)
            return (alert,)
        if not tx.insert_fill(fill, cycle):
            return ()
        order, late = state.fill(fill)
        tx.save_order(order, fill.at_ns)
        return (f"{fill.symbol}: late fill {fill.trade_id} of {order.client_order_id}",) if late else ()

    def _end(self, tx: Transaction, client_id: str, ended: OrderState, reason: str, at_ns: int) -> None:
        order = self._wire.state.orders.get(client_id)
        if order is not None and order.is_live and ended in _ENDED:
            self._wire.save(tx, advance(order, _ENDED[ended], reason), at_ns)

    def _look_up(self, order: Order, at_ns: int) -> tuple[str, ...]:
        try:
            found = self._wire.venue.look_up(order.client_order_id)
        except VenueError:
            return ()  # no information is not "not there"
        if found is None:
            return self._not_there(order, at_ns)
        self._negative.pop(order.client_order_id, None)
        known = _FOUND if order.state is OrderState.UNKNOWN else _ENDED
        if found.state not in known:
            return ()
        with self._wire.transaction() as tx:
            self._wire.save(tx, advance(order, known[found.state], found.reason), at_ns)
        return ()

    def _not_there(self, order: Order, at_ns: int) -> tuple[str, ...]:
        spec = self._wire.spec
        permitted_ns = order.intent.decided_at_ns
        horizon_s = spec.limits.venue_deadline_s + spec.clock_skew_s_max + spec.read_lag_s_max
        if order.state is not OrderState.UNKNOWN or at_ns <= permitted_ns + horizon_s * _NS:
            return ()
        seen = self._negative.get(order.client_order_id, 0) + 1
        self._negative[order.client_order_id] = seen
        if seen < NEGATIVE_LOOKUPS_MIN:
            return ()
        with self._wire.transaction() as tx:
            self._wire.save(tx, advance(order, OrderEvent.PROVE_ABSENT, "two look-ups found no trace"), at_ns)
        return (f"{order.intent.spec.symbol}: order {order.client_order_id} never reached the venue",)
