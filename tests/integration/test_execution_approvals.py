"""Orders that wait for a person: one word, one use, never too late, through every restart."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import BTC, FLAT, OPENING, SYMBOLS, UP, XRP, XRP_BTC, Bar, Desk, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.approvals import Approval, ApprovalState, content_hash
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import Leg, OrderState, TradingState
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.journal.verify import verify

BUY = says({0: {XRP: UP}})
ALL = ApprovalPolicy(above_notional=Decimal(0), ttl_s=60)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


@pytest.fixture
def scene(clock: HandClock, venue: FaultyVenue) -> Scene:
    return Scene(
        script=BUY,
        executor={"approval": ALL},
        clock=clock,
        wall_ns=clock.wall_ns,
        open_venue=venue.open,
    )


def _tend(desk: Desk) -> tuple[str, ...]:
    return desk.executor.tend(desk.executor.at_ns)


def _approval(desk: Desk) -> Approval:
    [approval] = desk.journal.approvals()
    return approval


def test_an_order_waits_without_a_permit_and_keeps_its_instrument_busy(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    scene = replace(scene, script=says({0: {XRP: UP}, 1: {XRP: UP}}))
    with scene.open(tmp_path) as desk:
        report = desk.run_to(0)
        approval = _approval(desk)
        assert approval.state is ApprovalState.PENDING
        assert report.execution.permitted == ()
        assert any(f"tg approve {approval.short_id}" in alert for alert in report.execution.alerts)
        assert desk.run_to(1).settlement.account.busy == (XRP,)
        assert desk.denials(1) == [DenialCode.ORDER_PENDING]
        assert not venue.posts
        assert desk.journal.permits() == []
        assert desk.journal.orders() == []
        assert verify(desk.journal).problems == ()


def test_a_granted_order_leaves_once_and_is_an_order_like_any_other(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        desk.journal.approve(_approval(desk).short_id, "ada")
        _tend(desk)
        _tend(desk)
        [order] = desk.orders()
        used = _approval(desk)
        assert (used.state, used.user) == (ApprovalState.USED, "ada")
        [event] = desk.journal.events({"OrderPermitted"})
        assert used.used_seq == event.seq
        desk.run_to(2)
        assert desk.held.keys() == {XRP}
        assert venue.posts[order.intent.intent_id] == 1
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [OrderState.OPEN], "no person is asked"
        assert verify(desk.journal).problems == ()


def test_without_tending_the_next_settlement_sends_it(tmp_path: Path, scene: Scene) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        desk.journal.approve(_approval(desk).intent.intent_id, "ada")
        desk.run_to(1)
        assert [order.state for order in desk.orders()] == [OrderState.OPEN]


@pytest.mark.parametrize("granted", [False, True])
def test_a_waiting_order_survives_restarts(granted: bool, tmp_path: Path, scene: Scene) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        if granted:
            desk.journal.approve(_approval(desk).short_id, "ada")
    with scene.open(tmp_path) as desk:
        if not granted:
            _tend(desk)
            assert desk.journal.permits() == []
            desk.journal.approve(_approval(desk).short_id, "ada")
        desk.run_to(1)
        assert len(desk.orders(Leg.ENTRY)) == 1
    with scene.open(tmp_path) as desk:
        desk.run_to(2)
        assert len(desk.orders(Leg.ENTRY)) == 1
        assert _approval(desk).state is ApprovalState.USED


def test_a_refused_order_never_leaves(tmp_path: Path, scene: Scene, venue: FaultyVenue) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        refused = desk.journal.reject(_approval(desk).short_id, "ada", "not today")
        assert (refused.state, refused.user, refused.reason) == (ApprovalState.REFUSED, "ada", "not today")
        assert desk.run_to(1).settlement.account.busy == ()
        with pytest.raises(UserError, match="is refused already, by ada"):
            desk.journal.approve(_approval(desk).short_id, "bob")
        desk.run_to(3)
        assert not venue.posts


def test_a_granted_order_can_be_refused_until_it_is_sent(tmp_path: Path, scene: Scene) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        name = _approval(desk).short_id
        desk.journal.approve(name, "ada")
        desk.journal.reject(name, "bob", "wait")
        _tend(desk)
        assert desk.journal.permits() == []


def test_a_second_grant_a_replay_and_a_grant_of_something_else_do_nothing(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        approval = _approval(desk)
        with pytest.raises(UserError, match="is not the one you were shown"):
            desk.journal.approve(approval.short_id, "ada", content_hash="0" * 64)
        for nobody in ("", "ffff", approval.intent.intent_id + "0"):
            with pytest.raises(UserError, match="no order waits under"):
                desk.journal.approve(nobody, "ada")
        desk.journal.approve(approval.short_id, "ada", content_hash=approval.content_hash)
        with pytest.raises(UserError, match="is granted already, by ada"):
            desk.journal.approve(approval.short_id, "bob")
        _tend(desk)
        with pytest.raises(UserError, match="is used already, by ada"):
            desk.journal.approve(approval.short_id, "ada")
        desk.run_to(3)
        assert max(venue.posts.values()) == 1
        assert len(desk.orders(Leg.ENTRY)) == 1
        assert _approval(desk).user == "ada"


def test_a_grant_after_the_question_has_expired_does_nothing(
    tmp_path: Path, scene: Scene, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        clock.wait(61)
        with pytest.raises(UserError, match="waited too long and has lapsed"):
            desk.journal.approve(_approval(desk).short_id, "ada")
        _tend(desk)
        assert _approval(desk).state is ApprovalState.LAPSED
        assert desk.run_to(1).settlement.account.busy == ()
        assert desk.journal.permits() == []


def test_a_grant_in_time_that_is_acted_on_too_late_does_nothing(
    tmp_path: Path, scene: Scene, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        clock.wait(60)
        desk.journal.approve(_approval(desk).short_id, "ada")
    clock.wait(1)
    with scene.open(tmp_path) as desk:
        _tend(desk)
        assert _approval(desk).state is ApprovalState.LAPSED
        assert desk.journal.permits() == []


def test_an_intent_that_is_too_old_for_the_market_lapses_however_patient_people_are(
    tmp_path: Path, scene: Scene, clock: HandClock
) -> None:
    patient = ApprovalPolicy(above_notional=Decimal(0), ttl_s=10**6)
    with replace(scene, executor={"approval": patient}).open(tmp_path) as desk:
        desk.run_to(0)
        desk.journal.approve(_approval(desk).short_id, "ada")
        clock.be_late(bars=1.01)
        _tend(desk)
        assert _approval(desk).state is ApprovalState.LAPSED
        assert desk.journal.permits() == []


def _halt(desk: Desk, _: FaultyVenue) -> None:
    desk.journal.set_trading_state(TradingState.HALTED, "by hand", "a person", 0)


def _reduce(desk: Desk, _: FaultyVenue) -> None:
    desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "by hand", "a person", 0)


def _blind(_: Desk, venue: FaultyVenue) -> None:
    venue.blindness = replace(venue.blindness, gap="a stream stands still", blind=frozenset("*"))


def _nothing(_: Desk, __: FaultyVenue) -> None:
    pass


def _paths(bar: Bar) -> dict[str, list[Bar]]:
    paths: dict[str, list[Bar]] = {symbol: [OPENING[symbol]] * 20 for symbol in SYMBOLS}
    return paths | {XRP: [0.5, *[bar] * 19]}


@pytest.mark.parametrize(
    ("meanwhile", "bar", "code"),
    [
        (_halt, 0.5, DenialCode.TRADING_HALTED),
        (_reduce, 0.5, DenialCode.TRADING_REDUCE_ONLY),
        (_blind, 0.5, DenialCode.VENUE_UNKNOWN),
        (_nothing, 0.53, DenialCode.PRICE_OUTSIDE_BAND),
        (_nothing, None, DenialCode.MARKET_STALE),
    ],
)
def test_every_rule_is_asked_again_when_a_granted_order_is_sent(
    meanwhile: Callable[[Desk, FaultyVenue], None],
    bar: Bar,
    code: DenialCode,
    tmp_path: Path,
    scene: Scene,
    venue: FaultyVenue,
) -> None:
    with replace(scene, paths=_paths(bar)).open(tmp_path) as desk:
        desk.run_to(0)
        desk.journal.approve(_approval(desk).short_id, "ada")
        meanwhile(desk, venue)
        report = desk.run_to(1)
        assert code in desk.denials(1)
        assert any(f"granted and denied all the same, {code}" in a for a in report.settlement.alerts)
        assert _approval(desk).state is ApprovalState.REFUSED
        assert desk.journal.permits() == []
        desk.run_to(3)
        assert not venue.posts


def test_limits_are_asked_again_with_everything_that_was_permitted_meanwhile(
    tmp_path: Path, scene: Scene
) -> None:
    """Two orders wait; each fits alone, together they do not."""
    scene = replace(
        scene,
        script=says({0: {XRP: UP, XRP_BTC: UP}}),
        permits={"gross_exposure_frac_max": Decimal("0.05")},
        risk={"position_frac_max": Decimal("0.03")},
    )
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        for approval in desk.journal.approvals():
            desk.journal.approve(approval.short_id, "ada")
        assert len(desk.journal.approvals()) == 2
        desk.run_to(1)
        assert len(desk.orders(Leg.ENTRY)) == 1
        assert desk.denials(1) == [DenialCode.LEVERAGE_LIMIT]


@pytest.mark.parametrize(("above", "waiting"), [("10000", 0), ("1", 1), ("0", 1), (None, 0)])
def test_only_orders_above_the_notional_wait_and_exits_never(
    above: str | None, waiting: int, tmp_path: Path, scene: Scene
) -> None:
    policy = ApprovalPolicy(above_notional=None if above is None else Decimal(above))
    script = says({0: {XRP: UP}, 3: {XRP: FLAT}})
    with replace(scene, script=script, executor={"approval": policy}).open(tmp_path) as desk:
        desk.run_to(0)
        waits = desk.journal.approvals()
        assert len(waits) == waiting
        for approval in waits:
            desk.journal.approve(approval.short_id, "ada")
        desk.run_to(5)
        assert [o.state for o in desk.orders(Leg.EXIT)] == [OrderState.FILLED]
        assert len(desk.journal.approvals()) == waiting


def test_the_hash_binds_everything_a_person_agrees_to(tmp_path: Path, scene: Scene) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        approval = _approval(desk)
    intent = approval.intent
    assert approval.content_hash == content_hash("paper", intent)
    edits = {
        "quantity": intent.spec.quantity * 2,
        "symbol": "BTC/USDT",
        "side": intent.spec.side.opposite,
    }
    edited = [
        intent.model_copy(update={"spec": intent.spec.model_copy(update={k: v})}) for k, v in edits.items()
    ]
    edited += [
        intent.model_copy(update={"valid_until_ns": intent.valid_until_ns + 1}),
        intent.model_copy(update={"leg": Leg.EXIT}),
        intent.model_copy(update={"intent_id": "0" * 64}),
    ]
    hashes = {content_hash("paper", other) for other in edited} | {content_hash("live", intent)}
    assert len(hashes) == len(edited) + 1
    assert approval.content_hash not in hashes


def test_verify_finds_an_approval_that_says_something_else_than_its_events(
    tmp_path: Path, scene: Scene
) -> None:
    import sqlite3

    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        name = _approval(desk).intent.intent_id
        with sqlite3.connect(tmp_path / "desk.sqlite") as database:
            database.execute("UPDATE approvals SET state = 'granted'")
        assert verify(desk.journal).problems == (
            f"the approval of {name} says something else than its last event",
        )
        database.close()


def test_what_waits_for_a_person_is_counted_in_its_cluster(tmp_path: Path, scene: Scene) -> None:
    # Nothing is known of correlations: XRP and BTC are one cluster.
    risk = {"cluster_exposure_frac_max": Decimal("0.03"), "order_ttl_bars": 3}
    both = replace(scene, script=says({0: {XRP: UP}, 1: {BTC: UP}}), risk={**scene.risk, **risk})
    with both.open(tmp_path) as desk:
        assert _asked(desk, 0) == {XRP}
        account = desk.run_to(1).settlement.account
        assert account.open_notional.keys() == {XRP}
        assert _asked(desk, 1) == {XRP}, "BTC would be too much, should both be granted"
        assert DenialCode.CLUSTER_LIMIT in desk.denials(1)
        desk.journal.approve(_approval(desk).short_id, "ada")
        _tend(desk)
        assert desk.orders()[0].state is OrderState.OPEN, "an order is not counted against itself"


def _asked(desk: Desk, cycle: int) -> set[str]:
    desk.run_to(cycle)
    return {approval.intent.spec.symbol for approval in desk.journal.approvals()}
