"""Stream messages in Alpaca's shapes: trade updates of an account, and market data. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import money_text
from tg_actors.exchange.marketplace import AccountEvent, OrderEnded, OrderFilled, OrderOpened
from tg_actors.exchange.server.dialects.alpaca import ids, market
from tg_actors.exchange.server.dialects.alpaca.data import DAY_NS, MINUTE_NS
from tg_actors.exchange.server.dialects.alpaca.ids import Space
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.hub import (
    AccountNews,
    BookShown,
    BookTopic,
    CandleMoved,
    CandleTopic,
    Item,
    Topic,
    TradePrinted,
    TradeTopic,
)

Json = dict[str, Any]

_ENDS: Mapping[str, str] = {"canceled": "canceled", "replaced": "replaced", "expired": "expired"}


def event_name(event: AccountEvent, status: str) -> str | None:
    """Alpaca's name of what happened to an order that now has this status; None when it says nothing."""
    if isinstance(event, OrderOpened):
        return "new"
    if isinstance(event, OrderFilled):
        return "fill" if status == "filled" else "partial_fill"
    return _ENDS.get(status) if isinstance(event, OrderEnded) else None


def trade_update(name: str, news: AccountNews, order: Json, position: Decimal) -> Json:
    """A trade update; ``position`` is what the account owns of the base currency now."""
    said: Json = {"event": name, "timestamp": time_text(news.at_ns), "order": order}
    fill = news.fill
    if fill is not None and isinstance(news.event, OrderFilled):
        said |= {
            "execution_id": ids.make(Space.TRADE, fill.seq),
            "price": money_text(fill.fill.price),
            "qty": money_text(fill.fill.quantity),
            "position_qty": money_text(position),
        }
    return {"stream": "trade_updates", "data": said}


# -- market data ---------------------------------------------------------------------------------------

CHANNELS: Mapping[str, Callable[[str], Topic | None]] = {
    "trades": TradeTopic,
    "quotes": BookTopic,
    "orderbooks": BookTopic,
    "bars": lambda symbol: CandleTopic(symbol, MINUTE_NS),
    "dailyBars": lambda symbol: CandleTopic(symbol, DAY_NS),
    # A minute that is told is never corrected here.
    "updatedBars": lambda _: None,
}


def message(channel: str, item: Item, *, whole: bool) -> Json | None:
    """One message of a channel; ``whole`` asks for the full book instead of its changes."""
    return _TELLERS[channel](item, whole)


def _trade(item: Item, _: bool) -> Json | None:  # noqa: FBT001 - a row of the table below
    if not isinstance(item, TradePrinted):
        return None
    return {"T": "t", "S": item.trade.symbol, **market.trade(item.trade)}


def _quote(item: Item, _: bool) -> Json | None:  # noqa: FBT001 - likewise
    if not isinstance(item, BookShown):
        return None
    book, before = item.book, item.previous
    if before is not None and (before.bids[:1], before.asks[:1]) == (book.bids[:1], book.asks[:1]):
        return None
    return {"T": "q", "S": item.symbol, **market.quote(book)}


def _orderbook(item: Item, whole: bool) -> Json | None:  # noqa: FBT001 - likewise
    if not isinstance(item, BookShown):
        return None
    if whole or item.previous is None:
        return {"T": "o", "S": item.symbol, **market.orderbook(item.book), "r": True}
    return {"T": "o", "S": item.symbol, **market.changes(item.book, item.previous)}


def _bar(item: Item, _: bool) -> Json | None:  # noqa: FBT001 - likewise
    if not isinstance(item, CandleMoved) or not item.candle.complete:
        return None
    return {"T": "b", "S": item.symbol, **market.bar(item.candle)}


def _day(item: Item, _: bool) -> Json | None:  # noqa: FBT001 - likewise
    if not isinstance(item, CandleMoved):
        return None
    return {"T": "d", "S": item.symbol, **market.bar(item.candle)}


_TELLERS: Mapping[str, Callable[[Item, bool], Json | None]] = {
    "trades": _trade,
    "quotes": _quote,
    "orderbooks": _orderbook,
    "bars": _bar,
    "dailyBars": _day,
}
