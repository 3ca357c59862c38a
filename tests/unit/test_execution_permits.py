from dataclasses import replace
from decimal import Decimal

import pytest

from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Intent, Leg, OrderSpec, OrderType, TradingState
from tg_actors.execution.permits import HardLimits, PermitContext, check

LIMITS = HardLimits(
    order_notional_max=Decimal(1000), gross_exposure_frac_max=Decimal("0.5"), price_band_frac=Decimal("0.02")
)
WORLD = PermitContext(
    now_ns=100,
    trading_state=TradingState.ACTIVE,
    mid=Decimal(100),
    rate=Decimal(1),
    equity=Decimal(10_000),
    gross_exposure_worst=Decimal(4_000),
    unknown=False,
)


def intent(quantity: str = "5", *, reduce_only: bool = False, valid_until_ns: int = 200) -> Intent:
    return Intent(
        intent_id="i",
        cycle=1,
        leg=Leg.EXIT if reduce_only else Leg.ENTRY,
        spec=OrderSpec(
            symbol="BTC/USDT",
            side=Side.SELL if reduce_only else Side.BUY,
            order_type=OrderType.MARKET,
            quantity=Decimal(quantity),
            reduce_only=reduce_only,
        ),
        reference_price=Decimal(100),
        decided_at_ns=100,
        valid_until_ns=valid_until_ns,
    )


def code(wish: Intent, world: PermitContext) -> DenialCode | None:
    denied = check(wish, world, LIMITS)
    return None if denied is None else denied.code


def test_a_sound_intent_passes_up_to_the_limits() -> None:
    assert code(intent("10"), WORLD) is None  # notional 1000 and exposure 5000: both exactly at the limit


@pytest.mark.parametrize(
    ("wish", "world", "expected"),
    [
        (intent(), replace(WORLD, trading_state=TradingState.HALTED), DenialCode.TRADING_HALTED),
        (
            intent(reduce_only=True),
            replace(WORLD, trading_state=TradingState.HALTED),
            DenialCode.TRADING_HALTED,
        ),
        (intent(), replace(WORLD, trading_state=TradingState.REDUCE_ONLY), DenialCode.TRADING_REDUCE_ONLY),
        (intent(valid_until_ns=99), WORLD, DenialCode.INTENT_EXPIRED),
        (intent(), replace(WORLD, mid=None), DenialCode.MARKET_STALE),
        (intent(), replace(WORLD, rate=None), DenialCode.ACCOUNT_UNKNOWN),
        (intent(), replace(WORLD, unknown=True), DenialCode.ORDER_UNKNOWN),
        (intent(), replace(WORLD, mid=Decimal("102.01")), DenialCode.PRICE_OUTSIDE_BAND),
        (intent(), replace(WORLD, mid=Decimal("97.99")), DenialCode.PRICE_OUTSIDE_BAND),
        (intent("10.01"), WORLD, DenialCode.ORDER_NOTIONAL_LIMIT),
        (intent("10"), replace(WORLD, gross_exposure_worst=Decimal("4000.01")), DenialCode.LEVERAGE_LIMIT),
        (intent("1"), replace(WORLD, equity=Decimal(0)), DenialCode.LEVERAGE_LIMIT),
    ],
)
def test_each_rule_refuses_just_beyond_its_limit(
    wish: Intent, world: PermitContext, expected: DenialCode
) -> None:
    assert code(wish, world) is expected


def test_reducing_orders_pass_exposure_limits_and_reduce_only() -> None:
    world = replace(WORLD, trading_state=TradingState.REDUCE_ONLY, gross_exposure_worst=Decimal(10**6))
    assert code(intent("500", reduce_only=True), world) is None
