"""What the executor knows: every order, the books, the last marks. Rebuilt from the journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.approvals import Approval
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Account
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import (
    Fill,
    Intent,
    Leg,
    Order,
    OrderState,
    Protection,
    TradingState,
)
from tg_actors.execution.ledger import apply_fill
from tg_actors.execution.permits import PermitContext
from tg_actors.execution.protection import PROTECTIVE_LEGS
from tg_actors.execution.venues.port import Capabilities, OpenOrder
from tg_actors.portfolio.books import Books


@dataclass(slots=True)
class VenueSight:
    """How far we can trust what we see of the venue. At first: not at all."""

    #: Why nothing is known yet, empty once trades and balances have been compared.
    unrecovered: str = "its trades and balances have not been compared with ours yet"
    #: What could not be read, and the instruments that are not to be traded for it ("*": all).
    gap: str = ""
    blind: frozenset[str] = frozenset()
    #: Venue clock less ours; None before it was measured.
    clock_offset_ns: int | None = None

    def unseen(self, symbol: str) -> str:
        """Say why this instrument must not be traded, empty when it may."""
        if self.unrecovered:
            return self.unrecovered
        return self.gap or "the venue is silent" if {"*", symbol} & self.blind else ""


class DeskState:
    """Orders and books in memory; a pure function of the journal's orders and fills.

    Beside them what only the venue knows: orders that are not ours, and how well we see it.
    """

    def __init__(self, books: Books, instruments: Sequence[Instrument]) -> None:
        self.books = books
        self.sight = VenueSight()
        #: Orders at the venue that this desk never sent, by the venue's id.
        self.external: dict[str, OpenOrder] = {}
        #: Orders that wait for a person, by intent id.
        self.awaiting: dict[str, Approval] = {}
        #: Until when the venue takes an order, by client order id.
        self.deadlines: dict[str, int] = {}
        #: Desk time of this journal's first start: what was traded before it is none of this desk's business.
        self.begun_ns = 0
        #: When we last did something at the venue, in the machine's time.
        self.active_wall_ns = 0
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.trade_ids: set[str] = set()
        #: When the newest execution happened; None before the first.
        self.last_fill_ns: int | None = None
        #: Instruments whose position or orders have changed since their protection was found complete.
        self.to_protect: dict[str, None] = {}
        self._protections: dict[str, Protection] = {}
        self._looked_ns = 0
        self._bar_ns = 1
        self._mids: dict[str, Decimal] = {}
        self._all_mids: dict[str, float] = {}
        self._fresh: dict[str, bool] = {}

    def rebuild(self, orders: Iterable[Order], fills: Iterable[Fill]) -> None:
        """Replay what the journal holds, in its order, into an empty state."""
        for order in orders:
            self.put(order)
        for fill in fills:
            self._book(fill)

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
        self._book(fill)
        # What came into the books between two snapshots counts as exposure before the next one.
        self._mark(fill.symbol)
        return order, late

    def _book(self, fill: Fill) -> None:
        self.trade_ids.add(fill.trade_id)
        self.last_fill_ns = max(self.last_fill_ns or 0, fill.at_ns)
        self.books.apply(fill)

    def look(self, snapshot: MarketSnapshot) -> None:
        """Take the marks of a snapshot; an instrument without a price keeps its last mark.

        A call that was held up on its way may bring an older snapshot: the market is not turned back.
        """
        if snapshot.at_ns < self._looked_ns:
            return
        self._looked_ns, self._bar_ns = snapshot.at_ns, snapshot.bar_ns
        self._all_mids = dict(zip(snapshot.symbols, snapshot.mid.tolist(), strict=True))
        self._fresh = dict(zip(snapshot.symbols, snapshot.is_fresh.tolist(), strict=True))
        for symbol in self._marked_symbols():
            self._mark(symbol)

    def _mark(self, symbol: str) -> None:
        if (mid := self._all_mids.get(symbol, 0.0)) > 0:
            self._mids[symbol] = from_float(mid)

    def mid(self, symbol: str) -> Decimal | None:
        """Fresh mid price of an instrument, None when stale, unknown or not finite."""
        mid = self._all_mids.get(symbol, 0.0) if self._fresh.get(symbol, False) else 0.0
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
        wishes = [(order.intent, order.remaining) for order in self.live.values()]
        # A person may grant it at any moment, and then nobody asks the limits of risk again.
        wishes += [(asked.intent, asked.intent.spec.quantity) for asked in self.awaiting.values()]
        for intent, remaining in wishes:
            if not intent.spec.reduce_only:
                symbol = intent.spec.symbol
                open_notional[symbol] = open_notional.get(symbol, ZERO) + self._worst_notional(
                    intent, remaining, valuation.rates
                )
        for foreign in self.external.values():
            notional = self.external_notional(foreign, valuation.rates) or ZERO
            open_notional[foreign.symbol] = open_notional.get(foreign.symbol, ZERO) + notional
        live = self.live.values()
        busy = {o.intent.spec.symbol for o in live if o.intent.leg not in PROTECTIVE_LEGS}
        busy |= {approval.intent.spec.symbol for approval in self.awaiting.values()}
        return Account(  # whose validation copies the dicts
            at_ns=at_ns,
            cash=self.books.cash,
            positions={s: p.quantity for s, p in self.books.positions.items() if p.quantity != ZERO},
            marks=self._mids,
            rates=valuation.rates,
            equity=valuation.equity,
            gross_exposure=valuation.gross_exposure,
            open_notional=open_notional,
            busy=tuple(sorted(busy)),
            blocked=tuple(sorted({o.intent.spec.symbol for o in live if o.state is OrderState.UNKNOWN})),
            trading_state=trading_state,
            unvalued=valuation.unknown,
        )

    def rates(self) -> dict[str, Decimal]:
        """Reporting currency per unit of each currency, as far as the last marks tell."""
        return self.books.rates(self._mids)

    def external_notional(self, order: OpenOrder, rates: Mapping[str, Decimal]) -> Decimal | None:
        """What somebody else's order may add, in the reporting currency; None when nobody can say."""
        instrument = self.instruments.get(order.symbol)
        price = order.limit_price or self._mids.get(order.symbol) or self.mid(order.symbol)
        rate = None if instrument is None else rates.get(instrument.quote)
        if order.remaining is None or price is None or rate is None:
            return None
        return order.remaining * price * rate

    def not_leaving(self, symbol: str) -> Decimal:
        """The signed part of a position that no live exit takes out, in whole lots."""
        quantity = self.books.positions[symbol].quantity
        leaving = sum(
            (
                order.remaining
                for order in self.live.values()
                if order.intent.spec.symbol == symbol and order.intent.leg in {Leg.FLATTEN, Leg.EXIT}
            ),
            ZERO,
        )
        left = self.instruments[symbol].quantise_quantity(max(abs(quantity) - leaving, ZERO))
        return left.copy_sign(quantity)

    def permit_context(
        self, symbol: str, account: Account, reserved: Decimal, capabilities: Capabilities
    ) -> PermitContext:
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
            snapshot_age_bars=Decimal(account.at_ns - self._looked_ns) / self._bar_ns,
            unseen=self.sight.unseen(symbol),
            clock_offset_ns=self.sight.clock_offset_ns,
            order_types=capabilities.order_types,
            unvalued=account.unvalued,
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

    def _worst_notional(self, intent: Intent, remaining: Decimal, rates: dict[str, Decimal]) -> Decimal:
        spec = intent.spec
        price = max(spec.limit_price or ZERO, self._mids.get(spec.symbol, intent.reference_price))
        return remaining * price * rates[self.instruments[spec.symbol].quote]
