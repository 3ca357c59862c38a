"""Kraken's private methods on the floor: each takes the fields of a request and returns its result."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from tg_actors.domain.money import ONE, ZERO
from tg_actors.exchange.orders import Refused
from tg_actors.exchange.server.dialects.kraken import shapes
from tg_actors.exchange.server.dialects.kraken.ids import number_of, txid
from tg_actors.exchange.server.dialects.kraken.names import Pairs, asset_id
from tg_actors.exchange.server.dialects.kraken.refusals import REFUSALS, TROUBLES, KrakenError, invalid
from tg_actors.exchange.server.dialects.kraken.wishes import (
    Fields,
    Moment,
    instant_ns,
    is_dry_run,
    number,
    read_order,
    sentence,
    userref,
)
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.records import Barred, FillRecord, OrderRecord, Placed

_PAGE, _IDS_MAX = 50, 50
_DEAD_MAN_S_MAX = 86_400
_TOKEN_S = 900
_SECOND_NS = 10**9
#: Coins that are a dollar for the sums of TradeBalance.
_DOLLARS = ("USD", "USDT", "USDC")

Private = Callable[[Key, Fields], Any]
R = TypeVar("R")


class PrivateApi:
    """What the holder of a key may ask; ``trades`` names the methods that need a trading key."""

    def __init__(self, floor: Floor, pairs: Pairs) -> None:
        self._floor = floor
        self._pairs = pairs
        self._boot_ns = floor.wall_ns()
        self.methods: dict[str, Private] = {
            "Balance": self._balance,
            "BalanceEx": self._balance_extended,
            "TradeBalance": self._trade_balance,
            "OpenOrders": self._open_orders,
            "ClosedOrders": self._closed_orders,
            "QueryOrders": self._query_orders,
            "TradesHistory": self._trades_history,
            "QueryTrades": self._query_trades,
            "OpenPositions": self._open_positions,
            "Ledgers": self._ledgers,
            "TradeVolume": self._trade_volume,
            "GetWebSocketsToken": self._token,
            "AddOrder": self.add_order,
            "AmendOrder": self.amend_order,
            "CancelOrder": self.cancel_order,
            "CancelAll": self.cancel_all,
            "CancelAllOrdersAfter": self.cancel_all_after,
        }
        self.trades = frozenset(
            {"AddOrder", "AmendOrder", "CancelOrder", "CancelAll", "CancelAllOrdersAfter"}
        )

    # -- orders ------------------------------------------------------------------------------------

    def add_order(self, key: Key, fields: Fields) -> Any:
        """AddOrder."""
        moment = Moment(self._floor.market_ns(), self._floor.wall_ns(), self._floor.market.quote)
        wish = read_order(fields, self._pairs, moment)
        pair = self._pairs.of_symbol(wish.spec.symbol)
        described = {
            "descr": {"order": sentence(pair, wish.memo["ordertype"], wish.spec, wish.memo, wish.leverage)}
        }
        if is_dry_run(fields):
            return described
        placed = self._taken(self._floor.place(key.account, wish))
        return {**described, "txid": [shapes.order_id(placed.record.ticket)]}

    def amend_order(self, key: Key, fields: Fields) -> Any:
        """AmendOrder: a new order in our books, the same txid in Kraken's."""
        record = self._one(key, fields)
        changed = {
            ours: number(fields, theirs)
            for theirs, ours in (
                ("order_qty", "quantity"),
                ("limit_price", "limit_price"),
                ("trigger_price", "stop_price"),
            )
            if theirs in fields
        }
        origin = record.memo.get("origin", str(record.number))
        done = self._floor.amend(key.account, record.number, memo={"origin": origin}, **changed)
        if done is None:
            raise KrakenError("EOrder:Unknown order")
        placed = self._taken(done)
        return {
            "amend_id": txid("T", placed.record.number),
            "order_id": shapes.order_id(placed.record.ticket),
        }

    def cancel_order(self, key: Key, fields: Fields) -> Any:
        """CancelOrder, by txid, userref or cl_ord_id."""
        found = self._named(key, fields)
        if not found:
            raise KrakenError("EOrder:Unknown order")
        for record in found:
            self._floor.cancel(key.account, record.number)
        return {"count": len(found)}

    def cancel_all(self, key: Key, _: Fields) -> Any:
        """CancelAll."""
        return {"count": len(self._floor.cancel_all(key.account))}

    def cancel_all_after(self, key: Key, fields: Fields) -> Any:
        """CancelAllOrdersAfter: the dead-man timer, in seconds of the wall clock."""
        text = fields.get("timeout", "")
        if not text.isdecimal() or int(text) > _DEAD_MAN_S_MAX:
            raise invalid("timeout")
        self._floor.arm_dead_man(key.account, int(text))
        now_s = self._floor.wall_ns() // _SECOND_NS
        due = _clock_text(now_s + int(text)) if int(text) else "0"
        return {"currentTime": _clock_text(now_s), "triggerTime": due}

    def _taken(self, answer: Placed | Refused | Barred) -> Placed:
        if isinstance(answer, Refused):
            raise KrakenError(REFUSALS[answer.code])
        if isinstance(answer, Barred):
            raise KrakenError(TROUBLES[answer.trouble])
        return answer

    def _one(self, key: Key, fields: Fields) -> OrderRecord:
        found = self._named(key, fields)
        if len(found) != 1:
            raise KrakenError("EOrder:Unknown order")
        return found[0]

    def _named(self, key: Key, fields: Fields) -> list[OrderRecord]:
        """Open orders that a request names."""
        open_orders = self._floor.open_orders(key.account)
        name = fields.get("txid", "")
        if "cl_ord_id" in fields:
            return [r for r in open_orders if r.client_order_id == fields["cl_ord_id"]]
        if name.removeprefix("-").isdecimal():
            return [r for r in open_orders if r.memo.get("userref") == name]
        return [r for r in open_orders if shapes.order_id(r.ticket) == name]

    # -- books -------------------------------------------------------------------------------------

    def _open_orders(self, key: Key, fields: Fields) -> Any:
        found = [r for r in self._floor.open_orders(key.account) if shapes.matches(r, _filters(fields))]
        return {"open": self._rows(found, fields)}

    def _closed_orders(self, key: Key, fields: Fields) -> Any:
        wanted = _filters(fields)
        if "cl_ord_id" in wanted:
            known = self._floor.by_client_id(key.account, wanted["cl_ord_id"])
            ended = sorted(known, key=lambda r: (r.order.ended_at_ns or 0, r.number), reverse=True)
            ended = [r for r in ended if r.order.ended_at_ns is not None and _inside(r, fields)]
        else:
            from_ns, to_ns = _span(fields)
            ended = list(self._floor.ended_orders(key.account, from_ns=from_ns, to_ns=to_ns))
        found = [r for r in ended if shapes.matches(r, wanted) and "superseded" not in r.memo]
        return {"closed": self._rows(_page(found, fields), fields), "count": len(found)}

    def _query_orders(self, key: Key, fields: Fields) -> Any:
        wanted = _filters(fields)
        names = [name for name in fields.get("txid", "").split(",") if name]
        if len(names) > _IDS_MAX:
            raise invalid("txid")
        if not names and "cl_ord_id" in wanted:
            known = self._floor.by_client_id(key.account, wanted["cl_ord_id"])
            return self._rows([r for r in known if "superseded" not in r.memo], fields)
        found = (self._by_txid(key.account, name) for name in names)
        known = tuple(r for r in found if r is not None and shapes.matches(r, wanted))
        if not known:
            raise KrakenError("EOrder:Unknown order")
        return self._rows(list(known), fields)

    def _by_txid(self, account: str, name: str) -> OrderRecord | None:
        ordinal = number_of("O", name)
        if ordinal is None:
            raise KrakenError("EOrder:Invalid order")
        return self._floor.newest(account, ordinal)

    def _rows(self, records: list[OrderRecord], fields: Fields) -> dict[str, Any]:
        with_trades = fields.get("trades", "false").lower() == "true"
        rows = {}
        for record in records:
            pair = self._pairs.of_symbol(record.order.spec.symbol)
            ids = None
            if with_trades:
                fills = self._floor.fills(record.account, number=record.number, newest_first=False)
                ids = tuple(txid("T", fill.seq) for fill in fills)
            rows[shapes.order_id(record.ticket)] = shapes.order_row(record, pair, ids)
        return rows

    def _trades_history(self, key: Key, fields: Fields) -> Any:
        from_ns, to_ns = _span(fields)
        fills = list(self._floor.fills(key.account, from_ns=from_ns, to_ns=to_ns))
        return {"trades": self._trade_rows(key, _page(fills, fields)), "count": len(fills)}

    def _query_trades(self, key: Key, fields: Fields) -> Any:
        names = [name for name in fields.get("txid", "").split(",") if name]
        wanted = {number_of("T", name) for name in names}
        if None in wanted or len(names) > _IDS_MAX:
            raise KrakenError("EQuery:Unknown trade")
        lowest = min((n for n in wanted if n is not None), default=1)
        fills = self._floor.fills(key.account, after=lowest - 1, newest_first=False)
        return self._trade_rows(key, [fill for fill in fills if fill.seq in wanted])

    def _trade_rows(self, key: Key, fills: list[FillRecord]) -> dict[str, Any]:
        rows = {}
        for fill in fills:
            order = self._floor.order(key.account, fill.order_number)
            leverage = ONE if order is None else order.order.leverage
            pair = self._pairs.of_symbol(fill.fill.symbol)
            rows[txid("T", fill.seq)] = shapes.trade_row(fill, pair, leverage)
        return rows

    # -- money -------------------------------------------------------------------------------------

    def _balance(self, key: Key, _: Fields) -> Any:
        balances = self._floor.balances(key.account)
        return {asset_id(code): f"{b.total:.10f}" for code, b in balances.items() if b.total}

    def _balance_extended(self, key: Key, _: Fields) -> Any:
        return {
            asset_id(code): {"balance": f"{b.total:.10f}", "hold_trade": f"{b.held:.10f}"}
            for code, b in self._floor.balances(key.account).items()
        }

    def _trade_balance(self, key: Key, _: Fields) -> Any:
        balances = self._floor.balances(key.account)
        worth = sum((self._worth(code, b.total) for code, b in balances.items()), ZERO)
        dollars = sum((b.total for code, b in balances.items() if code in _DOLLARS), ZERO)
        margins = self._floor.margins(key.account)
        used = sum((self._worth(m.currency, m.used) for m in margins), ZERO)
        profit = sum((self._worth(m.currency, m.unrealised) for m in margins), ZERO)
        cost = sum((abs(p.cost) for p in self._floor.positions(key.account)), ZERO)
        equity = dollars + profit
        result = {
            "eb": worth,
            "tb": dollars,
            "m": used,
            "uv": ZERO,
            "n": profit,
            "c": cost,
            "v": cost + profit,
            "e": equity,
            "mf": equity - used,
        }
        texts = {name: f"{amount:.4f}" for name, amount in result.items()}
        return texts if not used else {**texts, "ml": f"{equity / used * 100:.2f}"}

    def _worth(self, code: str, amount: Decimal) -> Decimal:
        if code in _DOLLARS:
            return amount
        quotes = (
            self._floor.market.quote(f"{code}/{dollar}")
            for dollar in _DOLLARS
            if f"{code}/{dollar}" in self._floor.instruments
        )
        return next((amount * quote.close for quote in quotes if quote is not None), ZERO)

    def _open_positions(self, key: Key, fields: Fields) -> Any:
        positions = self._floor.positions(key.account)
        pairs = [self._pairs.of_symbol(p.symbol) for p in positions]
        both = list(zip(positions, pairs, strict=True))
        if fields.get("consolidation") == "market":
            return [shapes.position_row(position, pair, consolidated=True) for position, pair in both]
        return {
            txid("T", k): shapes.position_row(position, pair, consolidated=False)
            for k, (position, pair) in enumerate(both, start=1)
        }

    def _ledgers(self, key: Key, fields: Fields) -> Any:
        from_ns, to_ns = _span(fields)
        found = list(self._floor.postings(key.account, from_ns=from_ns, to_ns=to_ns))
        rows = {f"L{posting.seq:08d}": shapes.ledger_row(posting) for posting in _page(found, fields)}
        return {"ledger": rows, "count": len(found)}

    def _trade_volume(self, key: Key, fields: Fields) -> Any:
        del key
        fees = self._floor.fees
        names = fields.get("pair")
        pairs = self._pairs.all if names is None else [self._pairs.find(name) for name in names.split(",")]
        rows = {
            side: {pair.id: _fee_row(frac) for pair in pairs if pair is not None}
            for side, frac in (("fees", fees.taker_frac), ("fees_maker", fees.maker_frac))
        }
        return {"currency": "ZUSD", "volume": "0.0000", **rows}

    # -- streams -----------------------------------------------------------------------------------

    def _token(self, key: Key, _: Fields) -> Any:
        return {"token": self.token_of(key), "expires": _TOKEN_S}

    def token_of(self, key: Key) -> str:
        """The token for private streams of a key; another one after every start of the server."""
        return hashlib.sha256(f"{key.secret}\x1f{self._boot_ns}\x1fstream".encode()).hexdigest()

    def key_of_token(self, token: str) -> Key | None:
        """Whose token this is."""
        return next((key for key in self._floor.keys.all() if self.token_of(key) == token), None)


def _filters(fields: Fields) -> dict[str, str]:
    wanted = {name: fields[name] for name in ("userref", "cl_ord_id") if name in fields}
    if "userref" in wanted:
        wanted["userref"] = str(userref(wanted["userref"]))
    return wanted


def _span(fields: Fields) -> tuple[int, int | None]:
    """``start`` is exclusive and ``end`` inclusive, both in seconds, as Kraken documents them."""
    from_ns = instant_ns(fields["start"]) + 1 if fields.get("start", "0") != "0" else 0
    return from_ns, instant_ns(fields["end"]) + 1 if "end" in fields else None


def _inside(record: OrderRecord, fields: Fields) -> bool:
    from_ns, to_ns = _span(fields)
    at_ns = record.order.ended_at_ns or 0
    return from_ns <= at_ns and (to_ns is None or at_ns < to_ns)


def _page(rows: list[R], fields: Fields) -> list[R]:
    text = fields.get("ofs", "0")
    if not text.isdecimal():
        raise invalid("ofs")
    return rows[int(text) : int(text) + _PAGE]


def _fee_row(frac: Decimal) -> dict[str, Any]:
    text = f"{frac * 100:.4f}"
    return {
        "fee": text,
        "minfee": text,
        "maxfee": text,
        "nextfee": None,
        "tiervolume": "0.0000",
        "nextvolume": None,
    }


def _clock_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
