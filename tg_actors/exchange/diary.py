"""What happens to one account of the marketplace, written down as events and trades."""

from collections import deque
from collections.abc import Iterable, MutableMapping, MutableSequence
from decimal import Decimal

from tg_actors.domain.money import ONE
from tg_actors.domain.orders import Fill
from tg_actors.exchange.accounts import Trade
from tg_actors.exchange.events import (
    AccountEvent,
    OrderEnded,
    OrderFilled,
    OrderOpened,
    OrderTriggered,
    PositionChanged,
)
from tg_actors.exchange.margin import Positions
from tg_actors.exchange.orders import EndReason, VenueOrder, WorkingOrder

#: Trades of an account that the marketplace still shows; a reader must come back sooner.
TRADES_KEPT = 1000

#: Events of all accounts, and the accounts that something has happened to since their balances were told.
News = MutableSequence[tuple[str, AccountEvent]]
Touched = MutableMapping[str, None]


class Diary:
    """The tape of one account: see :class:`~tg_actors.exchange.clearing.Tape`."""

    def __init__(
        self, account: str, news: News, touched: Touched, positions: Positions, trades: Iterable[Trade]
    ) -> None:
        self._account = account
        self._news = news
        self._touched = touched
        self._positions = positions
        self.trades: deque[Trade] = deque(trades, maxlen=TRADES_KEPT)

    def note(self, event: AccountEvent) -> None:
        """Write an event down."""
        self._news.append((self._account, event))
        self._touched[self._account] = None

    def on_open(self, order: WorkingOrder, at_ns: int) -> None:
        """An order was taken, or a bracket's exit has come alive."""
        self.note(OrderOpened(order.view(), at_ns))

    def on_trigger(self, order: WorkingOrder, at_ns: int) -> None:
        """A waiting order went off."""
        self.note(OrderTriggered(order.view(), at_ns))

    def on_fill(self, order: WorkingOrder, fill: Fill, realised: Decimal) -> None:
        """An order was filled; what it did to a position follows."""
        trade = Trade(int(fill.trade_id[1:]), order.number, fill, realised)
        self.trades.append(trade)
        self.note(OrderFilled(order.view(), trade, fill.at_ns))
        if order.leverage > ONE:
            self.note(PositionChanged(fill.symbol, self._positions.show(fill.symbol), fill.at_ns))

    def on_end(self, order: VenueOrder, reason: EndReason, at_ns: int) -> None:
        """An order has ended."""
        self.note(OrderEnded(order, reason, at_ns))

    def forget(self, until_ns: int) -> None:
        """Drop trades up to an instant."""
        self.trades = deque((t for t in self.trades if t.fill.at_ns > until_ns), maxlen=TRADES_KEPT)
