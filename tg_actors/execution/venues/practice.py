"""The practice exchange in this process, behind the venue port.

A permit row *is* its mail: what was permitted after the last checkpoint is delivered when the
exchange comes back, so that a crash between commit and call loses no order and doubles none. See
``docs/decisions/0003-practice-mail.md``.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.orders import Fill, Intent, OrderType, Permit
from tg_actors.exchange import orders as exchange
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.venues.port import (
    Acknowledged,
    Capabilities,
    Dedupe,
    OpenOrder,
    Refused,
    VenueNews,
    VenueOrder,
)
from tg_actors.journal.records import CancelRequested, Instruction

#: Bars for which ended orders and trades can be looked up: longer than any proof of absence takes.
_SHOWN_BARS = 8

#: A call in this process: no answer is lost, nothing arrives late, and what is not there never will be.
CAPABILITIES = Capabilities(
    # Ended orders are forgotten after a while, and then their ids are free again.
    dedupe=Dedupe.OPEN,
    expiry_s_max=0,
    unknown_horizon_s=0,
    read_lag_s=0,
    look_up_by_client_id=True,
    dead_man_s=0,
    oco=True,
    stops_hold_balance=False,
    order_types=frozenset(OrderType),
    post_only=True,
    reduce_only=True,
    client_id_chars_max=36,
)


class PracticeVenue:
    """An account at the practice exchange; with ``durable`` its state is kept in the journal."""

    capabilities = CAPABILITIES

    def __init__(self, exchange: PracticeExchange, *, durable: bool) -> None:
        self.name = exchange.venue
        self.account = exchange.account
        self._exchange = exchange
        self._durable = durable

    def restore(self, state: bytes | None, mail: Iterable[Instruction], at_ns: int) -> None:
        """Come back from a checkpoint and read the mail that arrived after it, in its order."""
        if state is not None:
            self._exchange.load(state)
        for item in mail:
            if isinstance(item, CancelRequested):
                self._exchange.cancel(item.client_order_id, at_ns)
            else:
                self._exchange.submit(
                    item.permit.client_order_id, item.intent.spec, item.permit.permitted_at_ns
                )

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        """Deliver the order."""
        answer = self._exchange.submit(permit.client_order_id, intent.spec, permit.permitted_at_ns)
        return (
            Acknowledged()
            if isinstance(answer, exchange.Accepted)
            else Refused(f"{answer.code}: {answer.detail}")
        )

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Take an order off the book."""
        self._exchange.cancel(client_order_id, at_ns)

    def cancel_all(self, at_ns: int) -> None:
        """Take every order off the book."""
        for order in self._exchange.open_orders():
            self._exchange.cancel(order.client_order_id, at_ns)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search open and closed orders."""
        order = self._exchange.look_up(client_order_id)
        return None if order is None else VenueOrder(order.state, order.reason, order.filled_quantity)

    def open_orders(self) -> Sequence[OpenOrder]:
        """Every order on the book; the exchange calls them by our ids."""
        return [_shown(order) for order in self._exchange.open_orders()]

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        """Every execution that the exchange still shows, oldest first."""
        return [fill for fill in self._exchange.trades(0) if fill.at_ns >= since_ns]

    def balances(self) -> Mapping[str, Decimal]:
        """Everything the account holds, per currency."""
        return self._exchange.balances()

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        """Trade the snapshot's bar: orders sent at the last close meet it from its open on."""
        # What it said stands in the journal by now; forgetting it keeps the checkpoint short.
        self._exchange.forget(snapshot.at_ns - _SHOWN_BARS * snapshot.bar_ns)
        report = self._exchange.advance(MarketStep.from_snapshot(snapshot))
        ended = tuple((end.client_order_id, end.state, end.reason.value) for end in report.closed)
        return VenueNews(fills=report.fills, ended=ended)

    def poll(self) -> VenueNews:
        """Nothing happens between two bars."""
        return VenueNews()

    def clock_offset_ns(self) -> int:
        """The exchange has no clock but the market's, which is ours."""
        return 0

    def arm_dead_man(self, timeout_s: int) -> None:
        """Do nothing: the exchange dies with us, and so does its book's danger."""
        del timeout_s

    def checkpoint(self) -> bytes | None:
        """The exchange's whole state, when it is to survive this process."""
        return self._exchange.dump() if self._durable else None


def _shown(order: exchange.VenueOrder) -> OpenOrder:
    spec = order.spec
    left = order.quantity - order.filled_quantity
    return OpenOrder(order.client_order_id, order.client_order_id, spec.symbol, left, spec.limit_price)
