"""Every rule fires in the assembled desk: each denial code, each breaker, each trading state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.correlation_words import WithDays
from tests.desk_words import (
    BTC,
    DOWN,
    FLAT,
    OPENING,
    SYMBOLS,
    UP,
    XRP,
    XRP_BTC,
    Bar,
    Scene,
    ScriptedFeed,
    says,
)
from tests.faulty_venue import Fate, FaultyVenue, QuietVenue
from tests.stage_words import spec
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.ports import Execution, Market, Risk
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Account, DenialCode, Judgement, Settlement
from tg_actors.domain.orders import Intent, Leg, OrderState, OrderType, TradingState
from tg_actors.risk.actor import RiskActor
from tg_actors.risk.judge import JudgeRequest


class EditedAccount:
    """An executor that reports its books with a defect."""

    def __init__(self, inner: Execution, edit: Callable[[Account], Mapping[str, Any]]) -> None:
        self._inner = inner
        self._edit = edit
        self.flatten = inner.flatten
        self.execute = inner.execute

    def begin_settle(self, snapshot: MarketSnapshot) -> Callable[[], Settlement]:
        settlement = self._inner.begin_settle(snapshot)()
        account = settlement.account.model_copy(update=dict(self._edit(settlement.account)))
        return lambda: settlement.model_copy(update={"account": account})


class EditedIntents:
    """A risk room that hands on its intents with a defect: the permit must hold even when risk is wrong."""

    def __init__(self, inner: Risk, edit: Callable[[Intent], Mapping[str, Any]]) -> None:
        self._inner = inner
        self._edit = edit
        self.rearm = inner.rearm
        self.restage = inner.restage

    def judge(self, request: JudgeRequest) -> Judgement:
        judgement = self._inner.judge(request)
        edited = tuple(intent.model_copy(update=dict(self._edit(intent))) for intent in judgement.approved)
        return judgement.model_copy(update={"approved": edited})


class BlindMarket:
    """Calls its bars fresh and has no bid for XRP."""

    def __init__(self, inner: Market) -> None:
        self._inner = inner

    def observe(self, cycle: int) -> MarketSnapshot | None:
        snapshot = self._inner.observe(cycle)
        if snapshot is None:
            return None
        is_xrp = np.array([symbol == XRP for symbol in snapshot.symbols])
        return replace(snapshot, bid=np.where(is_xrp, np.nan, snapshot.bid))


def _unrecalled(plan: DeskPlan, _: Risk) -> Risk:
    """A risk room that has just been restarted and was not told its memory."""
    # Called directly, its remote methods are plain methods.
    return cast("Risk", RiskActor(plan.risk))


def _still(bars: int = 20, **others: list[Bar]) -> dict[str, list[Bar]]:
    paths: dict[str, list[Bar]] = {symbol: [OPENING[symbol]] * bars for symbol in SYMBOLS}
    return paths | others


def _xrp(*path: Bar, bars: int = 20) -> dict[str, list[Bar]]:
    """XRP/USDT walks the path and then stays; the others stand still."""
    return _still(bars) | {XRP: [*path, *[path[-1]] * (bars - len(path))]}


def _loses_answers() -> FaultyVenue:
    venue = FaultyVenue()
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    return venue


def _venue(venue: FaultyVenue | None = None, **faults: object) -> FaultyVenue:
    """A venue with lasting faults."""
    venue = venue or FaultyVenue()
    for name, fault in faults.items():
        setattr(venue, name, fault)
    return venue


BUY = says({0: {XRP: UP}})
WIDE = {"stop_atr_multiple": Decimal(40)}
FALL = _xrp(0.5, 0.5, 0.46)

#: For every code: a desk in which it is the answer.
CASES: dict[DenialCode, Scene] = {
    DenialCode.CONFIDENCE_TOO_LOW: Scene(script=says({0: {XRP: (1.0, 0.54)}})),
    DenialCode.MARKET_STALE: Scene(script=says({2: {XRP: UP}}), paths=_xrp(0.5, 0.5, None, 0.5)),
    DenialCode.PRICE_NOT_FINITE: Scene(script=BUY, market=BlindMarket, open_venue=QuietVenue.open),
    DenialCode.VOLATILITY_UNKNOWN: Scene(script=BUY, feed=ScriptedFeed(_still(), history_bars=5)),
    DenialCode.ACCOUNT_UNKNOWN: Scene(
        script=BUY, feed=ScriptedFeed(_still() | {BTC: [None] * 20}, unseen=[BTC])
    ),
    DenialCode.BALANCE_MISSING: Scene(
        script=BUY,
        execution=lambda inner: EditedAccount(inner, lambda account: {"cash": {"BTC": account.cash["BTC"]}}),
    ),
    DenialCode.CASH_INSUFFICIENT: Scene(script=says({0: {XRP_BTC: UP}}), cash={"USDT": "10000", "BTC": "0"}),
    # The bar in which the exit meets the market holds a tenth of a lot for us.
    DenialCode.ORDER_PENDING: Scene(
        script=says({0: {XRP: UP}}, otherwise={XRP: FLAT}),
        feed=ScriptedFeed(_still(), volumes={XRP: [1e9, 1e9, 100.0, 100.0]}),
    ),
    DenialCode.ORDER_UNKNOWN: Scene(script=says({}, {XRP: UP}), open_venue=_loses_answers().open),
    DenialCode.BELOW_MINIMUM: Scene(script=BUY, cash={"USDT": "40", "BTC": "0"}),
    DenialCode.SHORT_NOT_ALLOWED: Scene(script=says({0: {XRP: DOWN}})),
    DenialCode.POSITION_LIMIT: Scene(
        script=BUY,
        execution=lambda inner: EditedAccount(inner, lambda _: {"open_notional": {XRP: Decimal(5_000)}}),
    ),
    DenialCode.LEVERAGE_LIMIT: Scene(script=BUY, risk={"leverage_max": Decimal("0.0001")}),
    # XRP and XRP/BTC are one cluster: what is left of it is no order any more.
    DenialCode.CLUSTER_LIMIT: Scene(
        script=says({0: {XRP: UP}, 2: {XRP_BTC: UP}}),
        market=lambda inner: WithDays(inner, [[0.0], [0.95], [0.95]]),
        risk={"cluster_exposure_frac_max": Decimal("0.05")},
    ),
    DenialCode.ORDER_NOTIONAL_LIMIT: Scene(script=BUY, risk={"order_notional_max": Decimal("4.99")}),
    DenialCode.TRADES_PER_DAY_LIMIT: Scene(
        script=says({0: {XRP: UP, XRP_BTC: UP}}), risk={"trades_per_day_max": 1}
    ),
    DenialCode.COOLDOWN: Scene(
        script=says({0: {XRP: UP}, 2: {XRP: FLAT}, 3: {XRP: UP}, 4: {XRP: UP}}), risk={"cooldown_bars": 2}
    ),
    DenialCode.DAILY_LOSS_LIMIT: Scene(
        script=says({0: {XRP: UP}, 2: {XRP_BTC: UP}}),
        paths=FALL,
        risk={"daily_loss_frac_max": Decimal("0.005"), **WIDE},
    ),
    DenialCode.DRAWDOWN_LIMIT: Scene(
        script=says({0: {XRP: UP}, 2: {XRP_BTC: UP}}),
        paths=FALL,
        risk={"drawdown_frac_max": Decimal("0.005"), **WIDE},
    ),
    DenialCode.TRADING_REDUCE_ONLY: Scene(
        script=says({0: {XRP: UP}, 3: {XRP_BTC: UP}}),
        paths=FALL,
        risk={"daily_loss_frac_max": Decimal("0.005"), **WIDE},
    ),
    DenialCode.TRADING_HALTED: Scene(
        script=says({0: {XRP: UP}, 3: {XRP: FLAT}}),
        paths=FALL,
        risk={"drawdown_frac_max": Decimal("0.005"), **WIDE},
    ),
    DenialCode.INTENT_EXPIRED: Scene(
        script=BUY,
        judge=lambda _, risk: EditedIntents(risk, lambda i: {"valid_until_ns": i.decided_at_ns - 1}),
    ),
    DenialCode.PRICE_OUTSIDE_BAND: Scene(
        script=BUY,
        judge=lambda _, risk: EditedIntents(
            risk, lambda i: {"reference_price": i.reference_price * Decimal("1.06")}
        ),
    ),
    DenialCode.RISK_UNAVAILABLE: Scene(script=BUY, judge=_unrecalled),
    DenialCode.STAGE_PAUSED: Scene(script=BUY, stages=spec("micro-100")),
    DenialCode.STAGE_PAIR: Scene(script=BUY, stages=spec(pairs=(BTC,))),
    DenialCode.STAGE_NO_REBALANCE: Scene(
        script=says({0: {XRP: (0.5, 1.0)}, 3: {XRP: UP}}), stages=spec(rebalancing=False), risk=WIDE
    ),
    DenialCode.VENUE_UNKNOWN: Scene(script=BUY, open_venue=_venue(silent={"balances"}).open),
    DenialCode.CLOCK_OFFSET: Scene(script=BUY, open_venue=_venue(offset_ns=10**9).open),
    DenialCode.ORDER_TYPE_UNSUPPORTED: Scene(
        script=BUY, open_venue=FaultyVenue(order_types=frozenset({OrderType.LIMIT})).open
    ),
    DenialCode.EXIT_WAITS: Scene(
        script=says({0: {XRP: UP}, 3: {XRP: FLAT}}),
        open_venue=_venue(FaultyVenue(oco=False), cancel_fate=lambda: Fate.MESSAGE_LOST).open,
    ),
}
#: The permit's own limits hold even when the risk room lets an intent through.
HARD_LIMITS: dict[DenialCode, dict[str, Decimal]] = {
    DenialCode.ORDER_NOTIONAL_LIMIT: {"order_notional_max": Decimal(1_000)},
    DenialCode.LEVERAGE_LIMIT: {"gross_exposure_frac_max": Decimal("0.05")},
}


def test_every_denial_code_is_produced_by_a_desk() -> None:
    assert set(CASES) == set(DenialCode)


@pytest.mark.parametrize("code", CASES)
def test_a_desk_denies_with(code: DenialCode, tmp_path: Path) -> None:
    with CASES[code].open(tmp_path) as desk:
        reports = desk.run(6)
        assert code in desk.denials()
        orders = {order.client_order_id: order for order in desk.orders()}
        # What was denied was not sent in that cycle, neither by risk nor by the permit.
        for report in reports:
            denied = {d.symbol for d in (*report.decision.judgement.denied, *report.execution.denied)}
            sent = {orders[permitted].intent.spec.symbol for permitted in report.execution.permitted}
            assert not denied & sent


@pytest.mark.parametrize("code", HARD_LIMITS)
def test_the_permit_denies_what_risk_has_approved(code: DenialCode, tmp_path: Path) -> None:
    with Scene(script=BUY, permits=HARD_LIMITS[code]).open(tmp_path) as desk:
        report = desk.run(1)[0]
        assert len(report.decision.judgement.approved) == 1
        assert [denied.code for denied in report.execution.denied] == [code]
        assert desk.denials() == [code]
        assert desk.journal.permits() == []


def test_a_restarted_risk_room_denies_everything_until_it_is_told_its_memory(tmp_path: Path) -> None:
    with CASES[DenialCode.RISK_UNAVAILABLE].open(tmp_path) as desk:
        desk.run(2)
        assert desk.denials() == [DenialCode.RISK_UNAVAILABLE] * len(SYMBOLS) * 2


@dataclass(frozen=True)
class Fall:
    """XRP is bought, falls by a tenth in cycle 3, and every instrument is wanted from then on."""

    limits: Mapping[str, Decimal | str]

    def scene(self, bars: int = 40) -> Scene:
        wanted = dict.fromkeys(SYMBOLS, UP)
        return Scene(
            script=says({0: {XRP: UP}, 1: {}, 2: {}}, otherwise=wanted),
            paths=_xrp(0.5, 0.5, 0.5, 0.45, bars=bars),
            risk={**self.limits, **WIDE},
        )


def test_a_drawdown_halts_until_a_person_resumes_and_rearms(tmp_path: Path) -> None:
    fall = Fall({"drawdown_frac_max": Decimal("0.005")})
    with fall.scene().open(tmp_path) as desk:
        desk.run_to(2)
        assert desk.journal.trading_state() is TradingState.ACTIVE
        desk.run_to(3)
        assert desk.journal.trading_state() is TradingState.HALTED
        assert desk.journal.control().actor == "risk"
        permits = len(desk.journal.permits())

        desk.run_to(30)  # the next UTC day has begun
        assert set(desk.denials(30)) == {DenialCode.TRADING_HALTED}

        desk.journal.set_trading_state(TradingState.ACTIVE, "resumed", "a person", 0)
        desk.run_to(31)
        assert set(desk.denials(31)) == {DenialCode.DRAWDOWN_LIMIT}, "resumed, but not re-armed"
        assert len(desk.journal.permits()) == permits

        desk.journal.request("rearm", "", "a person")
        desk.coordinator.obey()
        desk.run_to(32)
        assert len(desk.journal.permits()) > permits
        assert desk.journal.trading_state() is TradingState.ACTIVE


def test_a_rearm_survives_a_crash_before_the_next_decision(tmp_path: Path) -> None:
    fall = Fall({"drawdown_frac_max": Decimal("0.005")})
    with fall.scene().open(tmp_path) as desk:
        desk.run_to(3)
        desk.journal.set_trading_state(TradingState.ACTIVE, "resumed", "a person", 0)
        desk.journal.request("rearm", "", "a person")
        desk.coordinator.obey()
        assert not desk.journal.pending_requests()
    with fall.scene().open(tmp_path) as restarted:
        restarted.run_to(4)
        assert DenialCode.DRAWDOWN_LIMIT not in restarted.denials(4)
        assert restarted.journal.trading_state() is TradingState.ACTIVE


def test_a_daily_loss_allows_only_exits_until_the_next_day(tmp_path: Path) -> None:
    fall = Fall({"daily_loss_frac_max": Decimal("0.005")})
    with fall.scene().open(tmp_path) as desk:
        desk.run_to(3)
        assert desk.journal.trading_state() is TradingState.REDUCE_ONLY
        assert set(desk.denials(3)) == {DenialCode.DAILY_LOSS_LIMIT}
        desk.run_to(22)
        assert set(desk.denials(22)) == {DenialCode.TRADING_REDUCE_ONLY}
        assert len(desk.orders(Leg.ENTRY)) == 1
        # Cycle 23 closes at midnight UTC, which is the next day; it was settled under yesterday's word.
        desk.run_to(23)
        assert desk.journal.trading_state() is TradingState.ACTIVE
        desk.run_to(24)
        assert len(desk.orders(Leg.ENTRY)) > 1


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCE_ONLY])
def test_no_breaker_and_no_new_day_loosens_a_persons_word(state: TradingState, tmp_path: Path) -> None:
    fall = Fall({"daily_loss_frac_max": Decimal("0.005")})
    with fall.scene().open(tmp_path) as desk:
        desk.run_to(2)
        desk.journal.set_trading_state(state, "by hand", "a person", 0)
        desk.run_to(30)
        assert desk.journal.trading_state() is state
        assert desk.journal.control().actor == "a person"


def test_nothing_commits_while_halted(tmp_path: Path) -> None:
    everything = dict.fromkeys(SYMBOLS, UP)
    script = says({0: {XRP: UP}, 2: {XRP: FLAT}, 3: {XRP: FLAT}}, otherwise=everything)
    with Scene(script=script).open(tmp_path) as desk:
        desk.run_to(0)
        # The entry is permitted and fills in the next bar; its stop must wait for the resume.
        desk.journal.set_trading_state(TradingState.HALTED, "by hand", "a person", 0)
        desk.journal.request("flatten", "", "a person")
        desk.run_to(1)
        desk.coordinator.obey()
        desk.run_to(6)
        assert len(desk.journal.permits()) == 1
        assert set(desk.denials()) == {DenialCode.TRADING_HALTED}
        assert [request.verb for request in desk.journal.pending_requests()] == ["flatten"], "it waits"
        assert any("without its stop" in alert for alert in desk.coordinator.alerts)

        desk.journal.set_trading_state(TradingState.ACTIVE, "resumed", "a person", 0)
        desk.run_to(7)
        assert [order.state for order in desk.orders(Leg.STOP)] == [OrderState.OPEN]


def test_exits_and_stops_leave_while_only_reductions_are_allowed(tmp_path: Path) -> None:
    script = says({0: {XRP: UP, XRP_BTC: UP}, 3: {XRP: FLAT}, 4: {BTC: UP}})
    with Scene(script=script).open(tmp_path) as desk:
        desk.run_to(0)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "careful", "a person", 0)
        desk.run_to(5)
        assert {order.intent.spec.symbol for order in desk.orders(Leg.STOP)} == {XRP, XRP_BTC}
        assert [order.state for order in desk.orders(Leg.EXIT)] == [OrderState.FILLED]
        assert desk.held.keys() == {XRP_BTC}
        assert desk.denials() == [DenialCode.TRADING_REDUCE_ONLY]


def test_a_denial_is_final_also_after_a_restart(tmp_path: Path) -> None:
    scene = Scene(script=BUY)
    with scene.open(tmp_path) as desk:
        desk.journal.set_trading_state(TradingState.HALTED, "by hand", "a person", 0)
        # Risk sees the halt as well; the permit alone must refuse, and go on refusing.
        desk.run_to(0)
        denied = {event.ref for event in desk.journal.events({"IntentDenied"})}
        desk.journal.set_trading_state(TradingState.ACTIVE, "resumed", "a person", 0)
    with scene.open(tmp_path) as restarted:
        assert restarted.journal.permits() == []
        assert denied == {event.ref for event in restarted.journal.events({"IntentDenied"})}


def test_supervision_never_loosens_a_persons_word(tmp_path: Path) -> None:
    with Scene().open(tmp_path) as desk:
        desk.run(1)
        desk.journal.set_trading_state(TradingState.HALTED, "by hand", "a person", 0)
        desk.coordinator.set_trading_state(TradingState.REDUCE_ONLY, "an actor died")
        assert desk.journal.trading_state() is TradingState.HALTED


def test_unknown_requests_are_answered_not_obeyed(tmp_path: Path) -> None:
    with Scene().open(tmp_path) as desk:
        desk.journal.request("dance", "", "a person")
        desk.coordinator.obey()
        assert len(desk.journal.pending_requests()) == 1, "nothing can be done before the first cycle"
        desk.run(1)
        desk.coordinator.obey()
        [done] = desk.journal.events({"RequestCompleted"})
        assert done.content() == {"outcome": "unknown request 'dance'"}
