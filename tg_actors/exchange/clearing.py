"""What follows from a fill: money moves, siblings shrink, children wake, holds are made again."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Liquidity, OrderSpec, OrderType
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.orders import FIRST_STANCE, EndReason, Stance, VenueOrder, WorkingOrder
from tg_actors.exchange.spot import SpotTerms


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose fills these are."""

    venue: str
    account: str


@dataclass(slots=True)
class Counters:
    """Ordinals given so far to orders and to trades of one account, drawn from those of all, if any."""

    orders: int = 0
    trades: int = 0
    shared: "Counters | None" = None

    def next_order(self) -> int:
        """Number an order."""
        self.orders = self.orders + 1 if self.shared is None else self.shared.next_order()
        return self.orders

    def next_trade(self) -> int:
        """Number a trade."""
        self.trades = self.trades + 1 if self.shared is None else self.shared.next_trade()
        return self.trades

    def rise_to(self, other: "Counters") -> None:
        """Never give an ordinal again that another has given."""
        self.orders, self.trades = max(self.orders, other.orders), max(self.trades, other.trades)


class Tape(Protocol):
    """Who writes down what happens to the orders of an account, as it happens."""

    def on_open(self, order: WorkingOrder, at_ns: int) -> None:
        """An order is on the book."""

    def on_trigger(self, order: WorkingOrder, at_ns: int) -> None:
        """A waiting order went off."""

    def on_fill(self, order: WorkingOrder, fill: Fill, realised: Decimal) -> None:
        """An order was filled, and profit taken home."""

    def on_end(self, order: VenueOrder, reason: EndReason, at_ns: int) -> None:
        """An order is on the book no longer."""


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
        terms: SpotTerms,
        counters: Counters,
        tape: Tape,
    ) -> None:
        self._identity = identity
        self._instruments = instruments
        self._tariff = tariff
        self._book = book
        self._ledger = ledger
        self._terms = terms
        self._counters = counters
        self.tape = tape

    def open(self, order: WorkingOrder, at_ns: int) -> None:
        """Put an order on the book and hold what it may need."""
        self._book.add(order)
        self._hold_again(order)
        self.tape.on_open(order, at_ns)

    def end(self, order: WorkingOrder, reason: EndReason, at_ns: int) -> None:
        """Take an order off the book and release its hold."""
        ended = self._book.close(order, reason, at_ns)
        self._hold_again(order)
        self.tape.on_end(ended, reason, at_ns)

    def trigger(self, order: WorkingOrder, at_ns: int) -> None:
        """Let a waiting order go off; one that held nothing so far holds what it can from now on.

        A limit that comes alive without the money for it is canceled.
        """
        short = None
        self._book.trigger(order)
        if not order.stops_hold:
            short = self._terms.shortage(order) if order.stance is Stance.RESTING else None
            self._hold_again(order)
        self.tape.on_trigger(order, at_ns)
        self.end_parent(order, at_ns)
        if short is not None:
            self.end(order, EndReason.INSUFFICIENT_FUNDS, at_ns)

    def settle(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity, at_ns: int
    ) -> Decimal:
        """Book a fill, cut to what the account can pay, and all that follows from it.

        Returns the quantity filled. Where the account cannot pay for everything the rest of the
        order is canceled: waiting for money to appear would be a surprise later.
        """
        filled = ZERO
        for part in self._terms.parts(order, quantity):
            payable = self._terms.payable(order, part, price, liquidity)
            if payable > ZERO:
                self._book_fill(order, payable, price, liquidity, at_ns)
                self._follow_up(order, payable, at_ns)
                filled += payable
            if payable < part and self._book.is_open(order):
                self.end(order, EndReason.INSUFFICIENT_FUNDS, at_ns)
        return filled

    def end_parent(self, child: WorkingOrder, at_ns: int) -> None:
        """Cancel the entry of an exit that has gone off or is gone: more of it would be unprotected."""
        parent = None if child.parent is None else self._book.open.get(child.parent)
        if parent is not None:
            self.end(parent, EndReason.BRACKET_CLOSED, at_ns)

    def is_open(self, order: WorkingOrder) -> bool:
        """Whether an order is still on the book."""
        return self._book.is_open(order)

    def reducible(self, order: WorkingOrder) -> Decimal:
        """Return the whole lots that a reduce-only order may still fill."""
        return self._terms.reducible(order)

    def _book_fill(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity, at_ns: int
    ) -> None:
        spec, instrument = order.spec, self._instruments[order.spec.symbol]
        notional = quantity * price
        fee = self._tariff.fee(notional, liquidity)
        self._ledger.hold(order.pool, {})
        realised = self._terms.exchange(order, quantity, price, fee, at_ns)
        order.filled += quantity
        order.notional += notional
        order.fees += fee
        fill = Fill(
            venue=self._identity.venue,
            account=self._identity.account,
            trade_id=f"T{self._counters.next_trade():08d}",
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
        self.tape.on_fill(order, fill, realised)

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
        child = WorkingOrder(
            client_order_id=child_id,
            number=self._counters.next_order(),
            spec=spec,
            stance=FIRST_STANCE[spec.order_type],
            quantity=spec.quantity,
            submitted_at_ns=at_ns,
            parent=parent.client_order_id,
            leverage=parent.leverage,
            stops_hold=parent.stops_hold,
        )
        self.open(child, at_ns)

    def _drop_pointless(self, order: WorkingOrder, at_ns: int) -> None:
        """Cancel what may only reduce a balance or a position that this fill has used up."""
        for symbol in self._terms.spent(order):
            for other in self._book.of(symbol):
                if self._terms.is_pointless(other) and self._book.is_open(other):
                    self.end(other, EndReason.NOTHING_TO_REDUCE, at_ns)
                    self.end_parent(other, at_ns)

    def _hold_again(self, order: WorkingOrder) -> None:
        """Hold for the pool what its neediest member may need, per currency."""
        needs: dict[str, Decimal] = {}
        for member in self._book.pool_members(order):
            for currency, need in self._terms.needs(member).items():
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
