"""The marketplace: many accounts over one market, moved by bars or by a shown book and its prints."""

from collections.abc import Mapping
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import OrderType
from tg_actors.exchange.accounts import AccountKind, Balance, MarginPosition, MarginState, Trade
from tg_actors.exchange.alarms import Alarm, Kind
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.course import NS_PER_S, Course
from tg_actors.exchange.depth import Level
from tg_actors.exchange.events import (
    AccountEvent,
    BalancesChanged,
    DeadManFired,
    Deposited,
    FundingPaid,
    Liquidated,
    MarginCalled,
    OrderEnded,
    OrderFilled,
    OrderOpened,
    OrderTriggered,
    PositionChanged,
)
from tg_actors.exchange.member import Member, opening
from tg_actors.exchange.orders import Accepted, Bracket, Dedupe, EndReason, NewOrder, Refused, VenueOrder
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.quotes import Quote
from tg_actors.exchange.spot import Wish
from tg_actors.exchange.state import account_bytes, account_from_bytes

__all__ = [
    "Accepted",
    "AccountEvent",
    "AccountKind",
    "Balance",
    "BalancesChanged",
    "Bracket",
    "DeadManFired",
    "Dedupe",
    "Deposited",
    "ExchangeConfig",
    "FundingPaid",
    "Level",
    "Liquidated",
    "MarginCalled",
    "MarginPosition",
    "MarginState",
    "MarketStep",
    "Marketplace",
    "NewOrder",
    "OrderEnded",
    "OrderFilled",
    "OrderOpened",
    "OrderTriggered",
    "PositionChanged",
    "Quote",
    "Refused",
    "Trade",
    "VenueOrder",
]


class Marketplace(Course):
    """A deterministic exchange for many accounts; pure.

    The market moves either bar by bar (:meth:`trade_bar`; orders meet the next bar) or by books and
    prints (:meth:`show_book`, :meth:`print_trade`; orders match at once): never both. Accounts do not
    trade with each other, the market is everybody's counterparty, but no level of a shown book is sold
    twice. Ordinals of orders and of trades are unique over the marketplace and grow. The rules of
    filling: :mod:`~tg_actors.exchange.matching` for bars, :mod:`~tg_actors.exchange.pit` for books,
    :mod:`~tg_actors.exchange.margin` for borrowed money.

    Time is what the calls say; it may stand still but never goes back (ValueError, and nothing has
    changed). An account that was never opened is a KeyError.
    """

    def open_account(
        self, account: str, balances: Mapping[str, Decimal], kind: AccountKind = AccountKind.SPOT
    ) -> None:
        """Open an account.

        Raises:
            ValueError: it exists, a balance is negative, or margin is asked for and not configured.
        """
        if account in self._members:
            raise ValueError(f"account {account} exists already")
        if kind is AccountKind.MARGIN and self._config.margin is None:
            raise ValueError(f"account {account} wants margin, but the exchange has no margin section")
        if any(not amount.is_finite() or amount < ZERO for amount in balances.values()):
            raise ValueError(f"an opening balance of account {account} is negative or not finite")
        state = opening(self._grounds.venue, account, kind, balances, self._now_ns)
        self._members[account] = Member(state, self._grounds)

    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts in the order they were opened."""
        return tuple(self._members)

    # Accounts.

    def submit(self, account: str, order: NewOrder, at_ns: int) -> Accepted | Refused:
        """Take an order, or refuse it with a code; against a shown book it matches before this returns.

        ``deadline_ns`` and ``expires_at_ns`` are compared with ``at_ns``.
        """
        member = self._members[account]
        self._pass(at_ns)
        answer = member.seat.take(self._wish(order, at_ns))
        if isinstance(answer, Accepted):
            working = member.seat.book.open[order.client_order_id]
            if order.expires_at_ns is not None:
                self._alarms.set(Alarm(order.expires_at_ns, Kind.EXPIRY, account, answer.number))
            self._arrive(member, working, at_ns)
        self._tell(at_ns)
        return answer

    def cancel(self, account: str, number: int, at_ns: int) -> bool:
        """Cancel an order; False when it is not open."""
        member = self._members[account]
        self._pass(at_ns)
        order = member.seat.book.numbered(number)
        if order is not None:
            member.seat.clearing.end(order, EndReason.ASKED, at_ns)
        self._tell(at_ns)
        return order is not None

    def cancel_all(self, account: str, at_ns: int, symbol: str | None = None) -> tuple[VenueOrder, ...]:
        """Cancel everything open (of one instrument) and return it as it ended."""
        member = self._members[account]
        self._pass(at_ns)
        ended = self._end_all(member, EndReason.ASKED, at_ns, symbol)
        self._tell(at_ns)
        return ended

    def arm_dead_man(self, account: str, at_ns: int, timeout_s: int) -> None:
        """Cancel everything of the account unless asked again within the timeout; 0 disarms."""
        member = self._members[account]
        self._pass(at_ns)
        member.dead_man_at_ns = at_ns + timeout_s * NS_PER_S if timeout_s else None
        if member.dead_man_at_ns is not None:
            self._alarms.set(Alarm(member.dead_man_at_ns, Kind.DEAD_MAN, account))
        self._tell(at_ns)

    def deposit(self, account: str, currency: str, amount: Decimal, at_ns: int) -> None:
        """Bring money in, or out when negative.

        Raises:
            ValueError: the amount is not finite, or more would leave than is free.
        """
        member = self._members[account]
        ledger = member.seat.ledger
        self._pass(at_ns)
        if not amount.is_finite() or (amount < ZERO and ledger.free(currency) + amount < ZERO):
            raise ValueError(f"{currency}: {amount} cannot be moved, {ledger.free(currency)} are free")
        ledger.move(currency, amount)
        member.diary.note(Deposited(currency, amount, at_ns))
        self._tell(at_ns)

    def drain(self) -> tuple[tuple[str, AccountEvent], ...]:
        """Return the account events since the last drain, in order."""
        news = tuple(self._grounds.news)
        self._grounds.news.clear()
        return news

    # Reads; they change nothing.

    def now_ns(self) -> int:
        """The newest instant that was mentioned."""
        return self._now_ns

    def kind(self, account: str) -> AccountKind:
        """Spot or margin."""
        return self._members[account].kind

    def order(self, account: str, number: int) -> VenueOrder | None:
        """One order, open or among the newest 1000 ended ones."""
        return self._members[account].seat.book.show(number)

    def by_client_id(self, account: str, client_order_id: str) -> tuple[VenueOrder, ...]:
        """Every remembered order of this id, oldest first."""
        return self._members[account].seat.book.named(client_order_id)

    def open_orders(self, account: str, symbol: str | None = None) -> tuple[VenueOrder, ...]:
        """Open orders in submit order."""
        book = self._members[account].seat.book
        orders = book.open.values() if symbol is None else book.of(symbol)
        return tuple(order.view() for order in orders)

    def closed_orders(self, account: str, symbol: str | None = None) -> tuple[VenueOrder, ...]:
        """The newest 1000 ended orders, in the order of their ends."""
        ended = self._members[account].seat.book.ended.values()
        return tuple(order for order in ended if symbol in (None, order.spec.symbol))

    def trades(self, account: str, after: int = 0) -> tuple[Trade, ...]:
        """Executions with an ordinal above ``after``, oldest first; the newest 1000 are kept."""
        return tuple(trade for trade in self._members[account].diary.trades if trade.number > after)

    def balances(self, account: str) -> dict[str, Balance]:
        """Every currency ever touched, in alphabetical order."""
        member = self._members[account]
        return {currency: member.balance(currency) for currency in member.seat.ledger.totals()}

    def positions(self, account: str) -> tuple[MarginPosition, ...]:
        """Open margin positions, in the order of the instruments."""
        return self._members[account].positions.show_all()

    def margins(self, account: str) -> tuple[MarginState, ...]:
        """State of each quote currency that a margin account owns or has positions in; () on spot."""
        return self._members[account].margins()

    def quote(self, symbol: str) -> Quote | None:
        """Last price (mark), bid and ask; None before the first and for what is not traded here."""
        if self._has_books:
            pit = self._grounds.pits.get(symbol)
            return None if pit is None else pit.quote()
        return self._market.quote(symbol)

    def book(self, symbol: str) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """What is left of the shown book, bids and asks, best first; empty when driven by bars."""
        return self._grounds.pits[symbol].depth.shown()

    # Memory.

    def quantity_for(self, symbol: str, side: Side, notional: Decimal) -> Decimal:
        """Return the whole lots that a market order can trade for a notional now, before fees."""
        pit, instrument = self._grounds.pits[symbol], self._grounds.instruments[symbol]
        return instrument.quantise_quantity(pit.depth.quantity_for(side, notional))

    def forget(self, account: str, until_ns: int) -> None:
        """Drop ended orders and executions up to an instant, to keep :meth:`dump` short."""
        member = self._members[account]
        member.seat.book.forget(until_ns)
        member.diary.forget(until_ns)

    def dump(self, account: str) -> bytes:
        """State of one account as JSON; equal states give equal bytes."""
        return account_bytes(self._members[account].checkpoint(self._grounds.venue))

    def load(self, account: str, state: bytes) -> None:
        """Open an account as it was dumped, or replace it by that.

        Several are loaded in the order of :meth:`accounts`, for events come in that order.

        Raises:
            UserError: the bytes are damaged or of another account, or need an instrument or a margin
                section that is not here; nothing is changed then.
        """
        checkpoint = account_from_bytes(state)
        theirs, ours = (checkpoint.venue, checkpoint.account), (self._grounds.venue, account)
        if theirs != ours:
            raise UserError(
                f"the checkpoint belongs to {theirs[0]}/{theirs[1]}, not to {ours[0]}/{ours[1]}: "
                "use the state folder that it was written to"
            )
        traded = (*(order.spec.symbol for order in checkpoint.open_orders), *checkpoint.positions)
        missing = [symbol for symbol in traded if symbol not in self._grounds.instruments]
        if missing:
            raise UserError(f"account {account} has {missing[0]} open: add that instrument again")
        if checkpoint.kind is AccountKind.MARGIN and self._config.margin is None:
            raise UserError(f"account {account} trades on margin: add the margin section again")
        if account in self._members:
            self._members[account].leave()
        member = self._members[account] = Member(checkpoint, self._grounds)
        for order in checkpoint.open_orders:
            if order.expires_at_ns is not None:
                self._alarms.set(Alarm(order.expires_at_ns, Kind.EXPIRY, account, order.number))
        if member.dead_man_at_ns is not None:
            self._alarms.set(Alarm(member.dead_man_at_ns, Kind.DEAD_MAN, account))

    def _wish(self, order: NewOrder, at_ns: int) -> Wish:
        spec, walk_price = order.spec, None
        pit = self._grounds.pits.get(spec.symbol)
        if self._has_books and pit is not None and spec.order_type is OrderType.MARKET:
            walk_price = pit.depth.walk_price(spec.side, spec.quantity)
        return Wish(order, self.quote(spec.symbol), at_ns, walk_price)
