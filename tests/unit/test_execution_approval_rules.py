from decimal import Decimal

import pytest
from pydantic import ValidationError

from tests.journal_words import an_intent
from tg_actors.domain.approvals import (
    MOVES,
    ORDER_STATES,
    SHORT_ID_CHARS,
    Approval,
    ApprovalState,
    content_hash,
)
from tg_actors.domain.ids import sha256_text
from tg_actors.domain.orders import Intent, OrderSpec, OrderState, OrderType
from tg_actors.domain.stages import StageState
from tg_actors.execution.approvals import (
    ApprovalPolicy,
    DeskApprovals,
    has_lapsed,
    is_usable,
    request,
)
from tg_actors.execution.machine import OrderEvent, move

D = Decimal
S = ApprovalState
NS = 10**9
INTENT = an_intent()  # valid until 180 ns
REDUCING = INTENT.model_copy(update={"spec": INTENT.spec.model_copy(update={"reduce_only": True})})


@pytest.mark.parametrize(
    ("above", "notional", "asks"),
    [
        (None, None, False),
        (None, "1000000", False),
        ("0", "0", True),
        ("0", None, True),
        ("25", None, True),
        ("25", "25", False),
        ("25", "25.01", True),
        ("25", "24.99", False),
    ],
)
def test_who_is_asked(above: str | None, notional: str | None, *, asks: bool) -> None:
    policy = ApprovalPolicy(above_notional=None if above is None else D(above))
    known = None if notional is None else D(notional)
    assert policy.asks(INTENT, known) is asks
    assert policy.asks(REDUCING, known) is False


def test_a_policy_is_sound_or_refused() -> None:
    assert ApprovalPolicy() == ApprovalPolicy(above_notional=None, ttl_s=900)
    assert ApprovalPolicy(above_notional=D(0), ttl_s=1).ttl_s == 1
    for wrong in ({"above_notional": D("-0.01")}, {"ttl_s": 0}):
        with pytest.raises(ValidationError):
            ApprovalPolicy(**wrong)


def test_a_question_names_the_order_and_when_it_is_too_late() -> None:
    asked = request("paper", INTENT, ApprovalPolicy(above_notional=D(0), ttl_s=60), 1_000)
    assert asked == Approval(
        intent=INTENT,
        content_hash=content_hash("paper", INTENT),
        state=S.PENDING,
        requested_ns=1_000,
        expires_ns=1_000 + 60 * NS,
        decided_ns=None,
        user="",
        reason="",
        used_seq=None,
    )
    assert asked.short_id == INTENT.intent_id[:8]
    assert SHORT_ID_CHARS == 8


def _approval(state: ApprovalState = S.GRANTED) -> Approval:
    asked = request("paper", INTENT, ApprovalPolicy(above_notional=D(0), ttl_s=60), 0)
    return asked.model_copy(update={"state": state})


@pytest.mark.parametrize(
    ("now_ns", "wall_ns", "lapsed"),
    [(180, 60 * NS, False), (181, 60 * NS, True), (180, 60 * NS + 1, True), (0, 0, False)],
)
def test_a_word_is_too_late_on_either_clock(now_ns: int, wall_ns: int, *, lapsed: bool) -> None:
    assert has_lapsed(_approval(), now_ns, wall_ns) is lapsed
    assert is_usable(_approval(), "paper", INTENT, now_ns, wall_ns) is not lapsed


def test_only_a_granted_word_about_this_very_order_is_of_use() -> None:
    assert not is_usable(None, "paper", INTENT, 0, 0)
    for state in S:
        assert is_usable(_approval(state), "paper", INTENT, 0, 0) is (state is S.GRANTED)
    assert not is_usable(_approval(), "live", INTENT, 0, 0)
    other = INTENT.model_copy(update={"valid_until_ns": 181})
    assert not is_usable(_approval(), "paper", other, 0, 0)


def test_every_end_is_final_and_only_a_granted_word_is_used() -> None:
    assert {state for state in S if _approval(state).is_open} == {S.PENDING, S.GRANTED}
    assert {state for state in S if S.USED in MOVES[state]} == {S.GRANTED}
    assert {state for state in S if S.GRANTED in MOVES[state]} == {S.PENDING}
    assert all(S.PENDING not in moves for moves in MOVES.values())
    for end in (S.REFUSED, S.LAPSED):
        assert {state for state in S if end in MOVES[state]} == {S.PENDING, S.GRANTED}
    assert set(MOVES) == set(ORDER_STATES) == set(S)


@pytest.mark.parametrize(
    ("end", "event"),
    [(S.USED, OrderEvent.PERMIT), (S.REFUSED, OrderEvent.REFUSE), (S.LAPSED, OrderEvent.LAPSE)],
)
def test_the_order_of_an_approval_moves_as_the_order_machine_says(end: S, event: OrderEvent) -> None:
    waiting = move("o", OrderState.PROPOSED, OrderEvent.ASK_APPROVAL)
    assert ORDER_STATES[S.PENDING] is ORDER_STATES[S.GRANTED] is waiting
    assert ORDER_STATES[end] is move("o", waiting, event)


def _with_prices(order_type: OrderType, **prices: Decimal) -> Intent:
    fields = {"symbol": "BTC/USDT", "side": INTENT.spec.side, "quantity": D("0.50"), **prices}
    spec = OrderSpec.model_validate({"order_type": order_type, **fields})
    return INTENT.model_copy(update={"spec": spec})


def test_the_hash_is_that_of_everything_a_person_agrees_to() -> None:
    intent = _with_prices(OrderType.STOP_LIMIT, limit_price=D("1.0"), stop_price=D(2))
    parts = ("approval", "paper", intent.intent_id, "BTC/USDT", "buy", "stop_limit", "0.5", "1", "2", "")
    assert content_hash("paper", intent) == sha256_text(*parts, "entry", "180")
    plain = _with_prices(OrderType.MARKET)
    hashes = {
        content_hash("paper", other)
        for other in (
            intent,
            plain,
            _with_prices(OrderType.LIMIT, limit_price=D(1)),
            _with_prices(OrderType.STOP, stop_price=D(1)),
            _with_prices(OrderType.TAKE_PROFIT, stop_price=D(1)),
            _with_prices(OrderType.TRAILING_STOP, trail_frac=D("0.1")),
            plain.model_copy(update={"intent_id": "1"}),
            plain.model_copy(update={"valid_until_ns": 1}),
        )
    }
    assert len(hashes) == 8


def _stage(above: str | None) -> StageState:
    return StageState(
        stage="micro-100",
        home="micro-100",
        since_ns=0,
        capital_usd=D(100),
        equity_open=D(100),
        equity_peak=D(100),
        week_equity_open=D(100),
        approval_above_usd=None if above is None else D(above),
    )


@pytest.mark.parametrize(
    ("own", "of_stage", "holds"),
    [(None, None, None), ("25", None, "25"), (None, "0", "0"), ("25", "0", "0"), ("25", "50", "25")],
)
def test_of_desk_and_stage_the_one_holds_that_asks_more(
    own: str | None, of_stage: str | None, holds: str | None
) -> None:
    policy = ApprovalPolicy(above_notional=None if own is None else D(own), ttl_s=7)
    approvals = DeskApprovals(policy)
    assert approvals.policy(0) == policy
    approvals.follow(_stage(of_stage))
    assert approvals.policy(0) == ApprovalPolicy(above_notional=None if holds is None else D(holds), ttl_s=7)
    approvals.follow(None)
    assert approvals.policy(0) == policy
