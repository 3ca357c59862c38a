"""Kraken spot: our orders in its words, its books in ours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from pydantic import TypeAdapter

from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.execution.venues.capabilities import CAPABILITIES
from tg_actors.execution.venues.ccxt.client import CcxtClient
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    Execution,
    Holdings,
    SaidTime,
    Unusable,
    VenueFilters,
)
from tg_actors.execution.venues.outcomes import Answer, Verb
from tg_actors.execution.venues.said import Amount, Said, SaidSide

T = TypeVar("T")

_SECOND_NS = 1_000_000_000
#: QueryOrders takes so many ids at once; TradesHistory shows so many trades.
_IDS_MAX = 50
_PAGE = 50


class _Description(Said):
    pair: str
    ordertype: str
    price: str = "0"
    price2: str = "0"


class _Order(Said):
    descr: _Description
    status: str
    vol: Amount
    vol_exec: Amount
    opentm: Amount
    cl_ord_id: str | None = None
    reason: str | None = None


class _Trade(Said):
    ordertxid: str
    pair: str
    time: Amount
    type: SaidSide
    price: Amount
    vol: Amount
    fee: Amount
    maker: bool = False


class _Placed(Said):
    txid: list[str]


class _Time(Said):
    unixtime: int


class _Trades(Said):
    trades: dict[str, _Trade]
    count: int


_ORDERS: TypeAdapter[dict[str, _Order]] = TypeAdapter(dict[str, _Order])
_AMOUNTS: TypeAdapter[dict[str, Decimal]] = TypeAdapter(dict[str, Amount])
_ANYTHING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])

_STATES = {
    "pending": OrderState.OPEN,
    "open": OrderState.OPEN,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
}


def _percent(frac: Decimal | None) -> str:
    return f"+{money_text((frac or ZERO) * 100)}%"


def _text(price: Decimal | None) -> str:
    return money_text(price or ZERO)


#: Order type and its prices in Kraken's parameters.
_TYPES: dict[OrderType, Callable[[OrderSpec], dict[str, str]]] = {
    OrderType.MARKET: lambda _: {"ordertype": "market"},
    OrderType.LIMIT: lambda o: {"ordertype": "limit", "price": _text(o.limit_price)},
    OrderType.STOP: lambda o: {"ordertype": "stop-loss", "price": _text(o.stop_price)},
    OrderType.STOP_LIMIT: lambda o: {
        "ordertype": "stop-loss-limit",
        "price": _text(o.stop_price),
        "price2": _text(o.limit_price),
    },
    OrderType.TAKE_PROFIT: lambda o: {"ordertype": "take-profit", "price": _text(o.stop_price)},
    OrderType.TRAILING_STOP: lambda o: {"ordertype": "trailing-stop", "price": _percent(o.trail_frac)},
}


def _result(body: Any) -> Any:
    return body["result"]


def _rfc3339(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % _SECOND_NS // 1_000_000:03d}Z"


def _limit_price(order: _Description) -> Decimal | None:
    """A resting limit's price; of a stop with a limit it is the second one, of anything else none."""
    text = {"limit": order.price}.get(order.ordertype) or (
        order.price2 if order.ordertype.endswith("-limit") else ""
    )
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > ZERO else None


def _ns(seconds: Decimal) -> int:
    return int(seconds * _SECOND_NS)


class KrakenDialect:
    """A :class:`~tg_actors.execution.venues.dialect.Dialect` over ccxt's kraken client."""

    name = "kraken"
    capabilities = CAPABILITIES["kraken"]
    deadline_s_min = Decimal(2)

    def __init__(self, client: CcxtClient) -> None:
        self._client = client
        self._symbols = client.symbols()

    def filters(self, symbol: str) -> VenueFilters | None:
        """What the venue asks of orders in an instrument, None when it does not trade it."""
        return self._client.filters(symbol)

    def lacks(self, spec: OrderSpec) -> str:
        """An instrument that Kraken does not trade."""
        return "" if self.filters(spec.symbol) else f"kraken does not trade {spec.symbol}"

    def place(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> str:
        """AddOrder, with deadline; fees always in the quote currency."""
        params = {
            "pair": self._client.market_id(spec.symbol),
            "type": spec.side.value,
            "volume": money_text(spec.quantity),
            "cl_ord_id": client_order_id,
            "deadline": _rfc3339(deadline_ns),
            "oflags": "fciq,post" if spec.post_only else "fciq",
            **_TYPES[spec.order_type](spec),
        }
        if spec.order_type is OrderType.LIMIT and spec.time_in_force is TimeInForce.IOC:
            params["timeinforce"] = "IOC"
        placed = self._call(Verb.PLACE, "addorder", params, _Placed)
        if len(placed.txid) != 1 or not placed.txid[0]:
            raise Unusable(Verb.PLACE, Answer("200"))
        return placed.txid[0]

    def cancel(self, client_order_id: str, symbol: str | None) -> None:
        """CancelOrder by our id."""
        del symbol
        self._call(Verb.CANCEL, "cancelorder", {"cl_ord_id": client_order_id}, _ANYTHING)

    def cancel_all(self) -> None:
        """CancelAll."""
        self._call(Verb.CANCEL, "cancelall", {}, _ANYTHING)

    def find(self, client_order_id: str, symbol: str | None) -> Sequence[BookedOrder]:
        """Open orders, then closed ones, by our id."""
        del symbol
        asked = {"cl_ord_id": client_order_id}
        found = self._orders(Verb.LOOK_UP, "openorders", asked, "open")
        # Both, always: between the two calls an open order may close, and two orders may carry one id.
        return [*self._orders(Verb.LOOK_UP, "closedorders", asked, "closed"), *found]

    def open_orders(self) -> Sequence[BookedOrder]:
        """OpenOrders."""
        return self._orders(Verb.READ, "openorders", {}, "open")

    def executions(self, since_ns: int) -> Sequence[Execution]:
        """TradesHistory, newest first, page by page to the count that it tells."""
        asked: dict[str, Any] = {"consolidate_taker": "false"}
        if since_ns > 0:
            # ``start`` is exclusive, and in seconds.
            asked["start"] = str(since_ns // _SECOND_NS - 1)
        found: dict[str, _Trade] = {}
        offset = 0
        while True:
            page = self._call(Verb.READ, "tradeshistory", {**asked, "ofs": str(offset)}, _Trades)
            found.update(page.trades)
            offset += len(page.trades)
            if offset >= page.count or not page.trades:
                break
        if len(found) < page.count:
            raise Unusable(Verb.READ, Answer("200"))
        trades = (self._execution(trade_id, trade) for trade_id, trade in found.items())
        return [trade for trade in trades if trade.at_ns >= since_ns]

    def client_ids(self, orders: Mapping[str, str]) -> Mapping[str, str]:
        """QueryOrders, in lots."""
        ids = sorted(orders)
        found: dict[str, str] = {}
        for k in range(0, len(ids), _IDS_MAX):
            asked = {"txid": ",".join(ids[k : k + _IDS_MAX])}
            said = self._call(Verb.READ, "queryorders", asked, _ORDERS)
            found |= {txid: order.cl_ord_id or "" for txid, order in said.items() if txid in orders}
        return found

    def holdings(self) -> Holdings:
        """Balance, per currency of ours; Kraken's answers carry no account number."""
        total: dict[str, Decimal] = {}
        for name, amount in self._call(Verb.READ, "balance", {}, _AMOUNTS).items():
            currency = self._client.currency(name)
            total[currency] = total.get(currency, ZERO) + amount
        return Holdings("", {currency: amount for currency, amount in total.items() if amount != ZERO})

    def time(self) -> SaidTime:
        """Time, told in whole seconds."""
        said = self._client.call(Verb.READ, "public_get_time", {}, _Time, _result)
        return SaidTime(said.unixtime * _SECOND_NS, _SECOND_NS)

    def arm_dead_man(self, timeout_s: int) -> None:
        """CancelAllOrdersAfter."""
        self._call(Verb.READ, "cancelallordersafter", {"timeout": str(timeout_s)}, _ANYTHING)

    def _orders(self, verb: Verb, endpoint: str, params: Mapping[str, str], part: str) -> list[BookedOrder]:
        said = self._client.call(
            verb, f"private_post_{endpoint}", params, _ORDERS, lambda body: body["result"][part]
        )
        return list(self._booked(verb, said.items()))

    def close(self) -> None:
        """Shut the connections."""
        self._client.close()

    def _call(
        self, verb: Verb, endpoint: str, params: Mapping[str, str], shape: type[T] | TypeAdapter[T]
    ) -> T:
        return self._client.call(verb, f"private_post_{endpoint}", params, shape, _result)

    def _booked(self, verb: Verb, orders: Iterable[tuple[str, _Order]]) -> Iterable[BookedOrder]:
        for txid, order in orders:
            if order.status not in _STATES:
                raise Unusable(verb, Answer("200"))
            state = _STATES[order.status]
            if state is OrderState.OPEN and order.vol_exec > ZERO:
                state = OrderState.PARTIAL
            yield BookedOrder(
                venue_order_id=txid,
                client_order_id=order.cl_ord_id or "",
                symbol=self._symbols.get(order.descr.pair, order.descr.pair),
                state=state,
                filled_quantity=order.vol_exec,
                placed_ns=_ns(order.opentm),
                quantity=order.vol,
                limit_price=_limit_price(order.descr),
                reason=order.reason or "",
            )

    def _execution(self, trade_id: str, trade: _Trade) -> Execution:
        symbol = self._symbols.get(trade.pair, trade.pair)
        return Execution(
            trade_id=trade_id,
            venue_order_id=trade.ordertxid,
            client_order_id=None,
            symbol=symbol,
            side=trade.type,
            quantity=trade.vol,
            price=trade.price,
            fee=trade.fee,
            fee_currency=symbol.partition("/")[2],
            liquidity=Liquidity.MAKER if trade.maker else Liquidity.TAKER,
            at_ns=_ns(trade.time),
        )
