"""Binance spot: our orders in its words, its books in ours.

Order and trade numbers are unique within a symbol only; here they carry the symbol in front.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType
from tg_actors.execution.venues.capabilities import CAPABILITIES
from tg_actors.execution.venues.ccxt.client import CcxtClient
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    Execution,
    Holdings,
    SaidTime,
    Unusable,
    VenueClock,
    VenueFilters,
)
from tg_actors.execution.venues.outcomes import Answer, Fate, Verb, judge
from tg_actors.execution.venues.said import Amount, Said

T = TypeVar("T")

_MS_NS = 1_000_000
_WINDOW_MS_MAX = 60_000
#: For everything that is no order: late reads harm nobody.
_WINDOW_MS = 10_000
_PAGE = 1000
#: Bounds of ``trailingDelta``, in basis points.
_TRAIL_BPS_MIN, _TRAIL_BPS_MAX = 10, 2000


class _Order(Said):
    symbol: str
    order_id: int = Field(alias="orderId")
    client_order_id: str = Field(alias="clientOrderId")
    quantity: Amount = Field(alias="origQty")
    filled: Amount = Field(alias="executedQty")
    price: Amount
    status: str
    time: int


class _Placed(Said):
    symbol: str
    order_id: int = Field(alias="orderId")
    client_order_id: str = Field(alias="clientOrderId")


class _Trade(Said):
    symbol: str
    id: int
    order_id: int = Field(alias="orderId")
    price: Amount
    qty: Amount
    fee: Amount = Field(alias="commission")
    fee_asset: str = Field(alias="commissionAsset")
    time: int
    is_buyer: bool = Field(alias="isBuyer")
    is_maker: bool = Field(alias="isMaker")


class _Holding(Said):
    asset: str
    free: Amount
    locked: Amount


class _Account(Said):
    uid: int
    balances: list[_Holding]


class _Time(Said):
    time: int = Field(alias="serverTime")


_ORDERS: TypeAdapter[list[_Order]] = TypeAdapter(list[_Order])
_TRADES: TypeAdapter[list[_Trade]] = TypeAdapter(list[_Trade])
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

_STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIAL,
    "PENDING_CANCEL": OrderState.OPEN,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


def _text(price: Decimal | None) -> str:
    return money_text(price or ZERO)


def _limit(order: OrderSpec) -> dict[str, str]:
    price = {"price": _text(order.limit_price)}
    if order.post_only:
        return {"type": "LIMIT_MAKER", **price}
    return {"type": "LIMIT", "timeInForce": order.time_in_force.upper(), **price}


#: Order type and its prices in Binance's parameters.
_TYPES: dict[OrderType, Callable[[OrderSpec], dict[str, str]]] = {
    OrderType.MARKET: lambda _: {"type": "MARKET"},
    OrderType.LIMIT: _limit,
    OrderType.STOP: lambda o: {"type": "STOP_LOSS", "stopPrice": _text(o.stop_price)},
    OrderType.STOP_LIMIT: lambda o: {
        "type": "STOP_LOSS_LIMIT",
        "timeInForce": "GTC",
        "stopPrice": _text(o.stop_price),
        "price": _text(o.limit_price),
    },
    OrderType.TAKE_PROFIT: lambda o: {"type": "TAKE_PROFIT", "stopPrice": _text(o.stop_price)},
    OrderType.TRAILING_STOP: lambda o: {"type": "STOP_LOSS", "trailingDelta": _text(_trail_bps(o))},
}


def _trail_bps(order: OrderSpec) -> Decimal:
    return (order.trail_frac or ZERO) * 10_000


class BinanceDialect:
    """A :class:`~tg_actors.execution.venues.dialect.Dialect` over ccxt's binance client.

    Look-ups and trades are asked for per symbol: ``symbols`` are the instruments of the account.
    """

    name = "binance"
    capabilities = CAPABILITIES["binance"]
    deadline_s_min = Decimal("0.5")

    def __init__(self, client: CcxtClient, symbols: Sequence[str], clock: VenueClock) -> None:
        self._client = client
        self._clock = clock
        self._names = client.symbols()
        known = set(self._names.values())
        self._ids = {symbol: client.market_id(symbol) for symbol in symbols if symbol in known}

    def filters(self, symbol: str) -> VenueFilters | None:
        """What the venue asks of orders in an instrument, None when it does not trade it."""
        return self._client.filters(symbol)

    def lacks(self, spec: OrderSpec) -> str:
        """An instrument outside the account's list, or a trail that is no whole basis point."""
        if spec.symbol not in self._ids:
            return f"binance does not trade {spec.symbol}"
        trail = _trail_bps(spec)
        is_whole = trail == trail.to_integral_value() and _TRAIL_BPS_MIN <= trail <= _TRAIL_BPS_MAX
        is_fine = spec.order_type is not OrderType.TRAILING_STOP or is_whole
        return "" if is_fine else "binance trails by whole basis points, 10 to 2000"

    def place(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> str:
        """POST order; timestamp and receive window end at the deadline."""
        now_ms = self._clock.now_ns() // _MS_NS
        params = {
            "symbol": self._ids[spec.symbol],
            "side": spec.side.upper(),
            "quantity": money_text(spec.quantity),
            "newClientOrderId": client_order_id,
            "newOrderRespType": "ACK",
            "timestamp": now_ms,
            "recvWindow": max(1, min(_WINDOW_MS_MAX, deadline_ns // _MS_NS - now_ms)),
            **_TYPES[spec.order_type](spec),
        }
        placed = self._client.call(Verb.PLACE, "private_post_order", params, _Placed)
        if placed.client_order_id != client_order_id or placed.symbol != self._ids[spec.symbol]:
            raise Unusable(Verb.PLACE, Answer("200"))
        return _number(placed.symbol, placed.order_id)

    def cancel(self, client_order_id: str, symbol: str | None) -> None:
        """DELETE order, in every instrument when its own is not known."""
        absent: Unusable | None = None
        for one in self._ids.values() if symbol is None else (self._ids[symbol],):
            asked = {"symbol": one, "origClientOrderId": client_order_id}
            try:
                self._call(Verb.CANCEL, "delete_order", asked, _ANYTHING)
            except Unusable as lost:
                absent = _only_absent(lost)
            else:
                return
        if absent is not None:
            raise absent

    def cancel_all(self) -> None:
        """DELETE openOrders for every symbol in which something rests."""
        for symbol in sorted({order.symbol for order in self._resting(Verb.CANCEL)}):
            try:
                self._call(Verb.CANCEL, "delete_openorders", {"symbol": symbol}, _ANYTHING)
            except Unusable as lost:
                _only_absent(lost)

    def find(self, client_order_id: str, symbol: str | None) -> Sequence[BookedOrder]:
        """GET order by origClientOrderId, in every instrument when its own is not known."""
        found: list[_Order] = []
        for one in self._ids.values() if symbol is None else (self._ids[symbol],):
            asked = {"symbol": one, "origClientOrderId": client_order_id}
            try:
                found.append(self._call(Verb.LOOK_UP, "get_order", asked, _Order))
            except Unusable as lost:
                _only_absent(lost)
        return self._booked(Verb.LOOK_UP, found)

    def open_orders(self) -> Sequence[BookedOrder]:
        """GET openOrders of all symbols."""
        return self._booked(Verb.READ, self._resting(Verb.READ))

    def executions(self, since_ns: int) -> Sequence[Execution]:
        """GET myTrades of every instrument, page by page."""
        return [
            self._execution(trade)
            for symbol in self._ids.values()
            for trade in self._trades(symbol, since_ns)
            if trade.time * _MS_NS >= since_ns // _MS_NS * _MS_NS
        ]

    def client_ids(self, orders: Mapping[str, str]) -> Mapping[str, str]:
        """GET order by number, one by one."""
        found: dict[str, str] = {}
        for number in sorted(orders):
            symbol, _, order_id = number.rpartition("-")
            asked = {"symbol": symbol, "orderId": order_id}
            found[number] = self._call(Verb.READ, "get_order", asked, _Order).client_order_id
        return found

    def holdings(self) -> Holdings:
        """GET account."""
        account = self._call(Verb.READ, "get_account", {"omitZeroBalances": "true"}, _Account)
        amounts = {self._client.currency(one.asset): one.free + one.locked for one in account.balances}
        return Holdings(
            str(account.uid), {name: amount for name, amount in amounts.items() if amount != ZERO}
        )

    def time(self) -> SaidTime:
        """GET time, in milliseconds."""
        said = self._client.call(Verb.READ, "public_get_time", {}, _Time)
        return SaidTime(said.time * _MS_NS, _MS_NS)

    def arm_dead_man(self, timeout_s: int) -> None:
        """Spot has no such timer; the row says so and nobody asks."""

    def close(self) -> None:
        """Shut the connections."""
        self._client.close()

    def _call(
        self, verb: Verb, endpoint: str, params: Mapping[str, Any], shape: type[T] | TypeAdapter[T]
    ) -> T:
        signed = {**params, "timestamp": self._clock.now_ns() // _MS_NS, "recvWindow": _WINDOW_MS}
        return self._client.call(verb, f"private_{endpoint}", signed, shape)

    def _resting(self, verb: Verb) -> list[_Order]:
        return self._call(verb, "get_openorders", {}, _ORDERS)

    def _trades(self, symbol: str, since_ns: int) -> list[_Trade]:
        asked: dict[str, Any] = {"symbol": symbol, "limit": _PAGE}
        asked |= {"startTime": since_ns // _MS_NS} if since_ns > 0 else {"fromId": 0}
        found: list[_Trade] = []
        while True:
            page = self._call(Verb.READ, "get_mytrades", asked, _TRADES)
            found += page
            if len(page) < _PAGE:
                return found
            asked = {"symbol": symbol, "limit": _PAGE, "fromId": max(trade.id for trade in page) + 1}

    def _booked(self, verb: Verb, orders: Iterable[_Order]) -> list[BookedOrder]:
        booked = []
        for order in orders:
            if order.status not in _STATES:
                raise Unusable(verb, Answer("200"))
            row = BookedOrder(
                venue_order_id=_number(order.symbol, order.order_id),
                client_order_id=order.client_order_id,
                symbol=self._names.get(order.symbol, order.symbol),
                state=_STATES[order.status],
                filled_quantity=order.filled,
                placed_ns=order.time * _MS_NS,
                quantity=order.quantity if order.quantity > ZERO else None,
                limit_price=order.price if order.price > ZERO else None,
            )
            booked.append(row)
        return booked

    def _execution(self, trade: _Trade) -> Execution:
        return Execution(
            trade_id=_number(trade.symbol, trade.id),
            venue_order_id=_number(trade.symbol, trade.order_id),
            client_order_id=None,
            symbol=self._names.get(trade.symbol, trade.symbol),
            side=Side.BUY if trade.is_buyer else Side.SELL,
            quantity=trade.qty,
            price=trade.price,
            fee=trade.fee,
            fee_currency=self._client.currency(trade.fee_asset),
            liquidity=Liquidity.MAKER if trade.is_maker else Liquidity.TAKER,
            at_ns=trade.time * _MS_NS,
        )


def _number(symbol: str, number: int) -> str:
    return f"{symbol}-{number}"


def _only_absent(lost: Unusable) -> Unusable:
    """Pass on everything but the venue's word that there is nothing in this symbol."""
    if judge("binance", lost.verb, lost.answer).fate is not Fate.ABSENT:
        raise lost
    return lost
