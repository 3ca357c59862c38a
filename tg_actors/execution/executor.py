"""The executor core: one venue account, one writer, from recovery to flatten."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, Settlement
from tg_actors.domain.ids import intent_id
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, Leg, OrderSpec, OrderState, OrderType
from tg_actors.execution.follower import Follower
from tg_actors.execution.ledger import advance
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.protection import ProtectionPlan, plan
from tg_actors.execution.sender import ExecutionReport, Sender
from tg_actors.execution.state import DeskState
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.wire import ExecutorSpec, Wire
from tg_actors.journal.repository import Journal
from tg_actors.portfolio.books import Books

#: Nothing to place, nothing to cancel.
_COMPLETE = ProtectionPlan()
#: A stop that the venue refused is tried again after so many cycles: a position must not stay bare for
#: good because a venue was down, nor a venue be asked the same every bar.
_REFUSED_CYCLES = 12


class Executor:
    """Permit, POST once, follow to the end, keep protected.

    Every method may be repeated: a cycle is settled once, an intent is sent once. All raise
    ``Fenced`` once a newer epoch holds the lease and ``JournalError`` when the journal is
    unreachable; after either this object must not be used any more.
    """

    def __init__(self, spec: ExecutorSpec, journal: Journal, venue: Venue, epoch: int) -> None:
        books = Books(spec.opening_cash, spec.instruments, spec.reporting_currency)
        self.state = DeskState(books, spec.instruments)
        self._wire = Wire(spec, journal, venue, epoch, self.state)
        self._sender = Sender(self._wire)
        self._follower = Follower(self._wire)
        self._settled = -1
        self._last: Settlement | None = None
        self._alerted: dict[str, str] = {}
        #: Protective orders that the venue refused, and when: the same ones wait before they are tried again.
        self._refused: dict[str, tuple[int, tuple[OrderSpec, ...]]] = {}

    def recover(self, settled: int, at_ns: int) -> tuple[str, ...]:
        """Rebuild from journal and venue; the only way to start. Returns alerts.

        Args:
            settled: the newest cycle whose venue news are journaled, -1 for none.
            at_ns: desk time of that cycle.
        """
        self._settled = settled
        journal, state = self._wire.journal, self.state
        state.rebuild(journal.orders(), journal.fills())
        unanswered = [order for order in state.live.values() if order.state is OrderState.PERMITTED]
        if unanswered:
            with self._wire.transaction() as tx:
                for order in unanswered:
                    lost = advance(order, OrderEvent.LOSE, "restarted before the answer")
                    self._wire.save(tx, lost, at_ns)
        denied = journal.events({"IntentDenied"})
        self._sender.recall_denied({e.ref: e.cycle for e in denied if e.cycle >= settled - 1})
        self._cancel_again(at_ns)
        alerts = self._follower.absorb(self._follower.missing_trades(), settled, at_ns)
        # News of an end may have died with us on their way to the journal: look every live order up.
        alerts += self._follower.resolve(at_ns, resting=True)
        return alerts + self._follower.reconcile(at_ns)

    def settle(self, snapshot: MarketSnapshot) -> Settlement:
        """Take in what the venue did up to this snapshot, mark the books, keep protection.

        Idempotent: a repeated cycle returns the same books and reads the venue no further.
        """
        if self._last is not None and self._last.cycle == snapshot.cycle:
            return self._last
        alerts: tuple[str, ...] = ()
        fills: tuple[Fill, ...] = ()
        orders_before = len(self.state.orders)
        if snapshot.cycle > self._settled:
            news = self._wire.venue.read(snapshot)
            alerts, fills = self._follower.absorb(news, snapshot.cycle, snapshot.at_ns), news.fills
            self._settled = snapshot.cycle
        else:
            fills = tuple(self._wire.journal.fills_of_cycle(snapshot.cycle))
        self.state.look(snapshot)
        self._cancel_again(snapshot.at_ns)
        if snapshot.cycle == self._settled:
            # Books that are ahead of this cycle, after a crash, get their stops in their own cycle.
            alerts += self._protect(snapshot)
        alerts += self._follower.resolve(snapshot.at_ns)
        account = self.state.account(snapshot.at_ns, self._wire.journal.trading_state())
        self._last = Settlement(
            cycle=snapshot.cycle,
            fills=fills,
            exits=self._exits(fills),
            account=account,
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
        intents = [self._tied(intent) for intent in decision.judgement.approved]
        return self._sender.send(intents, decision.at_ns, decision.cycle)

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Cancel entries and exits, close every position at market; repeat until nothing is unfinished.

        What may still be on its way out is not sold twice. A position without a fresh price waits for
        one; a position below the venue's minimum stays, for no venue would take the order.
        """
        state = self.state
        older = [o.client_order_id for o in state.live.values() if o.intent.leg in {Leg.ENTRY, Leg.EXIT}]
        self._sender.cancel(older, snapshot.at_ns)
        self._follower.resolve(snapshot.at_ns)
        open_symbols = tuple(symbol for symbol in state.books.positions if self._is_closable(symbol))
        intents = [
            self._tied(self._intent(snapshot, Leg.FLATTEN, _closing(symbol, quantity)))
            for symbol in open_symbols
            if (quantity := self._not_leaving(symbol)) != ZERO and state.mid(symbol) is not None
        ]
        report = self._sender.send(intents, snapshot.at_ns, snapshot.cycle)
        return replace(report, unfinished=open_symbols)

    def _is_closable(self, symbol: str) -> bool:
        """Whether there is a position that the venue would take an order for."""
        quantity = abs(self.state.books.positions[symbol].quantity)
        mid = self.state.last_mid(symbol)
        return quantity != ZERO and (mid is None or self.state.instruments[symbol].is_sendable(quantity, mid))

    def _not_leaving(self, symbol: str) -> Decimal:
        """The signed part of a position that no live exit takes out."""
        quantity = self.state.books.positions[symbol].quantity
        leaving = sum(
            (
                order.remaining
                for order in self.state.live.values()
                if order.intent.spec.symbol == symbol and order.intent.leg in {Leg.FLATTEN, Leg.EXIT}
            ),
            ZERO,
        )
        left = self.state.instruments[symbol].quantise_quantity(max(abs(quantity) - leaving, ZERO))
        return left.copy_sign(quantity)

    def _cancel_again(self, at_ns: int) -> None:
        """Repeat every cancel without a proven end: its request or its answer may have been lost."""
        for order in tuple(self.state.live.values()):
            if order.state is OrderState.CANCEL_PENDING:
                self._sender.ask_cancel(order.client_order_id, at_ns)

    def _tied(self, intent: Intent) -> Intent:
        """Tie an exit to the stop that rests: whichever fills first takes its quantity off the other.

        Without it both could fill in one bar and sell twice what is held.
        """
        protective = self.state.protective(intent.spec.symbol)
        if not intent.spec.reduce_only or not protective:
            return intent
        spec = intent.spec.model_copy(update={"oco_group": protective[-1].intent.spec.oco_group})
        return intent.model_copy(update={"spec": spec})

    def _exits(self, fills: tuple[Fill, ...]) -> tuple[str, ...]:
        orders = self.state.orders
        ours = [fill for fill in fills if fill.client_order_id in orders]
        return tuple(
            dict.fromkeys(f.symbol for f in ours if orders[f.client_order_id].intent.leg is not Leg.ENTRY)
        )

    def _protect(self, snapshot: MarketSnapshot) -> tuple[str, ...]:
        intents: list[Intent] = []
        cancels: dict[str, tuple[str, ...]] = {}
        for symbol in self._to_protect():
            wanted = self._plan(symbol, snapshot.cycle)
            if wanted == _COMPLETE:
                del self.state.to_protect[symbol]
            if not self._was_refused(symbol, wanted, snapshot.cycle):
                intents += [self._intent(snapshot, leg, spec) for leg, spec in wanted.place]
                cancels[symbol] = wanted.cancel
        report = self._sender.send(intents, snapshot.at_ns, snapshot.cycle)
        failed = {denied.symbol: denied.code.value for denied in report.denied}
        for order in (self.state.orders[client_id] for client_id in report.permitted):
            symbol = order.intent.spec.symbol
            if order.state in {OrderState.REJECTED, OrderState.UNKNOWN}:
                failed[symbol] = f"{order.state}: {order.reason}"
            if order.state is OrderState.REJECTED:
                refused = _untied(i.spec for i in intents if i.spec.symbol == symbol)
                self._refused[symbol] = (snapshot.cycle, refused)
        # A stop that was not taken must not take the old one away with it.
        outdated = [c for symbol, ids in cancels.items() if symbol not in failed for c in ids]
        self._sender.cancel(outdated, snapshot.at_ns)
        return self._unprotected(failed)

    def _was_refused(self, symbol: str, wanted: ProtectionPlan, cycle: int) -> bool:
        """Whether the venue has refused these very orders a short while ago."""
        refused_in, refused = self._refused.get(symbol, (cycle, ()))
        is_same = bool(wanted.place) and refused == _untied(spec for _, spec in wanted.place)
        return is_same and cycle - refused_in < _REFUSED_CYCLES

    def _plan(self, symbol: str, cycle: int) -> ProtectionPlan:
        position = self.state.books.positions[symbol]
        return plan(
            self.state.instruments[symbol],
            position.quantity,
            position.average_price,
            self.state.protection(symbol),
            self.state.protective(symbol),
            f"{symbol}@{cycle}",
        )

    def _to_protect(self) -> list[str]:
        """Instruments whose protection may be incomplete, in the desk's order."""
        return [symbol for symbol in self.state.books.positions if symbol in self.state.to_protect]

    def _unprotected(self, refused: dict[str, str]) -> tuple[str, ...]:
        """Alert once per instrument and reason, again when the reason changes."""
        news = [s for s, code in refused.items() if self._alerted.get(s) != code]
        self._alerted = dict(refused)
        return tuple(f"{symbol}: position without its stop, {refused[symbol]}" for symbol in news)

    def _intent(self, snapshot: MarketSnapshot, leg: Leg, spec: OrderSpec) -> Intent:
        wire = self._wire.spec
        return Intent(
            intent_id=intent_id(wire.desk, wire.account, snapshot.cycle, spec.symbol, spec.side, leg),
            cycle=snapshot.cycle,
            leg=leg,
            spec=spec,
            reference_price=self.state.mid(spec.symbol) or spec.stop_price or Decimal(1),
            decided_at_ns=snapshot.at_ns,
            valid_until_ns=snapshot.at_ns + wire.bar_ns,
        )


def _untied(specs: Iterable[OrderSpec]) -> tuple[OrderSpec, ...]:
    """Orders without the name of their group, which changes from cycle to cycle."""
    return tuple(spec.model_copy(update={"oco_group": None}) for spec in specs)


def _closing(symbol: str, quantity: Decimal) -> OrderSpec:
    return OrderSpec(
        symbol=symbol,
        side=Side.SELL if quantity > ZERO else Side.BUY,
        order_type=OrderType.MARKET,
        quantity=abs(quantity),
        reduce_only=True,
    )
