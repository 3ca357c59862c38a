"""``tg positions``, ``tg orders``, ``tg trades``: the books, from the journal alone."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, amount, show, utc

Limit = Annotated[int, typer.Option("--limit", min=1, help="Newest rows to show.")]


def positions(run: Run = None, json_: AsJson = False) -> None:
    """Show open positions with their average price, mark and profit in the quote currency."""
    from tg_actors.desk.history import open_positions

    with reading(run) as (_, journal):
        rows = open_positions(journal)
    columns = ("symbol", "quantity", "average_price", "mark", "unrealised", "realised", "fees")
    _show(rows, columns, "Positions, amounts in the quote currency", as_json=json_)


def orders(run: Run = None, live: bool = False, limit: Limit = 50, json_: AsJson = False) -> None:
    """Show orders, newest last; --live only those that the venue may still fill."""
    from tg_actors.domain.money import money_text

    with reading(run) as (_, journal):
        found = journal.orders(live_only=live)[-limit:]
    rows = [
        {
            "order": order.client_order_id,
            "cycle": order.intent.cycle,
            "symbol": order.intent.spec.symbol,
            "leg": order.intent.leg.value,
            "side": order.intent.spec.side.value,
            "type": order.intent.spec.order_type.value,
            "quantity": money_text(order.intent.spec.quantity),
            "filled": money_text(order.filled_quantity),
            "price": None if order.average_price is None else money_text(round(order.average_price, 10)),
            "state": order.state.value,
            "reason": order.reason,
        }
        for order in found
    ]
    columns = ("order", "cycle", "symbol", "leg", "side", "quantity", "price", "state")
    _show(rows, columns, "Orders", as_json=json_)


def trades(run: Run = None, limit: Limit = 50, json_: AsJson = False) -> None:
    """Show executions, newest last, with their fees."""
    from tg_actors.domain.money import money_text

    with reading(run) as (_, journal):
        found = journal.fills()[-limit:]
    rows = [
        {
            "trade": fill.trade_id,
            "at": utc(fill.at_ns),
            "symbol": fill.symbol,
            "side": fill.side.value,
            "quantity": money_text(fill.quantity),
            "price": money_text(fill.price),
            "fee": money_text(fill.fee),
            "fee_currency": fill.fee_currency,
            "liquidity": fill.liquidity.value,
            "order": fill.client_order_id,
        }
        for fill in found
    ]
    columns = ("at", "symbol", "side", "quantity", "price", "fee", "order")
    _show(rows, columns, "Trades", as_json=json_)


def _show(rows: list[dict[str, Any]], columns: Sequence[str], title: str, *, as_json: bool) -> None:
    """Print amounts and ids in full for programs, shortened for people."""
    show(rows if as_json else [_short(row) for row in rows], columns, title, as_json=as_json)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    short = row | {name: amount(row[name]) for name in _AMOUNTS if name in row}
    for name, characters in (("order", 8), ("at", len("2024-01-31 12:00"))):
        if name in row:
            short[name] = row[name][:characters]
    if "fee_currency" in row:
        short["fee"] = f"{short['fee']} {row['fee_currency']}"
    if row.get("reason"):
        short["state"] = f"{row['state']}: {row['reason'].replace('_', ' ')}"
    return short


_AMOUNTS = ("average_price", "mark", "unrealised", "realised", "fees", "price", "fee")
