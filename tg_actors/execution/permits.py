"""What an intent must pass inside the permit transaction. A table of rules; unknown means denied."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from tg_actors.domain.decisions import DenialCode, Denied
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Intent, OrderType, TradingState


class HardLimits(Message):
    """Last limits before the wire, on the worst case of everything held, permitted, open, unknown.

    They repeat no judgement of the risk room: they hold even when that room is wrong.
    ``snapshot_age_bars_max`` bounds how old the prices may be in bars, ``clock_offset_ms_max`` how far
    the venue's clock may be from ours, ``external_notional_max`` what orders that are not ours may be
    worth in the reporting currency before the desk halts.
    """

    order_notional_max: Decimal = Field(gt=0)
    gross_exposure_frac_max: Decimal = Field(gt=0)
    price_band_frac: Decimal = Field(gt=0, lt=1)
    venue_deadline_s: int = Field(default=30, ge=2, le=60)
    snapshot_age_bars_max: Decimal = Field(default=Decimal(2), gt=0)
    clock_offset_ms_max: int = Field(default=500, gt=0)
    external_notional_max: Decimal = Field(default=ZERO, ge=0)


@dataclass(frozen=True, slots=True)
class PermitContext:
    """The world at the moment of the permit.

    ``mid`` in quote currency, None when there is no fresh, finite price; ``rate`` reporting
    currency per quote currency, None when unknown; ``gross_exposure_worst`` in reporting currency
    includes every live order; ``unknown`` says that an order of this instrument has no known fate.
    ``snapshot_age_bars`` is how old the prices are now; ``unseen`` why the venue cannot be trusted to
    show us this instrument, empty when it can; ``clock_offset_ns`` None before it was measured;
    ``order_types`` what the venue takes at all; ``unvalued`` what is held and has no price.
    """

    now_ns: int
    trading_state: TradingState
    mid: Decimal | None
    rate: Decimal | None
    equity: Decimal
    gross_exposure_worst: Decimal
    unknown: bool
    snapshot_age_bars: Decimal
    unseen: str
    clock_offset_ns: int | None
    order_types: frozenset[OrderType]
    unvalued: tuple[str, ...] = ()

    def notional(self, intent: Intent) -> Decimal | None:
        """Worst-case notional of the intent in the reporting currency, None when unknown."""
        if self.mid is None or self.rate is None:
            return None
        price = max(self.mid, intent.spec.limit_price or ZERO)
        return intent.spec.quantity * price * self.rate


_NS_PER_MS = 1_000_000

Rule = Callable[[Intent, PermitContext, HardLimits], tuple[DenialCode, str] | None]


def _trading_state(intent: Intent, context: PermitContext, _: HardLimits) -> tuple[DenialCode, str] | None:
    if context.trading_state is TradingState.HALTED:
        return DenialCode.TRADING_HALTED, "the kill switch is on"
    if context.trading_state is TradingState.REDUCE_ONLY and not intent.spec.reduce_only:
        return DenialCode.TRADING_REDUCE_ONLY, "only orders that shrink a position may leave"
    return None


def _still_valid(intent: Intent, context: PermitContext, _: HardLimits) -> tuple[DenialCode, str] | None:
    if context.now_ns <= intent.valid_until_ns:
        return None
    return DenialCode.INTENT_EXPIRED, f"valid until {intent.valid_until_ns}, now {context.now_ns}"


def _takes_type(intent: Intent, context: PermitContext, _: HardLimits) -> tuple[DenialCode, str] | None:
    order_type = intent.spec.order_type
    if order_type in context.order_types:
        return None
    return DenialCode.ORDER_TYPE_UNSUPPORTED, f"the venue takes no {order_type} orders"


def _venue_seen(_: Intent, context: PermitContext, __: HardLimits) -> tuple[DenialCode, str] | None:
    return (DenialCode.VENUE_UNKNOWN, context.unseen) if context.unseen else None


def _clocks_agree(_: Intent, context: PermitContext, limits: HardLimits) -> tuple[DenialCode, str] | None:
    offset_ns = context.clock_offset_ns
    if offset_ns is None:
        return DenialCode.CLOCK_OFFSET, "the venue's clock could not be read yet"
    if abs(offset_ns) <= limits.clock_offset_ms_max * _NS_PER_MS:
        return None
    return DenialCode.CLOCK_OFFSET, f"the venue's clock is {offset_ns // _NS_PER_MS} ms from ours"


def _prices_young(_: Intent, context: PermitContext, limits: HardLimits) -> tuple[DenialCode, str] | None:
    age_bars = context.snapshot_age_bars
    if age_bars <= limits.snapshot_age_bars_max:
        return None
    return DenialCode.MARKET_STALE, f"the snapshot is {age_bars:.1f} bars old"


def _price_known(intent: Intent, context: PermitContext, _: HardLimits) -> tuple[DenialCode, str] | None:
    if context.mid is None:
        return DenialCode.MARKET_STALE, "no fresh price"
    if intent.spec.reduce_only:
        return None  # what leaves needs no value in the reporting currency
    if context.unvalued:
        return DenialCode.ACCOUNT_UNKNOWN, f"{', '.join(context.unvalued)} held and not valued"
    return None if context.rate is not None else (DenialCode.ACCOUNT_UNKNOWN, "quote currency has no rate")


def _in_band(intent: Intent, context: PermitContext, limits: HardLimits) -> tuple[DenialCode, str] | None:
    mid = context.mid or ZERO
    drift = abs(mid / intent.reference_price - 1)
    if drift <= limits.price_band_frac:
        return None
    return DenialCode.PRICE_OUTSIDE_BAND, f"market moved {drift:.4f} since the decision"


def _fate_known(_: Intent, context: PermitContext, __: HardLimits) -> tuple[DenialCode, str] | None:
    return (
        (DenialCode.ORDER_UNKNOWN, "an order of this instrument is unresolved") if context.unknown else None
    )


def _notional(intent: Intent, context: PermitContext, limits: HardLimits) -> tuple[DenialCode, str] | None:
    notional = context.notional(intent)
    if intent.spec.reduce_only or (notional is not None and notional <= limits.order_notional_max):
        return None
    return DenialCode.ORDER_NOTIONAL_LIMIT, f"notional {notional} above {limits.order_notional_max}"


def _gross(intent: Intent, context: PermitContext, limits: HardLimits) -> tuple[DenialCode, str] | None:
    notional = context.notional(intent)
    cap = context.equity * limits.gross_exposure_frac_max
    if intent.spec.reduce_only or (notional is not None and context.gross_exposure_worst + notional <= cap):
        return None
    return (
        DenialCode.LEVERAGE_LIMIT,
        f"worst-case exposure {context.gross_exposure_worst} + {notional} above {cap}",
    )


#: In this order: the first refusal is the answer.
RULES: tuple[Rule, ...] = (
    _trading_state,
    _still_valid,
    _takes_type,
    _venue_seen,
    _clocks_agree,
    _prices_young,
    _price_known,
    _fate_known,
    _in_band,
    _notional,
    _gross,
)


def check(intent: Intent, context: PermitContext, limits: HardLimits) -> Denied | None:
    """Return the first refusal, or None when the intent may be permitted. Never raises."""
    for rule in RULES:
        if (refusal := rule(intent, context, limits)) is not None:
            return Denied(symbol=intent.spec.symbol, code=refusal[0], detail=refusal[1])
    return None
