"""The executor core: one venue account, one writer, from recovery to flatten."""

from dataclasses import replace
from decimal import Decimal

from tg_actors.domain.approvals import ApprovalState
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, DenialCode, Settlement
from tg_actors.domain.errors import VenueError
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Leg, OrderSpec, OrderState, OrderType
from tg_actors.execution.approvals import Approvals, DeskApprovals, has_lapsed
from tg_actors.execution.dead_man import DeadMan
from tg_actors.execution.exits import Exits
from tg_actors.execution.follower import Follower
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.protector import Intents, Protector
from tg_actors.execution.reconciliation import Reconciler
from tg_actors.execution.sender import ExecutionReport, Sender
from tg_actors.execution.state import DeskState
from tg_actors.execution.upkeep import Chore, Upkeep
from tg_actors.execution.venues.port import Venue, VenueNews
from tg_actors.execution.wire import Clock, ExecutorSpec, ReplayClock, Wire
from tg_actors.journal.repository import Journal
from tg_actors.portfolio.books import Books

_SILENT = "it did not say what happened"


class Executor:
    """Permit, POST once, follow to the end, keep protected.

    Every method may be repeated: a cycle is settled once, an intent is sent once. All raise
    ``Fenced`` once a newer epoch holds the lease and ``JournalError`` when the journal is
    unreachable; after either this object must not be used any more.
    """

    def __init__(
        self,
        spec: ExecutorSpec,
        journal: Journal,
        venue: Venue,
        epoch: int,
        clock: Clock | None = None,
        approvals: Approvals | None = None,
    ) -> None:
        books = Books(spec.opening_cash, spec.instruments, spec.reporting_currency)
        self.state = DeskState(books, spec.instruments)
        self._wire = Wire(
            spec,
            journal,
            venue,
            epoch,
            self.state,
            clock or ReplayClock(journal.wall_ns),
            approvals or DeskApprovals(spec.approval),
        )
        self._sender = Sender(self._wire)
        self._follower = Follower(self._wire)
        self._reconciler = Reconciler(self._wire, self._sender, self._follower)
        self._exits = Exits(self._wire, self._sender, self._follower)
        self._dead_man = DeadMan(self._wire)
        self._intents = Intents(self._wire)
        self._protector = Protector(self._wire, self._sender, self._intents, self._dead_man.disarm)
        self._upkeep = Upkeep(self._chores())
        self._settled = -1
        self._last: Settlement | None = None

    @property
    def at_ns(self) -> int:
        """Desk time of the newest settlement, 0 before the first."""
        return 0 if self._last is None else self._last.account.at_ns

    def recover(self, settled: int, at_ns: int) -> tuple[str, ...]:
        """Rebuild from journal and venue; the only way to start. Returns alerts.

        In this order: clock, unanswered orders become UNKNOWN, look-ups, trades, balances. What the
        venue does not answer is asked again before anything is permitted.

        Args:
            settled: the newest cycle whose venue news are journaled, -1 for none.
            at_ns: desk time of that cycle.
        """
        self._settled, self._follower.cycle = settled, settled + 1
        journal, state = self._wire.journal, self.state
        state.rebuild(journal.orders(), journal.fills())
        state.deadlines = journal.deadlines()
        state.awaiting = {a.intent.intent_id: a for a in journal.approvals(open_only=True)}
        self._follower.untold = journal.fills_of_cycle(settled + 1)
        alerts = self._reconciler.measure_clock(at_ns)
        unanswered = [order for order in state.live.values() if order.state is OrderState.PERMITTED]
        if unanswered:
            with self._wire.transaction() as tx:
                for order in unanswered:
                    lost = advance(order, OrderEvent.LOSE, "restarted before the answer")
                    self._wire.save(tx, lost, at_ns)
        denied = [e for e in journal.events({"IntentDenied"}) if e.cycle >= settled - 1]
        final = [e for e in denied if e.content()["code"] != DenialCode.EXIT_WAITS]
        self._sender.recall_denied({e.ref: e.cycle for e in final})
        self._cancel_again(at_ns)
        # News of an end may have died with us on their way to the journal: look every live order up.
        alerts += self._follower.resolve(at_ns, resting=True)
        alerts += self._reconciler.recover(at_ns)
        return alerts + self._wire.act_on_suspicions(at_ns)

    def settle(self, snapshot: MarketSnapshot) -> Settlement:
        """Take in what the venue did up to this snapshot, mark the books, keep protection.

        Idempotent: a repeated cycle returns the same books and reads the venue no further.
        """
        if self._last is not None and self._last.cycle == snapshot.cycle:
            return self._last
        cycle, at_ns = snapshot.cycle, snapshot.at_ns
        is_new = cycle > self._settled
        orders_before = len(self.state.orders)
        alerts = self._read(snapshot) if is_new else ()
        self.state.look(snapshot)
        alerts += self._make_sure(at_ns)
        self._cancel_again(at_ns)
        alerts += self._exits.retry(at_ns, cycle)
        if cycle == self._settled:
            # Books that are ahead of this cycle, after a crash, get their stops in their own cycle.
            alerts += self._protector.protect(cycle, at_ns, leaving=self._exits.waiting)
        alerts += self._follower.resolve(at_ns)
        alerts += self._hear_people(at_ns, cycle)
        alerts += self._wire.act_on_suspicions(at_ns)
        fills = self._tell(cycle) if is_new else tuple(self._wire.journal.fills_of_cycle(cycle))
        self._last = Settlement(
            cycle=cycle,
            fills=fills,
            exits=self._ended(fills),
            account=self.state.account(at_ns, self._wire.journal.trading_state()),
            alerts=alerts,
            protective=len(self.state.orders) - orders_before,
        )
        return self._last

    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what risk approved. Idempotent by intent id.

        An executor that has not settled the decision's cycle says so instead of denying everything.
        """
        if self._last is None or self._last.cycle != decision.cycle:
            return ExecutionReport(unsettled=True)
        self._wire.approvals.follow(decision.judgement.state.stage)
        return self._exits.send(decision.judgement.approved, decision.at_ns, decision.cycle)

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Cancel entries and exits, close every position at market; repeat until nothing is unfinished.

        What may still be on its way out is not sold twice. A position without a fresh price waits for
        one; a position below the venue's minimum stays, for no venue would take the order.
        """
        state, cycle, at_ns = self.state, snapshot.cycle, snapshot.at_ns
        older = [o.client_order_id for o in state.live.values() if o.intent.leg in {Leg.ENTRY, Leg.EXIT}]
        self._sender.cancel(older, at_ns)
        alerts = self._follower.resolve(at_ns)
        open_symbols = tuple(symbol for symbol in state.books.positions if self._is_closable(symbol))
        intents = [
            self._intents.make(Leg.FLATTEN, _closing(symbol, quantity), cycle, at_ns)
            for symbol in open_symbols
            if (quantity := state.not_leaving(symbol)) != ZERO and state.mid(symbol) is not None
        ]
        report = self._exits.send(intents, at_ns, cycle)
        return replace(report, unfinished=open_symbols, alerts=alerts + report.alerts)

    def tend(self, at_ns: int) -> tuple[str, ...]:
        """Do what is due between two cycles; returns alerts. May be called at any time, and often.

        Args:
            at_ns: desk time of the newest snapshot; the clock says how late it is by now.
        """
        alerts = self._upkeep.tend(at_ns, self._wire.clock.wall_ns())
        return alerts + self._wire.act_on_suspicions(at_ns)

    def _chores(self) -> tuple[Chore, ...]:
        return (
            Chore("news", 1, self._poll),
            Chore("recovery", 3, self._reconciler.recover),
            Chore("in flight", 3, self._chase),
            Chore("open orders", 15, self._reconciler.open_orders),
            Chore("trades", 60, self._reconciler.trades),
            Chore("balances", 60, self._reconciler.balances),
            Chore("clock", 60, self._reconciler.measure_clock),
            Chore("people", 1, lambda at_ns: self._hear_people(at_ns, self._settled)),
            Chore("exits", 1, lambda at_ns: self._exits.retry(at_ns, self._settled)),
            Chore("stops", 1, self._protect_again),
            Chore("dead man", self._dead_man.every_s, self._dead_man.renew),
        )

    def _read(self, snapshot: MarketSnapshot) -> tuple[str, ...]:
        """Journal what the venue did up to this snapshot; when it does not say, nothing may leave."""
        self._follower.cycle = snapshot.cycle
        try:
            news = self._wire.venue.read(snapshot)
        except VenueError as lost:
            self._wire.note(lost)
            return self._follower.absorb(VenueNews(gap=_SILENT, blind=frozenset("*")), snapshot.at_ns)
        alerts = self._follower.settle(news, snapshot.at_ns)
        self._settled = snapshot.cycle
        return alerts

    def _poll(self, at_ns: int) -> tuple[str, ...]:
        try:
            news = self._wire.venue.poll()
        except VenueError as lost:
            self._wire.note(lost)
            return ()
        return self._follower.absorb(news, at_ns)

    def _make_sure(self, at_ns: int) -> tuple[str, ...]:
        """Ask again what recovery could not learn, and a clock that was far off."""
        offset_ns, limit_ms = self.state.sight.clock_offset_ns, self._wire.spec.limits.clock_offset_ms_max
        alerts = self._reconciler.recover(at_ns)
        if offset_ns is None or abs(offset_ns) > limit_ms * 1_000_000:
            alerts += self._reconciler.measure_clock(at_ns)
        return alerts

    def _chase(self, at_ns: int) -> tuple[str, ...]:
        self._cancel_again(at_ns)
        return self._follower.resolve(at_ns)

    def _protect_again(self, at_ns: int) -> tuple[str, ...]:
        if self._last is None:
            return ()
        return self._protector.protect(self._settled, at_ns, leaving=self._exits.waiting, again=True)

    def _hear_people(self, at_ns: int, cycle: int) -> tuple[str, ...]:
        """Send what was granted, let go of what was refused or has lapsed."""
        awaiting, clock = self.state.awaiting, self._wire.clock
        if not awaiting:
            return ()
        now_ns, wall_ns = clock.desk_ns(at_ns), clock.wall_ns()
        still = {a.intent.intent_id: a for a in self._wire.journal.approvals(open_only=True)}
        refused = [approval for name, approval in awaiting.items() if name not in still]
        ripe = [
            approval
            for name, approval in still.items()
            if name in awaiting
            and (approval.state is ApprovalState.GRANTED or has_lapsed(approval, now_ns, wall_ns))
        ]
        for approval in (*refused, *ripe):
            del awaiting[approval.intent.intent_id]
        report = self._sender.send_granted(ripe, at_ns, cycle)
        told = tuple(f"{d.symbol}: granted and denied all the same, {d.code}" for d in report.denied)
        return report.alerts + told

    def _is_closable(self, symbol: str) -> bool:
        """Whether there is a position that the venue would take an order for."""
        quantity = abs(self.state.books.positions[symbol].quantity)
        mid = self.state.last_mid(symbol)
        return quantity != ZERO and (mid is None or self.state.instruments[symbol].is_sendable(quantity, mid))

    def _cancel_again(self, at_ns: int) -> None:
        """Repeat every cancel without a proven end: its request or its answer may have been lost."""
        for order in tuple(self.state.live.values()):
            if order.state is OrderState.CANCEL_PENDING:
                self._sender.ask_cancel(order.client_order_id, at_ns)

    def _tell(self, cycle: int) -> tuple[Fill, ...]:
        """Hand out every fill since the last settlement; the next ones belong to the next cycle."""
        fills = tuple(self._follower.untold)
        self._follower.untold, self._follower.cycle = [], cycle + 1
        return fills

    def _ended(self, fills: tuple[Fill, ...]) -> tuple[str, ...]:
        orders = self.state.orders
        return tuple(
            dict.fromkeys(f.symbol for f in fills if orders[f.client_order_id].intent.leg is not Leg.ENTRY)
        )


def _closing(symbol: str, quantity: Decimal) -> OrderSpec:
    return OrderSpec(
        symbol=symbol,
        side=Side.SELL if quantity > ZERO else Side.BUY,
        order_type=OrderType.MARKET,
        quantity=abs(quantity),
        reduce_only=True,
    )
