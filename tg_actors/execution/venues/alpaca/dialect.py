"""Alpaca crypto: our orders in its words, its books in ours."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.execution.venues.alpaca.client import AlpacaClient
from tg_actors.execution.venues.capabilities import CAPABILITIES
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    Execution,
    Holdings,
    SaidTime,
    Unusable,
    VenueFilters,
)
from tg_actors.execution.venues.outcomes import Answer, Fate, Verb, judge
from tg_actors.execution.venues.said import Amount, Said, SaidSide

_SECOND_NS = 1_000_000_000
_MS_NS = 1_000_000
_PAGE = 100
_OPEN_MAX = 500
#: Their times carry up to nine digits, which ``datetime`` does not hold.
_FRACTION = re.compile(r"\.([0-9]{1,9})")


class _Order(Said):
    id: str
    client_order_id: str
    symbol: str
    status: str
    qty: Amount | None
    filled_qty: Amount
    limit_price: Amount | None = None
    created_at: str


class _Activity(Said):
    id: str
    order_id: str
    symbol: str
    side: SaidSide
    qty: Amount
    price: Amount
    transaction_time: str
    #: Alpaca's own fills carry none: its fee is taken from what the trade brought in and booked apart.
    fee: Amount = ZERO
    fee_currency: str | None = None


class _Account(Said):
    account_number: str
    cash: Amount
    currency: str


class _Position(Said):
    symbol: str
    qty: Amount
    asset_class: str


class _Clock(Said):
    timestamp: str


class _Asset(Said):
    symbol: str
    tradable: bool
    min_order_size: Amount | None = None
    min_trade_increment: Amount | None = None
    price_increment: Amount | None = None


_ORDERS: TypeAdapter[list[_Order]] = TypeAdapter(list[_Order])
_ACTIVITIES: TypeAdapter[list[_Activity]] = TypeAdapter(list[_Activity])
_POSITIONS: TypeAdapter[list[_Position]] = TypeAdapter(list[_Position])
_ASSETS: TypeAdapter[list[_Asset]] = TypeAdapter(list[_Asset])
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

_STATES = {
    "new": OrderState.OPEN,
    "accepted": OrderState.OPEN,
    "pending_new": OrderState.OPEN,
    "accepted_for_bidding": OrderState.OPEN,
    "held": OrderState.OPEN,
    "stopped": OrderState.OPEN,
    "suspended": OrderState.OPEN,
    "calculated": OrderState.OPEN,
    "done_for_day": OrderState.OPEN,
    "pending_cancel": OrderState.OPEN,
    "pending_replace": OrderState.OPEN,
    "partially_filled": OrderState.PARTIAL,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}


def _text(price: Decimal | None) -> str:
    return money_text(price or ZERO)


#: Order type and its prices in Alpaca's parameters; crypto knows no others.
_TYPES: dict[OrderType, Callable[[OrderSpec], dict[str, str]]] = {
    OrderType.MARKET: lambda _: {"type": "market"},
    OrderType.LIMIT: lambda o: {"type": "limit", "limit_price": _text(o.limit_price)},
    OrderType.STOP_LIMIT: lambda o: {
        "type": "stop_limit",
        "stop_price": _text(o.stop_price),
        "limit_price": _text(o.limit_price),
    },
}
_TIMES = {TimeInForce.GTC: "gtc", TimeInForce.IOC: "ioc"}


class AlpacaDialect:
    """A :class:`~tg_actors.execution.venues.dialect.Dialect` over alpaca-py."""

    name = "alpaca"
    capabilities = CAPABILITIES["alpaca"]
    deadline_s_min = ZERO

    def __init__(self, client: AlpacaClient) -> None:
        self._client = client
        self._filters = self._traded()
        #: Our symbol by every name that Alpaca uses for it.
        self._symbols = {
            name: symbol for symbol in self._filters for name in (symbol, symbol.replace("/", ""))
        }

    def filters(self, symbol: str) -> VenueFilters | None:
        """What the venue asks of orders in an instrument, None when it does not trade it."""
        return self._filters.get(symbol)

    def lacks(self, spec: OrderSpec) -> str:
        """An instrument that Alpaca does not trade."""
        return "" if spec.symbol in self._filters else f"alpaca does not trade {spec.symbol}"

    def place(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> str:
        """POST /orders; nothing at Alpaca enforces a deadline."""
        del deadline_ns
        order = {
            "symbol": spec.symbol,
            "side": spec.side.value,
            "qty": money_text(spec.quantity),
            "time_in_force": _TIMES[spec.time_in_force],
            "client_order_id": client_order_id,
            **_TYPES[spec.order_type](spec),
        }
        placed = self._client.call(Verb.PLACE, "POST", "/orders", order, _Order)
        if not placed.id or placed.client_order_id != client_order_id:
            raise Unusable(Verb.PLACE, Answer("200"))
        return placed.id

    def cancel(self, client_order_id: str, symbol: str | None) -> None:
        """Find the order's own id, then DELETE it."""
        del symbol
        order = self._one(Verb.CANCEL, client_order_id)
        if _STATES.get(order.status) in {OrderState.OPEN, OrderState.PARTIAL}:
            self._client.call(Verb.CANCEL, "DELETE", f"/orders/{order.id}", {}, _ANYTHING)

    def cancel_all(self) -> None:
        """DELETE /orders."""
        self._client.call(Verb.CANCEL, "DELETE", "/orders", {}, _ANYTHING)

    def find(self, client_order_id: str, symbol: str | None) -> Sequence[BookedOrder]:
        """GET the order by our id, which is unique for ever."""
        del symbol
        try:
            return self._booked(Verb.LOOK_UP, [self._one(Verb.LOOK_UP, client_order_id)])
        except Unusable as lost:
            if judge(self.name, lost.verb, lost.answer).fate is Fate.ABSENT:
                return ()
            raise

    def open_orders(self) -> Sequence[BookedOrder]:
        """GET /orders, open ones."""
        asked = {"status": "open", "limit": _OPEN_MAX, "direction": "asc", "nested": "false"}
        orders = self._client.call(Verb.READ, "GET", "/orders", asked, _ORDERS)
        if len(orders) >= _OPEN_MAX:
            raise Unusable(Verb.READ, Answer("200"))
        return self._booked(Verb.READ, orders)

    def executions(self, since_ns: int) -> Sequence[Execution]:
        """GET the account's fills, oldest first, page by page."""
        asked: dict[str, Any] = {"direction": "asc", "page_size": _PAGE}
        if since_ns > 0:
            asked["after"] = _rfc3339(since_ns - _MS_NS)
        found: list[_Activity] = []
        while True:
            page = self._client.call(Verb.READ, "GET", "/account/activities/FILL", asked, _ACTIVITIES)
            found += page
            if len(page) < _PAGE:
                break
            if asked.get("page_token") == page[-1].id:
                raise Unusable(Verb.READ, Answer("200"))
            asked["page_token"] = page[-1].id
        executions = (self._execution(one) for one in found)
        return [one for one in executions if one.at_ns >= since_ns]

    def client_ids(self, orders: Mapping[str, str]) -> Mapping[str, str]:
        """GET order by number, one by one."""
        found = {}
        for number in sorted(orders):
            order = self._client.call(Verb.READ, "GET", f"/orders/{number}", {}, _Order)
            found[order.id] = order.client_order_id
        return found

    def holdings(self) -> Holdings:
        """GET /account for cash, GET /positions for coins."""
        account = self._client.call(Verb.READ, "GET", "/account", {}, _Account)
        positions = self._client.call(Verb.READ, "GET", "/positions", {}, _POSITIONS)
        amounts = {account.currency: account.cash}
        for position in positions:
            if position.asset_class == "crypto":
                coin = self._coin(position.symbol)
                amounts[coin] = amounts.get(coin, ZERO) + position.qty
        return Holdings(
            account.account_number, {c: amount for c, amount in amounts.items() if amount != ZERO}
        )

    def time(self) -> SaidTime:
        """GET /clock."""
        said = self._client.call(Verb.READ, "GET", "/clock", {}, _Clock)
        return SaidTime(self._ns(Verb.READ, said.timestamp), _MS_NS)

    def arm_dead_man(self, timeout_s: int) -> None:
        """Alpaca has no such timer; the row says so and nobody asks."""

    def close(self) -> None:
        """Shut the connections."""
        self._client.close()

    def _one(self, verb: Verb, client_order_id: str) -> _Order:
        asked = {"client_order_id": client_order_id}
        return self._client.call(verb, "GET", "/orders:by_client_order_id", asked, _Order)

    def _coin(self, name: str) -> str:
        """The coin of a position, whose name is that of its pair with the dollar, with or without a slash."""
        symbol = self._symbols.get(name, name)
        return symbol.partition("/")[0] if "/" in symbol else symbol.removesuffix("USD")

    def _traded(self) -> dict[str, VenueFilters]:
        asked = {"status": "active", "asset_class": "crypto"}
        assets = self._client.call(Verb.READ, "GET", "/assets", asked, _ASSETS)
        return {
            asset.symbol: VenueFilters(
                tick=asset.price_increment,
                lot=asset.min_trade_increment,
                quantity_min=asset.min_order_size,
            )
            for asset in assets
            if asset.tradable and "/" in asset.symbol
        }

    def _booked(self, verb: Verb, orders: Iterable[_Order]) -> list[BookedOrder]:
        booked = []
        for order in orders:
            if order.status not in _STATES:
                raise Unusable(verb, Answer("200"))
            row = BookedOrder(
                venue_order_id=order.id,
                client_order_id=order.client_order_id,
                symbol=self._symbols.get(order.symbol, order.symbol),
                state=_STATES[order.status],
                filled_quantity=order.filled_qty,
                placed_ns=self._ns(verb, order.created_at),
                quantity=order.qty,
                limit_price=order.limit_price,
                reason=order.status if order.status in {"replaced", "rejected"} else "",
            )
            booked.append(row)
        return booked

    def _execution(self, one: _Activity) -> Execution:
        symbol = self._symbols.get(one.symbol, one.symbol)
        return Execution(
            trade_id=one.id,
            venue_order_id=one.order_id,
            client_order_id=None,
            symbol=symbol,
            side=one.side,
            quantity=one.qty,
            price=one.price,
            fee=one.fee,
            fee_currency=one.fee_currency or symbol.partition("/")[2],
            liquidity=Liquidity.TAKER,
            at_ns=self._ns(Verb.READ, one.transaction_time),
        )

    def _ns(self, verb: Verb, text: str) -> int:
        try:
            return instant_ns(text)
        except ValueError:
            raise Unusable(verb, Answer("200")) from None


def instant_ns(text: str) -> int:
    """Nanoseconds of an RFC 3339 instant with a zone.

    Raises:
        ValueError: it is none.
    """
    fraction = _FRACTION.search(text)
    whole = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    if whole.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    digits = "0" if fraction is None else fraction.group(1)
    return int(whole.timestamp()) * _SECOND_NS + int(digits.ljust(9, "0"))


def _rfc3339(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % _SECOND_NS:09d}Z"
