"""AddOrder in Kraken's words to an order in ours, and the sentence that describes it. Pure."""

import decimal
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import ValidationError

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ONE, ZERO
from tg_actors.domain.orders import OrderSpec, OrderType, TimeInForce
from tg_actors.exchange.quotes import Quote
from tg_actors.exchange.server.dialects.kraken.names import Pair, Pairs
from tg_actors.exchange.server.dialects.kraken.refusals import KrakenError, invalid
from tg_actors.exchange.server.records import PlaceOrder

_SECOND_NS = 10**9
#: The furthest deadline that Kraken accepts.
_DEADLINE_S_MAX = 60
_CLIENT_ID_CHARS = 36
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_USERREF_MAX = 2**31 - 1

Fields = Mapping[str, str]

#: Kraken's order types and ours. Those that are missing are refused, never replaced by something near.
TYPES: dict[str, OrderType] = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
    "take-profit": OrderType.TAKE_PROFIT,
    "trailing-stop": OrderType.TRAILING_STOP,
}
_FLAGS = frozenset({"post", "fciq", "nompp", "viqc"})


@dataclass(frozen=True, slots=True)
class Moment:
    """What an order is read against: market and wall time, the quote of its instrument."""

    market_ns: int
    wall_ns: int
    quote_of: Callable[[str], Quote | None]


def read_order(fields: Fields, pairs: Pairs, moment: Moment) -> PlaceOrder:
    """Read the fields of AddOrder.

    Raises:
        KrakenError: with the text Kraken has for the mistake.
    """
    pair = pairs.find(fields.get("pair", ""))
    if pair is None:
        raise KrakenError("EQuery:Unknown asset pair")
    kind = fields.get("ordertype", "")
    if kind not in TYPES:
        raise invalid("ordertype")
    flags = _flags(fields.get("oflags", ""))
    for unsupported in ("close[ordertype]", "displayvol", "starttm"):
        if fields.get(unsupported, "0") not in {"0", ""}:
            raise invalid(unsupported.partition("[")[0])
    prices = _prices(kind, fields, pair, moment)
    try:
        spec = OrderSpec(
            symbol=pair.symbol,
            side=_side(fields.get("type", "")),
            order_type=TYPES[kind],
            quantity=_quantity(fields, pair, flags, moment),
            time_in_force=_time_in_force(fields.get("timeinforce", "GTC")),
            post_only="post" in flags,
            reduce_only=_truth(fields, "reduce_only"),
            limit_price=prices.get("limit_price"),
            stop_price=prices.get("stop_price"),
            trail_frac=prices.get("trail_frac"),
        )
    except ValidationError as error:
        raise invalid("price") from error
    return PlaceOrder(
        spec=spec,
        client_order_id=_client_id(fields),
        dialect="kraken",
        memo=_memo(fields, kind, flags),
        leverage=_leverage(fields.get("leverage", "none")),
        deadline_ns=_deadline(fields.get("deadline"), moment.wall_ns),
        expires_at_ns=_expiry(fields.get("expiretm", "0"), moment.market_ns),
    )


def sentence(pair: Pair, order_type: str, spec: OrderSpec, memo: Mapping[str, str], leverage: Decimal) -> str:
    """``buy 0.01000000 XBTUSD @ limit 50000.0``, as Kraken describes an order."""
    words = [spec.side.value, f"{spec.quantity:.8f}", pair.altname, "@", order_type.replace("-", " ")]
    match spec.order_type:
        case OrderType.LIMIT if spec.limit_price is not None:
            words.append(pair.price_text(spec.limit_price))
        case OrderType.STOP | OrderType.TAKE_PROFIT if spec.stop_price is not None:
            words.append(pair.price_text(spec.stop_price))
        case OrderType.STOP_LIMIT if spec.stop_price is not None and spec.limit_price is not None:
            words[-1] = "stop loss"
            words += [pair.price_text(spec.stop_price), "->", "limit", pair.price_text(spec.limit_price)]
        case OrderType.TRAILING_STOP:
            words.append(memo.get("price", ""))
        case _:
            pass
    if leverage > ONE:
        words.append(f"with {leverage.normalize():f}:1 leverage")
    return " ".join(words)


def number(fields: Fields, name: str) -> Decimal:
    """A positive plain number.

    Raises:
        KrakenError: it is missing, not a number or zero.
    """
    text = fields.get(name, "")
    if not _NUMBER.fullmatch(text) or Decimal(text) == ZERO:
        raise invalid(name)
    return Decimal(text)


def instant_ns(text: str) -> int:
    """Unix seconds with a fraction as nanoseconds.

    Raises:
        KrakenError: not a number.
    """
    if not _NUMBER.fullmatch(text):
        raise invalid("time")
    return int(Decimal(text) * _SECOND_NS)


def _side(text: str) -> Side:
    if text not in set(Side):
        raise invalid("type")
    return Side(text)


def _flags(text: str) -> frozenset[str]:
    flags = frozenset(filter(None, text.split(",")))
    if not flags <= _FLAGS:
        raise invalid("oflags")
    return flags


def _quantity(fields: Fields, pair: Pair, flags: frozenset[str], moment: Moment) -> Decimal:
    volume = number(fields, "volume")
    if "viqc" not in flags:
        return volume
    quote = moment.quote_of(pair.symbol)
    if fields.get("ordertype") != "market" or quote is None:
        raise invalid("viqc")
    price = quote.ask if fields.get("type") == "buy" else quote.bid
    lots = pair.instrument.quantise_quantity(volume / price)
    if lots <= ZERO:
        raise KrakenError("EOrder:Order minimum not met")
    return lots


def _prices(kind: str, fields: Fields, pair: Pair, moment: Moment) -> dict[str, Decimal]:
    match kind:
        case "limit":
            return {"limit_price": number(fields, "price")}
        case "stop-loss" | "take-profit":
            return {"stop_price": number(fields, "price")}
        case "stop-loss-limit":
            return {"stop_price": number(fields, "price"), "limit_price": number(fields, "price2")}
        case "trailing-stop":
            return {"trail_frac": _trail(fields.get("price", ""), moment.quote_of(pair.symbol))}
        case _:
            return {}


def _trail(text: str, quote: Quote | None) -> Decimal:
    amount = text.removeprefix("+").removesuffix("%")
    if not text.startswith("+") or not _NUMBER.fullmatch(amount):
        raise invalid("price")
    if text.endswith("%"):
        return Decimal(amount) / 100
    if quote is None:
        raise KrakenError("EService:Market in limit_only mode")
    with decimal.localcontext() as context:
        context.prec = 12
        return Decimal(amount) / quote.close


def _time_in_force(text: str) -> TimeInForce:
    table = {"GTC": TimeInForce.GTC, "GTD": TimeInForce.GTC, "IOC": TimeInForce.IOC}
    if text.upper() not in table:
        raise invalid("timeinforce")
    return table[text.upper()]


def _truth(fields: Fields, name: str) -> bool:
    text = fields.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise invalid(name)
    return text == "true"


def is_dry_run(fields: Fields) -> bool:
    """Whether the order is only to be checked."""
    return _truth(fields, "validate")


def _client_id(fields: Fields) -> str | None:
    text = fields.get("cl_ord_id")
    if text is None:
        return None
    if not 0 < len(text) <= _CLIENT_ID_CHARS or not text.isascii() or not text.isprintable():
        raise invalid("cl_ord_id")
    if "userref" in fields:
        raise invalid("cl_ord_id and userref exclude each other")
    return text


def _memo(fields: Fields, kind: str, flags: frozenset[str]) -> dict[str, str]:
    memo = {"ordertype": kind, "oflags": ",".join(sorted(flags | {"fciq"}))}
    if "userref" in fields:
        memo["userref"] = str(userref(fields["userref"]))
    memo |= {name: fields[name] for name in ("price", "price2", "timeinforce") if fields.get(name)}
    return memo


def userref(text: str) -> int:
    """A client's own reference number.

    Raises:
        KrakenError: no 32-bit integer.
    """
    if not text.removeprefix("-").isdecimal() or abs(int(text)) > _USERREF_MAX:
        raise invalid("userref")
    return int(text)


def _leverage(text: str) -> Decimal:
    amount = text.removesuffix(":1")
    if amount in {"none", "", "0"}:
        return ONE
    if not _NUMBER.fullmatch(amount):
        raise invalid("leverage")
    return max(Decimal(amount), ONE)


def _deadline(text: str | None, wall_ns: int) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid("deadline") from error
    if moment.tzinfo is None:
        raise invalid("deadline")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    deadline_ns = (since.days * 86_400 + since.seconds) * _SECOND_NS + since.microseconds * 1_000
    if deadline_ns > wall_ns + _DEADLINE_S_MAX * _SECOND_NS:
        raise invalid("deadline")
    return deadline_ns


def _expiry(text: str, market_ns: int) -> int | None:
    relative = text.startswith("+")
    amount = text.removeprefix("+")
    if amount in {"0", ""}:
        return None
    if not amount.isdecimal():
        raise invalid("expiretm")
    expires_ns = int(amount) * _SECOND_NS + (market_ns if relative else 0)
    if expires_ns <= market_ns:
        raise invalid("expiretm")
    return expires_ns
