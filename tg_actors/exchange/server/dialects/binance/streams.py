"""Which streams there are, what they listen to, and how they tell it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tg_actors.exchange.server.dialects.binance import market, reports
from tg_actors.exchange.server.dialects.binance.words import INTERVALS, Symbols
from tg_actors.exchange.server.hub import (
    BookShown,
    BookTopic,
    CandleMoved,
    CandleTopic,
    DayMoved,
    DayTopic,
    Item,
    Topic,
    TradePrinted,
    TradeTopic,
)

#: Turns an item of the hub into frames; ``now_ns`` is market time.
Teller = Callable[[Item, int], list[Any]]

_PARTIAL_LEVELS = {"5": 5, "10": 10, "20": 20}
_SPEEDS = frozenset({"", "100ms", "1000ms"})


@dataclass(frozen=True, slots=True)
class Stream:
    """One named stream."""

    name: str
    topics: tuple[Topic, ...]
    tell: Teller


def find(name: str, symbols: Symbols) -> Stream | None:
    """The stream of a name such as ``btcusdt@depth@100ms``; None when there is no such stream."""
    if name in _OF_ALL:
        tell = _OF_ALL[name]
        return Stream(name, tuple(DayTopic(one.symbol) for one in symbols.all()), tell)
    market_id, _, rest = name.partition("@")
    kind, _, speed = rest.partition("@")
    instrument = symbols.find(market_id.upper())
    if instrument is None or market_id != market_id.lower():
        return None
    symbol = instrument.symbol
    if kind.startswith("depth"):
        return _depth(name, symbol, kind.removeprefix("depth"), speed)
    if kind.startswith("kline_") and (frame_ns := INTERVALS.get(kind.removeprefix("kline_"))) is not None:
        return Stream(name, (CandleTopic(symbol, frame_ns),), _kline)
    if kind not in _OF_SYMBOL or speed:
        return None
    topic, tell = _OF_SYMBOL[kind]
    return Stream(name, (topic(symbol),), tell)


def _depth(name: str, symbol: str, count: str, speed: str) -> Stream | None:
    if speed not in _SPEEDS or (count and count not in _PARTIAL_LEVELS):
        return None
    tell = _partial(_PARTIAL_LEVELS[count]) if count else _changes
    return Stream(name, (BookTopic(symbol),), tell)


def _partial(count: int) -> Teller:
    def tell(item: Item, _: int) -> list[Any]:
        return [market.depth(item.book, count)] if isinstance(item, BookShown) else []

    return tell


def _changes(item: Item, _: int) -> list[Any]:
    return [reports.depth_update(item)] if isinstance(item, BookShown) else []


def _best(item: Item, _: int) -> list[Any]:
    if not isinstance(item, BookShown):
        return []
    before = item.previous
    same = (
        before is not None and before.bids[:1] == item.book.bids[:1] and before.asks[:1] == item.book.asks[:1]
    )
    return [] if same else [reports.best_update(item)]


def _trade(item: Item, _: int) -> list[Any]:
    return [reports.trade_update(item)] if isinstance(item, TradePrinted) else []


def _aggregate(item: Item, _: int) -> list[Any]:
    return [reports.aggregate_update(item)] if isinstance(item, TradePrinted) else []


def _kline(item: Item, now_ns: int) -> list[Any]:
    return [reports.kline_update(item, now_ns)] if isinstance(item, CandleMoved) else []


def _day(item: Item, _: int) -> list[Any]:
    return [reports.ticker_update(item)] if isinstance(item, DayMoved) else []


def _mini_day(item: Item, _: int) -> list[Any]:
    return [reports.mini_ticker_update(item)] if isinstance(item, DayMoved) else []


def _days(item: Item, now_ns: int) -> list[Any]:
    return [told] if (told := _day(item, now_ns)) else []


def _mini_days(item: Item, now_ns: int) -> list[Any]:
    return [told] if (told := _mini_day(item, now_ns)) else []


_OF_SYMBOL: dict[str, tuple[Callable[[str], Topic], Teller]] = {
    "bookTicker": (BookTopic, _best),
    "trade": (TradeTopic, _trade),
    "aggTrade": (TradeTopic, _aggregate),
    "ticker": (DayTopic, _day),
    "miniTicker": (DayTopic, _mini_day),
}
#: Of every symbol, one at a time in a list of its own.
_OF_ALL: dict[str, Teller] = {"!ticker@arr": _days, "!miniTicker@arr": _mini_days}
