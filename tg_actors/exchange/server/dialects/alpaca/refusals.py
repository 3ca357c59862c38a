"""Alpaca's error codes and texts: one exception, and the table from our refusals to theirs."""

from collections.abc import Mapping
from dataclasses import dataclass

from tg_actors.exchange.orders import RefusalCode, Refused
from tg_actors.exchange.server.records import Trouble


class Refusal(Exception):  # noqa: N818 - an answer on its way to the client, not a mistake of ours
    """A request that is answered with an error: status of HTTP, Alpaca's code and sentence, and details."""

    def __init__(
        self, status: int, code: int | None, message: str, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def body(self) -> dict[str, object]:
        """The error as JSON."""
        named: dict[str, object] = {} if self.code is None else {"code": self.code}
        return {**self.details, **named, "message": self.message}


@dataclass(frozen=True, slots=True)
class Words:
    """One way of saying no."""

    status: int
    code: int | None
    message: str
    retry_after_s: int | None = None

    def refusal(self, **parts: str) -> Refusal:
        """The exception that says it, with its blanks filled in."""
        return Refusal(self.status, self.code, self.message.format(**parts))


NOT_AUTHORIZED = Words(401, 40110000, "request is not authorized")
READ_ONLY = Words(403, 40310000, "new orders are rejected by user request")
NO_ORDER = Words(404, 40410000, "order not found for {id}")
NO_ASSET = Words(404, 40410000, "asset not found for {id}")
NO_POSITION = Words(404, 40410000, "position does not exist")
NOT_CANCELABLE = Words(422, 42210000, 'order is already in "{state}" state')
BAD_BODY = Words(422, 40010001, "{why}")
BAD_TYPE = Words(422, 40010001, "invalid order type for crypto order")
BAD_CLASS = Words(422, 42210000, "crypto orders not allowed for advanced order_class: otoco")
BAD_TIME_IN_FORCE = Words(422, 42210000, "invalid crypto time_in_force")
BAD_SYMBOL = Words(422, 42210000, 'asset "{id}" not found')
BAD_SYMBOLS = Words(400, None, "Invalid symbol(s): {id} does not match ^[A-Z]+/[A-Z]+$")
BAD_PARAMETER = Words(400, None, "Invalid format for parameter {name}: {why}")
DUPLICATE = Words(422, 40010001, "client_order_id must be unique")
TOO_SMALL = Words(403, 40310000, "cost basis must be >= minimal amount of order {least}")
CLOSED = Words(422, 42210000, "market is not open: {why}")

_OF_REFUSAL: Mapping[RefusalCode, Words] = {
    RefusalCode.DUPLICATE: DUPLICATE,
    RefusalCode.UNKNOWN_SYMBOL: BAD_SYMBOL,
    RefusalCode.NO_MARKET: CLOSED,
    RefusalCode.LOT_SIZE: Words(422, 42210000, "invalid qty: {why}"),
    RefusalCode.TICK_SIZE: Words(422, 42210000, "invalid price: {why}"),
    RefusalCode.BELOW_MINIMUM: Words(403, 40310000, "cost basis must be >= minimal amount of order: {why}"),
}
_OTHER = Words(422, 42210000, "{why}")

#: What the server refuses instead of a handler.
OF_TROUBLE: Mapping[Trouble, Words] = {
    Trouble.RATE_LIMITED: Words(429, 42910000, "rate limit exceeded", retry_after_s=1),
    Trouble.BANNED: Words(429, 42910000, "rate limit exceeded", retry_after_s=120),
    Trouble.MAINTENANCE: Words(503, 50310000, "service unavailable"),
    Trouble.CANCEL_ONLY: READ_ONLY,
    Trouble.POST_ONLY: READ_ONLY,
    Trouble.BUSY: Words(503, 50310000, "service unavailable"),
    Trouble.BAD_KEY: NOT_AUTHORIZED,
    Trouble.NO_PERMISSION: READ_ONLY,
    Trouble.NOT_FOUND: Words(404, 40410000, "endpoint not found."),
    Trouble.BROKEN: Words(500, 50010000, "internal server error occurred"),
}


def insufficient(currency: str, requested: str, available: str, balance: str) -> Refusal:
    """Say that an order costs more than is there, with Alpaca's details."""
    message = f"insufficient balance for {currency} (requested: {requested}, available: {available})"
    details = {"available": available, "balance": balance, "symbol": currency}
    return Refusal(403, 40310000, message, details)


def refused(refusal: Refused, symbol: str) -> Refusal:
    """Say a refusal of the exchange in Alpaca's words."""
    return _OF_REFUSAL.get(refusal.code, _OTHER).refusal(why=refusal.detail, id=symbol)
