from dataclasses import replace
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import pytest

from tests.portfolio_words import INSTRUMENTS, decimals
from tests.risk_words import BAR_NS, BTC, DAY_NS, NOW_NS, XRP, XRP_BTC, Scene, an_account, holding
from tg_actors.domain.decisions import DenialCode, RiskState
from tg_actors.domain.ids import intent_id
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Intent, Leg, OrderType, Protection, TimeInForce
from tg_actors.risk.actor import RiskActor
from tg_actors.risk.limits import RiskLimits, RiskSpec


def only(scene: Scene) -> Intent:
    (intent,) = scene.judge().approved
    return intent


def test_intent_says_everything_the_permit_needs() -> None:
    intent = only(Scene())
    assert intent.intent_id == intent_id("desk", "paper", 7, BTC, "buy", "entry")
    assert (intent.leg, intent.spec.side, intent.spec.order_type) == (Leg.ENTRY, Side.BUY, OrderType.MARKET)
    assert (intent.spec.time_in_force, intent.spec.reduce_only) == (TimeInForce.IOC, False)
    assert (intent.decided_at_ns, intent.valid_until_ns) == (NOW_NS, NOW_NS + BAR_NS)
    assert intent.reference_price == 100
    assert intent.protection == Protection(stop_frac=Decimal("0.06"))
    assert [(s.agent, s.frac) for s in intent.shares] == [
        ("trend", Decimal("0.75")),
        ("momentum", Decimal("0.25")),
    ]


@pytest.mark.parametrize(
    ("scene", "quantity"),
    [
        # Position cap: 10 % of 100,000 at 100.
        (Scene(), "100"),
        (Scene(exposure=(0.5, nan, nan)), "50"),
        (Scene(limits={"position_frac_max": Decimal("0.05")}), "50"),
        # Risk per trade: 1 % of equity over a stop distance of 3 * 8 %.
        (Scene(atr=(8.0, 8.0, 8.0)), "41.666"),
        (Scene(atr=(8.0, 8.0, 8.0), exposure=(0.5, nan, nan)), "20.833"),
        # What is held already counts.
        (Scene(account=holding("40")), "60"),
        (Scene(account=holding("40", open_notional={BTC: Decimal(1_000)})), "50"),
        (Scene(account=holding("10"), atr=(8.0, 8.0, 8.0)), "31.666"),
        (Scene(account=holding("-40"), exposure=(-1.0, nan, nan), limits={"allow_short": True}), "60"),
        # The other caps cut it down.
        (Scene(account=an_account(open_notional={BTC: Decimal(4_000)})), "60"),
        (Scene(limits={"order_notional_max": Decimal(1_234)}), "12.34"),
        (Scene(account=an_account(gross_exposure=Decimal(97_000))), "30"),
        (Scene(account=an_account(cash={"USDT": Decimal(1_000)})), "9.9"),
        (Scene(account=an_account(cash={"USDT": Decimal(2_000)}, open_notional={XRP: Decimal(980)})), "10"),
        # Never rounded up.
        (Scene(limits={"order_notional_max": Decimal("1234.599")}), "12.345"),
    ],
)
def test_entry_is_sized_by_its_tightest_cap(scene: Scene, quantity: str) -> None:
    assert only(scene).spec.quantity == Decimal(quantity)


def test_quote_currency_other_than_the_reporting_one_is_converted() -> None:
    # 0.1 BTC a piece at 100 USDT a BTC: 10,000 USDT buy 1,000 pieces for 100 BTC.
    account = an_account(cash={"BTC": Decimal(1_000)}, marks={XRP_BTC: Decimal("0.1")})
    cheap = (0.1, 0.1, 0.1)
    scene = Scene(exposure=(nan, nan, 1.0), account=account, bid=cheap, ask=cheap, atr=(0.002,) * 3)
    assert only(scene).spec.quantity == 1_000
    short_of_cash = replace(scene, account=account.model_copy(update={"cash": {"BTC": Decimal(20)}}))
    assert only(short_of_cash).spec.quantity == 198


@pytest.mark.parametrize(
    ("held", "exposure", "expected"),
    [
        # Flat target, opposite target, target inside the band: everything goes.
        ("100", 0.0, (Leg.EXIT, Side.SELL, "100")),
        ("3", 0.0, (Leg.EXIT, Side.SELL, "3")),
        ("100", -1.0, (Leg.EXIT, Side.SELL, "100")),
        ("100", 0.2, (Leg.EXIT, Side.SELL, "100")),
        ("-100", 1.0, (Leg.EXIT, Side.BUY, "100")),
        # A smaller target takes part of it away.
        ("100", 0.6, (Leg.EXIT, Side.SELL, "40")),
        ("150", 1.0, (Leg.EXIT, Side.SELL, "50")),
        # A larger one adds.
        ("50", 1.0, (Leg.ENTRY, Side.BUY, "50")),
        # Inside the band of 25 % of the largest position nothing happens; on it, it does.
        ("100", 0.76, None),
        ("80", 1.0, None),
        ("75", 1.0, (Leg.ENTRY, Side.BUY, "25")),
        ("0", 0.2, None),
        # No view leaves it alone.
        ("100", nan, None),
        # The target is cut off at the largest position.
        ("100", 5.0, None),
        # A short that should not be is closed.
        ("-100", -1.0, (Leg.EXIT, Side.BUY, "100")),
    ],
)
def test_wish_by_target_and_position(
    held: str, exposure: float, expected: tuple[Leg, Side, str] | None
) -> None:
    account = holding(held) if held != "0" else an_account()
    judgement = Scene(exposure=(exposure, nan, nan), account=account).judge()
    assert judgement.denied == ()
    found = [(i.leg, i.spec.side, i.spec.quantity) for i in judgement.approved]
    assert found == ([] if expected is None else [(expected[0], expected[1], Decimal(expected[2]))])


def test_exit_may_be_filled_in_parts_and_credits_nobody_anew() -> None:
    intent = only(Scene(exposure=(0.0, nan, nan), account=holding("100")))
    assert (intent.spec.time_in_force, intent.protection, intent.shares) == (TimeInForce.GTC, None, ())


def test_flip_closes_first_and_enters_in_a_later_cycle() -> None:
    scene = Scene(
        exposure=(-1.0, nan, nan), account=holding("100"), limits={"allow_short": True, "cooldown_bars": 0}
    )
    assert (only(scene).leg, only(scene).spec.side) == (Leg.EXIT, Side.SELL)
    later = only(replace(scene, account=an_account(), cycle=8))
    assert (later.leg, later.spec.side, later.spec.quantity) == (Leg.ENTRY, Side.SELL, Decimal(100))


def test_dust_that_the_venue_would_not_take_is_denied() -> None:
    scene = Scene(exposure=(0.0, nan, nan), account=holding("0.0499"))
    assert scene.codes() == [DenialCode.BELOW_MINIMUM]
    assert only(replace(scene, account=holding("0.0509"))).spec.quantity == Decimal("0.050")


def test_exits_come_first_then_the_most_confident_then_the_order_of_the_desk() -> None:
    account = an_account(
        cash={"USDT": Decimal(100_000), "BTC": Decimal(100_000)},
        rates={"USDT": Decimal(1), "BTC": Decimal(1)},
    )
    everywhere = Scene(exposure=(1.0, 1.0, 1.0), account=account)
    for confidence, order in [
        ((0.7, 0.9, 0.8), [XRP, XRP_BTC, BTC]),
        ((0.9, 0.9, 0.9), [BTC, XRP, XRP_BTC]),
        ((nan, 0.7, 0.8), [XRP_BTC, XRP]),
    ]:
        judged = replace(everywhere, confidence=confidence).judge()
        assert [intent.spec.symbol for intent in judged.approved] == order
    held = account.model_copy(update={"positions": {XRP_BTC: Decimal(100)}})
    exits_first = replace(
        everywhere, account=held, exposure=(1.0, nan, 0.0), confidence=(1.0, 1.0, 0.0)
    ).judge()
    assert [intent.spec.symbol for intent in exits_first.approved] == [XRP_BTC, BTC]


@pytest.mark.parametrize(
    ("limits", "account", "quantities", "code"),
    [
        ({"trades_per_day_max": 1}, {}, ["100"], DenialCode.TRADES_PER_DAY_LIMIT),
        ({"leverage_max": Decimal("0.15")}, {}, ["100", "50"], None),
        ({"leverage_max": Decimal("0.1")}, {}, ["100"], DenialCode.LEVERAGE_LIMIT),
        ({"cash_buffer_frac": Decimal(0)}, {"USDT": Decimal(12_000)}, ["100", "20"], None),
        ({"cash_buffer_frac": Decimal(0)}, {"USDT": Decimal(10_000)}, ["100"], DenialCode.CASH_INSUFFICIENT),
    ],
)
def test_entries_of_one_judgement_share_what_is_left(
    limits: dict[str, object], account: dict[str, Decimal], quantities: list[str], code: DenialCode | None
) -> None:
    cash = {"USDT": Decimal(100_000)} | account
    judged = Scene(exposure=(1.0, 1.0, nan), limits=limits, account=an_account(cash=cash)).judge()
    assert [intent.spec.quantity for intent in judged.approved] == list(decimals(*quantities))
    assert [denied.code for denied in judged.denied] == ([] if code is None else [code])
    assert judged.state.trades_today == len(quantities)


def test_protection_follows_volatility_within_bounds() -> None:
    limits = {"stop_atr_multiple": Decimal(2), "take_atr_multiple": Decimal(5), "stop_trailing": True}
    for atr, stop, take in [(2.0, "0.04", "0.1"), (0.001, "0.001", "0.001"), (90.0, "0.5", "4.5")]:
        found = only(Scene(atr=(atr, 1.0, 1.0), limits=limits)).protection
        assert found == Protection(stop_frac=Decimal(stop), take_frac=Decimal(take), trailing=True)


def test_exit_fills_start_a_cooldown_that_is_forgotten_when_over() -> None:
    scene = Scene(exits=(BTC,), limits={"cooldown_bars": 2}, state=RiskState(cooldowns={XRP: NOW_NS}))
    judged = scene.judge()
    assert judged.state.cooldowns == {BTC: NOW_NS + 2 * BAR_NS}
    assert [denied.code for denied in judged.denied] == [DenialCode.COOLDOWN]
    assert Scene(exits=(BTC,), limits={"cooldown_bars": 0}).judge().denied == ()


def test_same_cycle_again_is_the_same_judgement_and_counts_once() -> None:
    core, request = Scene().core(), Scene().request()
    first = core.judge(request)
    assert core.judge(request) is first
    assert core.state.trades_today == 1
    # A restarted room that is handed the memory from before the cycle says the same.
    assert Scene().judge() == first


def test_unknown_books_are_not_marked_and_trip_nothing() -> None:
    before = RiskState(equity_peak=Decimal(10**9), day=3, day_equity_open=Decimal(10**9))
    judged = Scene(state=before, account=holding("1", marks={})).judge()
    assert (judged.halt, judged.state) == (None, before)


def test_trades_are_counted_by_the_utc_day() -> None:
    yesterday = RiskState(day=NOW_NS // DAY_NS - 1, trades_today=50)
    judged = Scene(state=yesterday).judge()
    assert (judged.state.day, judged.state.trades_today) == (NOW_NS // DAY_NS, 1)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.0, 0.0), ()),
        ((nan, nan), ()),
        ((0.0, 1.0), (("momentum", "1"),)),
        ((1 / 3, 2 / 3), (("trend", "0.333333"), ("momentum", "0.666667"))),
        ((1.0, 1e-9), (("trend", "1"),)),
    ],
)
def test_shares_sum_to_one_or_nobody_is_credited(
    shares: tuple[float, float], expected: tuple[tuple[str, str], ...]
) -> None:
    intent = only(Scene(shares=(shares, (0.0, 0.0), (0.0, 0.0))))
    assert tuple((s.agent, s.frac) for s in intent.shares) == tuple((a, Decimal(f)) for a, f in expected)


def test_arrays_of_other_instruments_or_cycles_are_bugs() -> None:
    core, request = Scene().core(), Scene().request()
    for wrong in (
        replace(request, quotes=replace(request.quotes, symbols=(XRP, BTC, XRP_BTC))),
        replace(request, quotes=replace(request.quotes, atr=np.ones(2))),
        replace(request, targets=replace(request.targets, shares=np.ones((2, 3)))),
        replace(request, targets=replace(request.targets, cycle=6)),
    ):
        with pytest.raises(ValueError, match=r"must|are of cycle"):
            core.judge(wrong)


def the_actor() -> Any:
    """The shell as a plain object: mypy knows its methods as remote ones only."""
    return RiskActor(
        RiskSpec(limits=RiskLimits(), instruments=INSTRUMENTS, desk="desk", account="paper", bar_ns=BAR_NS)
    )


def test_room_that_was_not_recalled_denies_everything_and_remembers_nothing() -> None:
    scene = Scene()
    actor = the_actor()
    blank = actor.judge(scene.request())
    assert blank.approved == ()
    assert [denied.code for denied in blank.denied] == [DenialCode.RISK_UNAVAILABLE] * 3
    actor.recall(None)
    assert actor.judge(scene.request()) == scene.judge()
    assert repr(actor) == "RiskActor"


def test_recalled_room_goes_on_where_the_old_one_stopped() -> None:
    tripped = RiskState(equity_peak=Decimal(200_000), drawdown_tripped=True)
    actor = the_actor()
    actor.recall(tripped)
    assert [d.code for d in actor.judge(Scene().request()).denied] == [DenialCode.DRAWDOWN_LIMIT]
    actor.rearm(Decimal(100_000))
    assert len(actor.judge(replace(Scene(), cycle=8).request()).approved) == 1
