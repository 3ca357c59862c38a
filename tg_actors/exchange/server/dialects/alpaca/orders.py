"""Orders from Alpaca's words into ours and back. Pure."""

import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.alpaca import ids, refusals
from tg_actors.exchange.server.dialects.alpaca.assets import asset_id
from tg_actors.exchange.server.dialects.alpaca.ids import Space
from tg_actors.exchange.server.dialects.levels import quantity_for
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.quotes import Book
from tg_actors.exchange.server.records import OrderRecord, PlaceOrder

Json = dict[str, Any]

DIALECT = "alpaca"
#: Keys of the memo.
NOTIONAL, REPLACES = "notional", "replaces"
_CENT_PLACES = Decimal("1E-9")


def _amount(given: object) -> object:
    """Text and whole numbers are amounts as well; NaN and infinity are refused by the field."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        return given
    try:
        return Decimal(given)
    except decimal.InvalidOperation as error:
        raise ValueError("is no number") from error


Amount = Annotated[Decimal, BeforeValidator(_amount), Field(gt=0)]
ClientId = Annotated[str, Field(min_length=1, max_length=128)]


class NewOrderBody(Message):
    """The body of a request for a new order."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Amount | None = None
    notional: Amount | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail_price: Amount | None = None
    trail_percent: Amount | None = None
    client_order_id: ClientId | None = None
    order_class: str | None = None
    extended_hours: bool | None = None
    position_intent: str | None = None
    # Exits and legs are for shares and options: read, so that their refusal says why.
    take_profit: dict[str, Amount] | None = None
    stop_loss: dict[str, Amount] | None = None
    legs: tuple[dict[str, str], ...] | None = None


class ReplaceBody(Message):
    """The body of a request to replace an order."""

    qty: Amount | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail: Amount | None = None
    time_in_force: str | None = None
    client_order_id: ClientId | None = None


def read_new_order(content: object) -> NewOrderBody:
    """Raises: Refusal 40010001 naming the field that is wrong."""
    try:
        return NewOrderBody.model_validate(_plain(content))
    except ValidationError as error:
        raise _bad_body(error) from error


def read_replacement(content: object) -> ReplaceBody:
    """Raises: Refusal 40010001 naming the field that is wrong."""
    try:
        return ReplaceBody.model_validate(_plain(content))
    except ValidationError as error:
        raise _bad_body(error) from error


def _plain(content: object) -> object:
    if not isinstance(content, dict):
        return content
    return {name: tuple(part) if isinstance(part, list) else part for name, part in content.items()}


def _bad_body(error: ValidationError) -> refusals.Refusal:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "body"
    return refusals.BAD_BODY.refusal(why=f"{name}: {first['msg']}")


@dataclass(frozen=True, slots=True)
class Scene:
    """The market that a request meets."""

    instrument: Instrument
    book: Book


@dataclass(frozen=True, slots=True)
class _Kind:
    order_type: OrderType
    limit: bool = False
    stop: bool = False


#: All that Alpaca takes for crypto; stop and trailing_stop are for shares.
_KINDS: Mapping[str, _Kind] = {
    "market": _Kind(OrderType.MARKET),
    "limit": _Kind(OrderType.LIMIT, limit=True),
    "stop_limit": _Kind(OrderType.STOP_LIMIT, limit=True, stop=True),
}
_TIMES: Mapping[str, TimeInForce] = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC}
_SIDES: Mapping[str, Side] = {"buy": Side.BUY, "sell": Side.SELL}


def place_order(body: NewOrderBody, scene: Scene) -> PlaceOrder:
    """Translate a request for a new order.

    Raises:
        Refusal: what Alpaca refuses before an engine sees it.
    """
    kind, time_in_force, side = _KINDS.get(body.type), _TIMES.get(body.time_in_force), _SIDES.get(body.side)
    if body.order_class not in {None, "", "simple"} or body.take_profit or body.stop_loss or body.legs:
        raise refusals.BAD_CLASS.refusal()
    if kind is None:
        raise refusals.BAD_TYPE.refusal()
    if time_in_force is None:
        raise refusals.BAD_TIME_IN_FORCE.refusal()
    if side is None:
        raise refusals.BAD_BODY.refusal(why="side must be buy or sell")
    _check_prices(body, kind)
    spec = OrderSpec(
        symbol=scene.instrument.symbol,
        side=side,
        order_type=kind.order_type,
        quantity=_quantity(body, scene, side),
        limit_price=body.limit_price,
        stop_price=body.stop_price,
        time_in_force=time_in_force,
    )
    return PlaceOrder(
        spec=spec,
        client_order_id=body.client_order_id,
        dialect=DIALECT,
        memo={} if body.notional is None else {NOTIONAL: money_text(body.notional)},
        dedupe=Dedupe.FOREVER,
        stops_hold=True,
    )


def _check_prices(body: NewOrderBody, kind: _Kind) -> None:
    given = {
        "limit_price": (body.limit_price, kind.limit),
        "stop_price": (body.stop_price, kind.stop),
        "trail_price": (body.trail_price, False),
        "trail_percent": (body.trail_percent, False),
    }
    for name, (price, wanted) in given.items():
        if wanted and price is None:
            raise refusals.BAD_BODY.refusal(why=f"{body.type} orders require {name}")
        if price is not None and not wanted:
            raise refusals.BAD_BODY.refusal(why=f"{body.type} orders must not have {name}")


def _quantity(body: NewOrderBody, scene: Scene, side: Side) -> Decimal:
    if (body.qty is None) == (body.notional is None):
        raise refusals.BAD_BODY.refusal(why="qty or notional is required, and not both")
    if body.qty is not None:
        return body.qty
    spend = body.notional or ZERO
    if body.limit_price is not None:
        quantity = scene.instrument.quantise_quantity(spend / body.limit_price)
    else:
        quantity = quantity_for(
            spend, scene.book.asks if side is Side.BUY else scene.book.bids, scene.instrument
        )
    if quantity <= ZERO:
        raise refusals.TOO_SMALL.refusal(least=money_text(scene.instrument.notional_min))
    return quantity


def check_size(instrument: Instrument, wish: PlaceOrder, last: Decimal | None) -> None:
    """Raises: Refusal 40310000 when the order is worth less than the least."""
    price = wish.spec.limit_price or last
    if price is not None and wish.spec.quantity * price < instrument.notional_min:
        raise refusals.TOO_SMALL.refusal(least=money_text(instrument.notional_min))


# -- back ----------------------------------------------------------------------------------------------

_STATUS: Mapping[OrderState, str] = {
    OrderState.OPEN: "new",
    OrderState.PARTIAL: "partially_filled",
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}
_TYPE: Mapping[OrderType, str] = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TAKE_PROFIT: "limit",
    OrderType.TRAILING_STOP: "trailing_stop",
}


def order_id(record: OrderRecord) -> str:
    """The UUID of an order."""
    return ids.make(Space.ORDER, record.number)


def shown_client_id(record: OrderRecord) -> str:
    """The client order id that is shown: the client's own, or a UUID made of the number."""
    return record.client_order_id or ids.make(Space.CLIENT, record.number)


def status(record: OrderRecord, replaced_by: int | None = None) -> str:
    """Alpaca's status of an order of ours."""
    replaced = replaced_by is not None and record.order.state is OrderState.CANCELED
    return "replaced" if replaced else _STATUS[record.order.state]


def order_json(record: OrderRecord, replaced_by: int | None = None) -> Json:
    """An order; ``replaced_by`` is the number of the order that took its place."""
    order, spec = record.order, record.order.spec
    state, submitted = status(record, replaced_by), time_text(order.submitted_at_ns)
    ended = None if order.ended_at_ns is None else time_text(order.ended_at_ns)
    replaces, notional = record.memo.get(REPLACES), record.memo.get(NOTIONAL)
    return {
        "id": order_id(record),
        "client_order_id": shown_client_id(record),
        "created_at": submitted,
        "updated_at": ended or submitted,
        "submitted_at": submitted,
        "filled_at": ended if state == "filled" else None,
        "expired_at": ended if state == "expired" else None,
        "canceled_at": ended if state == "canceled" else None,
        "failed_at": None,
        "replaced_at": ended if state == "replaced" else None,
        "replaced_by": None if replaced_by is None else ids.make(Space.ORDER, replaced_by),
        "replaces": None if replaces is None else ids.make(Space.ORDER, int(replaces)),
        "asset_id": asset_id(spec.symbol),
        "symbol": spec.symbol,
        "asset_class": "crypto",
        "notional": notional,
        "qty": money_text(spec.quantity) if notional is None else None,
        "filled_qty": money_text(order.filled_quantity),
        "filled_avg_price": average_text(order.average_price),
        "order_class": "",
        "order_type": _TYPE[spec.order_type],
        "type": _TYPE[spec.order_type],
        "side": spec.side.value,
        "position_intent": "buy_to_open" if spec.side is Side.BUY else "sell_to_close",
        "time_in_force": spec.time_in_force.value,
        "limit_price": _price_text(spec.limit_price),
        "stop_price": _price_text(spec.stop_price),
        "status": state,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def _price_text(price: Decimal | None) -> str | None:
    return None if price is None else money_text(price)


def average_text(price: Decimal | None) -> str | None:
    """An average price with at most nine places."""
    return None if price is None else money_text(price.quantize(_CENT_PLACES, decimal.ROUND_HALF_EVEN))
