"""Keeps the stops of every position at the venue: after fills, restarts, refusals, lost answers."""

from collections.abc import Callable, Collection, Iterable

from tg_actors.domain.ids import client_order_id, intent_id
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Intent, Leg, OrderSpec, OrderState
from tg_actors.execution.protection import Manners, ProtectionPlan, plan
from tg_actors.execution.sender import Sender
from tg_actors.execution.wire import Wire

#: Nothing to place, nothing to cancel.
_COMPLETE = ProtectionPlan()
#: A stop that the venue refused is tried again after so many cycles: a position must not stay bare for
#: good because a venue was down, nor a venue be asked the same every bar.
_REFUSED_CYCLES = 12


class Intents:
    """Writes the executor's own intents: deterministic ids, the snapshot's prices."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def make(self, leg: Leg, spec: OrderSpec, cycle: int, at_ns: int, *, again: bool = False) -> Intent:
        """Return the one intent of a leg in a cycle; with ``again`` the next one that was not sent yet."""
        now_ns = self._wire.clock.desk_ns(at_ns)
        return Intent(
            intent_id=self._name(leg, spec, cycle, again=again),
            cycle=cycle,
            leg=leg,
            spec=spec,
            reference_price=self._wire.state.mid(spec.symbol) or spec.stop_price or _ANY_PRICE,
            decided_at_ns=now_ns,
            valid_until_ns=now_ns + self._wire.spec.bar_ns,
        )

    def _name(self, leg: Leg, spec: OrderSpec, cycle: int, *, again: bool) -> str:
        wire, orders = self._wire.spec, self._wire.state.orders
        name = intent_id(wire.desk, wire.account, cycle, spec.symbol, spec.side, leg)
        tries = 1
        while again and client_order_id(name) in orders:
            tries += 1
            name = intent_id(wire.desk, wire.account, cycle, spec.symbol, spec.side, f"{leg}.{tries}")
        return name


#: Stands in where no price is known; the permit then denies for that reason.
_ANY_PRICE = ZERO + 1


class Protector:
    """Compares what should rest with what rests, and sends the difference."""

    def __init__(self, wire: Wire, sender: Sender, intents: Intents, before: Callable[[int], None]) -> None:
        """Take the room's tools; ``before`` is called ahead of the first protective order."""
        self._wire = wire
        self._sender = sender
        self._intents = intents
        self._before = before
        self._manners = Manners.at(wire.venue.capabilities)
        self._alerted: dict[str, str] = {}
        self._told_no_take: set[str] = set()
        #: Protective orders that the venue refused, and when: the same ones wait before they are tried again.
        self._refused: dict[str, tuple[int, tuple[OrderSpec, ...]]] = {}

    def protect(
        self, cycle: int, at_ns: int, *, leaving: Collection[str] = (), again: bool = False
    ) -> tuple[str, ...]:
        """Place, replace and cancel protective orders. Returns alerts.

        Args:
            cycle: names the new orders.
            at_ns: the snapshot they are decided on.
            leaving: instruments whose exit waits for their protective orders to end.
            again: this is not the first time in this cycle.
        """
        state = self._wire.state
        intents: list[Intent] = []
        cancels: dict[str, tuple[str, ...]] = {}
        for symbol in self._to_protect(leaving):
            wanted = self._plan(symbol, cycle)
            if wanted == _COMPLETE:
                del state.to_protect[symbol]
            if not self._was_refused(symbol, wanted, cycle):
                intents += [
                    self._intents.make(leg, spec, cycle, at_ns, again=again) for leg, spec in wanted.place
                ]
                cancels[symbol] = wanted.cancel
        if intents:
            self._before(at_ns)
        report = self._sender.send(intents, at_ns, cycle)
        failed = {denied.symbol: denied.code.value for denied in report.denied}
        for order in (state.orders[client_id] for client_id in report.permitted):
            symbol = order.intent.spec.symbol
            if order.state in {OrderState.REJECTED, OrderState.UNKNOWN}:
                failed[symbol] = f"{order.state}: {order.reason}"
            if order.state is OrderState.REJECTED:
                self._refused[symbol] = (cycle, _untied(i.spec for i in intents if i.spec.symbol == symbol))
        # A stop that was not taken must not take the old one away with it.
        outdated = [c for symbol, ids in cancels.items() if symbol not in failed for c in ids]
        self._sender.cancel(outdated, at_ns)
        return report.alerts + self._unprotected(failed) + self._without_take(report.permitted)

    def _was_refused(self, symbol: str, wanted: ProtectionPlan, cycle: int) -> bool:
        """Whether the venue has refused these very orders a short while ago."""
        refused_in, refused = self._refused.get(symbol, (cycle, ()))
        is_same = bool(wanted.place) and refused == _untied(spec for _, spec in wanted.place)
        return is_same and cycle - refused_in < _REFUSED_CYCLES

    def _plan(self, symbol: str, cycle: int) -> ProtectionPlan:
        state = self._wire.state
        position = state.books.positions[symbol]
        # Where nothing ties an exit to its stop, what is on its way out needs none.
        quantity = state.not_leaving(symbol) if self._manners.frees_exits else position.quantity
        return plan(
            state.instruments[symbol],
            quantity,
            position.average_price,
            state.protection(symbol),
            state.protective(symbol),
            f"{symbol}@{cycle}",
            self._manners,
        )

    def _to_protect(self, leaving: Collection[str]) -> list[str]:
        """Instruments whose protection may be incomplete, in the desk's order."""
        state = self._wire.state
        return [s for s in state.books.positions if s in state.to_protect and s not in leaving]

    def _unprotected(self, refused: dict[str, str]) -> tuple[str, ...]:
        """Alert once per instrument and reason, again when the reason changes."""
        news = [s for s, code in refused.items() if self._alerted.get(s) != code]
        self._alerted = dict(refused)
        return tuple(f"{symbol}: position without its stop, {refused[symbol]}" for symbol in news)

    def _without_take(self, permitted: Iterable[str]) -> tuple[str, ...]:
        """Say once per instrument that this venue cannot hold a take-profit beside the stop."""
        if self._manners.tied:
            return ()
        state = self._wire.state
        placed = {state.orders[client_id].intent.spec.symbol for client_id in permitted}
        protections = {symbol: state.protection(symbol) for symbol in sorted(placed - self._told_no_take)}
        bare = [s for s, protection in protections.items() if protection and protection.take_frac is not None]
        self._told_no_take.update(bare)
        return tuple(f"{symbol}: stop without take-profit, the venue cannot tie the two" for symbol in bare)


def _untied(specs: Iterable[OrderSpec]) -> tuple[OrderSpec, ...]:
    """Orders without the name of their group, which changes from cycle to cycle."""
    return tuple(spec.model_copy(update={"oco_group": None}) for spec in specs)
