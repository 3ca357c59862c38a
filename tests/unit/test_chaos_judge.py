"""The judge on small cases: one honest run, and each kind of wrong planted into it."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tg_actors.chaos.evidence import Fact, Post, Trade, Truth, fact_of, truth_of
from tg_actors.chaos.judge import Verdict, judge
from tg_actors.chaos.recovery import Blow, recovery_s

Case = tuple[list[Fact], Truth]
FILL = {
    "client_order_id": "a",
    "symbol": "BTC/USDT",
    "side": "buy",
    "quantity": "0.5",
    "price": "100",
    "fee": "0.13",
    "fee_currency": "USDT",
}
TRADE = Trade("a", "BTC/USDT", "buy", Decimal("0.5"), Decimal(100), Decimal("0.13"), "USDT")


def fact(seq: int, kind: str, content: dict[str, Any], ref: str = "", epoch: int = 1) -> Fact:
    role = "control" if kind == "TradingStateChanged" else "executor"
    return Fact(seq, epoch, role, kind, ref, seq * 10, content)


def permit(seq: int, ref: str, *, reduce_only: bool = False, epoch: int = 1) -> Fact:
    intent = {"intent_id": f"intent {ref}", "spec": {"reduce_only": reduce_only}}
    return fact(seq, "OrderPermitted", {"intent": intent}, ref, epoch)


def lease(seq: int, epoch: int) -> Fact:
    return fact(seq, "LeaseTaken", {"owner": "pid 1"}, "executor", epoch)


def state(seq: int, value: str) -> Fact:
    return fact(seq, "TradingStateChanged", {"state": value})


def changed(seq: int, ref: str, value: str) -> Fact:
    return fact(seq, "OrderChanged", {"state": value}, ref)


def honest() -> Case:
    """Order a is filled, order b rests, order c never arrived."""
    facts = [
        lease(1, 1),
        permit(2, "a"),
        changed(3, "a", "open"),
        fact(4, "OrderFilled", FILL, "a"),
        changed(5, "a", "filled"),
        permit(6, "b"),
        changed(7, "b", "open"),
        permit(8, "c"),
        changed(9, "c", "not_found"),
    ]
    truth = Truth(
        posts=(Post("a", True, 25), Post("b", True, 65)),
        trades=(TRADE,),
        open_ids=frozenset({"b"}),
        opening={"USDT": Decimal(1000)},
        balances={"USDT": Decimal("949.87"), "BTC": Decimal("0.5")},
    )
    return facts, truth


def more(*facts: Fact) -> Callable[[Case], Case]:
    return lambda case: ([*case[0], *facts], case[1])


def other(**changes: Any) -> Callable[[Case], Case]:
    return lambda case: (case[0], replace(case[1], **changes))


def without(seq: int) -> Callable[[Case], Case]:
    return lambda case: ([f for f in case[0] if f.seq != seq], case[1])


POSTS = honest()[1].posts
#: What is planted, the figures it must raise, and words of the sentence.
WRONGS: dict[str, tuple[Callable[[Case], Case], dict[str, int], str]] = {
    "a resent order": (other(posts=(*POSTS, Post("a", True, 99))), {"duplicates": 1}, "one POST too many"),
    "a refused repeat": (other(posts=(*POSTS, Post("a", False, 99))), {"duplicates": 1}, "one POST too many"),
    "a second permit of an intent": (
        more(replace(permit(10, "d"), content=permit(10, "a").content), changed(11, "d", "not_found")),
        {"duplicates": 1},
        "one permit too many",
    ),
    "an order nobody permitted": (other(posts=(*POSTS, Post("z", True, 99))), {}, "without a permit"),
    "an order without our id": (other(posts=(*POSTS, Post("", True, 99))), {}, "without a name"),
    "an effect before its journal": (other(posts=(Post("a", True, 19), POSTS[1])), {}, "before its permit"),
    "a lost fill": (other(trades=(TRADE, TRADE)), {"lost_fills": 1}, "is not journaled"),
    "a fill with another price": (
        other(trades=(replace(TRADE, price=Decimal(101)),)),
        {"lost_fills": 1},
        "never happened",
    ),
    "an invented fill": (other(trades=()), {}, "never happened"),
    "a satoshi of drift": (
        other(balances={"USDT": Decimal("949.87"), "BTC": Decimal("0.50000001")}),
        {},
        "BTC is off by",
    ),
    "a permit after a halt": (
        more(state(10, "HALTED"), permit(11, "d"), changed(12, "d", "not_found")),
        {"permits_after_halt": 1},
        "while trading was HALTED",
    ),
    "an entry while only exits may leave": (
        more(state(10, "REDUCE_ONLY"), permit(11, "d"), changed(12, "d", "not_found")),
        {"permits_after_halt": 1},
        "while trading was REDUCE_ONLY",
    ),
    "a zombie that writes": (
        more(lease(10, 2), permit(11, "d", epoch=1), changed(12, "d", "not_found")),
        {},
        "in epoch 1 though 2 had begun",
    ),
    "two holders of one epoch": (more(lease(10, 1)), {}, "took epoch 1 after 1"),
    "an order of unknown fate": (without(9), {"unresolved": 1}, "still permitted at rest"),
    "a false proof of absence": (
        other(posts=(*POSTS, Post("c", True, 85))),
        {},
        "not_found in the journal, but the exchange had taken it",
    ),
    "an end that was missed": (other(open_ids=frozenset()), {}, "it has ended at the exchange"),
    "an end that did not happen": (
        other(open_ids=frozenset({"a", "b"})),
        {},
        "filled in the journal, but it rests",
    ),
}


def test_an_honest_run_is_acquitted() -> None:
    verdict = judge(*honest())
    assert verdict.violations == ()
    assert (verdict.orders, verdict.posts, verdict.fills) == (3, 2, 1)
    assert set(verdict.drift.values()) == {Decimal(0)}


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_judge_finds(wrong: str) -> None:
    plant, figures, words = WRONGS[wrong]
    verdict: Verdict = judge(*plant(honest()))
    assert any(words in sentence for sentence in verdict.violations), verdict.violations
    counted = ("duplicates", "lost_fills", "permits_after_halt", "unresolved")
    assert {name: getattr(verdict, name) for name in counted} == {**dict.fromkeys(counted, 0), **figures}


def test_what_shrinks_a_position_may_leave_while_only_exits_may() -> None:
    facts, truth = honest()
    facts += [state(10, "REDUCE_ONLY"), permit(11, "d", reduce_only=True), changed(12, "d", "rejected")]
    assert judge(facts, truth).violations == ()


def test_the_ledger_of_the_exchange_becomes_the_truth() -> None:
    ledger: dict[str, list[dict[str, Any]]] = {
        "posts": [
            {"client_order_id": "a", "number": 7, "wall_ns": 25},
            {"client_order_id": None, "number": None, "wall_ns": 30},
        ],
        "orders": [{"number": 7, "client_order_id": "a", "ended_ns": 5}],
        "fills": [{**FILL, "client_order_id": "~7", "number": 7}],
        "postings": [
            {"kind": "deposit", "currency": "USDT", "amount": "1000", "balance": "1000"},
            {"kind": "trade", "currency": "USDT", "amount": "-50", "balance": "950"},
        ],
    }
    truth = truth_of(ledger)
    assert truth.posts == (Post("a", True, 25), Post("", False, 30))
    assert truth.trades == (TRADE,)
    assert truth.open_ids == frozenset()
    assert truth.opening == {"USDT": Decimal(1000)}
    assert truth.balances == {"USDT": Decimal(950)}


def cycle(wall_s: float) -> Fact:
    return Fact(0, 1, "coordinator", "CycleDecided", "", int(wall_s * 1e9), {})


def executor_lease(wall_s: float) -> Fact:
    return Fact(0, 1, "executor", "LeaseTaken", "", int(wall_s * 1e9), {})


@pytest.mark.parametrize(
    ("victim", "seconds"),
    # Hit at 2 s. The cycle of 3 s may have been heard before; the executor's successor comes at 5 s.
    [("RiskActor", 2.0), ("ExecutorActor", 4.0), ("CoordinatorActor", None)],
)
def test_recovery_is_the_next_cycle_with_the_successor(victim: str, seconds: float | None) -> None:
    facts = [cycle(1), cycle(3), cycle(4), executor_lease(5), cycle(6)]
    assert recovery_s(Blow("desk", victim, 2_000_000_000), facts) == seconds


def test_an_event_keeps_its_payload() -> None:
    assert fact_of(1, 2, "executor", "OrderChanged", "a", 3, '{"state":"open"}').content == {"state": "open"}
