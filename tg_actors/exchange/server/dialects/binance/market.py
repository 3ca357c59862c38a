"""Market data in Binance's shapes. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.exchange.server.dialects.binance.words import KINDS, milliseconds, symbol_id, text8
from tg_actors.exchange.server.quotes import Book, Candle, Day, Level, MarketTrade

Json = dict[str, Any]

_PRECISION = 8
_DAY_MS = 24 * 60 * 60 * 1_000
#: Binance states an upper bound with every filter; ours is far above anything that can be paid for.
_MOST = Decimal(9_000_000_000)
_HUNDRED = Decimal(100)
_RATE_LIMITS: list[Json] = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
]


def exchange_info(instruments: Iterable[Instrument], *, trading: bool, now_ns: int) -> Json:
    """Rules of the venue and of every symbol."""
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(now_ns),
        "rateLimits": _RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [_symbol(instrument, trading=trading) for instrument in instruments],
    }


def _symbol(instrument: Instrument, *, trading: bool) -> Json:
    return {
        "symbol": symbol_id(instrument.symbol),
        "status": "TRADING" if trading else "BREAK",
        "baseAsset": instrument.base,
        "baseAssetPrecision": _PRECISION,
        "quoteAsset": instrument.quote,
        "quotePrecision": _PRECISION,
        "quoteAssetPrecision": _PRECISION,
        "baseCommissionPrecision": _PRECISION,
        "quoteCommissionPrecision": _PRECISION,
        "orderTypes": list(KINDS),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(instrument: Instrument) -> list[Json]:
    tick, lot = instrument.tick, instrument.lot
    lots = {"minQty": text8(instrument.quantity_min), "maxQty": text8(_MOST), "stepSize": text8(lot)}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text8(tick),
            "maxPrice": text8(_MOST),
            "tickSize": text8(tick),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {
            "filterType": "NOTIONAL",
            "minNotional": text8(instrument.notional_min),
            "applyMinToMarket": True,
            "maxNotional": text8(_MOST),
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
    ]


def levels(side: Iterable[Level], limit: int | None = None) -> list[list[str]]:
    """Prices and sizes as text, best first."""
    return [[text8(price), text8(size)] for price, size in tuple(side)[:limit]]


def depth(book: Book, limit: int) -> Json:
    """The order book down to ``limit`` levels a side."""
    return {
        "lastUpdateId": book.version,
        "bids": levels(book.bids, limit),
        "asks": levels(book.asks, limit),
    }


def trade(one: MarketTrade) -> Json:
    """A print."""
    return {
        "id": one.seq,
        "price": text8(one.price),
        "qty": text8(one.quantity),
        "quoteQty": text8(one.price * one.quantity),
        "time": milliseconds(one.at_ns),
        "isBuyerMaker": one.taker_side is Side.SELL,
        "isBestMatch": True,
    }


def aggregate(one: MarketTrade) -> Json:
    """A print as an aggregate of itself alone."""
    return {
        "a": one.seq,
        "p": text8(one.price),
        "q": text8(one.quantity),
        "f": one.seq,
        "l": one.seq,
        "T": milliseconds(one.at_ns),
        "m": one.taker_side is Side.SELL,
        "M": True,
    }


def kline(candle: Candle) -> list[object]:
    """A candle as a row. The taker's part of the volume is not known here and is said to be nothing."""
    return [
        milliseconds(candle.open_ns),
        text8(candle.open),
        text8(candle.high),
        text8(candle.low),
        text8(candle.close),
        text8(candle.volume),
        milliseconds(candle.open_ns + candle.frame_ns) - 1,
        text8(candle.volume * candle.vwap),
        candle.trades,
        text8(ZERO),
        text8(ZERO),
        "0",
    ]


def ticker(symbol: str, day: Day, newest: MarketTrade | None) -> Json:
    """The last 24 hours; ``newest`` is the last print where there is one."""
    change = day.last - day.open
    last_id = -1 if newest is None else newest.seq
    return {
        "symbol": symbol_id(symbol),
        "priceChange": text8(change),
        "priceChangePercent": percent(change, day.open),
        "weightedAvgPrice": text8(day.vwap),
        "prevClosePrice": text8(day.open),
        "lastPrice": text8(day.last),
        "lastQty": text8(None if newest is None else newest.quantity),
        "bidPrice": text8(day.bid),
        "bidQty": text8(day.bid_size),
        "askPrice": text8(day.ask),
        "askQty": text8(day.ask_size),
        "openPrice": text8(day.open),
        "highPrice": text8(day.high),
        "lowPrice": text8(day.low),
        "volume": text8(day.volume),
        "quoteVolume": text8(day.quote_volume),
        "openTime": milliseconds(day.at_ns) - _DAY_MS,
        "closeTime": milliseconds(day.at_ns),
        "firstId": max(last_id - day.trades + 1, 0) if last_id >= 0 else -1,
        "lastId": last_id,
        "count": day.trades,
    }


def percent(change: Decimal, base: Decimal) -> str:
    """A change in percent with three places."""
    return "0.000" if base == ZERO else format((change / base * _HUNDRED).quantize(Decimal("0.001")), "f")


def best(symbol: str, book: Book) -> Json:
    """Best bid and ask."""
    bid, ask = _first(book.bids), _first(book.asks)
    return {
        "symbol": symbol_id(symbol),
        "bidPrice": text8(bid[0]),
        "bidQty": text8(bid[1]),
        "askPrice": text8(ask[0]),
        "askQty": text8(ask[1]),
    }


def _first(side: tuple[Level, ...]) -> Level:
    return side[0] if side else (ZERO, ZERO)
