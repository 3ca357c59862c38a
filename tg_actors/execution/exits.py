"""Lets exits leave: tied to the stop where the venue can, else only once the stop is proven gone."""

from collections.abc import Iterable
from dataclasses import replace

from tg_actors.domain.decisions import DenialCode, Denied
from tg_actors.domain.ids import client_order_id
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Intent
from tg_actors.execution.follower import Follower
from tg_actors.execution.protection import Manners
from tg_actors.execution.sender import ExecutionReport, Sender
from tg_actors.execution.wire import Wire


class Exits:
    """Sends exits and flattens; at venues that tie nothing it cancels the protective orders first.

    An exit whose stop is not proven gone is denied for the moment and remembered: it leaves as soon as
    the proof is there, unless it is too old by then. Until one of the two, no new stop is placed.
    """

    def __init__(self, wire: Wire, sender: Sender, follower: Follower) -> None:
        self._wire = wire
        self._sender = sender
        self._follower = follower
        self._frees = Manners.at(wire.venue.capabilities).frees_exits
        #: By instrument, the exit that goes as soon as nothing holds its balance any more.
        self.waiting: dict[str, Intent] = {}

    def send(self, intents: Iterable[Intent], at_ns: int, cycle: int) -> ExecutionReport:
        """Send what can leave; entries pass through."""
        wanted = tuple(intents)
        if not self._frees:
            return self._sender.send([self._tied(intent) for intent in wanted], at_ns, cycle)
        held: dict[str, Denied] = {}
        alerts: tuple[str, ...] = ()
        for intent in wanted:
            denied, told = self._free(intent, at_ns)
            alerts += told
            if denied is not None:
                held[intent.intent_id] = denied
                self._wait(intent, denied, at_ns, cycle)
        report = self._sender.send([i for i in wanted if i.intent_id not in held], at_ns, cycle)
        return replace(report, denied=(*report.denied, *held.values()), alerts=(*alerts, *report.alerts))

    def retry(self, at_ns: int, cycle: int) -> tuple[str, ...]:
        """Send the exits that have waited, forget those that are too old. Returns alerts."""
        now_ns = self._wire.clock.desk_ns(at_ns)
        wanted = [intent for intent in self.waiting.values() if now_ns <= intent.valid_until_ns]
        self.waiting = {}
        return self.send(wanted, at_ns, cycle).alerts if wanted else ()

    def _tied(self, intent: Intent) -> Intent:
        """Tie an exit to the stop that rests: whichever fills first takes its quantity off the other.

        Without it both could fill in one bar and sell twice what is held.
        """
        protective = self._wire.state.protective(intent.spec.symbol)
        if not intent.spec.reduce_only or not protective:
            return intent
        spec = intent.spec.model_copy(update={"oco_group": protective[-1].intent.spec.oco_group})
        return intent.model_copy(update={"spec": spec})

    def _free(self, intent: Intent, at_ns: int) -> tuple[Denied | None, tuple[str, ...]]:
        """Cancel what holds the exit's balance. Returns why it cannot leave yet, None when it can; alerts."""
        state, symbol = self._wire.state, intent.spec.symbol
        was_sent = client_order_id(intent.intent_id) in state.orders
        if was_sent or not intent.spec.reduce_only or self._sender.refusal(intent, at_ns) is not None:
            return None, ()  # the permit itself answers, and no stop is given up for nothing
        holding = [order.client_order_id for order in state.protective(symbol)]
        self._sender.cancel(holding, at_ns)
        alerts = self._follower.resolve(at_ns, only=holding) if holding else ()
        if state.protective(symbol):
            return _waits(symbol, "its stop must be proven gone first"), alerts
        left = state.not_leaving(symbol) * -intent.spec.side.sign
        if left < intent.spec.quantity:
            return _waits(symbol, f"only {money_text(max(left, ZERO))} is left to close"), alerts
        return None, alerts

    def _wait(self, intent: Intent, denied: Denied, at_ns: int, cycle: int) -> None:
        symbol = intent.spec.symbol
        is_news = self.waiting.get(symbol) != intent
        if self._wire.state.protective(symbol):
            self.waiting[symbol] = intent
        if is_news:
            with self._wire.transaction() as tx:
                tx.append("IntentDenied", denied, ref=intent.intent_id, cycle=cycle, at_ns=at_ns)


def _waits(symbol: str, detail: str) -> Denied:
    return Denied(symbol=symbol, code=DenialCode.EXIT_WAITS, detail=detail)
