"""Permit, then POST once. Nothing is sent that is not committed; nothing is ever sent twice."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.approvals import Approval, ApprovalState
from tg_actors.domain.decisions import Account, Denied
from tg_actors.domain.errors import VenueError
from tg_actors.domain.ids import client_order_id
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Intent, Order, OrderState, Permit, TradingState
from tg_actors.execution.approvals import has_lapsed, is_usable, request
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.permits import PermitContext, check
from tg_actors.execution.venues.port import Acknowledged
from tg_actors.execution.wire import ROLE, Wire
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


@dataclass(slots=True)
class _Batch:
    """What one permit transaction sees and gathers."""

    tx: Transaction
    account: Account
    cycle: int
    reserved: Decimal
    permits: list[tuple[Permit, Intent]]
    denied: list[Denied]
    asked: list[Approval]


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
        suspicions = self._wire.act_on_suspicions(at_ns)
        # Only the newest decision and the settlement after it can be asked about again.
        self._denied = {name: at for name, at in self._denied.items() if at >= cycle - 1}
        with self._wire.transaction() as tx:
            batch = self._batch(tx, at_ns, cycle)
            for intent in wanted:
                if not self._was_answered(tx, intent):
                    self._answer(batch, intent)
        return self._send(batch, suspicions)

    def send_granted(self, granted: Iterable[Approval], at_ns: int, cycle: int) -> ExecutionReport:
        """Permit and POST what a person has granted, if every rule still lets it pass; close what lapsed.

        The word is taken as the journal holds it inside the permit transaction: it is used once.
        """
        wanted = tuple(granted)
        if not wanted:
            return ExecutionReport()
        suspicions = self._wire.act_on_suspicions(at_ns)
        with self._wire.transaction() as tx:
            batch = self._batch(tx, at_ns, cycle)
            for approval in wanted:
                self._use(batch, approval.intent)
        return self._send(batch, suspicions)

    def refusal(self, intent: Intent, at_ns: int) -> Denied | None:
        """Say whether the permit would refuse this intent now; writes and sends nothing."""
        account = self._wire.state.account(
            self._wire.clock.desk_ns(at_ns), self._wire.journal.trading_state()
        )
        return check(intent, self._context(intent, account, ZERO), self._wire.spec.limits)

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
        state, clock = self._wire.state, self._wire.clock
        state.active_wall_ns = clock.wall_ns()
        try:
            self._wire.venue.cancel(client_id, at_ns)
        except VenueError as lost:
            self._wire.note(lost)

    def _batch(self, tx: Transaction, at_ns: int, cycle: int) -> _Batch:
        account = self._wire.state.account(self._wire.clock.desk_ns(at_ns), tx.trading_state())
        return _Batch(tx, account, cycle, ZERO, [], [], [])

    def _was_answered(self, tx: Transaction, intent: Intent) -> bool:
        name = intent.intent_id
        return name in self._denied or tx.permit_exists(name) or tx.approval(name) is not None

    def _context(self, intent: Intent, account: Account, reserved: Decimal) -> PermitContext:
        capabilities = self._wire.venue.capabilities
        return self._wire.state.permit_context(intent.spec.symbol, account, reserved, capabilities)

    def _answer(self, batch: _Batch, intent: Intent) -> None:
        """Deny, ask a person, or permit."""
        wire = self._wire
        context = self._context(intent, batch.account, batch.reserved)
        denied = check(intent, context, wire.spec.limits)
        if denied is not None:
            self._deny(batch, intent, denied)
            self._denied[intent.intent_id] = batch.cycle
            return
        policy = wire.approvals.policy(batch.account.at_ns)
        if policy.asks(intent, context.notional(intent)):
            approval = request(wire.spec.account, intent, policy, wire.clock.wall_ns())
            batch.tx.request_approval(approval, batch.account.at_ns)
            batch.asked.append(approval)
            return
        self._permit(batch, intent, context)

    def _use(self, batch: _Batch, intent: Intent) -> None:
        """Turn one granted approval into a permit, once, or end it."""
        wire, tx, name = self._wire, batch.tx, intent.intent_id
        now_ns, wall_ns = batch.account.at_ns, wire.clock.wall_ns()
        approval = tx.approval(name)
        if approval is None or not approval.is_open or tx.permit_exists(name):
            return
        if has_lapsed(approval, now_ns, wall_ns):
            tx.move_approval(name, ApprovalState.LAPSED, ROLE, "nobody granted it in time")
            return
        if not is_usable(approval, wire.spec.account, intent, now_ns, wall_ns):
            tx.move_approval(name, ApprovalState.REFUSED, ROLE, "this is not the order that was granted")
            return
        context = self._context(intent, batch.account, batch.reserved)
        denied = check(intent, context, wire.spec.limits)
        if denied is not None:
            self._deny(batch, intent, denied)
            tx.move_approval(name, ApprovalState.REFUSED, ROLE, f"{denied.code}: {denied.detail}")
            return
        seq = self._permit(batch, intent, context)
        tx.move_approval(name, ApprovalState.USED, approval.user, used_seq=seq)

    @staticmethod
    def _deny(batch: _Batch, intent: Intent, denied: Denied) -> None:
        name, at_ns = intent.intent_id, batch.account.at_ns
        batch.tx.append("IntentDenied", denied, ref=name, cycle=batch.cycle, at_ns=at_ns)
        batch.denied.append(denied)

    def _permit(self, batch: _Batch, intent: Intent, context: PermitContext) -> int:
        """Write the permit; returns the number of its event."""
        wire, now_ns, row = self._wire, batch.account.at_ns, self._wire.venue.capabilities
        deadline_s = min(wire.spec.limits.venue_deadline_s, row.expiry_s_max or sys.maxsize)
        sent_ns = wire.clock.wall_ns() if row.wall_deadlines else now_ns
        permit = Permit(
            intent_id=intent.intent_id,
            client_order_id=client_order_id(intent.intent_id),
            venue=wire.venue.name,
            account=wire.venue.account,
            permitted_at_ns=now_ns,
            venue_deadline_ns=sent_ns + deadline_s * _NS,
            reserved_notional=ZERO if intent.spec.reduce_only else context.notional(intent) or ZERO,
        )
        seq = batch.tx.insert_permit(permit, intent)
        batch.permits.append((permit, intent))
        batch.reserved += permit.reserved_notional
        return seq

    def _send(self, batch: _Batch, alerts: tuple[str, ...]) -> ExecutionReport:
        """After the commit: remember what waits, POST what was permitted."""
        state, at_ns = self._wire.state, batch.account.at_ns
        for approval in batch.asked:
            state.awaiting[approval.intent.intent_id] = approval
        self._post_all(batch.permits, at_ns)
        alerts += tuple(_question(approval) for approval in batch.asked)
        alerts += self._wire.act_on_suspicions(at_ns)
        permitted = tuple(permit.client_order_id for permit, _ in batch.permits)
        return ExecutionReport(permitted, tuple(batch.denied), alerts=alerts)

    def _post_all(self, permits: list[tuple[Permit, Intent]], at_ns: int) -> None:
        answered: list[tuple[Order, OrderEvent, str]] = []
        state = self._wire.state
        for permit, intent in permits:
            order = Order(client_order_id=permit.client_order_id, intent=intent, state=OrderState.PERMITTED)
            state.put(order)
            state.deadlines[permit.client_order_id] = permit.venue_deadline_ns
            state.active_wall_ns = self._wire.clock.wall_ns()
            answered.append((order, *self._post(permit, intent)))
        if not answered:
            return
        with self._wire.transaction() as tx:
            for order, event, reason in answered:
                self._wire.save(tx, advance(order, event, reason), at_ns)

    def _stopped(self, intent: Intent) -> str:
        """Why an order that was permitted a moment ago is not to be sent any more, empty when it is.

        A batch takes as long as the venue takes to answer: whoever halts meanwhile halts its rest. In this
        process nothing takes time, and there a permit is its own mail.
        """
        if not self._wire.venue.capabilities.wall_deadlines:
            return ""
        now = self._wire.journal.trading_state()
        is_open = now is TradingState.ACTIVE or (now is TradingState.REDUCE_ONLY and intent.spec.reduce_only)
        return "" if is_open else f"not sent: trading became {now} first"

    def _post(self, permit: Permit, intent: Intent) -> tuple[OrderEvent, str]:
        if why := self._stopped(intent):
            return OrderEvent.REJECT, why
        try:
            answer = self._wire.venue.post(permit, intent)
        except VenueError as lost:
            self._wire.note(lost)
            return OrderEvent.LOSE, str(lost)
        if isinstance(answer, Acknowledged):
            return OrderEvent.ACCEPT, ""
        if answer.suspect:
            self._wire.suspicions.append(answer.reason)
        return OrderEvent.REJECT, answer.reason


def _question(approval: Approval) -> str:
    spec = approval.intent.spec
    wish = f"{spec.side} {money_text(spec.quantity)} {spec.symbol}"
    return f"{wish} waits for a person: tg approve {approval.short_id}"
