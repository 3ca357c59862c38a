"""Market data in Alpaca's shapes; numbers, not text, as Alpaca writes them. Pure."""

from typing import Any

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.exchange.server.dialects.levels import changed
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.quotes import Book, Candle, Level, MarketTrade

Json = dict[str, Any]


def bar(candle: Candle) -> Json:
    """A candle."""
    return {
        "t": time_text(candle.open_ns),
        "o": float(candle.open),
        "h": float(candle.high),
        "l": float(candle.low),
        "c": float(candle.close),
        "v": float(candle.volume),
        "n": candle.trades,
        "vw": float(candle.vwap),
    }


def quote(book: Book) -> Json:
    """Best bid and ask; zero where a side is empty."""
    bid, ask = _first(book.bids), _first(book.asks)
    return {
        "t": time_text(book.at_ns),
        "bp": float(bid[0]),
        "bs": float(bid[1]),
        "ap": float(ask[0]),
        "as": float(ask[1]),
    }


def trade(one: MarketTrade) -> Json:
    """A print."""
    return {
        "t": time_text(one.at_ns),
        "p": float(one.price),
        "s": float(one.quantity),
        "tks": "B" if one.taker_side is Side.BUY else "S",
        "i": one.seq,
    }


def orderbook(book: Book) -> Json:
    """The whole book."""
    return {"t": time_text(book.at_ns), "b": levels(book.bids), "a": levels(book.asks)}


def changes(book: Book, previous: Book) -> Json:
    """The levels that are others than before, those that are gone with size zero."""
    return {
        "t": time_text(book.at_ns),
        "b": levels(changed(previous.bids, book.bids)),
        "a": levels(changed(previous.asks, book.asks)),
    }


def levels(side: tuple[Level, ...]) -> list[Json]:
    """Prices and sizes, best first."""
    return [{"p": float(price), "s": float(size)} for price, size in side]


def _first(side: tuple[Level, ...]) -> Level:
    return side[0] if side else (ZERO, ZERO)
