"""Binance's error codes and texts: one exception, and the table from our refusals to theirs."""

from dataclasses import dataclass

from tg_actors.exchange.orders import RefusalCode, Refused
from tg_actors.exchange.server.records import Trouble


class Refusal(Exception):  # noqa: N818 - an answer on its way to the client, not a mistake of ours
    """A request that is answered with a code: ``status`` of HTTP, ``code`` and ``text`` of Binance.

    ``data`` is what some errors carry beside code and text.
    """

    def __init__(self, code: int, text: str, status: int = 400, data: object = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.data = data

    def body(self) -> dict[str, object]:
        """The error as JSON."""
        body: dict[str, object] = {"code": self.code, "msg": self.text}
        return body if self.data is None else {**body, "data": self.data}


@dataclass(frozen=True, slots=True)
class Words:
    """One way of saying no, and how long to wait where the venue says so."""

    code: int
    text: str
    status: int = 400
    retry_after_s: int | None = None

    def refusal(self) -> Refusal:
        """The exception that says it."""
        return Refusal(self.code, self.text, self.status)


TOO_LATE = Words(-1021, "Timestamp for this request is outside of the recvWindow.")
TOO_EARLY = Words(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
WINDOW_TOO_WIDE = Words(-1131, "recvWindow must be less than 60000")
BAD_SIGNATURE = Words(-1022, "Signature for this request is not valid.")
BAD_KEY_FORM = Words(-2014, "API-key format invalid.", 401)
BAD_KEY = Words(-2015, "Invalid API-key, IP, or permissions for action.", 401)
BAD_SYMBOL = Words(-1121, "Invalid symbol.")
BAD_INTERVAL = Words(-1120, "Invalid interval.")
BAD_TYPE = Words(-1116, "Invalid orderType.")
BAD_SIDE = Words(-1117, "Invalid side.")
BAD_TIME_IN_FORCE = Words(-1115, "Invalid timeInForce.")
BAD_COMBINATION = Words(-1128, "Combination of optional parameters invalid.")
NO_LISTEN_KEY = Words(-1125, "This listenKey does not exist.")
NO_SUCH_ORDER = Words(-2013, "Order does not exist.")
CANCEL_UNKNOWN = Words(-2011, "Unknown order sent.")
CLOSED = Words(-2010, "Market is closed.")
WOULD_TRIGGER = Words(-2010, "Stop price would trigger immediately.")
DUPLICATE = Words(-2010, "Duplicate order sent.")

#: What the exchange refuses. A code that is not listed is said with the exchange's own sentence.
OF_REFUSAL: dict[RefusalCode, Words] = {
    RefusalCode.DUPLICATE: DUPLICATE,
    RefusalCode.UNKNOWN_SYMBOL: BAD_SYMBOL,
    RefusalCode.LOT_SIZE: Words(-1013, "Filter failure: LOT_SIZE"),
    RefusalCode.TICK_SIZE: Words(-1013, "Filter failure: PRICE_FILTER"),
    RefusalCode.NO_MARKET: CLOSED,
    RefusalCode.BELOW_MINIMUM: Words(-1013, "Filter failure: NOTIONAL"),
    RefusalCode.POST_ONLY_WOULD_CROSS: Words(-2010, "Order would immediately match and take."),
    RefusalCode.INSUFFICIENT_FUNDS: Words(-2010, "Account has insufficient balance for requested action."),
    RefusalCode.DEADLINE: TOO_LATE,
}

#: What the server refuses instead of a handler.
OF_TROUBLE: dict[Trouble, Words] = {
    Trouble.RATE_LIMITED: Words(
        -1003,
        "Too much request weight used; please use WebSocket Streams to avoid polling the API.",
        429,
        retry_after_s=10,
    ),
    Trouble.BANNED: Words(-1003, "Way too much request weight used; IP banned.", 418, retry_after_s=120),
    Trouble.MAINTENANCE: Words(
        -1001, "Internal error; unable to process your request. Please try again.", 503
    ),
    Trouble.CANCEL_ONLY: CLOSED,
    Trouble.POST_ONLY: CLOSED,
    Trouble.BUSY: Words(
        -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503
    ),
    Trouble.BAD_KEY: BAD_KEY,
    Trouble.NO_PERMISSION: BAD_KEY,
    Trouble.NOT_FOUND: Words(-1020, "This operation is not supported.", 404),
    Trouble.BROKEN: Words(-1000, "An unknown error occurred while processing the request.", 500),
}


def refused(refusal: Refused) -> Refusal:
    """Say a refusal of the exchange in Binance's words."""
    words = OF_REFUSAL.get(refusal.code)
    return Refusal(-2010, refusal.detail) if words is None else words.refusal()
