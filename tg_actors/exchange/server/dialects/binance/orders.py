"""Orders from Binance's words into ours and back. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.binance import refusals
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.refusals import Refusal
from tg_actors.exchange.server.dialects.binance.words import (
    KINDS,
    TIMES_IN_FORCE,
    Kind,
    milliseconds,
    status,
    symbol_id,
    text8,
    type_name,
)
from tg_actors.exchange.server.dialects.levels import quantity_for
from tg_actors.exchange.server.quotes import Book
from tg_actors.exchange.server.records import FillRecord, OrderRecord, PlaceOrder

Json = dict[str, Any]

#: Binance's trailingDelta counts in basis points.
_BPS = Decimal(10_000)
_TRAIL_BPS_MIN, _TRAIL_BPS_MAX = 10, 2_000
_INVENTED = "practice-"
_QUOTE_QUANTITY = "quote_order_qty"
_SIDES: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}


@dataclass(frozen=True, slots=True)
class Scene:
    """The market that a request meets: the book, and the last price where there is one."""

    instrument: Instrument
    book: Book
    last: Decimal | None


def place_order(params: Params, scene: Scene, deadline_ns: int | None) -> PlaceOrder:
    """Translate a request for a new order.

    Raises:
        Refusal: what Binance refuses before its engine sees it: parameters, filters, a stop that
            would go off at once.
    """
    kind = _kind(params)
    spec = _spec(params, scene, kind)
    check_filters(scene, spec)
    _check_trigger(scene, spec)
    quote_quantity = params.find("quoteOrderQty")
    return PlaceOrder(
        spec=spec,
        client_order_id=params.client_id("newClientOrderId"),
        dialect="binance",
        memo={} if quote_quantity is None else {_QUOTE_QUANTITY: quote_quantity},
        dedupe=Dedupe.OPEN,
        deadline_ns=deadline_ns,
        stops_hold=True,
    )


def _kind(params: Params) -> Kind:
    kind = KINDS.get(params.text("type"))
    if kind is None:
        raise refusals.BAD_TYPE.refusal()
    return kind


def _spec(params: Params, scene: Scene, kind: Kind) -> OrderSpec:
    side = _SIDES.get(params.text("side"))
    if side is None:
        raise refusals.BAD_SIDE.refusal()
    if params.find("icebergQty") is not None:
        raise Refusal(-1013, "Filter failure: ICEBERG_PARTS")
    trail_frac = _trail_frac(params, kind)
    trails = trail_frac is not None
    return OrderSpec(
        symbol=scene.instrument.symbol,
        side=side,
        order_type=OrderType.TRAILING_STOP if trails else kind.order_type,
        quantity=_quantity(params, scene, kind, side),
        limit_price=params.needed_amount("price") if kind.price else None,
        stop_price=params.needed_amount("stopPrice") if kind.stop and not trails else None,
        trail_frac=trail_frac,
        time_in_force=_time_in_force(params, kind),
        post_only=kind.post_only,
    )


def _trail_frac(params: Params, kind: Kind) -> Decimal | None:
    delta_bps = params.integer("trailingDelta")
    if delta_bps is None:
        return None
    # A trailing stop with an own activation price or a limit is more than the engine can do.
    if kind.order_type is not OrderType.STOP or params.find("stopPrice") is not None:
        raise refusals.BAD_COMBINATION.refusal()
    if not _TRAIL_BPS_MIN <= delta_bps <= _TRAIL_BPS_MAX:
        raise Refusal(-1013, "Filter failure: TRAILING_DELTA")
    return Decimal(delta_bps) / _BPS


def _time_in_force(params: Params, kind: Kind) -> TimeInForce:
    given = params.find("timeInForce")
    if not kind.time_in_force:
        if given is not None:
            raise Refusal(-1106, "Parameter 'timeInForce' sent when not required.")
        return TimeInForce.GTC
    found = TIMES_IN_FORCE.get(params.text("timeInForce"))
    if found is None:
        raise refusals.BAD_TIME_IN_FORCE.refusal()
    return found


def _quantity(params: Params, scene: Scene, kind: Kind, side: Side) -> Decimal:
    spend = params.amount("quoteOrderQty")
    if spend is None:
        return params.needed_amount("quantity")
    if kind.order_type is not OrderType.MARKET or params.find("quantity") is not None:
        raise refusals.BAD_COMBINATION.refusal()
    levels = scene.book.asks if side is Side.BUY else scene.book.bids
    quantity = quantity_for(spend, levels, scene.instrument)
    if quantity <= ZERO:
        raise Refusal(-1013, "Filter failure: NOTIONAL" if levels else "Market is closed.")
    return quantity


def check_filters(scene: Scene, spec: OrderSpec) -> None:
    """Raises: Refusal -1013 with the name of the filter that the order breaks."""
    instrument = scene.instrument
    if any(price is not None and price % instrument.tick for price in (spec.limit_price, spec.stop_price)):
        raise Refusal(-1013, "Filter failure: PRICE_FILTER")
    if spec.quantity % instrument.lot or spec.quantity < instrument.quantity_min:
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    price = spec.limit_price or spec.stop_price or scene.last
    if price is not None and not instrument.is_sendable(spec.quantity, price):
        raise Refusal(-1013, "Filter failure: NOTIONAL")


def _check_trigger(scene: Scene, spec: OrderSpec) -> None:
    if spec.stop_price is None or scene.last is None:
        return
    rises = (spec.side is Side.BUY) != (spec.order_type is OrderType.TAKE_PROFIT)
    gone_off = scene.last >= spec.stop_price if rises else scene.last <= spec.stop_price
    if gone_off:
        raise refusals.WOULD_TRIGGER.refusal()


def shown_id(record: OrderRecord) -> str:
    """The client order id that is shown: the client's own, or one made of the number."""
    return record.client_order_id or f"{_INVENTED}{record.number}"


def number_of_invented(client_order_id: str) -> int | None:
    """The number inside an id that :func:`shown_id` made."""
    digits = client_order_id.removeprefix(_INVENTED)
    return int(digits) if digits != client_order_id and digits.isdecimal() else None


def order_json(record: OrderRecord) -> Json:
    """An order as queries show it."""
    order, submitted = record.order, milliseconds(record.order.submitted_at_ns)
    ended = order.ended_at_ns
    working = is_working(record)
    return {
        **_names(record),
        "clientOrderId": shown_id(record),
        **_numbers(record),
        "time": submitted,
        "updateTime": submitted if ended is None else milliseconds(ended),
        "isWorking": working,
        "workingTime": submitted if working else -1,
        "origQuoteOrderQty": text8(_quote_quantity(record)),
        "selfTradePreventionMode": "NONE",
    }


def cancel_json(record: OrderRecord, cancel_id: str | None, at_ns: int) -> Json:
    """The answer to a cancel."""
    return {
        **_names(record),
        "origClientOrderId": shown_id(record),
        "clientOrderId": cancel_id or cancel_name(record),
        "transactTime": milliseconds(at_ns),
        **_numbers(record),
        "origQuoteOrderQty": text8(_quote_quantity(record)),
        "selfTradePreventionMode": "NONE",
    }


def cancel_name(record: OrderRecord) -> str:
    """The id of a cancel to which the client gave none."""
    return f"cancel-{record.number}"


def placed_json(record: OrderRecord, fills: tuple[FillRecord, ...], form: str) -> Json:
    """The answer to a new order: ``form`` is ACK, RESULT or FULL."""
    ack = {
        **_names(record),
        "clientOrderId": shown_id(record),
        "transactTime": milliseconds(record.order.submitted_at_ns),
    }
    if form == "ACK":
        return ack
    result = {
        **ack,
        **_numbers(record),
        "workingTime": milliseconds(record.order.submitted_at_ns),
        "origQuoteOrderQty": text8(_quote_quantity(record)),
        "selfTradePreventionMode": "NONE",
    }
    return result if form == "RESULT" else {**result, "fills": [_fill_json(fill) for fill in fills]}


def trade_json(fill: FillRecord) -> Json:
    """One of the account's own trades."""
    one = fill.fill
    return {
        "symbol": symbol_id(one.symbol),
        "id": fill.seq,
        "orderId": fill.order_number,
        "orderListId": -1,
        "price": text8(one.price),
        "qty": text8(one.quantity),
        "quoteQty": text8(one.price * one.quantity),
        "commission": text8(one.fee),
        "commissionAsset": one.fee_currency,
        "time": milliseconds(one.at_ns),
        "isBuyer": one.side is Side.BUY,
        "isMaker": one.liquidity is Liquidity.MAKER,
        "isBestMatch": True,
    }


def _fill_json(fill: FillRecord) -> Json:
    one = fill.fill
    return {
        "price": text8(one.price),
        "qty": text8(one.quantity),
        "commission": text8(one.fee),
        "commissionAsset": one.fee_currency,
        "tradeId": fill.seq,
    }


def _names(record: OrderRecord) -> Json:
    return {"symbol": symbol_id(record.order.spec.symbol), "orderId": record.number, "orderListId": -1}


def _numbers(record: OrderRecord) -> Json:
    order, spec = record.order, record.order.spec
    numbers = {
        "price": text8(spec.limit_price),
        "origQty": text8(spec.quantity),
        "executedQty": text8(order.filled_quantity),
        "cummulativeQuoteQty": text8(filled_quote(record)),
        "status": status(order),
        "timeInForce": spec.time_in_force.value.upper(),
        "type": type_name(order),
        "side": spec.side.value.upper(),
        "stopPrice": text8(spec.stop_price),
        "icebergQty": text8(None),
    }
    trail = spec.trail_frac
    return numbers if trail is None else {**numbers, "trailingDelta": int(trail * _BPS)}


def filled_quote(record: OrderRecord) -> Decimal:
    """Quote currency that the fills moved."""
    average = record.order.average_price
    return ZERO if average is None else average * record.order.filled_quantity


def _quote_quantity(record: OrderRecord) -> Decimal:
    return Decimal(record.memo.get(_QUOTE_QUANTITY, "0"))


def is_open(record: OrderRecord) -> bool:
    """Whether the engine still holds it."""
    return record.order.state in {OrderState.OPEN, OrderState.PARTIAL}


def is_working(record: OrderRecord) -> bool:
    """Whether it can be filled: not a stop that still waits for its trigger."""
    waits = record.order.spec.stop_price is not None or record.order.spec.trail_frac is not None
    return not waits or record.order.triggered
