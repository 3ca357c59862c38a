"""The money rules of a margin account: positions on borrowed money, beside the spot account's own.

* An order with ``leverage`` above 1 moves a *position* and no base currency: one netted position an
  instrument, long or short, which settles in the quote currency. Leverage 1 is a spot order.
* The *collateral* is the quote currency: equity is its total plus the unrealised profit of the
  positions that settle in it. Each quote currency stands for itself; nothing else is collateral.
* Opening a part takes ``notional / leverage`` of it as initial margin, rounded up. Closing a part
  gives back that share of the margin, rounded down, and *realises* its profit against the average
  entry price. Cash changes by realised profit, less fees, less funding, to the last decimal.
* What the margin and a loss take is not free for spot orders; a profit on paper buys nothing, but
  carries other positions. Cash itself goes below zero only where a gap took more than the equity.
"""

import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ONE, ZERO, money_text
from tg_actors.domain.orders import Liquidity
from tg_actors.exchange.accounts import MarginPosition, MarginState
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.orders import NewOrder, Stance, WorkingOrder
from tg_actors.exchange.spot import SpotTerms, Wish

_STEP = Decimal("1E-8")


@dataclass(slots=True)
class Holding:
    """A position while it is held: see :class:`~tg_actors.exchange.accounts.MarginPosition`."""

    quantity: Decimal
    cost: Decimal
    margin: Decimal
    opened_at_ns: int


class Positions:
    """The margin positions of one account, valued at the marks of the market."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        marks: Mapping[str, Decimal],
        holdings: Mapping[str, Holding] | None = None,
    ) -> None:
        self._instruments = instruments
        self._marks = marks
        self.holdings: dict[str, Holding] = dict(holdings or {})

    def quantity(self, symbol: str) -> Decimal:
        """Return the signed quantity held, 0 when flat."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.quantity

    def closable(self, order: WorkingOrder | NewOrder) -> Decimal:
        """Return how much of the position an order of this side can close."""
        return max(-order.spec.side.sign * self.quantity(order.spec.symbol), ZERO)

    def used(self, currency: str) -> Decimal:
        """Return the margin of the positions that settle in a currency."""
        return sum((held.margin for _, held in self._in(currency)), ZERO)

    def unrealised(self, currency: str) -> Decimal:
        """Return the profit of the positions that settle in a currency, at the marks."""
        profits = (
            held.quantity * self._mark(symbol, held) - held.cost for symbol, held in self._in(currency)
        )
        return sum(profits, ZERO)

    def show(self, symbol: str) -> MarginPosition | None:
        """Show one position, None when flat."""
        held = self.holdings.get(symbol)
        if held is None:
            return None
        mark = self._mark(symbol, held)
        return MarginPosition(symbol, held.quantity, held.cost, held.margin, mark, held.opened_at_ns)

    def show_all(self) -> tuple[MarginPosition, ...]:
        """Show every position in the order of the instruments."""
        shown = (self.show(symbol) for symbol in self._instruments)
        return tuple(position for position in shown if position is not None)

    def currencies(self) -> tuple[str, ...]:
        """Quote currencies that positions settle in, each once."""
        return tuple(dict.fromkeys(self._instruments[symbol].quote for symbol in self.holdings))

    def open(self, symbol: str, quantity: Decimal, price: Decimal, leverage: Decimal, at_ns: int) -> None:
        """Add a signed quantity to a position that is flat or on the same side."""
        held = self.holdings.setdefault(symbol, Holding(ZERO, ZERO, ZERO, at_ns))
        held.quantity += quantity
        held.cost += quantity * price
        held.margin += initial_margin(abs(quantity), price, leverage)

    def close(self, symbol: str, quantity: Decimal, price: Decimal) -> Decimal:
        """Take a quantity (unsigned, at most what is held) off a position and return the profit."""
        held = self.holdings[symbol]
        whole = abs(held.quantity)
        closed = quantity if held.quantity > ZERO else -quantity
        if quantity == whole:
            del self.holdings[symbol]
            return closed * price - held.cost
        # The average entry is not always a finite decimal: what rounding takes here stays in the rest.
        cost = (held.cost * quantity / whole).quantize(_STEP)
        held.margin -= (held.margin * quantity / whole).quantize(_STEP, decimal.ROUND_FLOOR)
        held.cost -= cost
        held.quantity -= closed
        return closed * price - cost

    def funding(self, symbol: str, frac: Decimal) -> Decimal:
        """Return what a position pays for one interval, negative when it receives; rounded against it."""
        held = self.holdings[symbol]
        owed = held.quantity * self._mark(symbol, held) * frac
        return owed.quantize(_STEP, decimal.ROUND_CEILING)

    def _in(self, currency: str) -> list[tuple[str, Holding]]:
        return [pair for pair in self.holdings.items() if self._instruments[pair[0]].quote == currency]

    def _mark(self, symbol: str, held: Holding) -> Decimal:
        """The mark, or the entry price before the market has shown itself."""
        mark = self._marks.get(symbol)
        return held.cost / held.quantity if mark is None else mark


class MarginLedger(Ledger):
    """A ledger whose free money is what spot orders may spend: less margin, less losses on paper."""

    def __init__(
        self,
        totals: Mapping[str, Decimal],
        positions: Positions,
        pools: Mapping[str, Mapping[str, Decimal]] | None = None,
    ) -> None:
        # A balance that a gap has left below zero is taken up again as it was.
        super().__init__({currency: max(amount, ZERO) for currency, amount in totals.items()}, pools)
        self._totals = dict(totals)
        self._positions = positions

    def free(self, currency: str) -> Decimal:
        """What neither orders nor positions hold; below zero when losses have eaten into holds."""
        loss = min(self._positions.unrealised(currency), ZERO)
        return super().free(currency) - self._positions.used(currency) + loss

    def held(self, currency: str) -> Decimal:
        """What open orders and positions hold back."""
        return super().held(currency) + self._positions.used(currency)

    def collateral(self, pool: str, currency: str) -> Decimal:
        """What one pool may open positions on: profits on paper count as well."""
        profit = max(self._positions.unrealised(currency), ZERO)
        return self.available(pool, currency) + profit

    def charge(self, currency: str, amount: Decimal) -> None:
        """Add a signed amount that is due whatever is left: profits, losses, fees, funding."""
        self._totals[currency] = self.total(currency) + amount
        self._changed[currency] = None

    def state(self, currency: str) -> MarginState:
        """Show how one quote currency stands."""
        unrealised = self._positions.unrealised(currency)
        used = self._positions.used(currency)
        return MarginState(currency, self.total(currency) + unrealised, used, unrealised)


class MarginTerms(SpotTerms):
    """Spot rules for orders without leverage, position rules for those with."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        tariff: Tariff,
        ledger: MarginLedger,
        positions: Positions,
        leverage_max: Decimal,
    ) -> None:
        super().__init__(instruments, tariff, ledger)
        self._collateral = ledger
        self._positions = positions
        self.leverage_max = leverage_max

    def unit_hold(self, wish: Wish) -> Decimal:
        """Return the quote currency that one unit may cost, or take as margin and fee when it opens."""
        leverage = wish.order.leverage
        if leverage == ONE:
            return super().unit_hold(wish)
        if wish.spec.reduce_only:
            return ZERO
        cost = self._unit_cost(wish)
        price = cost / self._tariff.with_taker_fee(ONE)
        return (price / leverage + (cost - price)).quantize(_STEP, decimal.ROUND_CEILING)

    def needs(self, order: WorkingOrder) -> dict[str, Decimal]:
        """Return what an open order must hold; with leverage, the margin of what it opens."""
        if order.leverage == ONE:
            return super().needs(order)
        if order.spec.reduce_only or (order.stance is Stance.WAITING and not order.stops_hold):
            return {}
        opens = max(order.remaining - self._positions.closable(order), ZERO)
        return {self._quote(order): opens * order.unit_hold}

    def shortage(self, order: WorkingOrder) -> str | None:
        """Say what is missing for an order's hold, None when nothing is."""
        if order.leverage == ONE:
            return super().shortage(order)
        currency = self._quote(order)
        need = self.needs(order).get(currency, ZERO)
        free = self._collateral.collateral(order.pool, currency)
        if need <= max(free, ZERO):
            return None
        return f"needs a margin of {money_text(need)} {currency}, free are {money_text(free)}"

    def nothing_to_reduce(self, order: NewOrder) -> str | None:
        """Object to a reduce-only order that would find nothing to reduce."""
        if order.leverage == ONE:
            return super().nothing_to_reduce(order)
        symbol = order.spec.symbol
        return None if self._positions.closable(order) else f"no position in {symbol} that it would reduce"

    def reducible(self, order: WorkingOrder) -> Decimal:
        """Return what a reduce-only order may still fill."""
        return super().reducible(order) if order.leverage == ONE else self._positions.closable(order)

    def payable(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity
    ) -> Decimal:
        """Return the part of a fill that the account can carry; closing is always carried."""
        if order.leverage == ONE:
            return super().payable(order, quantity, price, liquidity)
        if self._positions.closable(order):
            return quantity
        budget = self._collateral.collateral(order.pool, self._quote(order))
        if self._opening_cost(order, quantity, price, liquidity) <= budget:
            return quantity
        instrument = self._instruments[order.spec.symbol]
        unit = price / order.leverage + self._tariff.fee(price, liquidity)
        lots = instrument.quantise_quantity(max(budget, ZERO) / unit)
        # Margin and fee round their last digit up, which can cost one lot.
        fits = self._opening_cost(order, lots, price, liquidity) <= budget
        return lots if fits else max(lots - instrument.lot, ZERO)

    def parts(self, order: WorkingOrder, quantity: Decimal) -> tuple[Decimal, ...]:
        """Return the fills that a match is booked as: one that closes, one that opens the other side."""
        closes = ZERO if order.leverage == ONE else min(self._positions.closable(order), quantity)
        return tuple(part for part in (closes, quantity - closes) if part > ZERO)

    def exchange(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, fee: Decimal, at_ns: int
    ) -> Decimal:
        """Move the money of a fill, and return the profit it realised."""
        if order.leverage == ONE:
            return super().exchange(order, quantity, price, fee, at_ns)
        symbol, realised = order.spec.symbol, ZERO
        if self._positions.closable(order):
            realised = self._positions.close(symbol, quantity, price)
        else:
            self._positions.open(symbol, order.spec.side.sign * quantity, price, order.leverage, at_ns)
        self._collateral.charge(self._quote(order), realised - fee)
        return realised

    def spent(self, order: WorkingOrder) -> list[str]:
        """Return the instruments in which, after a fill of this order, less is left to reduce."""
        return super().spent(order) if order.leverage == ONE else [order.spec.symbol]

    def is_pointless(self, order: WorkingOrder) -> bool:
        """Whether an open order of a spent instrument may only reduce, and would find nothing."""
        if order.leverage == ONE:
            return super().is_pointless(order)
        return order.spec.reduce_only and not self._positions.closable(order)

    def _quote(self, order: WorkingOrder) -> str:
        return self._instruments[order.spec.symbol].quote

    def _opening_cost(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity
    ) -> Decimal:
        fee = self._tariff.fee(quantity * price, liquidity)
        return initial_margin(quantity, price, order.leverage) + fee


def initial_margin(quantity: Decimal, price: Decimal, leverage: Decimal) -> Decimal:
    """Return what opening takes from the collateral: ``quantity * price / leverage``, rounded up."""
    return (quantity * price / leverage).quantize(_STEP, decimal.ROUND_CEILING)
