"""Binance's names for ours: order types, states, intervals, and how it writes numbers."""

import decimal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import OrderState, OrderType, TimeInForce
from tg_actors.exchange.orders import EndReason, VenueOrder
from tg_actors.exchange.server.dialects.wire import NS_PER_MS

#: Binance writes at least as many decimals.
_PLACES = 8
_EIGHT = Decimal("1E-8")
_EIGHTEEN = Decimal("1E-18")
_MINUTE_NS = 60 * 10**9
_DAY_NS = 24 * 60 * _MINUTE_NS

#: Candle lengths. A month has no fixed length and is refused as an invalid interval.
INTERVALS: Mapping[str, int] = {
    **{f"{n}m": n * _MINUTE_NS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * _MINUTE_NS for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": n * _DAY_NS for n in (1, 3)},
    "1w": 7 * _DAY_NS,
}

TIMES_IN_FORCE: Mapping[str, TimeInForce] = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC}


@dataclass(frozen=True, slots=True)
class Kind:
    """One of Binance's order types: ours, and the parameters that it needs."""

    order_type: OrderType
    price: bool = False
    stop: bool = False
    time_in_force: bool = False
    post_only: bool = False


KINDS: Mapping[str, Kind] = {
    "LIMIT": Kind(OrderType.LIMIT, price=True, time_in_force=True),
    "LIMIT_MAKER": Kind(OrderType.LIMIT, price=True, post_only=True),
    "MARKET": Kind(OrderType.MARKET),
    "STOP_LOSS": Kind(OrderType.STOP, stop=True),
    "STOP_LOSS_LIMIT": Kind(OrderType.STOP_LIMIT, price=True, stop=True, time_in_force=True),
    "TAKE_PROFIT": Kind(OrderType.TAKE_PROFIT, stop=True),
}

#: How an order of another dialect, or of a margin call, is shown.
_TYPE_OF: Mapping[OrderType, str] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TRAILING_STOP: "STOP_LOSS",
}

_STATUS_OF: Mapping[OrderState, str] = {
    OrderState.OPEN: "NEW",
    OrderState.PARTIAL: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
    OrderState.REJECTED: "REJECTED",
}
#: Cancelled by a person or by a sibling is CANCELED; everything that the engine ends itself is EXPIRED.
_ASKED = frozenset(
    reason.value
    for reason in (
        EndReason.ASKED,
        EndReason.OCO_SIBLING_FILLED,
        EndReason.BRACKET_CLOSED,
        EndReason.DEAD_MAN,
    )
)


def type_name(order: VenueOrder) -> str:
    """Binance's type of an order of ours."""
    if order.spec.post_only:
        return "LIMIT_MAKER"
    return _TYPE_OF[order.spec.order_type]


def status(order: VenueOrder) -> str:
    """Binance's status of an order of ours."""
    if order.state is OrderState.CANCELED and order.reason not in _ASKED:
        return "EXPIRED"
    return _STATUS_OF[order.state]


def text8(amount: Decimal | None) -> str:
    """Plain decimal text with eight places, more where eight would lose digits; None is zero."""
    known = ZERO if amount is None else amount
    rounded = known.quantize(_EIGHT, decimal.ROUND_HALF_EVEN)
    if rounded == known:
        return format(rounded, "f")
    return money_text(known.quantize(_EIGHTEEN, decimal.ROUND_HALF_EVEN))


def milliseconds(at_ns: int) -> int:
    """Binance's time."""
    return at_ns // NS_PER_MS


class Symbols:
    """Instruments by Binance's name: BTCUSDT for BTC/USDT."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        """Raises ValueError when two instruments would have one name."""
        self._by_id: dict[str, Instrument] = {}
        for instrument in instruments:
            if symbol_id(instrument.symbol) in self._by_id:
                raise ValueError(
                    f"Binance cannot tell two instruments named {symbol_id(instrument.symbol)} apart"
                )
            self._by_id[symbol_id(instrument.symbol)] = instrument

    def find(self, name: str) -> Instrument | None:
        """The instrument of a name, in capital letters."""
        return self._by_id.get(name)

    def all(self) -> tuple[Instrument, ...]:
        """Every instrument."""
        return tuple(self._by_id.values())


def symbol_id(symbol: str) -> str:
    """Binance's name of a symbol."""
    return symbol.replace("/", "")
