"""The practice exchange in this process, behind the venue port.

A permit row *is* its mail: what was permitted after the last checkpoint is delivered when the
exchange comes back, so that a crash between commit and call loses no order and doubles none. See
``docs/decisions/0003-practice-mail.md``.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.orders import Fill, Intent, Permit
from tg_actors.exchange.orders import Accepted
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.venues.port import Acknowledged, Refused, VenueNews, VenueOrder
from tg_actors.journal.records import CancelRequested, Instruction

#: Bars for which ended orders and trades can be looked up: longer than any proof of absence takes.
_SHOWN_BARS = 8


class PracticeVenue:
    """An account at the practice exchange; with ``durable`` its state is kept in the journal."""

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
        return Acknowledged() if isinstance(answer, Accepted) else Refused(f"{answer.code}: {answer.detail}")

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Take an order off the book."""
        self._exchange.cancel(client_order_id, at_ns)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search open and closed orders."""
        order = self._exchange.look_up(client_order_id)
        return None if order is None else VenueOrder(order.state, order.reason)

    def trades(self) -> Sequence[Fill]:
        """Every execution the exchange still shows, oldest first."""
        return self._exchange.trades(0)

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

    def checkpoint(self) -> bytes | None:
        """The exchange's whole state, when it is to survive this process."""
        return self._exchange.dump() if self._durable else None
