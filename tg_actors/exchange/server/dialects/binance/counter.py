"""Operations on orders: place, cancel, replace, look up."""

from collections.abc import Mapping
from typing import Any

from tg_actors.exchange.orders import Refused
from tg_actors.exchange.server.dialects.binance import orders, refusals
from tg_actors.exchange.server.dialects.binance.access import Security
from tg_actors.exchange.server.dialects.binance.call import Call, Operation
from tg_actors.exchange.server.dialects.binance.orders import Json, Scene
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.quotation import Quotation
from tg_actors.exchange.server.dialects.binance.refusals import Refusal
from tg_actors.exchange.server.dialects.wire import NS_PER_MS
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import Barred, OrderRecord, PlaceOrder

_FORMS = frozenset({"ACK", "RESULT", "FULL"})
#: Orders that meet the book at once are answered in full unless the client wants less.
_FULL_BY_DEFAULT = frozenset({"MARKET", "LIMIT"})
_ROWS_MAX = 1_000
_OUTCOME = {True: "SUCCESS", False: "FAILURE"}


class Counter:
    """The private side: orders."""

    def __init__(self, floor: Floor, quotation: Quotation) -> None:
        self._floor = floor
        self._quotation = quotation

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the WebSocket API."""
        trade = Security.TRADE
        return {
            "order.place": Operation(self._place, trade, 1, "place"),
            "order.test": Operation(self._test, trade, 1, "read"),
            "order.cancel": Operation(self._cancel, trade, 1, "cancel"),
            "order.cancelReplace": Operation(self._replace, trade, 1, "place"),
            "openOrders.cancelAll": Operation(self._cancel_all, trade, 1, "cancel"),
            "order.status": Operation(self._status, Security.SIGNED, 4, "read"),
            "openOrders.status": Operation(self._open, Security.SIGNED, 6, "read"),
            "allOrders": Operation(self._all, Security.SIGNED, 20, "read"),
        }

    # -- writing -----------------------------------------------------------------------------------

    def _place(self, call: Call) -> Any:
        return self._put(call, self._wish(call))

    def _test(self, call: Call) -> Any:
        self._wish(call)
        return {}

    def _wish(self, call: Call) -> PlaceOrder:
        _form(call.params)
        symbol = (instrument := self._quotation.instrument(call.params)).symbol
        quote = self._floor.market.quote(symbol)
        last = None if quote is None else quote.close
        return orders.place_order(
            call.params, Scene(instrument, self._floor.market.book(symbol), last), call.deadline_ns
        )

    def _put(self, call: Call, wish: PlaceOrder) -> Json:
        answer = self._floor.place(call.account, wish)
        if isinstance(answer, Barred):
            raise refusals.OF_TROUBLE[answer.trouble].refusal()
        if isinstance(answer, Refused):
            raise refusals.refused(answer)
        return orders.placed_json(answer.record, answer.fills, _form(call.params))

    def _cancel(self, call: Call) -> Any:
        record = self._asked(call, "orderId", "origClientOrderId", refusals.CANCEL_UNKNOWN.refusal())
        return self._take_off(call, record)

    def _take_off(self, call: Call, record: OrderRecord) -> Json:
        if not self._floor.cancel(call.account, record.number):
            raise refusals.CANCEL_UNKNOWN.refusal()
        ended = self._floor.order(call.account, record.number) or record
        cancel_id = call.params.client_id(
            "newClientOrderId" if _is_cancel(call) else "cancelNewClientOrderId"
        )
        return orders.cancel_json(ended, cancel_id, self._floor.market_ns())

    def _cancel_all(self, call: Call) -> Any:
        symbol = self._quotation.instrument(call.params).symbol
        ended = self._floor.cancel_all(call.account, symbol)
        if not ended:
            raise refusals.CANCEL_UNKNOWN.refusal()
        return [orders.cancel_json(record, None, self._floor.market_ns()) for record in ended]

    def _replace(self, call: Call) -> Any:
        mode = call.params.text("cancelReplaceMode")
        if mode not in {"STOP_ON_FAILURE", "ALLOW_FAILURE"}:
            raise Refusal(
                -1102, "Mandatory parameter 'cancelReplaceMode' was not sent, was empty/null, or malformed."
            )
        cancelled, taken_off = self._attempt_cancel(call)
        if not taken_off and mode == "STOP_ON_FAILURE":
            data = _replaced(_OUTCOME[False], cancelled, "NOT_ATTEMPTED", None)
            raise Refusal(-2022, "Order cancel-replace failed.", 400, data)
        placed, put = self._attempt_place(call)
        data = _replaced(_OUTCOME[taken_off], cancelled, _OUTCOME[put], placed)
        if taken_off and put:
            return data
        if taken_off or put:
            raise Refusal(-2021, "Order cancel-replace partially failed.", 409, data)
        raise Refusal(-2022, "Order cancel-replace failed.", 400, data)

    def _attempt_cancel(self, call: Call) -> tuple[Json, bool]:
        unknown = refusals.CANCEL_UNKNOWN.refusal()
        try:
            record = self._asked(call, "cancelOrderId", "cancelOrigClientOrderId", unknown)
            return self._take_off(call, record), True
        except Refusal as refusal:
            return refusal.body(), False

    def _attempt_place(self, call: Call) -> tuple[Json, bool]:
        try:
            return self._place(call), True
        except Refusal as refusal:
            return refusal.body(), False

    # -- reading -----------------------------------------------------------------------------------

    def _status(self, call: Call) -> Any:
        unknown = refusals.NO_SUCH_ORDER.refusal()
        return orders.order_json(self._asked(call, "orderId", "origClientOrderId", unknown))

    def _asked(self, call: Call, by_number: str, by_name: str, unknown: Refusal) -> OrderRecord:
        """The order that a request names by our number or by the client's id, the newest of that id."""
        params, symbol = call.params, self._quotation.instrument(call.params).symbol
        number, name = params.integer(by_number), params.find(by_name)
        if number is None and name is None:
            raise Refusal(
                -1102, f"Param '{by_name}' or '{by_number}' must be sent, but both were empty/null!"
            )
        if number is None and name is not None:
            number = self._number_of(call.account, name)
        found = None if number is None else self._floor.look_up(call.account, number)
        if found is None or found.order.spec.symbol != symbol:
            raise unknown
        return found

    def _number_of(self, account: str, name: str) -> int | None:
        known = self._floor.by_client_id(account, name)
        return known[-1].number if known else orders.number_of_invented(name)

    def _open(self, call: Call) -> Any:
        symbol = self._quotation.instrument(call.params).symbol if call.params.find("symbol") else None
        return [orders.order_json(record) for record in self._floor.open_orders(call.account, symbol)]

    def _all(self, call: Call) -> Any:
        params, symbol = call.params, self._quotation.instrument(call.params).symbol
        first, from_ms = params.integer("orderId", 0) or 0, params.integer("startTime", 0) or 0
        to_ms = params.integer("endTime")
        ended = self._floor.ended_orders(call.account, symbol=symbol, from_ns=from_ms * NS_PER_MS)
        live = self._floor.open_orders(call.account, symbol)
        known = sorted((*ended, *live), key=lambda record: record.number)
        shown = [record for record in known if record.number >= first and _within(record, from_ms, to_ms)]
        limit = params.limit(500, _ROWS_MAX)
        oldest_first = bool(first or from_ms)
        return [orders.order_json(record) for record in (shown[:limit] if oldest_first else shown[-limit:])]


def _within(record: OrderRecord, from_ms: int, to_ms: int | None) -> bool:
    at_ms = record.order.submitted_at_ns // NS_PER_MS
    return from_ms <= at_ms and (to_ms is None or at_ms <= to_ms)


def _form(params: Params) -> str:
    default = "FULL" if params.find("type") in _FULL_BY_DEFAULT else "ACK"
    form = params.find("newOrderRespType") or default
    if form not in _FORMS:
        raise Refusal(
            -1102, "Mandatory parameter 'newOrderRespType' was not sent, was empty/null, or malformed."
        )
    return form


def _is_cancel(call: Call) -> bool:
    return call.params.find("cancelReplaceMode") is None


def _replaced(cancel: str, cancelled: Json | None, placing: str, placed: Json | None) -> Json:
    return {
        "cancelResult": cancel,
        "newOrderResult": placing,
        "cancelResponse": cancelled,
        "newOrderResponse": placed,
    }
