"""Fills as an order is sent: at the close just seen, or through the book shown with it. For backtests.

Both rules meet the market of the newest step. What one order took of a bar's volume or of a book's
levels is gone for the next orders of the same step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderType, TimeInForce
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Clearing
from tg_actors.exchange.config import FillRule
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.orders import EndReason, WorkingOrder
from tg_actors.exchange.path import CLOSE, VOLUME, MarketStep

#: First index of ``Depth.price``: bids, then asks.
_BIDS, _ASKS = 0, 1


@dataclass(frozen=True, slots=True)
class _Offer:
    """The most that may fill now, and a function from quantity to price."""

    quantity: Decimal
    price: Callable[[Decimal], Decimal]


class AtOnce:
    """The newest step as an order meets it; None of it survives the next one."""

    def __init__(self, rule: FillRule, instruments: Mapping[str, Instrument], tariff: Tariff) -> None:
        self._offer = _OFFERS[rule]
        self._rule = rule
        self._instruments = instruments
        self._tariff = tariff
        self._step: MarketStep | None = None
        self._rows: dict[str, int] = {}
        self._taken: dict[tuple[str, Side], Decimal] = {}

    def look(self, step: MarketStep) -> None:
        """Take the newest step in."""
        if self._step is None or step.symbols != self._step.symbols:
            self._rows = {symbol: row for row, symbol in enumerate(step.symbols)}
        self._step = step
        self._taken.clear()

    def objection(self, spec: OrderSpec) -> str | None:
        """Say why a market order finds no market now, None when it does."""
        if spec.order_type is not OrderType.MARKET or self._find(spec) is not None:
            return None
        return f"{spec.symbol} shows nothing to fill by {self._rule} in this cycle"

    def meet(self, order: WorkingOrder, book: OrderBook, clearing: Clearing, at_ns: int) -> None:
        """Fill an order that takes, as far as the market of the newest step goes."""
        spec = order.spec
        offer = self._find(spec) if spec.order_type is OrderType.MARKET else None
        if offer is None:
            return
        quantity = min(order.remaining, offer.quantity)
        if spec.reduce_only:
            quantity = min(quantity, clearing.reducible(order))
        if quantity > ZERO:
            filled = clearing.settle(order, quantity, offer.price(quantity), Liquidity.TAKER, at_ns)
            self._taken[spec.symbol, spec.side] = self._used(spec) + filled
        if book.is_open(order) and spec.time_in_force is TimeInForce.IOC:
            clearing.end(order, EndReason.IOC_REMAINDER, at_ns)

    def _find(self, spec: OrderSpec) -> _Offer | None:
        step, row = self._step, self._rows.get(spec.symbol)
        if step is None or row is None or not step.has_bar[row]:
            return None
        return self._offer(self, spec, step, row)

    def _used(self, spec: OrderSpec) -> Decimal:
        return self._taken.get((spec.symbol, spec.side), ZERO)

    def at_close(self, spec: OrderSpec, step: MarketStep, row: int) -> _Offer:
        """Offer the close, with spread, slippage and the volume cap of the bar that it ended."""
        close, volume = from_float(step.ohlcv[row, CLOSE]), from_float(step.ohlcv[row, VOLUME])
        half_spread_frac = (from_float(step.ask[row]) - from_float(step.bid[row])) / (2 * close)
        instrument, cap = self._instruments[spec.symbol], self._tariff.volume_frac_max
        both = sum((self._taken.get((spec.symbol, side), ZERO) for side in Side), ZERO)
        left = spec.quantity if cap is None else max(volume * cap - both, ZERO)

        def price(quantity: Decimal) -> Decimal:
            share = min(quantity / volume, Decimal(1)) if volume > ZERO else Decimal(1)
            return self._tariff.taker_price(instrument, spec.side, close, half_spread_frac, share)

        return _Offer(instrument.quantise_quantity(left), price)

    def through_book(self, spec: OrderSpec, step: MarketStep, row: int) -> _Offer | None:
        """Offer the levels of the shown book that are left; None without a book."""
        if step.depth is None:
            return None
        column = _ASKS if spec.side is Side.BUY else _BIDS
        levels = _levels(step.depth.price[row, column], step.depth.size[row, column])
        left = _behind(levels, self._used(spec))
        if not left:
            return None
        instrument = self._instruments[spec.symbol]
        shown = instrument.quantise_quantity(sum((size for _, size in left), ZERO))

        def price(quantity: Decimal) -> Decimal:
            return self._tariff.taker_price(instrument, spec.side, _average(left, quantity), ZERO, ZERO)

        return _Offer(shown, price)


_OFFERS: Mapping[FillRule, Callable[[AtOnce, OrderSpec, MarketStep, int], _Offer | None]] = MappingProxyType(
    {FillRule.SIGNAL_CLOSE: AtOnce.at_close, FillRule.BOOK_WALK: AtOnce.through_book}
)


def _levels(prices: F64, sizes: F64) -> list[tuple[Decimal, Decimal]]:
    known = np.isfinite(prices) & (sizes > 0)
    pairs = zip(prices[known].tolist(), sizes[known].tolist(), strict=True)
    return [(from_float(price), from_float(size)) for price, size in pairs]


def _behind(levels: list[tuple[Decimal, Decimal]], used: Decimal) -> list[tuple[Decimal, Decimal]]:
    """The levels that are left after ``used`` units were taken from the front."""
    left = []
    for price, size in levels:
        gone = min(size, used)
        used -= gone
        if size > gone:
            left.append((price, size - gone))
    return left


def _average(levels: list[tuple[Decimal, Decimal]], quantity: Decimal) -> Decimal:
    """What one unit costs on average when ``quantity`` is taken from the front of the levels."""
    paid, wanted = ZERO, quantity
    for price, size in levels:
        taken = min(size, wanted)
        paid += taken * price
        wanted -= taken
    return paid / quantity
