"""Stream events in Binance's shapes: the account's, and the market's. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from tg_actors.domain.orders import Liquidity
from tg_actors.exchange.marketplace import (
    AccountEvent,
    Balance,
    BalancesChanged,
    Deposited,
    OrderEnded,
    OrderFilled,
    OrderOpened,
    OrderTriggered,
)
from tg_actors.exchange.server.dialects.binance import market
from tg_actors.exchange.server.dialects.binance.orders import cancel_name, filled_quote, is_working, shown_id
from tg_actors.exchange.server.dialects.binance.words import (
    INTERVALS,
    milliseconds,
    status,
    symbol_id,
    text8,
    type_name,
)
from tg_actors.exchange.server.dialects.levels import changed
from tg_actors.exchange.server.hub import AccountNews, BookShown, CandleMoved, DayMoved, TradePrinted
from tg_actors.exchange.server.records import FillRecord, OrderRecord

Json = dict[str, Any]

_NAME_OF_FRAME: Mapping[int, str] = {frame_ns: name for name, frame_ns in INTERVALS.items()}
_FILLED = "FILLED"


# -- the account ---------------------------------------------------------------------------------------


def account_event(news: AccountNews) -> Json | None:
    """What a user data stream says about a piece of news; None when Binance would say nothing."""
    teller = _TELLERS.get(type(news.event))
    return None if teller is None else teller(news)


def _order_report(news: AccountNews) -> Json | None:
    record = news.record
    if record is None:
        return None
    said = _EXECUTION_TYPES[type(news.event)]
    return _report(record, said, news.at_ns, None)


def _fill_report(news: AccountNews) -> Json | None:
    return None if news.record is None else _report(news.record, "TRADE", news.at_ns, news.fill)


def _end_report(news: AccountNews) -> Json | None:
    record = news.record
    # The report of the last fill has said FILLED already.
    if record is None or status(record.order) == _FILLED:
        return None
    return _report(record, status(record.order), news.at_ns, None)


def _report(record: OrderRecord, said: str, at_ns: int, fill: FillRecord | None) -> Json:
    order, spec, at_ms = record.order, record.order.spec, milliseconds(at_ns)
    canceled = said == "CANCELED"
    return {
        "e": "executionReport",
        "E": at_ms,
        "s": symbol_id(spec.symbol),
        "c": cancel_name(record) if canceled else shown_id(record),
        "S": spec.side.value.upper(),
        "o": type_name(order),
        "f": spec.time_in_force.value.upper(),
        "q": text8(spec.quantity),
        "p": text8(spec.limit_price),
        "P": text8(spec.stop_price),
        "F": text8(None),
        "g": -1,
        "C": shown_id(record) if canceled else "",
        "x": said,
        "X": status(order),
        "r": "NONE",
        "i": record.number,
        **_execution(fill),
        "z": text8(order.filled_quantity),
        "T": at_ms,
        "w": is_working(record) and order.ended_at_ns is None,
        "M": False,
        "O": milliseconds(order.submitted_at_ns),
        "Z": text8(filled_quote(record)),
        "Q": text8(None),
        "W": milliseconds(order.submitted_at_ns),
        "V": "NONE",
    }


def _execution(fill: FillRecord | None) -> Json:
    if fill is None:
        nothing = text8(None)
        return {"l": nothing, "L": nothing, "n": "0", "N": None, "t": -1, "m": False, "Y": nothing}
    one = fill.fill
    return {
        "l": text8(one.quantity),
        "L": text8(one.price),
        "n": text8(one.fee),
        "N": one.fee_currency,
        "t": fill.seq,
        "m": one.liquidity is Liquidity.MAKER,
        "Y": text8(one.price * one.quantity),
    }


def _balances(news: AccountNews) -> Json | None:
    event = news.event
    if not isinstance(event, BalancesChanged):
        return None
    at_ms = milliseconds(news.at_ns)
    shown = [_balance(currency, balance) for currency, balance in event.balances]
    return {"e": "outboundAccountPosition", "E": at_ms, "u": at_ms, "B": shown}


def _balance(currency: str, balance: Balance) -> Json:
    return {"a": currency, "f": text8(balance.free), "l": text8(balance.held)}


def _deposit(news: AccountNews) -> Json | None:
    event = news.event
    if not isinstance(event, Deposited):
        return None
    at_ms = milliseconds(news.at_ns)
    return {"e": "balanceUpdate", "E": at_ms, "a": event.currency, "d": text8(event.amount), "T": at_ms}


_EXECUTION_TYPES: Mapping[type[AccountEvent], str] = {OrderOpened: "NEW", OrderTriggered: "NEW"}
_TELLERS: Mapping[type[AccountEvent], Callable[[AccountNews], Json | None]] = {
    OrderOpened: _order_report,
    OrderTriggered: _order_report,
    OrderFilled: _fill_report,
    OrderEnded: _end_report,
    BalancesChanged: _balances,
    Deposited: _deposit,
}


# -- the market ----------------------------------------------------------------------------------------


def depth_update(shown: BookShown) -> Json:
    """The levels that changed, sizes that are gone as zero; a first book is told as a whole."""
    book, previous = shown.book, shown.previous
    before_bids, before_asks = ((), ()) if previous is None else (previous.bids, previous.asks)
    return {
        "e": "depthUpdate",
        "E": milliseconds(book.at_ns),
        "s": symbol_id(shown.symbol),
        "U": book.version if previous is None else previous.version + 1,
        "u": book.version,
        "b": market.levels(changed(before_bids, book.bids)),
        "a": market.levels(changed(before_asks, book.asks)),
    }


def best_update(shown: BookShown) -> Json:
    """Best bid and ask."""
    best = market.best(shown.symbol, shown.book)
    return {
        "u": shown.book.version,
        "s": best["symbol"],
        "b": best["bidPrice"],
        "B": best["bidQty"],
        "a": best["askPrice"],
        "A": best["askQty"],
    }


def trade_update(printed: TradePrinted) -> Json:
    """A print."""
    one, at_ms = printed.trade, milliseconds(printed.trade.at_ns)
    told = market.aggregate(one)
    return {
        "e": "trade",
        "E": at_ms,
        "s": symbol_id(one.symbol),
        "t": one.seq,
        "p": told["p"],
        "q": told["q"],
        "T": at_ms,
        "m": told["m"],
        "M": True,
    }


def aggregate_update(printed: TradePrinted) -> Json:
    """A print as an aggregate of itself alone."""
    one = printed.trade
    names = {"e": "aggTrade", "E": milliseconds(one.at_ns), "s": symbol_id(one.symbol)}
    return {**names, **market.aggregate(one)}


def kline_update(moved: CandleMoved, now_ns: int) -> Json:
    """A running candle, or its end."""
    candle, symbol = moved.candle, symbol_id(moved.symbol)
    row = market.kline(candle)
    return {
        "e": "kline",
        "E": milliseconds(now_ns),
        "s": symbol,
        "k": {
            "t": row[0],
            "T": row[6],
            "s": symbol,
            "i": _NAME_OF_FRAME[candle.frame_ns],
            "f": -1,
            "L": -1,
            "o": row[1],
            "c": row[4],
            "h": row[2],
            "l": row[3],
            "v": row[5],
            "n": row[8],
            "x": candle.complete,
            "q": row[7],
            "V": row[9],
            "Q": row[10],
            "B": "0",
        },
    }


def ticker_update(moved: DayMoved) -> Json:
    """The last 24 hours."""
    told = market.ticker(moved.symbol, moved.day, None)
    return {
        "e": "24hrTicker",
        "E": told["closeTime"],
        "s": told["symbol"],
        **{short: told[name] for short, name in _TICKER_FIELDS.items()},
    }


def mini_ticker_update(moved: DayMoved) -> Json:
    """The last 24 hours without the book."""
    told = ticker_update(moved)
    return {"e": "24hrMiniTicker", **{name: told[name] for name in ("E", "s", "c", "o", "h", "l", "v", "q")}}


_TICKER_FIELDS: Mapping[str, str] = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
