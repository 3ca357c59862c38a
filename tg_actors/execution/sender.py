"""Permit, then POST once. Nothing is sent that is not committed; nothing is ever sent twice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.decisions import Account, Denied
from tg_actors.domain.errors import VenueError
from tg_actors.domain.ids import client_order_id
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Intent, Order, OrderState, Permit
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.permits import check
from tg_actors.execution.venues.port import Acknowledged
from tg_actors.execution.wire import Wire
from tg_actors.journal.repository import Transaction

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of a set of intents: client ids permitted now, refusals of the permit.

    ``unsettled`` says that nothing was tried: the executor has just started and must settle the
    cycle before it knows a price. ``unfinished`` are the instruments that a flatten has not closed yet.
    """

    permitted: tuple[str, ...] = ()
    denied: tuple[Denied, ...] = ()
    unsettled: bool = False
    alerts: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()


class Sender:
    """The only place that calls ``venue.post``."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        #: Denied intents of the newest cycles: a denial is final, whoever asks again.
        self._denied: dict[str, int] = {}

    def recall_denied(self, cycles: Mapping[str, int]) -> None:
        """Take back, after a restart, which intents were denied, and in which cycle."""
        self._denied = dict(cycles)

    def send(self, intents: Iterable[Intent], at_ns: int, cycle: int) -> ExecutionReport:
        """Permit and POST what has no permit yet; a repeated intent does nothing.

        Raises:
            Fenced: a newer epoch holds the lease. Nothing was sent.
            JournalError: the permits could not be committed. Nothing was sent.
        """
        wanted = tuple(intents)
        if not wanted:
            return ExecutionReport()
        # Only the newest decision and the settlement after it can be asked about again.
        self._denied = {name: at for name, at in self._denied.items() if at >= cycle - 1}
        permits: list[tuple[Permit, Intent]] = []
        denied: list[Denied] = []
        with self._wire.transaction() as tx:
            account = self._wire.state.account(at_ns, tx.trading_state())
            reserved = ZERO
            for intent in wanted:
                if intent.intent_id in self._denied or tx.permit_exists(intent.intent_id):
                    continue
                answer = self._permit(tx, intent, account, reserved, cycle)
                if isinstance(answer, Denied):
                    denied.append(answer)
                    self._denied[intent.intent_id] = cycle
                    continue
                permits.append((answer, intent))
                reserved += answer.reserved_notional
        self._post_all(permits, at_ns)
        return ExecutionReport(tuple(p.client_order_id for p, _ in permits), tuple(denied))

    def cancel(self, client_ids: Iterable[str], at_ns: int) -> None:
        """Journal the wish, then ask the venue; the end of the order comes as venue news."""
        state = self._wire.state
        cancellable = {OrderState.OPEN, OrderState.PARTIAL}
        orders = [state.orders[i] for i in client_ids if state.orders[i].state in cancellable]
        if not orders:
            return
        with self._wire.transaction() as tx:
            for order in orders:
                tx.request_cancel(order.client_order_id, order.intent.cycle, at_ns)
                self._wire.save(tx, advance(order, OrderEvent.REQUEST_CANCEL), at_ns)
        for order in orders:
            self.ask_cancel(order.client_order_id, at_ns)

    def ask_cancel(self, client_id: str, at_ns: int) -> None:
        """Ask the venue for a journaled cancel; a lost answer changes nothing, it is asked again."""
        try:
            self._wire.venue.cancel(client_id, at_ns)
        except VenueError:
            return

    def _permit(
        self, tx: Transaction, intent: Intent, account: Account, reserved: Decimal, cycle: int
    ) -> Permit | Denied:
        wire = self._wire
        context = wire.state.permit_context(intent.spec.symbol, account, reserved)
        denied = check(intent, context, wire.spec.limits)
        if denied is not None:
            tx.append("IntentDenied", denied, ref=intent.intent_id, cycle=cycle, at_ns=account.at_ns)
            return denied
        permit = Permit(
            intent_id=intent.intent_id,
            client_order_id=client_order_id(intent.intent_id),
            venue=wire.venue.name,
            account=wire.venue.account,
            permitted_at_ns=account.at_ns,
            venue_deadline_ns=account.at_ns + wire.spec.limits.venue_deadline_s * _NS,
            reserved_notional=ZERO if intent.spec.reduce_only else context.notional(intent) or ZERO,
        )
        tx.insert_permit(permit, intent)
        return permit

    def _post_all(self, permits: list[tuple[Permit, Intent]], at_ns: int) -> None:
        answered: list[tuple[Order, OrderEvent, str]] = []
        for permit, intent in permits:
            order = Order(client_order_id=permit.client_order_id, intent=intent, state=OrderState.PERMITTED)
            self._wire.state.put(order)
            answered.append((order, *self._post(permit, intent)))
        if not answered:
            return
        with self._wire.transaction() as tx:
            for order, event, reason in answered:
                self._wire.save(tx, advance(order, event, reason), at_ns)

    def _post(self, permit: Permit, intent: Intent) -> tuple[OrderEvent, str]:
        try:
            answer = self._wire.venue.post(permit, intent)
        except VenueError as lost:
            return OrderEvent.LOSE, str(lost)
        if isinstance(answer, Acknowledged):
            return OrderEvent.ACCEPT, ""
        return OrderEvent.REJECT, answer.reason
