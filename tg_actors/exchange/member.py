"""An account of the marketplace: its seat, what it remembers, and what borrowing brings it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.accounts import AccountKind, Balance, MarginState
from tg_actors.exchange.admission import LIQUIDATION_PREFIX
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Counters, Identity
from tg_actors.exchange.config import ExchangeConfig, MarginRules
from tg_actors.exchange.diary import Diary, News, Touched
from tg_actors.exchange.events import BalancesChanged, FundingPaid, Liquidated, MarginCalled
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.margin import MarginLedger, MarginTerms, Positions
from tg_actors.exchange.orders import FIRST_STANCE, EndReason, WorkingOrder
from tg_actors.exchange.pit import Pit
from tg_actors.exchange.seat import Seat
from tg_actors.exchange.spot import SpotTerms
from tg_actors.exchange.standing import Party, Turns
from tg_actors.exchange.state import VERSION, AccountCheckpoint


@dataclass(slots=True)
class Grounds:
    """What all accounts of a marketplace share."""

    venue: str
    instruments: Mapping[str, Instrument]
    config: ExchangeConfig
    tariff: Tariff
    marks: dict[str, Decimal] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    counters: Counters = field(default_factory=Counters)
    pits: dict[str, Pit] = field(default_factory=dict)
    news: News = field(default_factory=list)
    touched: Touched = field(default_factory=dict)


class _Places:
    """Lists the open orders of one account in the pits."""

    def __init__(self, pits: Mapping[str, Pit]) -> None:
        self._pits = pits
        self.seat: Seat | None = None

    def add(self, order: WorkingOrder) -> None:
        if self.seat is None:
            raise RuntimeError("orders come after the seat")
        self._pits[order.spec.symbol].standing.add(Party(order, self.seat.clearing))

    def remove(self, order: WorkingOrder) -> None:
        self._pits[order.spec.symbol].standing.remove(order)


class Member:
    """One account, made from a checkpoint: a new one is a checkpoint with nothing but balances."""

    def __init__(self, state: AccountCheckpoint, grounds: Grounds) -> None:
        self.name = state.account
        self.kind = state.kind
        self.dead_man_at_ns = state.dead_man_at_ns
        self._instruments = grounds.instruments
        self._counters = Counters(state.orders_numbered, state.trades_numbered, grounds.counters)
        self._funded_at_ns = state.funded_at_ns
        self._called = dict.fromkeys(state.called)
        self.positions = Positions(grounds.instruments, grounds.marks, state.positions)
        self.diary = Diary(self.name, grounds.news, grounds.touched, self.positions, state.trades)
        self._borrowing: tuple[MarginLedger, MarginRules] | None = None
        ledger, terms = self._money(state, grounds)
        places = _Places(grounds.pits)
        self.seat = places.seat = Seat(
            Identity(grounds.venue, self.name),
            grounds.instruments,
            grounds.tariff,
            book=OrderBook(ended=state.ended, listing=places),
            ledger=ledger,
            terms=terms,
            counters=self._counters,
            tape=self.diary,
        )
        for order in state.open_orders:
            self.seat.book.add(order)
        grounds.counters.rise_to(self._counters)

    def _money(self, state: AccountCheckpoint, grounds: Grounds) -> tuple[Ledger, SpotTerms]:
        rules = grounds.config.margin
        if state.kind is AccountKind.SPOT or rules is None:
            ledger = Ledger(state.balances, state.holds)
            return ledger, SpotTerms(grounds.instruments, grounds.tariff, ledger)
        lent = MarginLedger(state.balances, self.positions, state.holds)
        self._borrowing = (lent, rules)
        return lent, MarginTerms(
            grounds.instruments, grounds.tariff, lent, self.positions, rules.leverage_max
        )

    def leave(self) -> None:
        """Take every open order out of the market's lines; another state of the account takes over."""
        for order in self.seat.book.open.values():
            self.seat.book.unlist(order)

    def balance(self, currency: str) -> Balance:
        """Show one currency."""
        return Balance(self.seat.ledger.total(currency), self.seat.ledger.held(currency))

    def tell_balances(self, at_ns: int) -> None:
        """Write down which balances have changed since this was last called."""
        changed = self.seat.ledger.take_changed()
        if changed:
            balances = tuple((currency, self.balance(currency)) for currency in changed)
            self.diary.note(BalancesChanged(balances, at_ns))

    def margins(self) -> tuple[MarginState, ...]:
        """Show how each quote currency stands that is owned or that positions settle in."""
        if self._borrowing is None:
            return ()
        ledger, _ = self._borrowing
        quotes = {instrument.quote for instrument in self._instruments.values()}
        return tuple(
            ledger.state(currency)
            for currency in sorted(quotes & {*ledger.totals(), *self.positions.currencies()})
        )

    def borrowed(self) -> tuple[str, ...]:
        """Return the instruments in which the account borrows or may begin to."""
        if self._borrowing is None:
            return ()
        wishes = (order.spec.symbol for order in self.seat.book.open.values() if order.leverage > 1)
        return tuple(dict.fromkeys((*self.positions.holdings, *wishes)))

    def fund(self, frac: Decimal, at_ns: int) -> None:
        """Pay or receive funding for every position, once for one instant."""
        if self._borrowing is None or at_ns <= self._funded_at_ns:
            return
        ledger, _ = self._borrowing
        self._funded_at_ns = at_ns
        for position in self.positions.show_all():
            amount = self.positions.funding(position.symbol, frac)
            currency = self._instruments[position.symbol].quote
            ledger.charge(currency, -amount)
            paid = FundingPaid(position.symbol, currency, position.quantity, position.mark, amount, at_ns)
            self.diary.note(paid)

    def watch(self, at_ns: int) -> tuple[WorkingOrder, ...]:
        """Compare margin levels with the rules: warn once, then close at market.

        Returns the closing orders that were opened; they still have to meet the market.
        """
        if self._borrowing is None:
            return ()
        ledger, rules = self._borrowing
        currencies = self.positions.currencies()
        self._called = {currency: None for currency in self._called if currency in currencies}
        closing: list[WorkingOrder] = []
        for currency in currencies:
            state = ledger.state(currency)
            if state.level is None or state.level >= rules.call_level:
                self._called.pop(currency, None)
                continue
            if currency not in self._called:
                self._called[currency] = None
                self.diary.note(MarginCalled(state, at_ns))
            symbols = [s for s in self.positions.holdings if self._instruments[s].quote == currency]
            if state.level < rules.liquidation_level and not all(map(self._is_closing, symbols)):
                self.diary.note(Liquidated(state, at_ns))
                closing += self._liquidate(symbols, currency, rules.leverage_max, at_ns)
        return tuple(closing)

    def _liquidate(
        self, symbols: list[str], currency: str, leverage: Decimal, at_ns: int
    ) -> list[WorkingOrder]:
        for order in list(self.seat.book.open.values()):
            settles_here = self._instruments[order.spec.symbol].quote == currency
            if order.leverage > 1 and settles_here and not _is_forced(order):
                self.seat.clearing.end(order, EndReason.LIQUIDATION, at_ns)
        wanted = [symbol for symbol in symbols if not self._is_closing(symbol)]
        return [self._force(symbol, leverage, at_ns) for symbol in wanted]

    def _force(self, symbol: str, leverage: Decimal, at_ns: int) -> WorkingOrder:
        """Open a market order that closes a position, asking nobody."""
        held = self.positions.quantity(symbol)
        spec = OrderSpec(
            symbol=symbol,
            side=Side.SELL if held > ZERO else Side.BUY,
            order_type=OrderType.MARKET,
            quantity=abs(held),
            reduce_only=True,
        )
        number = self._counters.next_order()
        order = WorkingOrder(
            client_order_id=f"{LIQUIDATION_PREFIX}{number}",
            number=number,
            spec=spec,
            stance=FIRST_STANCE[spec.order_type],
            quantity=spec.quantity,
            submitted_at_ns=at_ns,
            leverage=leverage,
        )
        self.seat.clearing.open(order, at_ns)
        return order

    def _is_closing(self, symbol: str) -> bool:
        return any(_is_forced(order) for order in self.seat.book.of(symbol))

    def checkpoint(self, venue: str) -> AccountCheckpoint:
        """Return everything that makes an account that acts the same."""
        book = self.seat.book
        return AccountCheckpoint(
            version=VERSION,
            venue=venue,
            account=self.name,
            kind=self.kind,
            orders_numbered=self._counters.orders,
            trades_numbered=self._counters.trades,
            balances=self.seat.ledger.totals(),
            holds=self.seat.ledger.pools(),
            positions=self.positions.holdings,
            funded_at_ns=self._funded_at_ns,
            dead_man_at_ns=self.dead_man_at_ns,
            called=list(self._called),
            open_orders=list(book.open.values()),
            ended=list(book.ended.values()),
            trades=list(self.diary.trades),
        )


def opening(
    venue: str, account: str, kind: AccountKind, balances: Mapping[str, Decimal], at_ns: int
) -> AccountCheckpoint:
    """Return the state of an account that has done nothing yet."""
    return AccountCheckpoint(
        version=VERSION,
        venue=venue,
        account=account,
        kind=kind,
        orders_numbered=0,
        trades_numbered=0,
        balances=dict(balances),
        holds={},
        positions={},
        funded_at_ns=at_ns,
        dead_man_at_ns=None,
        called=[],
        open_orders=[],
        ended=[],
        trades=[],
    )


def _is_forced(order: WorkingOrder) -> bool:
    return order.client_order_id.startswith(LIQUIDATION_PREFIX)
