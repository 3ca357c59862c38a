"""Compares the venue's books with ours: orders at rest, trades, balances, clocks, the account itself.

A failed question is *no information*: never "not there", never "flat". A difference in money halts the
desk; nothing is ever adjusted.
"""

from tg_actors.domain.errors import VenueError
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import OrderState
from tg_actors.execution.follower import Follower
from tg_actors.execution.sender import Sender
from tg_actors.execution.venues.port import OpenOrder
from tg_actors.execution.wire import Wire

_NS = 1_000_000_000
#: Trades are asked for from so long before the newest we know: venues publish out of order.
OVERLAP_S = 600
#: After we did something at the venue its balances may lag behind for so long.
GRACE_S = 10

_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCEL_PENDING})


class Reconciler:
    """Asks the venue and believes its answers, never its silence."""

    def __init__(self, wire: Wire, sender: Sender, follower: Follower) -> None:
        self._wire = wire
        self._sender = sender
        self._follower = follower
        #: What the last comparison of balances found, and when (desk time, the machine's time): only a
        #: difference that stays halts.
        self._differences: tuple[str, ...] = ()
        self._differed_ns = (0, 0)
        self._told: set[str] = set()

    def recover(self, at_ns: int) -> tuple[str, ...]:
        """Pull trades and compare balances until the two agree; nothing is permitted before.

        A venue may show a trade later than the money it moved. A difference that stays halts.
        """
        sight = self._wire.state.sight
        if not sight.unrecovered:
            return ()
        try:
            alerts = self._follower.pull_trades(at_ns, self._since_ns(at_ns))
            differences = self._compare()
        except VenueError as lost:
            self._wire.note(lost)
            return ()
        if not differences:
            sight.unrecovered, self._differences = "", ()
            return alerts
        if differences != self._differences:
            self._remember(differences, at_ns)
            sight.unrecovered = _sentence(differences)
            return (*alerts, f"{sight.unrecovered}: nothing is permitted until they agree")
        if not self._has_lasted(at_ns):
            return alerts
        sight.unrecovered = ""
        return alerts + self._halt_on(differences, at_ns)

    def measure_clock(self, at_ns: int) -> tuple[str, ...]:
        """Measure how far the venue's clock is from ours; an old figure stands until a new one comes."""
        del at_ns
        sight, limit_ms = self._wire.state.sight, self._wire.spec.limits.clock_offset_ms_max
        before = sight.clock_offset_ns
        try:
            sight.clock_offset_ns = offset_ns = self._wire.venue.clock_offset_ns()
        except VenueError as lost:
            self._wire.note(lost)
            return ()
        was_near = before is None or abs(before) <= limit_ms * _NS // 1_000
        if abs(offset_ns) <= limit_ms * _NS // 1_000 or not was_near:
            return ()
        return (f"the venue's clock is {offset_ns // 1_000_000} ms from ours: no permits until it is near",)

    def trades(self, at_ns: int) -> tuple[str, ...]:
        """Pull the newest trades, with overlap."""
        try:
            return self._follower.pull_trades(at_ns, self._since_ns(at_ns))
        except VenueError as lost:
            self._wire.note(lost)
            return ()

    def balances(self, at_ns: int) -> tuple[str, ...]:
        """Compare balances with the books, exact to the last decimal; a difference seen twice halts.

        A difference counts only once the venue has shown its trades too: it may be a fill whose news
        was lost.
        """
        state, wall_ns = self._wire.state, self._wire.clock.wall_ns()
        if wall_ns - state.active_wall_ns < GRACE_S * _NS and state.active_wall_ns:
            return ()
        alerts: tuple[str, ...] = ()
        try:
            differences = self._compare()
            if differences:
                alerts = self._follower.pull_trades(at_ns, self._since_ns(at_ns))
                differences = self._compare()
        except VenueError as lost:
            self._wire.note(lost)
            return alerts
        if differences and differences == self._differences:
            return alerts + self._halt_on(differences, at_ns)
        self._remember(differences, at_ns)
        return alerts

    def open_orders(self, at_ns: int) -> tuple[str, ...]:
        """Find what rests at the venue and is not ours, or should not, and what should and does not."""
        try:
            shown = tuple(self._wire.venue.open_orders())
        except VenueError as lost:
            self._wire.note(lost)
            return ()
        ours = self._wire.state.orders
        foreign = [order for order in shown if order.client_order_id not in ours]
        alerts = self._ghosts([order for order in shown if order.client_order_id in ours], at_ns)
        alerts += self._foreign(foreign, at_ns)
        there = {order.client_order_id for order in shown}
        missing = [
            o.client_order_id
            for o in self._wire.state.live.values()
            if o.state in _RESTING and o.client_order_id not in there
        ]
        return alerts + (self._follower.resolve(at_ns, resting=True, only=missing) if missing else ())

    def _ghosts(self, shown: list[OpenOrder], at_ns: int) -> tuple[str, ...]:
        """Cancel orders of ours that rest although their story has ended here."""
        ended = [o for o in shown if not self._wire.state.orders[o.client_order_id].is_live]
        for order in ended:
            self._sender.ask_cancel(order.client_order_id, at_ns)
        news = [o for o in ended if o.client_order_id not in self._told]
        self._told.update(order.client_order_id for order in news)
        return tuple(
            f"{o.symbol}: order {o.client_order_id} had ended here and rests at the venue: it is cancelled"
            for o in news
        )

    def _foreign(self, orders: list[OpenOrder], at_ns: int) -> tuple[str, ...]:
        """Count orders that are not ours as exposure; above the tolerance the desk halts."""
        state, limits = self._wire.state, self._wire.spec.limits
        news = [order for order in orders if order.venue_order_id not in state.external]
        state.external = {order.venue_order_id: order for order in orders}
        if not news:
            return ()
        rates = state.rates()
        worth = [state.external_notional(order, rates) for order in orders]
        known = [notional for notional in worth if notional is not None]
        told = tuple(f"{o.symbol}: order {o.venue_order_id} at the venue is not ours" for o in news)
        if len(known) == len(worth) and sum(known, ZERO) <= limits.external_notional_max:
            return told
        why = f"orders that are not ours rest at the venue ({', '.join(sorted(o.symbol for o in orders))})"
        with self._wire.transaction() as tx:
            return told + self._wire.halt(tx, why, at_ns)

    def _since_ns(self, at_ns: int) -> int:
        """From when on trades can be ours and unknown."""
        state = self._wire.state
        known = [order.intent.decided_at_ns for order in state.live.values()]
        known += [self._wire.clock.desk_ns(at_ns) if state.last_fill_ns is None else state.last_fill_ns]
        return max(min(known) - OVERLAP_S * _NS, 0)

    def _compare(self) -> tuple[str, ...]:
        held = self._wire.venue.balances()
        return tuple(
            f"{currency}: venue {money_text(held.get(currency, ZERO))}, books {money_text(amount)}"
            for currency, amount in self._wire.state.books.expected_balances().items()
            if held.get(currency, ZERO) != amount
        )

    def _remember(self, differences: tuple[str, ...], at_ns: int) -> None:
        self._differences = differences
        self._differed_ns = (self._wire.clock.desk_ns(at_ns), self._wire.clock.wall_ns())

    def _has_lasted(self, at_ns: int) -> bool:
        """Whether the venue has had time to show what moved the money, on either clock."""
        lag_s = max(self._wire.spec.read_lag_s_max, self._wire.venue.capabilities.read_lag_s)
        desk_ns, wall_ns = self._differed_ns
        clock = self._wire.clock
        passed_ns = max(clock.desk_ns(at_ns) - desk_ns, clock.wall_ns() - wall_ns)
        return passed_ns >= lag_s * _NS

    def _halt_on(self, differences: tuple[str, ...], at_ns: int) -> tuple[str, ...]:
        if not differences:
            return ()
        with self._wire.transaction() as tx:
            return self._wire.halt(tx, _sentence(differences), at_ns)


def _sentence(differences: tuple[str, ...]) -> str:
    return f"balances differ from the books ({'; '.join(differences)})"
