"""Kraken's error texts, by what the exchange says. Pure."""

from tg_actors.exchange.orders import RefusalCode
from tg_actors.exchange.server.records import Trouble


class KrakenError(Exception):
    """A request that Kraken would answer with these error texts."""

    def __init__(self, *texts: str) -> None:
        super().__init__(", ".join(texts))
        self.texts = texts


def invalid(argument: str) -> KrakenError:
    """An argument that makes no sense."""
    return KrakenError(f"EGeneral:Invalid arguments:{argument}")


#: Why an order is not taken.
REFUSALS: dict[RefusalCode, str] = {
    RefusalCode.DEADLINE: "EService:Deadline elapsed",
    RefusalCode.DUPLICATE: "EOrder:Duplicate client order id",
    RefusalCode.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    RefusalCode.LOT_SIZE: "EGeneral:Invalid arguments:volume",
    RefusalCode.TICK_SIZE: "EOrder:Tick size check failed",
    RefusalCode.NO_MARKET: "EService:Market in limit_only mode",
    RefusalCode.BELOW_MINIMUM: "EOrder:Order minimum not met",
    RefusalCode.POST_ONLY_UNSUITABLE: "EOrder:Invalid order",
    RefusalCode.POST_ONLY_WOULD_CROSS: "EOrder:Post only order",
    RefusalCode.OCO_MISMATCH: "EGeneral:Invalid arguments",
    RefusalCode.BRACKET_INVALID: "EGeneral:Invalid arguments:close",
    RefusalCode.LEVERAGE: "EGeneral:Invalid arguments:leverage",
    RefusalCode.NOTHING_TO_REDUCE: "EOrder:Reduce only:No position exists",
    RefusalCode.INSUFFICIENT_FUNDS: "EOrder:Insufficient funds",
}

#: Why a request is not served.
TROUBLES: dict[Trouble, str] = {
    Trouble.RATE_LIMITED: "EAPI:Rate limit exceeded",
    Trouble.BANNED: "EGeneral:Temporary lockout",
    Trouble.MAINTENANCE: "EService:Unavailable",
    Trouble.CANCEL_ONLY: "EService:Market in cancel_only mode",
    Trouble.POST_ONLY: "EService:Market in post_only mode",
    Trouble.BUSY: "EService:Busy",
    Trouble.BAD_KEY: "EAPI:Invalid key",
    Trouble.NO_PERMISSION: "EGeneral:Permission denied",
    Trouble.NOT_FOUND: "EGeneral:Unknown method",
    Trouble.BROKEN: "EGeneral:Internal error",
}
