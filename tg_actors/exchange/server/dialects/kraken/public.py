"""Kraken's public answers: assets, pairs, tickers, candles, books, prints. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import money_text
from tg_actors.exchange.config import ExchangeConfig, FeeRates
from tg_actors.exchange.server.dialects.kraken.names import Pair, altname, asset_decimals, asset_id
from tg_actors.exchange.server.dialects.kraken.shapes import seconds
from tg_actors.exchange.server.quotes import Book, Candle, Day, MarketTrade

_PERCENT = Decimal(100)


def server_time(wall_ns: int) -> dict[str, Any]:
    """Time."""
    moment = datetime.fromtimestamp(wall_ns // 10**9, UTC)
    return {"unixtime": wall_ns // 10**9, "rfc1123": moment.strftime("%a, %d %b %y %H:%M:%S +0000")}


def system_status(wall_ns: int, state: str) -> dict[str, Any]:
    """SystemStatus."""
    moment = datetime.fromtimestamp(wall_ns // 10**9, UTC)
    return {"status": state, "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def assets(codes: Iterable[str]) -> dict[str, Any]:
    """Assets."""
    return {
        asset_id(code): {
            "aclass": "currency",
            "altname": altname(code),
            "decimals": asset_decimals(code),
            "display_decimals": min(6, asset_decimals(code)),
            "status": "enabled",
        }
        for code in codes
    }


def pair_row(pair: Pair, fees: FeeRates, leverages: list[int]) -> dict[str, Any]:
    """One row of AssetPairs."""
    instrument = pair.instrument
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": asset_id(instrument.base),
        "aclass_quote": "currency",
        "quote": asset_id(instrument.quote),
        "lot": "unit",
        "cost_decimals": max(5, pair.price_decimals),
        "pair_decimals": pair.price_decimals,
        "lot_decimals": pair.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": leverages,
        "leverage_sell": leverages,
        "fees": [[0, float(fees.taker_frac * _PERCENT)]],
        "fees_maker": [[0, float(fees.maker_frac * _PERCENT)]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": money_text(instrument.quantity_min),
        "costmin": money_text(instrument.notional_min),
        "tick_size": money_text(instrument.tick),
        "status": "online",
    }


def leverages(config: ExchangeConfig) -> list[int]:
    """The leverages a margin account may choose from; none without margin."""
    most = 1 if config.margin is None else int(config.margin.leverage_max)
    return list(range(2, most + 1))


def ticker(pair: Pair, day: Day) -> dict[str, Any]:
    """One row of Ticker. Kraken's first numbers are of today, the second of 24 hours; here both are."""
    price, lots = pair.price_text, pair.lot_decimals
    return {
        "a": [price(day.ask), "1", f"{day.ask_size:.3f}"],
        "b": [price(day.bid), "1", f"{day.bid_size:.3f}"],
        "c": [price(day.last), f"{pair.instrument.lot:.{max(8, lots)}f}"],
        "v": [f"{day.volume:.8f}"] * 2,
        "p": [price(day.vwap)] * 2,
        "t": [day.trades] * 2,
        "l": [price(day.low)] * 2,
        "h": [price(day.high)] * 2,
        "o": price(day.open),
    }


def candle_row(pair: Pair, candle: Candle) -> list[Any]:
    """One row of OHLC."""
    price = pair.price_text
    prices = [price(p) for p in (candle.open, candle.high, candle.low, candle.close, candle.vwap)]
    return [candle.open_ns // 10**9, *prices, f"{candle.volume:.8f}", candle.trades]


def depth(pair: Pair, book: Book, count: int) -> dict[str, Any]:
    """Depth."""
    at_s = book.at_ns // 10**9
    sides = {"asks": book.asks, "bids": book.bids}
    return {
        side: [[pair.price_text(price), f"{size:.3f}", at_s] for price, size in levels[:count]]
        if all(size == round(size, 3) for _, size in levels[:count])
        else [[pair.price_text(price), money_text(size), at_s] for price, size in levels[:count]]
        for side, levels in sides.items()
    }


def trade_rows(pair: Pair, trades: Iterable[MarketTrade]) -> list[list[Any]]:
    """Rows of Trades."""
    return [
        [
            pair.price_text(trade.price),
            f"{trade.quantity:.8f}",
            seconds(trade.at_ns),
            "b" if trade.taker_side is Side.BUY else "s",
            "m",
            "",
            trade.seq,
        ]
        for trade in trades
    ]
