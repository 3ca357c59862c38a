"""Kraken's WebSocket v2 frames, written by hand of Decimals so that no digit is lost or added. Pure."""

import json
import zlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Liquidity, OrderState, TimeInForce
from tg_actors.exchange.marketplace import Balance
from tg_actors.exchange.server.dialects.kraken.ids import txid
from tg_actors.exchange.server.dialects.kraken.names import Pair
from tg_actors.exchange.server.dialects.kraken.shapes import REASONS, order_id, order_type
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.quotes import Book, Candle, Day, Level, MarketTrade
from tg_actors.exchange.server.records import FillRecord, OrderRecord

_CHECKED_LEVELS = 10
_QTY_DECIMALS = 8

_STATUS: dict[OrderState, str] = {
    OrderState.OPEN: "new",
    OrderState.PARTIAL: "partially_filled",
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
}


def write_frame(content: Any) -> str:
    """JSON in which a Decimal is a number with exactly its digits."""
    if isinstance(content, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{write_frame(v)}" for k, v in content.items()) + "}"
    if isinstance(content, list | tuple):
        return "[" + ",".join(write_frame(one) for one in content) + "]"
    return f"{content:f}" if isinstance(content, Decimal) else json.dumps(content)


def fixed(amount: Decimal, digits: int) -> Decimal:
    """A number with this many digits behind the point."""
    return amount.quantize(Decimal(1).scaleb(-digits))


def checksum(pair: Pair, bids: Iterable[Level], asks: Iterable[Level]) -> int:
    """CRC32 of the ten best asks and bids: digits without point and leading zeros, prices before sizes."""
    text = "".join(_digits(pair, level) for side in (asks, bids) for level in tuple(side)[:_CHECKED_LEVELS])
    return zlib.crc32(text.encode())


def _digits(pair: Pair, level: Level) -> str:
    price, size = fixed(level[0], pair.price_decimals), fixed(level[1], _QTY_DECIMALS)
    return "".join(f"{number:f}".replace(".", "").lstrip("0") for number in (price, size))


def book(pair: Pair, now: Book, depth: int) -> dict[str, Any]:
    """A snapshot of the book."""
    bids, asks = now.bids[:depth], now.asks[:depth]
    return _book(pair, bids, asks, now, checksum(pair, bids, asks))


def book_update(pair: Pair, before: Book, now: Book, depth: int) -> dict[str, Any] | None:
    """What changed among the levels that are shown; None when nothing did."""
    bids, asks = now.bids[:depth], now.asks[:depth]
    gone_bids, gone_asks = _changes(before.bids[:depth], bids), _changes(before.asks[:depth], asks)
    if not gone_bids and not gone_asks:
        return None
    return _book(pair, gone_bids, gone_asks, now, checksum(pair, bids, asks))


def _changes(before: Iterable[Level], now: Iterable[Level]) -> tuple[Level, ...]:
    old, new = dict(before), dict(now)
    gone = [(price, ZERO) for price in old if price not in new]
    return (*gone, *((price, size) for price, size in new.items() if old.get(price) != size))


def _book(pair: Pair, bids: Iterable[Level], asks: Iterable[Level], now: Book, check: int) -> dict[str, Any]:
    sides = {
        name: [
            {"price": fixed(price, pair.price_decimals), "qty": fixed(size, _QTY_DECIMALS)}
            for price, size in levels
        ]
        for name, levels in (("bids", bids), ("asks", asks))
    }
    return {"symbol": pair.symbol, **sides, "checksum": check, "timestamp": time_text(now.at_ns)}


def ticker(pair: Pair, day: Day) -> dict[str, Any]:
    """One row of the ticker."""
    digits = pair.price_decimals
    change = day.last - day.open
    return {
        "symbol": pair.symbol,
        "bid": fixed(day.bid, digits),
        "bid_qty": fixed(day.bid_size, _QTY_DECIMALS),
        "ask": fixed(day.ask, digits),
        "ask_qty": fixed(day.ask_size, _QTY_DECIMALS),
        "last": fixed(day.last, digits),
        "volume": fixed(day.volume, _QTY_DECIMALS),
        "vwap": fixed(day.vwap, digits),
        "low": fixed(day.low, digits),
        "high": fixed(day.high, digits),
        "change": fixed(change, digits),
        "change_pct": fixed(change / day.open * 100, 2),
        "timestamp": time_text(day.at_ns),
    }


def trade(pair: Pair, print_: MarketTrade) -> dict[str, Any]:
    """One print."""
    return {
        "symbol": pair.symbol,
        "side": print_.taker_side.value,
        "price": fixed(print_.price, pair.price_decimals),
        "qty": fixed(print_.quantity, _QTY_DECIMALS),
        "ord_type": "market",
        "trade_id": print_.seq,
        "timestamp": time_text(print_.at_ns),
    }


def candle(pair: Pair, one: Candle) -> dict[str, Any]:
    """One candle."""
    digits = pair.price_decimals
    return {
        "symbol": pair.symbol,
        "open": fixed(one.open, digits),
        "high": fixed(one.high, digits),
        "low": fixed(one.low, digits),
        "close": fixed(one.close, digits),
        "trades": one.trades,
        "volume": fixed(one.volume, _QTY_DECIMALS),
        "vwap": fixed(one.vwap, digits),
        "interval_begin": time_text(one.open_ns),
        "interval": one.frame_ns // (60 * 10**9),
        "timestamp": time_text(one.open_ns + one.frame_ns),
    }


def instrument(pair: Pair) -> dict[str, Any]:
    """One row of the pairs of ``instrument``."""
    return {
        "symbol": pair.symbol,
        "base": pair.instrument.base,
        "quote": pair.instrument.quote,
        "status": "online",
        "qty_precision": pair.lot_decimals,
        "qty_increment": pair.instrument.lot,
        "qty_min": pair.instrument.quantity_min,
        "price_precision": pair.price_decimals,
        "price_increment": pair.instrument.tick,
        "cost_min": pair.instrument.notional_min,
        "marginable": False,
    }


def balance(code: str, amount: Balance) -> dict[str, Any]:
    """One row of a snapshot of balances."""
    wallet = {"type": "spot", "id": "main", "balance": amount.total}
    return {"asset": code, "asset_class": "currency", "balance": amount.total, "wallets": [wallet]}


def order(record: OrderRecord, exec_type: str, at_ns: int) -> dict[str, Any]:
    """An order as an execution report."""
    now, spec = record.order, record.order.spec
    ioc = spec.time_in_force is TimeInForce.IOC
    row: dict[str, Any] = {
        "order_id": order_id(record.ticket),
        "order_userref": int(record.memo.get("userref", "0")),
        "symbol": spec.symbol,
        "order_qty": spec.quantity,
        "cum_qty": now.filled_quantity,
        "cum_cost": now.filled_quantity * (now.average_price or ZERO),
        "avg_price": fixed(now.average_price or ZERO, _QTY_DECIMALS),
        "time_in_force": "IOC" if ioc else "GTD" if now.expires_at_ns else "GTC",
        "exec_type": exec_type,
        "side": spec.side.value,
        "order_type": order_type(now),
        "order_status": _STATUS[now.state],
        "fee_usd_equiv": now.fees,
        "fee_ccy_pref": "fciq",
        "post_only": spec.post_only,
        "reduce_only": spec.reduce_only,
        "timestamp": time_text(at_ns),
    }
    if record.client_order_id is not None:
        row["cl_ord_id"] = record.client_order_id
    if spec.limit_price is not None:
        row |= {"limit_price": spec.limit_price, "limit_price_type": "static"}
    level = now.stop_level or spec.stop_price
    if level is not None:
        status = "triggered" if now.triggered else "untriggered"
        row |= {"stop_price": level, "triggers": {"price": level, "reference": "last", "status": status}}
    if now.ended_at_ns is not None and now.state is not OrderState.FILLED:
        row["reason"] = row["cancel_reason"] = REASONS.get(now.reason, now.reason)
    return row


def execution(record: FillRecord, order_record: OrderRecord) -> dict[str, Any]:
    """A fill as an execution report."""
    fill, now = record.fill, order_record.order
    return {
        "order_id": order_id(record.ticket),
        "exec_id": txid("T", record.seq),
        "exec_type": "trade",
        "trade_id": record.seq,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "last_qty": fill.quantity,
        "last_price": fill.price,
        "liquidity_ind": "m" if fill.liquidity is Liquidity.MAKER else "t",
        "cost": fill.quantity * fill.price,
        "order_userref": int(record.memo.get("userref", "0")),
        "order_status": _STATUS[now.state],
        "order_type": order_type(now),
        "order_qty": now.spec.quantity,
        "cum_qty": now.filled_quantity,
        "cum_cost": now.filled_quantity * (now.average_price or ZERO),
        "fee_usd_equiv": fill.fee,
        "fees": [{"asset": fill.fee_currency, "qty": fill.fee}],
        "timestamp": time_text(fill.at_ns),
        **({} if record.client_order_id is None else {"cl_ord_id": record.client_order_id}),
    }
