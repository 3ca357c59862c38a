"""Inside a bar: where the price is at any part of it, the book around it, and what is printed. Pure.

The price walks the exchange's own path (open, low, high, close or open, high, low, close, a third of
the bar for each leg), so that a candle made of the prints is the bar it came from.
"""

import decimal
import hashlib
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import from_float, to_step
from tg_actors.exchange.server.quotes import Level
from tg_actors.market.simulation.book import draw_book

_DAY_NS = 86_400 * 10**9
_LEGS = 3
_PRINTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar as floats, the spread of its close as a fraction of it."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    half_spread_frac: float

    @classmethod
    def of(cls, ohlcv: F64, bid: float, ask: float) -> "Bar":
        """Read a row of a step."""
        open_, high, low, close, volume = (float(number) for number in ohlcv)
        return cls(open_, high, low, close, volume, (ask - bid) / (2.0 * close))

    @property
    def points(self) -> tuple[float, float, float, float]:
        """The path's corners."""
        inner = (self.low, self.high) if self.close >= self.open else (self.high, self.low)
        return (self.open, *inner, self.close)

    def price(self, part: float) -> float:
        """Price when ``part`` (0 to 1) of the bar is over."""
        return float(np.interp(part * _LEGS, range(_LEGS + 1), self.points))

    def between(self, first: float, last: float) -> tuple[float, float, float, float]:
        """Open, high, low and close of a part of the bar."""
        corners = [p for k, p in enumerate(self.points) if first < k / _LEGS < last]
        walked = [self.price(first), *corners, self.price(last)]
        return walked[0], max(walked), min(walked), walked[-1]


@dataclass(frozen=True, slots=True)
class Print:
    """A trade between strangers."""

    price: Decimal
    quantity: Decimal
    taker_side: Side


def draw(seed: int, symbol: str, cycle: int, step: int) -> np.random.Generator:
    """A generator of its own for every symbol and moment: the same in every process and after a restart."""
    name = f"{seed}\x1f{symbol}\x1f{cycle}\x1f{step}".encode()
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(name).digest()[:16])))


def book_around(
    rng: np.random.Generator, instrument: Instrument, bar: Bar, part: float, bar_ns: int, levels: int
) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks around the price of a moment, best first, on the tick and in whole lots."""
    mid, half = bar.price(part), bar.half_spread_frac
    day_volume = max(bar.volume * _DAY_NS / bar_ns, float(instrument.lot))
    prices, sizes = draw_book(rng, mid * (1.0 - half), mid * (1.0 + half), day_volume, levels)
    bids = _levels(instrument, prices[0], sizes[0], decimal.ROUND_FLOOR)
    asks = _levels(instrument, prices[1], sizes[1], decimal.ROUND_CEILING)
    if bids and asks and bids[0][0] >= asks[0][0]:
        # Only where the spread is below one tick and the price stands on it.
        asks = tuple((price + instrument.tick, size) for price, size in asks)
    return bids, asks


def _levels(instrument: Instrument, prices: F64, sizes: F64, rounding: str) -> tuple[Level, ...]:
    merged: dict[Decimal, Decimal] = {}
    for price, size in zip(prices, sizes, strict=True):
        level = to_step(from_float(price), instrument.tick, rounding)
        lots = max(instrument.quantise_quantity(from_float(size)), instrument.lot)
        if level > 0:
            merged[level] = merged.get(level, Decimal(0)) + lots
    return tuple(merged.items())


def prints_of(
    rng: np.random.Generator, instrument: Instrument, bar: Bar, first: float, last: float
) -> tuple[Print, ...]:
    """What is traded while the bar goes from one part to the next: its share of the volume."""
    volume = bar.volume * (last - first)
    count = int(rng.integers(1, _PRINTS_MAX + 1))
    parts = rng.dirichlet(np.ones(count)) * volume
    drift = bar.price(last) - bar.price(first)
    made = []
    for k, quantity in enumerate(parts, start=1):
        lots = instrument.quantise_quantity(from_float(float(quantity)))
        if lots <= 0:
            continue
        price = bar.price(first + (last - first) * k / count)
        buys = drift > 0 or (drift == 0 and bool(rng.integers(2)))
        on_tick = to_step(from_float(price), instrument.tick, decimal.ROUND_HALF_EVEN)
        made.append(Print(max(on_tick, instrument.tick), lots, Side.BUY if buys else Side.SELL))
    return tuple(made)
