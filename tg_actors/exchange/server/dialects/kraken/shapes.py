"""What Kraken's private answers look like: orders, trades, positions, ledger entries. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ONE, ZERO, money_text
from tg_actors.domain.orders import Fill, Liquidity, OrderState, OrderType
from tg_actors.exchange.marketplace import MarginPosition
from tg_actors.exchange.orders import VenueOrder
from tg_actors.exchange.server.dialects.kraken.ids import txid
from tg_actors.exchange.server.dialects.kraken.names import Pair, asset_id
from tg_actors.exchange.server.dialects.kraken.wishes import sentence
from tg_actors.exchange.server.records import FillRecord, OrderRecord, Posting, Ticket

STATUS: dict[OrderState, str] = {
    OrderState.OPEN: "open",
    OrderState.PARTIAL: "open",
    OrderState.FILLED: "closed",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
}
#: Kraken's words for our reasons.
REASONS: dict[str, str] = {
    "asked": "User requested",
    "expired": "Order expired",
    "ioc_remainder": "Out of funds or liquidity",
    "book_exhausted": "Insufficient liquidity",
    "dead_man": "Cancel all orders after",
    "liquidation": "Margin liquidation",
    "insufficient_funds": "Insufficient funds",
}
_NAMES: dict[OrderType, str] = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop-loss",
    OrderType.STOP_LIMIT: "stop-loss-limit",
    OrderType.TAKE_PROFIT: "take-profit",
    OrderType.TRAILING_STOP: "trailing-stop",
}


def order_id(ticket: Ticket) -> str:
    """The id under which Kraken shows an order; an amended order keeps its first."""
    return txid("O", int(ticket.memo.get("origin", ticket.number)))


def order_type(order: VenueOrder) -> str:
    """Kraken's name of the type."""
    return _NAMES[order.spec.order_type]


def seconds(at_ns: int | None) -> float:
    """Nanoseconds as Kraken's seconds with a fraction."""
    return 0 if at_ns is None else round(at_ns / 1e9, 6)


def volume(amount: Decimal) -> str:
    """A quantity as Kraken writes it."""
    return f"{amount:.8f}"


def describe(record: OrderRecord, pair: Pair) -> dict[str, str]:
    """The part ``descr`` of an order."""
    order, spec, memo = record.order, record.order.spec, record.memo
    kind = order_type(order)
    first = spec.stop_price or spec.limit_price
    second = spec.limit_price if spec.stop_price is not None else None
    leverage = "none" if order.leverage == ONE else f"{money_text(order.leverage)}:1"
    return {
        "pair": pair.altname,
        "type": spec.side.value,
        "ordertype": kind,
        "price": memo.get("price", "0") if first is None else pair.price_text(first),
        "price2": "0" if second is None else pair.price_text(second),
        "leverage": leverage,
        "order": sentence(pair, kind, spec, memo, order.leverage),
        "close": "",
    }


def order_row(record: OrderRecord, pair: Pair, trades: tuple[str, ...] | None = None) -> dict[str, Any]:
    """One order of OpenOrders, ClosedOrders, QueryOrders."""
    order, spec, memo = record.order, record.order.spec, record.memo
    average = order.average_price or ZERO
    row: dict[str, Any] = {
        "refid": None,
        "userref": int(memo["userref"]) if "userref" in memo else None,
        "status": STATUS[order.state],
        "opentm": seconds(order.submitted_at_ns),
        "starttm": 0,
        "expiretm": int(seconds(order.expires_at_ns)),
        "descr": describe(record, pair),
        "vol": volume(spec.quantity),
        "vol_exec": volume(order.filled_quantity),
        "cost": f"{order.filled_quantity * average:.8f}",
        "fee": f"{order.fees:.8f}",
        "price": f"{average:.8f}",
        "stopprice": f"{order.stop_level or spec.stop_price or ZERO:.8f}",
        "limitprice": f"{spec.limit_price or ZERO:.8f}" if order.triggered else "0.00000000",
        "misc": "",
        "oflags": memo.get("oflags", "fciq"),
        "trigger": "last",
    }
    if record.client_order_id is not None:
        row["cl_ord_id"] = record.client_order_id
    if spec.reduce_only:
        row["reduce_only"] = True
    if order.ended_at_ns is not None:
        row["closetm"] = seconds(order.ended_at_ns)
        row["reason"] = REASONS.get(order.reason)
    if trades is not None:
        row["trades"] = list(trades)
    return row


def trade_row(record: FillRecord, pair: Pair, leverage: Decimal) -> dict[str, Any]:
    """One trade of TradesHistory and QueryTrades."""
    fill: Fill = record.fill
    cost = fill.price * fill.quantity
    row: dict[str, Any] = {
        "ordertxid": order_id(record.ticket),
        "postxid": txid("T", record.seq),
        "pair": pair.id,
        "aclass": "forex",
        "time": seconds(fill.at_ns),
        "type": fill.side.value,
        "ordertype": record.memo.get("ordertype", "limit"),
        "price": pair.price_text(fill.price),
        "cost": f"{cost:.8f}",
        "fee": f"{fill.fee:.8f}",
        "vol": volume(fill.quantity),
        "margin": f"{cost / leverage if leverage > ONE else ZERO:.8f}",
        "leverage": money_text(leverage) if leverage > ONE else "0",
        "misc": "",
        "trade_id": record.seq,
        "maker": fill.liquidity is Liquidity.MAKER,
    }
    if record.client_order_id is not None:
        row["cl_ord_id"] = record.client_order_id
    return row


def position_row(position: MarginPosition, pair: Pair, *, consolidated: bool) -> dict[str, Any]:
    """One position of OpenPositions."""
    cost = abs(position.cost)
    row: dict[str, Any] = {
        "pair": pair.id,
        "type": "buy" if position.quantity > ZERO else "sell",
        "cost": f"{cost:.5f}",
        "fee": "0.00000",
        "vol": volume(abs(position.quantity)),
        "vol_closed": "0.00000000",
        "margin": f"{position.margin:.5f}",
        "value": f"{abs(position.quantity) * position.mark:.5f}",
        "net": f"{position.unrealised:+.5f}",
    }
    if consolidated:
        leverage = cost / position.margin if position.margin else ONE
        return {**row, "positions": "1", "leverage": f"{leverage:.5f}"}
    return {
        **row,
        "posstatus": "open",
        "time": seconds(position.opened_at_ns),
        "ordertype": "market",
        "terms": "",
        "misc": "",
        "oflags": "",
    }


def ledger_row(posting: Posting) -> dict[str, Any]:
    """One entry of Ledgers."""
    return {
        "refid": posting.ref,
        "time": seconds(posting.at_ns),
        "type": "rollover" if posting.kind == "funding" else posting.kind,
        "subtype": "",
        "aclass": "currency",
        "asset": asset_id(posting.currency),
        "amount": f"{posting.amount:.10f}",
        "fee": "0.0000000000",
        "balance": f"{posting.balance:.10f}",
    }


def matches(record: OrderRecord, fields: Mapping[str, str]) -> bool:
    """Whether an order is one that ``userref`` and ``cl_ord_id`` of a request ask for."""
    wanted, client_id = fields.get("userref"), fields.get("cl_ord_id")
    by_ref = wanted is None or record.memo.get("userref") == wanted
    return by_ref and (client_id is None or record.client_order_id == client_id)
