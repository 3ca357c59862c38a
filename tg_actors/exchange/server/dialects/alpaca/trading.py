"""Operations on orders: place, replace, cancel, look up."""

from collections.abc import Mapping

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import OrderSpec
from tg_actors.exchange.marketplace import Balance, Dedupe
from tg_actors.exchange.orders import RefusalCode, Refused
from tg_actors.exchange.server.dialects.alpaca import ids, orders, refusals
from tg_actors.exchange.server.dialects.alpaca.assets import Assets, Json
from tg_actors.exchange.server.dialects.alpaca.call import Answer, Call, Operation
from tg_actors.exchange.server.dialects.alpaca.ids import Space
from tg_actors.exchange.server.dialects.alpaca.orders import DIALECT, REPLACES, ReplaceBody, Scene
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import Barred, OrderRecord, PlaceOrder

_ROWS, _ROWS_MAX = 50, 500


class Trading:
    """The private side: orders."""

    def __init__(self, floor: Floor, assets: Assets) -> None:
        self._floor = floor
        self._assets = assets
        self._replacements: dict[str, dict[int, int]] = {}

    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By verb and path."""
        return {
            ("POST", "/v2/orders"): Operation(self._place, "place", trades=True),
            ("GET", "/v2/orders"): Operation(self._list),
            ("DELETE", "/v2/orders"): Operation(self._cancel_all, "cancel", trades=True),
            ("GET", "/v2/orders:by_client_order_id"): Operation(self._by_client_id),
            ("GET", "/v2/orders/{id}"): Operation(self._one),
            ("PATCH", "/v2/orders/{id}"): Operation(self._replace, "place", trades=True),
            ("DELETE", "/v2/orders/{id}"): Operation(self._cancel, "cancel", trades=True),
        }

    def shown(self, record: OrderRecord) -> Json:
        """An order with the one that replaced it."""
        return orders.order_json(record, self._replaced(record.account).get(record.number))

    def was_replaced(self, record: OrderRecord) -> bool:
        """Whether another order took its place."""
        return record.number in self._replaced(record.account)

    def put(self, account: str, wish: PlaceOrder) -> OrderRecord:
        """Place an order.

        Raises:
            Refusal: it was not taken.
        """
        answer = self._floor.place(account, wish)
        if isinstance(answer, Barred):
            raise refusals.OF_TROUBLE[answer.trouble].refusal()
        if isinstance(answer, Refused) and answer.code is RefusalCode.INSUFFICIENT_FUNDS:
            raise self._insufficient(account, wish.spec)
        if isinstance(answer, Refused):
            raise refusals.refused(answer, wish.spec.symbol)
        return answer.record

    def _insufficient(self, account: str, spec: OrderSpec) -> refusals.Refusal:
        instrument, quote = self._floor.instruments[spec.symbol], self._floor.market.quote(spec.symbol)
        price = spec.limit_price or (ZERO if quote is None else quote.ask)
        buys = spec.side is Side.BUY
        currency = instrument.quote if buys else instrument.base
        balance = self._floor.balances(account).get(currency, Balance(ZERO))
        requested = spec.quantity * price if buys else spec.quantity
        amounts = (money_text(amount) for amount in (requested, balance.free, balance.total))
        return refusals.insufficient(currency, *amounts)

    def _place(self, call: Call) -> Answer:
        body = orders.read_new_order(call.content())
        instrument = self._assets.find(body.symbol)
        if instrument is None:
            raise refusals.BAD_SYMBOL.refusal(id=body.symbol)
        wish = orders.place_order(body, Scene(instrument, self._floor.market.book(instrument.symbol)))
        quote = self._floor.market.quote(instrument.symbol)
        orders.check_size(instrument, wish, None if quote is None else quote.close)
        return Answer(self.shown(self.put(call.account, wish)))

    def _replace(self, call: Call) -> Answer:
        old, body = self._asked(call), orders.read_replacement(call.content())
        if old.order.ended_at_ns is not None:
            raise refusals.NOT_CANCELABLE.refusal(state=self.shown(old)["status"])
        wish = _replacement(old, body)
        instrument = self._floor.instruments[wish.spec.symbol]
        orders.check_size(instrument, wish, None)
        self._check_repeat(call.account, body)
        self._floor.cancel(call.account, old.number)
        record = self.put(call.account, wish)
        self._replaced(call.account)[old.number] = record.number
        return Answer(self.shown(record))

    def _check_repeat(self, account: str, body: ReplaceBody) -> None:
        # Before the old order is cancelled: what is certain to be refused must not cost it.
        if body.client_order_id is not None and self._floor.by_client_id(account, body.client_order_id):
            raise refusals.DUPLICATE.refusal()

    def _cancel(self, call: Call) -> Answer:
        record = self._asked(call)
        if not self._floor.cancel(call.account, record.number):
            raise refusals.NOT_CANCELABLE.refusal(state=self.shown(record)["status"])
        return Answer(None, 204)

    def _cancel_all(self, call: Call) -> Answer:
        ended = self._floor.cancel_all(call.account)
        told = [{"id": orders.order_id(one), "status": 200, "body": self.shown(one)} for one in ended]
        return Answer(told, 207)

    def _one(self, call: Call) -> Answer:
        return Answer(self.shown(self._asked(call)))

    def _by_client_id(self, call: Call) -> Answer:
        name = call.query.get("client_order_id", "")
        known = self._floor.by_client_id(call.account, name)
        number = known[-1].number if known else ids.read(Space.CLIENT, name)
        found = None if number is None else self._floor.look_up(call.account, number)
        if found is None:
            raise refusals.NO_ORDER.refusal(id=name)
        return Answer(self.shown(found))

    def _list(self, call: Call) -> Answer:
        state = call.choice("status", ("open", "closed", "all"))
        descends = call.choice("direction", ("desc", "asc")) == "desc"
        side = call.choice("side", ("", "buy", "sell"))
        after_ns, until_ns = call.time_ns("after"), call.time_ns("until")
        symbols = self._symbols(call.query.get("symbols", ""))
        limit = call.integer("limit", _ROWS, _ROWS_MAX)
        known = self._known(call.account, state, after_ns or 0)
        fitting = [
            record
            for record in sorted(known, key=lambda one: one.number, reverse=descends)
            if (not symbols or record.order.spec.symbol in symbols)
            and side in {"", record.order.spec.side.value}
            and (after_ns is None or record.order.submitted_at_ns > after_ns)
            and (until_ns is None or record.order.submitted_at_ns < until_ns)
        ]
        return Answer([self.shown(record) for record in fitting[:limit]])

    def _known(self, account: str, state: str, from_ns: int) -> tuple[OrderRecord, ...]:
        live = () if state == "closed" else self._floor.open_orders(account)
        ended = () if state == "open" else self._floor.ended_orders(account, from_ns=from_ns)
        return (*live, *ended)

    def _symbols(self, text: str) -> frozenset[str]:
        named = ((name, self._assets.find(name)) for name in text.split(",") if name)
        return frozenset(name if found is None else found.symbol for name, found in named)

    def _asked(self, call: Call) -> OrderRecord:
        number = ids.read(Space.ORDER, call.path["id"])
        found = None if number is None else self._floor.look_up(call.account, number)
        if found is None:
            raise refusals.NO_ORDER.refusal(id=call.path["id"])
        return found

    def _replaced(self, account: str) -> dict[int, int]:
        """Old number -> new number; read from the ledger once, kept up to date afterwards."""
        if account not in self._replacements:
            known = (*self._floor.ended_orders(account), *self._floor.open_orders(account))
            self._replacements[account] = {
                int(record.memo[REPLACES]): record.number for record in known if REPLACES in record.memo
            }
        return self._replacements[account]


def _replacement(old: OrderRecord, body: ReplaceBody) -> PlaceOrder:
    spec, filled = old.order.spec, old.order.filled_quantity
    if body.trail is not None or (body.time_in_force or spec.time_in_force.value) != spec.time_in_force.value:
        raise refusals.BAD_BODY.refusal(why="only qty, limit_price and stop_price can be replaced")
    left = (spec.quantity if body.qty is None else body.qty) - filled
    if left <= ZERO:
        raise refusals.BAD_BODY.refusal(why=f"qty must be above what has filled, {money_text(filled)}")
    prices = {"limit_price": body.limit_price, "stop_price": body.stop_price}
    given = {name: price for name, price in prices.items() if price is not None}
    if any(getattr(spec, name) is None for name in given):
        raise refusals.BAD_BODY.refusal(why=f"a {spec.order_type.value} order has no such price")
    changed: OrderSpec = spec.model_copy(update={"quantity": left, **given})
    return PlaceOrder(
        spec=changed,
        client_order_id=body.client_order_id,
        dialect=DIALECT,
        memo={REPLACES: str(old.number)},
        dedupe=Dedupe.FOREVER,
        stops_hold=True,
    )
