"""What happens to an account as rows of Kraken's private channels. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import OrderState
from tg_actors.exchange.marketplace import (
    BalancesChanged,
    OrderEnded,
    OrderFilled,
    OrderOpened,
    OrderTriggered,
)
from tg_actors.exchange.server.dialects.kraken import frames
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.hub import AccountNews
from tg_actors.exchange.server.records import OrderRecord

_ENDS: dict[OrderState, str] = {
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
}


def reports(news: AccountNews, totals: dict[str, Decimal]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Return channel and rows of every frame Kraken would send; ``totals`` is what it said last."""
    if isinstance(news.event, BalancesChanged):
        if rows := list(_balances(news.event, totals)):
            yield "balances", rows
    elif news.record is not None:
        yield from (("executions", [row]) for row in _executions(news, news.record))


def _executions(news: AccountNews, record: OrderRecord) -> Iterator[dict[str, Any]]:
    at_ns = news.event.at_ns
    match news.event:
        case OrderOpened() if "origin" in record.memo:
            yield frames.order(record, "amended", at_ns)
        case OrderOpened():
            for exec_type in ("pending_new", "new"):
                yield frames.order(record, exec_type, at_ns)
        case OrderTriggered():
            yield frames.order(record, "status", at_ns)
        case OrderFilled() if news.fill is not None:
            yield frames.execution(news.fill, record)
        case OrderEnded() if "superseded" not in record.memo:
            yield frames.order(record, _ENDS[record.order.state], at_ns)
        case _:
            return


def _balances(event: BalancesChanged, totals: dict[str, Decimal]) -> Iterator[dict[str, Any]]:
    for code, balance in event.balances:
        moved = balance.total - totals.get(code, ZERO)
        totals[code] = balance.total
        if moved:
            yield _balance_row(code, moved, balance.total, event.at_ns)


def _balance_row(code: str, moved: Decimal, total: Decimal, at_ns: int) -> dict[str, Any]:
    return {
        "asset": code,
        "asset_class": "currency",
        "amount": moved,
        "balance": total,
        "fee": ZERO,
        "type": "trade",
        "category": "trade",
        "wallet_type": "spot",
        "wallet_id": "main",
        "timestamp": time_text(at_ns),
    }
