"""The venue port of one simulated executor: every call goes over the faulty line to the exchange."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, OrderState, Permit
from tg_actors.execution.venues.port import (
    Acknowledged,
    OpenOrder,
    Refused,
    VenueNews,
    VenueOrder,
)
from tg_actors.simulation.exchange import ACCOUNT, VENUE, Exchange, Placed
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.network import Network
from tg_actors.simulation.scheduler import MS, NS, Process


class SimulatedVenue:
    """What an adapter is to a real venue; it lives and dies with its executor's process."""

    name = VENUE
    account = ACCOUNT

    def __init__(
        self,
        process: Process,
        network: Network,
        exchange: Exchange,
        posts: Counter[str],
        wall_ns: Callable[[], int],
    ) -> None:
        self.capabilities = exchange.manners
        self._process = process
        self._network = network
        self._exchange = exchange
        self._posts = posts
        self._wall_ns = wall_ns
        self._stream = exchange.listen()

    @property
    def _dice(self) -> Dice:
        return self._network.dice

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        """Send an order, once."""
        client_id = permit.client_order_id
        self._posts[client_id] += 1

        def handle() -> Acknowledged | Refused:
            accepted, text = self._exchange.submit(client_id, intent.spec, permit.venue_deadline_ns)
            return Acknowledged(text) if accepted else Refused(text)

        spec = intent.spec
        what = f"post {client_id[:8]} {intent.leg} {spec.side} {spec.quantity} {spec.symbol}"
        return self._network.ask(self._process, what, handle)

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Ask for a cancel."""
        del at_ns
        what = f"cancel {client_order_id[:8]}"
        self._network.ask(self._process, what, lambda: self._exchange.cancel(client_order_id))

    def cancel_all(self, at_ns: int) -> None:
        """Ask for the cancel of everything."""
        del at_ns
        self._network.ask(self._process, "cancel all", self._exchange.cancel_all)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search all orders by our id, as the books stood a moment ago."""

        def handle() -> VenueOrder | None:
            seen_ns = self._seen_ns()
            views = [
                view
                for order in self._exchange.placed
                if order.client_order_id == client_order_id and (view := _view(order, seen_ns)) is not None
            ]
            return self._torn(views[-1]) if views else None

        return self._network.ask(self._process, f"look up {client_order_id[:8]}", handle)

    def open_orders(self) -> Sequence[OpenOrder]:
        """Everything that rests."""

        def handle() -> list[OpenOrder]:
            return [
                OpenOrder(o.venue_order_id, o.client_order_id, o.spec.symbol, o.remaining, o.spec.limit_price)
                for o in self._exchange.placed
                if o.is_open
            ]

        return self._network.ask(self._process, "open orders", handle)

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        """Every execution from an instant on, as the books stood a moment ago."""

        def handle() -> list[Fill]:
            seen_ns = self._seen_ns()
            return [fill for fill in self._exchange.trades if since_ns <= fill.at_ns <= seen_ns]

        return self._network.ask(self._process, "trades", handle)

    def balances(self) -> Mapping[str, Decimal]:
        """Everything the account holds, as the books stood a moment ago."""
        return self._network.ask(self._process, "balances", lambda: self._exchange.balances(self._seen_ns()))

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        """Take what the stream has brought."""
        del snapshot
        return self.poll()

    def poll(self) -> VenueNews:
        """Take what the stream has brought; late items come late, and out of order."""
        self._process.gate("read the stream")
        now_ns = self._process.scheduler.now_ns
        due = sorted((item for item in self._stream if item[0] <= now_ns), key=lambda item: item[0])
        self._stream[:] = [item for item in self._stream if item[0] > now_ns]
        fills = tuple(item for _, item in due if isinstance(item, Fill))
        ended = tuple(item for _, item in due if isinstance(item, tuple))
        return VenueNews(fills=fills, ended=ended)

    def clock_offset_ns(self) -> int:
        """Venue clock less ours, as far as an answer that takes its time can tell."""
        return self._network.ask(
            self._process, "clock", lambda: self._process.scheduler.now_ns - self._wall_ns()
        )

    def arm_dead_man(self, timeout_s: int) -> None:
        """Ask for the venue's own cancel-all timer."""
        self._network.ask(self._process, f"dead man {timeout_s} s", lambda: self._exchange.arm(timeout_s))

    def checkpoint(self) -> bytes | None:
        """A real venue keeps its own state."""
        return None

    def _torn(self, view: VenueOrder) -> VenueOrder:
        """Perhaps show an end before the fills that led to it, where the venue itself keeps orders small."""
        is_torn = self.capabilities.reduce_only and self._dice.roll("torn_view")
        return replace(view, filled_quantity=ZERO) if is_torn else view

    def _seen_ns(self) -> int:
        """The instant that the venue's books show: now, or up to a second ago."""
        now_ns = self._process.scheduler.now_ns
        return now_ns - (self._dice.between(MS, NS) if self._dice.roll("read_lag") else 0)


def _view(order: Placed, seen_ns: int) -> VenueOrder | None:
    """An order as the books showed it at an instant; None before it was there."""
    known = [row for row in order.past if row[0] <= seen_ns]
    if not known:
        return None
    _, state, filled, reason = known[-1]
    return VenueOrder(OrderState(state), reason, filled)
