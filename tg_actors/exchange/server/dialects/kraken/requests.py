"""WebSocket v2 requests in the words of the REST API, so that both take the same way. Pure."""

from collections.abc import Mapping
from typing import Any

from tg_actors.exchange.server.dialects.kraken.refusals import invalid
from tg_actors.exchange.server.dialects.kraken.wishes import TYPES

_PLAIN = {
    "symbol": "pair",
    "side": "type",
    "order_type": "ordertype",
    "order_qty": "volume",
    "cl_ord_id": "cl_ord_id",
    "order_userref": "userref",
    "deadline": "deadline",
    "time_in_force": "timeinforce",
    "reduce_only": "reduce_only",
    "validate": "validate",
}
_READ_ELSEWHERE = frozenset({"token", "limit_price", "triggers", "post_only", "limit_price_type", "stp_type"})
_PRICE_SIGNS = {"pct": "%", "quote": ""}


def order_fields(params: Mapping[str, Any]) -> dict[str, str]:
    """``add_order`` as the fields of AddOrder.

    Raises:
        KrakenError: a field that this exchange does not have.
    """
    for name in params:
        if name not in _PLAIN and name not in _READ_ELSEWHERE:
            raise invalid(name)
    fields = {
        theirs: text_of(params[ours]) for ours, theirs in _PLAIN.items() if params.get(ours) is not None
    }
    kind = fields.get("ordertype", "")
    if kind not in TYPES:
        raise invalid("ordertype")
    limit, trigger = params.get("limit_price"), params.get("triggers", {})
    if "price" in trigger:
        fields["price"] = _trigger_price(kind, trigger)
        if limit is not None:
            fields["price2"] = text_of(limit)
    elif limit is not None:
        fields["price"] = text_of(limit)
    if params.get("post_only") is True:
        fields["oflags"] = "post"
    return fields


def _trigger_price(kind: str, trigger: Mapping[str, Any]) -> str:
    price, price_type = text_of(trigger["price"]), trigger.get("price_type", "static")
    if kind != "trailing-stop":
        if price_type != "static":
            raise invalid("triggers")
        return price
    if price_type not in _PRICE_SIGNS:
        raise invalid("triggers")
    return f"+{price.lstrip('+-')}{_PRICE_SIGNS[price_type]}"


def text_of(value: Any) -> str:
    """A plain JSON value as the text of a form field."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        raise invalid("params")
    return str(value) if isinstance(value, str | int) else f"{value:f}"
