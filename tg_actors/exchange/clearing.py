"""What follows from a fill: money moves, siblings shrink, children wake, holds are made again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Liquidity, OrderSpec, OrderType
from tg_actors.exchange.admission import holds_needed
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.orders import FIRST_STANCE, Ended, EndReason, WorkingOrder


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose fills these are."""

    venue: str
    account: str


@dataclass(slots=True)
class Counters:
    """Ordinals given so far to orders and to trades."""

    orders: int = 0
    trades: int = 0


@dataclass(slots=True)
class Tape:
    """What happened since the tape was last torn off."""

    fills: list[Fill] = field(default_factory=list)
    closed: list[Ended] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)


class Clearing:
    """The one place that books fills and ends orders."""

    def __init__(
        self,
        *,
        identity: Identity,
        instruments: Mapping[str, Instrument],
        tariff: Tariff,
        book: OrderBook,
        ledger: Ledger,
        counters: Counters,
    ) -> None:
        self._identity = identity
        self._instruments = instruments
        self._tariff = tariff
        self._book = book
        self._ledger = ledger
        self._counters = counters
        self._instruments_by_base: dict[str, list[Instrument]] = {}
        for instrument in instruments.values():
            self._instruments_by_base.setdefault(instrument.base, []).append(instrument)
        self.tape = Tape()

    def open(self, order: WorkingOrder) -> None:
        """Put an order on the book and hold what it may need."""
        self._book.add(order)
        self._hold_again(order)

    def end(self, order: WorkingOrder, reason: EndReason, at_ns: int) -> None:
        """Take an order off the book and release its hold."""
        ended = self._book.close(order, reason, at_ns)
        self._hold_again(order)
        self.tape.closed.append(Ended(order.client_order_id, ended.state, reason))

    def settle(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity, at_ns: int
    ) -> Decimal:
        """Book a fill, cut to what the account can pay, and all that follows from it.

        Returns the quantity filled. Where the account cannot pay for everything the rest of the
        order is canceled: waiting for money to appear would be a surprise later.
        """
        payable = self._payable(order, quantity, price, liquidity)
        if payable > ZERO:
            self._book_fill(order, payable, price, liquidity, at_ns)
            self._follow_up(order, payable, at_ns)
        if payable < quantity and order.client_order_id in self._book.open:
            self.end(order, EndReason.INSUFFICIENT_FUNDS, at_ns)
        return payable

    def end_parent(self, child: WorkingOrder, at_ns: int) -> None:
        """Cancel the entry of an exit that has gone off or is gone: more of it would be unprotected."""
        parent = None if child.parent is None else self._book.open.get(child.parent)
        if parent is not None:
            self.end(parent, EndReason.BRACKET_CLOSED, at_ns)

    def reducible(self, order: WorkingOrder) -> Decimal:
        """Return the whole lots that a reduce-only sell may still sell: what no other order holds."""
        instrument = self._instruments[order.spec.symbol]
        return instrument.quantise_quantity(self._ledger.free(instrument.base))

    def _payable(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity
    ) -> Decimal:
        instrument = self._instruments[order.spec.symbol]
        buys = order.spec.side is Side.BUY
        currency = instrument.quote if buys else instrument.base
        budget = self._ledger.free(currency) + self._ledger.held_by(order.pool, currency)
        if buys:
            return self._tariff.affordable(instrument, quantity, price, liquidity, budget)
        return min(quantity, instrument.quantise_quantity(budget))

    def _book_fill(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity, at_ns: int
    ) -> None:
        spec, instrument = order.spec, self._instruments[order.spec.symbol]
        notional = quantity * price
        fee = self._tariff.fee(notional, liquidity)
        self._counters.trades += 1
        self._ledger.hold(order.pool, {})
        self._ledger.move(instrument.base, spec.side.sign * quantity)
        self._ledger.move(instrument.quote, -spec.side.sign * notional - fee)
        order.filled += quantity
        order.notional += notional
        order.fees += fee
        self.tape.fills.append(
            Fill(
                venue=self._identity.venue,
                account=self._identity.account,
                trade_id=f"T{self._counters.trades:08d}",
                client_order_id=order.client_order_id,
                symbol=spec.symbol,
                side=spec.side,
                quantity=quantity,
                price=price,
                fee=fee,
                fee_currency=instrument.quote,
                liquidity=liquidity,
                at_ns=at_ns,
            )
        )

    def _follow_up(self, order: WorkingOrder, quantity: Decimal, at_ns: int) -> None:
        self._shrink_siblings(order, quantity, at_ns)
        if order.bracket is not None:
            self._grow_children(order, quantity, at_ns)
        if order.remaining == ZERO:
            complete = order.filled == order.spec.quantity
            self.end(order, EndReason.FILLED if complete else EndReason.OCO_SIBLING_FILLED, at_ns)
        else:
            self._hold_again(order)
        self._drop_pointless(order, at_ns)

    def _shrink_siblings(self, order: WorkingOrder, quantity: Decimal, at_ns: int) -> None:
        for sibling in self._book.siblings(order):
            sibling.quantity -= min(quantity, sibling.remaining)
            if sibling.remaining == ZERO:
                self.end(sibling, EndReason.OCO_SIBLING_FILLED, at_ns)

    def _grow_children(self, parent: WorkingOrder, quantity: Decimal, at_ns: int) -> None:
        """Wake the children at the first fill, later add to those still open; a canceled one stays so."""
        is_first = parent.filled == quantity
        for child_id, spec in _children(parent, quantity):
            child = self._book.open.get(child_id)
            if is_first:
                self._wake_child(parent, child_id, spec, at_ns)
            elif child is not None:
                child.quantity += quantity
                child.spec = child.spec.model_copy(update={"quantity": child.spec.quantity + quantity})

    def _wake_child(self, parent: WorkingOrder, child_id: str, spec: OrderSpec, at_ns: int) -> None:
        self._counters.orders += 1
        self.open(
            WorkingOrder(
                client_order_id=child_id,
                number=self._counters.orders,
                spec=spec,
                stance=FIRST_STANCE[spec.order_type],
                quantity=spec.quantity,
                submitted_at_ns=at_ns,
                parent=parent.client_order_id,
            )
        )
        self.tape.opened.append(child_id)

    def _drop_pointless(self, order: WorkingOrder, at_ns: int) -> None:
        """Cancel what may only reduce a balance that this fill has used up."""
        instrument = self._instruments[order.spec.symbol]
        spent = instrument.quote if order.spec.side is Side.BUY else instrument.base
        for theirs in self._instruments_by_base.get(spent, ()):
            if self._ledger.total(spent) >= theirs.lot:
                continue
            for other in self._book.of(theirs.symbol):
                if other.spec.reduce_only:
                    self.end(other, EndReason.NOTHING_TO_REDUCE, at_ns)
                    self.end_parent(other, at_ns)

    def _hold_again(self, order: WorkingOrder) -> None:
        """Hold for the pool what its neediest member may need, per currency."""
        instrument = self._instruments[order.spec.symbol]
        needs: dict[str, Decimal] = {}
        for member in self._book.pool_members(order):
            for currency, need in holds_needed(member, instrument).items():
                needs[currency] = max(need, needs.get(currency, ZERO))
        self._ledger.hold(order.pool, needs)


def _children(parent: WorkingOrder, quantity: Decimal) -> list[tuple[str, OrderSpec]]:
    """The exits of a bracket as orders for ``quantity``; the stop first, so that it is met first."""
    bracket = parent.bracket
    if bracket is None:
        return []
    exits = (
        (bracket.stop_client_order_id, OrderType.STOP, bracket.stop_price),
        (bracket.take_client_order_id, OrderType.TAKE_PROFIT, bracket.take_price),
    )
    return [
        (
            child_id,
            OrderSpec(
                symbol=parent.spec.symbol,
                side=parent.spec.side.opposite,
                order_type=order_type,
                quantity=quantity,
                stop_price=price,
                reduce_only=True,
                oco_group=f"bracket:{parent.client_order_id}",
            ),
        )
        for child_id, order_type, price in exits
        if child_id is not None
    ]
