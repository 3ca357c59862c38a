from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import ValidationError

from tg_actors.domain.decisions import DenialCode, Denied
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
    snapshot_age_bars=Decimal(2),
    unseen="",
    clock_offset_ns=-500_000_000,
    order_types=frozenset({OrderType.MARKET}),
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
        (intent(), replace(WORLD, snapshot_age_bars=Decimal("2.01")), DenialCode.MARKET_STALE),
        (intent(), replace(WORLD, unseen="a stream stands still"), DenialCode.VENUE_UNKNOWN),
        (intent(), replace(WORLD, clock_offset_ns=None), DenialCode.CLOCK_OFFSET),
        (intent(), replace(WORLD, clock_offset_ns=500_000_001), DenialCode.CLOCK_OFFSET),
        (intent(), replace(WORLD, clock_offset_ns=-500_000_001), DenialCode.CLOCK_OFFSET),
        (
            intent(reduce_only=True),
            replace(WORLD, order_types=frozenset({OrderType.LIMIT})),
            DenialCode.ORDER_TYPE_UNSUPPORTED,
        ),
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


@pytest.mark.parametrize(
    ("wish", "world"),
    [
        (intent(valid_until_ns=100), WORLD),
        (intent(), replace(WORLD, mid=Decimal(102))),
        (intent(), replace(WORLD, mid=Decimal(98))),
        (intent(), replace(WORLD, clock_offset_ns=500_000_000)),
        (intent("500", reduce_only=True), replace(WORLD, rate=None)),
    ],
)
def test_each_rule_passes_exactly_at_its_limit(wish: Intent, world: PermitContext) -> None:
    assert code(wish, world) is None


def _limit(price: str) -> Intent:
    spec = OrderSpec(
        symbol="BTC/USDT",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(5),
        limit_price=Decimal(price),
    )
    return intent().model_copy(update={"spec": spec})


@pytest.mark.parametrize(
    ("price", "rate", "notional"), [("90", "1", "500"), ("110", "1", "550"), ("110", "0.5", "275")]
)
def test_the_worst_price_counts_in_the_reporting_currency(price: str, rate: str, notional: str) -> None:
    world = replace(WORLD, rate=Decimal(rate))
    assert world.notional(_limit(price)) == Decimal(notional)


def test_a_denial_says_how_far_the_clock_is() -> None:
    denied = check(intent(), replace(WORLD, clock_offset_ns=1_500_000_000), LIMITS)
    assert denied == Denied(
        symbol="BTC/USDT",
        code=DenialCode.CLOCK_OFFSET,
        detail="the venue's clock is 1500 ms from ours",
    )
    unmeasured = check(intent(), replace(WORLD, clock_offset_ns=None), LIMITS)
    assert unmeasured is not None
    assert unmeasured.detail == "the venue's clock could not be read yet"


def _limits(**changed: object) -> HardLimits:
    fields: dict[str, object] = {
        "order_notional_max": Decimal(1),
        "gross_exposure_frac_max": Decimal(1),
        "price_band_frac": Decimal("0.5"),
    }
    return HardLimits(**(fields | changed))  # type: ignore[arg-type]  # by name, on purpose


def test_limits_left_out_are_these() -> None:
    limits = _limits()
    assert (limits.venue_deadline_s, limits.clock_offset_ms_max) == (30, 500)
    assert (limits.snapshot_age_bars_max, limits.external_notional_max) == (Decimal(2), Decimal(0))


@pytest.mark.parametrize(
    "sound",
    [
        {"venue_deadline_s": 2},
        {"venue_deadline_s": 60},
        {"clock_offset_ms_max": 1},
        {"snapshot_age_bars_max": Decimal("0.5")},
        {"external_notional_max": Decimal("0.5")},
        {"order_notional_max": Decimal("0.5")},
        {"gross_exposure_frac_max": Decimal("0.5")},
    ],
)
def test_limits_may_be_as_tight_as_this(sound: dict[str, object]) -> None:
    _limits(**sound)


@pytest.mark.parametrize(
    "wrong",
    [
        {"venue_deadline_s": 1},
        {"venue_deadline_s": 61},
        {"clock_offset_ms_max": 0},
        {"snapshot_age_bars_max": Decimal(0)},
        {"external_notional_max": Decimal(-1)},
        {"order_notional_max": Decimal(0)},
        {"gross_exposure_frac_max": Decimal(0)},
        {"price_band_frac": Decimal(0)},
        {"price_band_frac": Decimal(1)},
    ],
)
def test_limits_that_limit_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _limits(**wrong)


def test_books_that_cannot_be_valued_bound_no_exposure() -> None:
    world = replace(WORLD, unvalued=("XRP/USDT", "BTC"))
    denied = check(intent(), world, LIMITS)
    assert denied is not None
    assert (denied.code, denied.detail) == (
        DenialCode.ACCOUNT_UNKNOWN,
        "XRP/USDT, BTC held and not valued",
    )
    assert check(intent(reduce_only=True), world, LIMITS) is None
