"""What an account is worth in dollars: marks, and the average price of what was bought. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ONE, ZERO
from tg_actors.domain.orders import Fill
from tg_actors.exchange.server.quotes import Day

DOLLAR = "USD"
#: Worth a dollar where no market says otherwise, in the order in which they are asked for a price.
_PEGGED = (DOLLAR, "USDT", "USDC")

Prices = Callable[[str], Decimal | None]


def pair_of(currency: str, instruments: Mapping[str, Instrument]) -> str | None:
    """The instrument that values a currency and closes a position in it."""
    names = (f"{currency}/{money}" for money in _PEGGED)
    return next((name for name in names if name in instruments), None)


def dollars(currency: str, instruments: Mapping[str, Instrument], last: Prices) -> Decimal:
    """The price of one unit; 0 when nothing is known about it."""
    pair = pair_of(currency, instruments)
    known = None if pair is None else last(pair)
    if known is not None:
        return known
    return ONE if currency in _PEGGED else ZERO


@dataclass(slots=True)
class Holding:
    """What was bought of a currency and is not sold yet: its quantity and what it cost."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Average price in dollars; 0 for what came in without being bought."""
        return self.cost / self.quantity if self.quantity else ZERO

    def add(self, fill: Fill, price: Decimal) -> None:
        """Apply a fill at a price in dollars: buys average, sells keep the average."""
        if fill.side is Side.BUY:
            self.quantity += fill.quantity
            self.cost += fill.quantity * price
            return
        sold = min(fill.quantity, self.quantity)
        self.cost -= sold * self.entry_price
        self.quantity -= sold


class Holdings:
    """Average prices of one account, brought up to date fill by fill."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._held: dict[str, Holding] = {}
        self.newest = 0

    def learn(self, fills: Iterable[tuple[int, Fill]], last: Prices) -> None:
        """Apply fills in their order; a pair that is not quoted in dollars counts at today's dollar price."""
        for seq, fill in fills:
            instrument = self._instruments[fill.symbol]
            price = fill.price * dollars(instrument.quote, self._instruments, last)
            self._held.setdefault(instrument.base, Holding()).add(fill, price)
            self.newest = max(self.newest, seq)

    def entry_price(self, currency: str) -> Decimal:
        """Average price of what is held of a currency."""
        held = self._held.get(currency)
        return ZERO if held is None else held.entry_price


@dataclass(frozen=True, slots=True)
class Valued:
    """A currency that is held, with its prices in dollars."""

    currency: str
    quantity: Decimal
    free: Decimal
    price: Decimal
    entry_price: Decimal
    opened: Decimal

    @property
    def value(self) -> Decimal:
        """What it is worth."""
        return self.quantity * self.price

    @property
    def cost(self) -> Decimal:
        """What it was bought for, at the average price."""
        return self.quantity * self.entry_price

    @property
    def profit(self) -> Decimal:
        """What selling it would bring above its cost."""
        return self.value - self.cost

    @property
    def profit_frac(self) -> Decimal:
        """The profit as a part of the cost."""
        return self.profit / self.cost if self.cost else ZERO

    @property
    def today(self) -> Decimal:
        """Profit since 24 hours ago."""
        return self.quantity * (self.price - self.opened)

    @property
    def today_frac(self) -> Decimal:
        """Change of the price since 24 hours ago."""
        return self.price / self.opened - ONE if self.opened else ZERO


def opened_at(day: Day | None, price: Decimal) -> Decimal:
    """The price 24 hours ago, today's where nothing older is known."""
    return price if day is None else day.open
