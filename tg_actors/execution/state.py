"""What the executor knows: every order, the books, the last marks. Rebuilt from the journal."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Account
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import (
    Fill,
    Order,
    OrderState,
    Protection,
    TradingState,
)
from tg_actors.execution.ledger import apply_fill
from tg_actors.execution.permits import PermitContext
from tg_actors.execution.protection import PROTECTIVE_LEGS
from tg_actors.portfolio.books import Books


class DeskState:
    """Orders and books in memory; a pure function of the journal's orders and fills."""

    def __init__(self, books: Books, instruments: Sequence[Instrument]) -> None:
        self.books = books
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.trade_ids: set[str] = set()
        #: Instruments whose position or orders have changed since their protection was found complete.
        self.to_protect: dict[str, None] = {}
        self._protections: dict[str, Protection] = {}
        self._mids: dict[str, Decimal] = {}
        self._all_mids: dict[str, float] = {}
        self._fresh: dict[str, bool] = {}

    def rebuild(self, orders: Iterable[Order], fills: Iterable[Fill]) -> None:
        """Replay what the journal holds, in its order, into an empty state."""
        for order in orders:
            self.put(order)
        for fill in fills:
            self.trade_ids.add(fill.trade_id)
            self.books.apply(fill)

    def put(self, order: Order) -> None:
        """Remember the newest record of an order."""
        self.to_protect[order.intent.spec.symbol] = None
        self.orders[order.client_order_id] = order
        if order.is_live:
            self.live[order.client_order_id] = order
        else:
            self.live.pop(order.client_order_id, None)
        if order.intent.protection is not None:
            self._protections[order.intent.spec.symbol] = order.intent.protection

    def fill(self, fill: Fill) -> tuple[Order, bool]:
        """Apply a new fill to its order and to the books; return the order and whether it was late."""
        order, late = apply_fill(self.orders[fill.client_order_id], fill)
        self.put(order)
        self.trade_ids.add(fill.trade_id)
        self.books.apply(fill)
        return order, late

    def look(self, snapshot: MarketSnapshot) -> None:
        """Take the marks of a snapshot; an instrument without a price keeps its last mark."""
        self._all_mids = dict(zip(snapshot.symbols, snapshot.mid.tolist(), strict=True))
        self._fresh = dict(zip(snapshot.symbols, snapshot.is_fresh.tolist(), strict=True))
        for symbol in self._marked_symbols():
            if (mid := self._all_mids.get(symbol, 0.0)) > 0:
                self._mids[symbol] = from_float(mid)

    def mid(self, symbol: str) -> Decimal | None:
        """Fresh mid price of an instrument, None when stale, unknown or not finite."""
        mid = self._all_mids[symbol] if self._fresh.get(symbol, False) else 0.0
        return from_float(mid) if mid > 0 else None

    def last_mid(self, symbol: str) -> Decimal | None:
        """Newest mid price of a marked instrument, however old; None before the first."""
        return self._mids.get(symbol)

    def protection(self, symbol: str) -> Protection | None:
        """Protective distances of the newest entry of an instrument."""
        return self._protections.get(symbol)

    def protective(self, symbol: str) -> list[Order]:
        """Live protective orders of an instrument, oldest first."""
        return [
            o
            for o in self.live.values()
            if o.intent.spec.symbol == symbol and o.intent.leg in PROTECTIVE_LEGS
        ]

    def account(self, at_ns: int, trading_state: TradingState) -> Account:
        """The books at this instant, with the worst case of everything live."""
        valuation = self.books.mark(self._mids)
        open_notional: dict[str, Decimal] = {}
        for order in self.live.values():
            if not order.intent.spec.reduce_only:
                symbol = order.intent.spec.symbol
                open_notional[symbol] = open_notional.get(symbol, ZERO) + self._worst_notional(
                    order, valuation.rates
                )
        live = self.live.values()
        return Account(  # whose validation copies the dicts
            at_ns=at_ns,
            cash=self.books.cash,
            positions={s: p.quantity for s, p in self.books.positions.items() if p.quantity != ZERO},
            marks=self._mids,
            rates=valuation.rates,
            equity=valuation.equity,
            gross_exposure=valuation.gross_exposure,
            open_notional=open_notional,
            busy=tuple(sorted({o.intent.spec.symbol for o in live if o.intent.leg not in PROTECTIVE_LEGS})),
            blocked=tuple(sorted({o.intent.spec.symbol for o in live if o.state is OrderState.UNKNOWN})),
            trading_state=trading_state,
            unvalued=valuation.unknown,
        )

    def permit_context(self, symbol: str, account: Account, reserved: Decimal) -> PermitContext:
        """The world as a permit for this instrument must see it.

        ``reserved`` is what earlier permits of the same transaction have taken.
        """
        return PermitContext(
            now_ns=account.at_ns,
            trading_state=account.trading_state,
            mid=self.mid(symbol),
            rate=self._fresh_rate(self.instruments[symbol].quote, account),
            equity=account.equity,
            gross_exposure_worst=account.gross_exposure + sum(account.open_notional.values(), reserved),
            unknown=symbol in account.blocked,
        )

    def _fresh_rate(self, currency: str, account: Account) -> Decimal | None:
        """Reporting currency per unit, None when unknown or when its market is stale."""
        conversion = f"{currency}/{self.books.reporting}"
        stale = conversion in self.books.conversion_symbols and not self._fresh.get(conversion, False)
        return None if stale else account.rates.get(currency)

    def _marked_symbols(self) -> dict[str, None]:
        held = (s for s, p in self.books.positions.items() if p.quantity != ZERO)
        ordered = (o.intent.spec.symbol for o in self.live.values())
        return dict.fromkeys((*held, *ordered, *sorted(self.books.conversion_symbols)))

    def _worst_notional(self, order: Order, rates: dict[str, Decimal]) -> Decimal:
        spec = order.intent.spec
        price = max(spec.limit_price or ZERO, self._mids.get(spec.symbol, order.intent.reference_price))
        return order.remaining * price * rates[self.instruments[spec.symbol].quote]
