"""The money rules of a spot account: what an order must hold, what it can pay, what a fill moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ONE, ZERO, money_text
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderType
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.orders import NewOrder, Stance, WorkingOrder
from tg_actors.exchange.quotes import Quote


@dataclass(frozen=True, slots=True)
class Wish:
    """An order as submitted, and what it would meet.

    ``quote`` is the last one of its instrument, None when there is none. ``walk_price`` is what one
    unit costs a taker of the whole quantity on the shown book, None where no book is shown.
    """

    order: NewOrder
    quote: Quote | None
    at_ns: int
    walk_price: Decimal | None = None

    @property
    def spec(self) -> OrderSpec:
        """What is asked for."""
        return self.order.spec


class SpotTerms:
    """An account that trades what it owns: buys cost quote currency, sells base currency."""

    #: The most that an order may borrow on: nothing.
    leverage_max = ONE

    def __init__(self, instruments: Mapping[str, Instrument], tariff: Tariff, ledger: Ledger) -> None:
        self._instruments = instruments
        self._tariff = tariff
        self._ledger = ledger
        self._by_base: dict[str, list[Instrument]] = {}
        for instrument in instruments.values():
            self._by_base.setdefault(instrument.base, []).append(instrument)

    def unit_hold(self, wish: Wish) -> Decimal:
        """Return the quote currency that one unit of an order may cost in the worst case."""
        spec = wish.spec
        if spec.side is Side.SELL or spec.reduce_only:
            return ZERO
        at_fill = spec.order_type is OrderType.MARKET and not self._tariff.holds_market_orders
        return ZERO if at_fill else self._unit_cost(wish)

    def needs(self, order: WorkingOrder) -> dict[str, Decimal]:
        """Return what an open order must hold: quote for a buy, base for a sell, nothing to reduce."""
        if order.spec.reduce_only or (order.stance is Stance.WAITING and not order.stops_hold):
            return {}
        instrument = self._instruments[order.spec.symbol]
        if order.spec.side is Side.BUY:
            return {instrument.quote: order.remaining * order.unit_hold}
        return {instrument.base: order.remaining}

    def shortage(self, order: WorkingOrder) -> str | None:
        """Say what is missing for an order's hold, None when nothing is."""
        for currency, need in self.needs(order).items():
            free = self._ledger.available(order.pool, currency)
            if need > free:
                return f"needs {money_text(need)} {currency}, free are {money_text(free)}"
        return None

    def nothing_to_reduce(self, order: NewOrder) -> str | None:
        """Object to a reduce-only order that would find nothing to reduce."""
        if order.spec.side is Side.BUY:
            return "a spot account is never short, a buy reduces nothing"
        instrument = self._instruments[order.spec.symbol]
        empty = self._ledger.total(instrument.base) < instrument.lot
        return f"no {instrument.base} to reduce" if empty else None

    def reducible(self, order: WorkingOrder) -> Decimal:
        """Return the whole lots that a reduce-only sell may still sell: what no other order holds."""
        instrument = self._instruments[order.spec.symbol]
        return instrument.quantise_quantity(max(self._ledger.free(instrument.base), ZERO))

    def payable(
        self, order: WorkingOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity
    ) -> Decimal:
        """Return the part of a fill that the account can pay for."""
        instrument = self._instruments[order.spec.symbol]
        if order.spec.side is Side.BUY:
            budget = self._ledger.available(order.pool, instrument.quote)
            return self._tariff.affordable(instrument, quantity, price, liquidity, budget)
        budget = self._ledger.available(order.pool, instrument.base)
        return min(quantity, instrument.quantise_quantity(max(budget, ZERO)))

    def parts(self, order: WorkingOrder, quantity: Decimal) -> tuple[Decimal, ...]:  # noqa: ARG002 - margin splits
        """Return the fills that a match is booked as."""
        return (quantity,)

    def exchange(
        self,
        order: WorkingOrder,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        at_ns: int,  # noqa: ARG002 - a position remembers when it was opened
    ) -> Decimal:
        """Move the money of a fill, and return the profit it realised, 0 where nothing was borrowed."""
        sign, instrument = order.spec.side.sign, self._instruments[order.spec.symbol]
        self._ledger.move(instrument.base, sign * quantity)
        self._ledger.move(instrument.quote, -sign * quantity * price - fee)
        return ZERO

    def spent(self, order: WorkingOrder) -> list[str]:
        """Return the instruments in which, after a fill of this order, nothing is left to reduce."""
        instrument = self._instruments[order.spec.symbol]
        currency = instrument.quote if order.spec.side is Side.BUY else instrument.base
        total = self._ledger.total(currency)
        return [theirs.symbol for theirs in self._by_base.get(currency, ()) if total < theirs.lot]

    def is_pointless(self, order: WorkingOrder) -> bool:
        """Whether an open order of a spent instrument may only reduce."""
        return order.spec.reduce_only and order.leverage == ONE

    def _unit_cost(self, wish: Wish) -> Decimal:
        """Price and fee of one unit in the worst case that a market standing still allows."""
        spec, quote = wish.spec, wish.quote
        if spec.limit_price is not None:
            return self._tariff.with_taker_fee(spec.limit_price)
        if wish.walk_price is not None and spec.order_type is OrderType.MARKET:
            return self._tariff.with_taker_fee(wish.walk_price)
        half_spread_frac = ZERO if quote is None else quote.half_spread_frac
        return self._tariff.unit_hold(
            self._instruments[spec.symbol], _worst_trigger(spec, quote), half_spread_frac
        )


def _worst_trigger(spec: OrderSpec, quote: Quote | None) -> Decimal:
    """The highest mid price at which a buy without a limit would go off if the market stood still."""
    if quote is None:
        return spec.stop_price or ZERO
    if spec.order_type is OrderType.TAKE_PROFIT and spec.stop_price is not None:
        return spec.stop_price
    trailed = quote.close * (ONE + (spec.trail_frac or ZERO))
    return max(trailed, spec.stop_price or ZERO)
