"""Words of the market as clients see it: book, print, candle, day."""

from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Side

#: Price and size of one level.
Level = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Book:
    """Levels best first; ``version`` rises by one with every change of this symbol's book."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    version: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class MarketTrade:
    """A print; ``seq`` rises by one with every print of the symbol, ``taker_side`` is the aggressor's."""

    seq: int
    symbol: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    at_ns: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar of ``frame_ns`` from ``open_ns`` on; ``complete`` is False while it runs."""

    open_ns: int
    frame_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal
    trades: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours of a symbol with its best prices."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal
    quote_volume: Decimal
    vwap: Decimal
    trades: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    at_ns: int
