"""Account activities: every fill, page by page."""

from collections.abc import Iterable
from decimal import Decimal

from tg_actors.domain.money import ZERO, money_text
from tg_actors.exchange.server.dialects.alpaca import ids
from tg_actors.exchange.server.dialects.alpaca.assets import Json
from tg_actors.exchange.server.dialects.alpaca.call import Answer, Call
from tg_actors.exchange.server.dialects.alpaca.ids import Space
from tg_actors.exchange.server.dialects.wire import time_text
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import FillRecord

FILL = "FILL"
_ROWS, _ROWS_MAX = 100, 100
_MARK = "::"


class Activities:
    """Only fills are told; other kinds of activity never happen here."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def of_types(self, call: Call) -> Answer:
        """Activities of the kinds that the query names, of all kinds when it names none."""
        named = call.query.get("activity_types") or FILL
        return self._fills(call) if FILL in named.split(",") else Answer([])

    def of_type(self, call: Call) -> Answer:
        """Activities of the kind that the path names."""
        return self._fills(call) if call.path["type"] == FILL else Answer([])

    def _fills(self, call: Call) -> Answer:
        descends = call.choice("direction", ("desc", "asc")) == "desc"
        limit = call.integer("page_size", _ROWS, _ROWS_MAX)
        after_ns, until_ns = call.time_ns("after"), call.time_ns("until")
        page_after = _ordinal(call.query.get("page_token", ""))
        found: Iterable[FillRecord] = self._floor.fills(
            call.account,
            from_ns=0 if after_ns is None else after_ns + 1,
            to_ns=until_ns,
            after=0 if descends or page_after is None else page_after,
            limit=None if descends else limit,
            newest_first=descends,
        )
        if descends and page_after is not None:
            found = (fill for fill in found if fill.seq < page_after)
        return Answer([self._told(call.account, fill) for _, fill in zip(range(limit), found, strict=False)])

    def _told(self, account: str, fill: FillRecord) -> Json:
        one, record = fill.fill, self._floor.order(account, fill.order_number)
        asked = one.quantity if record is None else record.order.spec.quantity
        filled = self._filled_by_then(account, fill)
        complete = filled >= asked
        return {
            "id": activity_id(fill),
            "activity_type": FILL,
            "transaction_time": time_text(one.at_ns),
            "type": "fill" if complete else "partial_fill",
            "price": money_text(one.price),
            "qty": money_text(one.quantity),
            # Alpaca books fees apart; books that are to agree to the last digit need them here.
            "fee": money_text(one.fee),
            "fee_currency": one.fee_currency,
            "side": one.side.value,
            "symbol": one.symbol,
            "leaves_qty": money_text(max(asked - filled, ZERO)),
            "order_id": ids.make(Space.ORDER, fill.order_number),
            "cum_qty": money_text(filled),
            "order_status": "filled" if complete else "partially_filled",
        }

    def _filled_by_then(self, account: str, fill: FillRecord) -> Decimal:
        siblings = self._floor.fills(account, number=fill.order_number)
        return sum((one.fill.quantity for one in siblings if one.seq <= fill.seq), ZERO)


def activity_id(fill: FillRecord) -> str:
    """Alpaca's form: a time, two colons, a UUID; here the UUID holds the trade's ordinal."""
    digits = "".join(sign for sign in time_text(fill.fill.at_ns) if sign.isdigit())
    return f"{digits[:17].ljust(17, '0')}{_MARK}{ids.make(Space.TRADE, fill.seq)}"


def _ordinal(page_token: str) -> int | None:
    return ids.read(Space.TRADE, page_token.rpartition(_MARK)[2])
