"""How much: fraction of equity at risk, under named caps, rounded down to whole lots."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ONE, ZERO, from_float, money_text
from tg_actors.domain.orders import Protection
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.rules import Context, Refusal
from tg_actors.risk.wishes import STOP_FRAC_MAX, STOP_FRAC_MIN, Wish

_DISTANCE_DIGITS = 6
#: A profit target nearer or farther than this is a unit mistake.
_TAKE_FRAC_MAX = 10.0


def protect(wish: Wish, limits: RiskLimits) -> Protection:
    """Return the distances of the protective orders: multiples of the ATR, bounded, six digits.

    The wish must have passed the rules: its price is positive and its volatility known.
    """
    atr_frac = wish.atr / wish.mid
    take = limits.take_atr_multiple
    return Protection(
        stop_frac=_distance(float(limits.stop_atr_multiple) * atr_frac, STOP_FRAC_MAX),
        take_frac=None if take is None else _distance(float(take) * atr_frac, _TAKE_FRAC_MAX),
        trailing=limits.stop_trailing,
    )


def _distance(frac: float, frac_max: float) -> Decimal:
    return from_float(round(min(max(frac, STOP_FRAC_MIN), frac_max), _DISTANCE_DIGITS))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry to be sized; ``price`` and ``held`` (notional of the position) in reporting currency."""

    wish: Wish
    context: Context
    stop_frac: Decimal
    price: Decimal
    held: Decimal

    @property
    def equity(self) -> Decimal:
        return self.context.account.equity

    @property
    def exposure(self) -> Decimal:
        return from_float(abs(self.wish.exposure))


def _target(entry: _Entry) -> Decimal:
    return entry.exposure * entry.equity * entry.context.limits.position_frac_max - entry.held


def _risk_per_trade(entry: _Entry) -> Decimal:
    at_risk = entry.exposure * entry.equity * entry.context.limits.risk_per_trade_frac
    return at_risk / entry.stop_frac - entry.held


def _position(entry: _Entry) -> Decimal:
    ordered = entry.context.account.open_notional.get(entry.wish.instrument.symbol, ZERO)
    return entry.equity * entry.context.limits.position_frac_max - entry.held - ordered


def _order_notional(entry: _Entry) -> Decimal:
    return entry.context.limits.order_notional_max


def _leverage(entry: _Entry) -> Decimal:
    account, committed = entry.context.account, entry.context.committed
    used = account.gross_exposure + sum(account.open_notional.values(), ZERO) + committed.notional
    return entry.equity * entry.context.limits.leverage_max - used


def _cluster(entry: _Entry) -> Decimal | None:
    clusters, frac = entry.context.clusters, entry.context.limits.cluster_exposure_frac_max
    if clusters is None or frac is None:
        return None
    return entry.equity * frac - clusters.used(entry.wish.instrument.symbol)


def _cash(entry: _Entry) -> Decimal | None:
    """Only buys spend cash; orders that are still open have spent theirs already."""
    if entry.wish.side is Side.SELL:
        return None
    account, quote = entry.context.account, entry.wish.instrument.quote
    quote_of = entry.context.quote_of
    ordered = (worst for symbol, worst in account.open_notional.items() if quote_of.get(symbol) == quote)
    spendable = account.cash[quote] * account.rates[quote] * (ONE - entry.context.limits.cash_buffer_frac)
    return spendable - sum(ordered, entry.context.committed.cash.get(quote, ZERO))


#: Largest notional by each limit, in the reporting currency, None where it does not apply; and the
#: code of the denial when it leaves less than the venue's minimum. Of equals the first is named.
CAPS: dict[str, tuple[DenialCode, Callable[[_Entry], Decimal | None]]] = {
    "target exposure": (DenialCode.BELOW_MINIMUM, _target),
    "risk per trade": (DenialCode.BELOW_MINIMUM, _risk_per_trade),
    "position": (DenialCode.POSITION_LIMIT, _position),
    "order notional": (DenialCode.ORDER_NOTIONAL_LIMIT, _order_notional),
    "leverage": (DenialCode.LEVERAGE_LIMIT, _leverage),
    "cluster": (DenialCode.CLUSTER_LIMIT, _cluster),
    "cash": (DenialCode.CASH_INSUFFICIENT, _cash),
}


def size_entry(wish: Wish, context: Context, stop_frac: Decimal) -> Decimal | Refusal:
    """Return the quantity of an entry in base units, or why there is none.

    The wish must have passed the rules. Quantity times mid never exceeds any cap.
    """
    mid, rate = from_float(wish.mid), context.account.rates[wish.instrument.quote]
    price = mid * rate
    entry = _Entry(wish, context, stop_frac, price, abs(wish.held) * price)
    allowed = {name: amount for name, (_, cap) in CAPS.items() if (amount := cap(entry)) is not None}
    tightest = min(allowed, key=allowed.__getitem__)
    quantity = wish.instrument.quantise_quantity(max(allowed[tightest], ZERO) / price)
    # The stop must be sendable too: a position that cannot be protected is not entered.
    if wish.instrument.is_sendable(quantity, mid * (1 - stop_frac)):
        return quantity
    return CAPS[tightest][0], f"{tightest} leaves {money_text(allowed[tightest])}, below the venue's minimum"


def size_exit(wish: Wish, context: Context) -> Decimal | Refusal:
    """Return the quantity that closes or shrinks a position, never more than is held."""
    mid, rate = from_float(wish.mid), context.account.rates[wish.instrument.quote]
    wanted = abs(wish.held) if wish.closes else from_float(wish.notional) / (mid * rate)
    quantity = wish.instrument.quantise_quantity(min(wanted, abs(wish.held)))
    if wish.instrument.is_sendable(quantity, mid):
        return quantity
    return DenialCode.BELOW_MINIMUM, f"{money_text(abs(wish.held))} held, below the venue's minimum"
