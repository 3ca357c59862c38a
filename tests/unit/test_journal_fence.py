"""The fence and the kill switch inside one transaction, and what they write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.journal_words import a_permit, an_intent, an_order, ticking_clock
from tg_actors.domain.approvals import ApprovalState
from tg_actors.domain.errors import Fenced, UserError
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.execution.approvals import ApprovalPolicy, request
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.tables import approvals
from tg_actors.journal.verify import verify, verify_newest


@pytest.fixture(params=list(Durability))
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "desk.db", request.param, clock_ns=ticking_clock(1), batch=3) as journal:
        yield journal


def test_each_lease_is_one_epoch_newer_and_only_the_newest_writes(journal: Journal) -> None:
    assert [journal.take_lease("executor", f"pid {k}", k) for k in (1, 2)] == [1, 2]
    assert journal.take_lease("coordinator", "pid 9", 3) == 1
    for epoch in (0, 1, 3):
        with (
            pytest.raises(Fenced, match=f"executor of epoch {epoch} is fenced: epoch 2 holds") as caught,
            journal.transaction("executor", epoch) as tx,
        ):
            tx.append("Never", {})
        assert caught.value.retryable is False
    with journal.transaction("executor", 2) as tx:
        assert tx.append("Once", {}, ref="r", cycle=4, at_ns=5) == tx.head.seq
    lease = journal.lease("executor")
    assert lease is not None
    assert (lease.epoch, lease.owner, lease.wall_ns) == (2, "pid 2", 2)
    [event] = journal.events({"Once"})
    assert (event.epoch, event.role, event.ref, event.cycle, event.at_ns) == (2, "executor", "r", 4, 5)
    assert [e.type for e in journal.events()] == ["LeaseTaken"] * 3 + ["Once"]
    assert [e.ref for e in journal.events({"LeaseTaken"})] == ["executor", "executor", "coordinator"]
    assert [e.epoch for e in journal.events({"LeaseTaken"})] == [1, 2, 1]
    assert (journal.starts("executor", 0), journal.starts("executor", 2)) == (2, 1)
    assert verify(journal).problems == ()


def test_a_permit_is_written_once_with_its_order_and_names_its_event(journal: Journal) -> None:
    intent, other = an_intent(1), an_intent(2)
    permit = a_permit(intent)
    with journal.transaction("executor", 0) as tx:
        assert not tx.permit_exists(intent.intent_id)
        assert tx.insert_permit(permit, intent) == 1
        assert tx.permit_exists(intent.intent_id)
        wrong = [
            (permit, intent),
            (permit, other),
            (a_permit(other).model_copy(update={"client_order_id": permit.client_order_id}), other),
        ]
        for again, wish in wrong:
            with pytest.raises(ValueError, match=r"has a permit|does not belong"):
                tx.insert_permit(again, wish)
    assert journal.permits() == [permit]
    assert journal.orders() == [an_order(intent, OrderState.PERMITTED)]
    assert journal.deadlines() == {permit.client_order_id: permit.venue_deadline_ns}
    [event] = journal.events({"OrderPermitted"})
    assert (event.ref, event.cycle, event.at_ns) == (permit.client_order_id, 1, permit.permitted_at_ns)
    with journal.transaction("executor", 0) as tx:
        assert tx.permit_exists(intent.intent_id)
        tx.save_order(an_order(intent, OrderState.CANCELED), 9)
        with pytest.raises(ValueError, match="has no permit"):
            tx.save_order(an_order(other, OrderState.OPEN), 9)
        with pytest.raises(ValueError, match="has no permit"):
            tx.request_cancel(an_order(other).client_order_id, 1, 9)
    assert journal.deadlines() == {}


def test_the_switch_is_thrown_for_the_rest_of_the_transaction_and_for_all_after(journal: Journal) -> None:
    with journal.transaction("executor", 0) as tx:
        assert tx.trading_state() is TradingState.ACTIVE
        tx.set_trading_state(TradingState.HALTED, "because", "ada", 7)
        assert tx.trading_state() is TradingState.HALTED
    control = journal.control()
    assert (control.state, control.reason, control.actor, control.at_ns) == (
        TradingState.HALTED,
        "because",
        "ada",
        7,
    )
    [event] = journal.events({"TradingStateChanged"})
    assert event.at_ns == 7
    assert event.content() == {"state": "HALTED", "reason": "because", "actor": "ada"}
    assert control.wall_ns > event.wall_ns > 0
    assert verify(journal).problems == ()


def test_an_approval_is_asked_for_once_and_moves_only_forwards(journal: Journal) -> None:
    intent = an_intent(1)
    asked = request("paper", intent, ApprovalPolicy(), 50)
    name = intent.intent_id
    with journal.transaction("executor", 0) as tx:
        assert tx.approval(name) is None
        assert tx.move_approval(name, ApprovalState.GRANTED, "ada") is None
        tx.request_approval(asked, 3)
        assert tx.approval(name) == asked
        with pytest.raises(ValueError, match="has a permit or an approval"):
            tx.request_approval(asked, 3)
        assert tx.move_approval(name, ApprovalState.USED, "ada") is None
    with journal.transaction("executor", 0) as tx:
        granted = tx.move_approval(name, ApprovalState.GRANTED, "ada", "fine")
        assert granted is not None
        assert (granted.state, granted.user, granted.reason) == (ApprovalState.GRANTED, "ada", "fine")
        assert granted.decided_ns is not None
        assert tx.move_approval(name, ApprovalState.GRANTED, "bob") is None
    with journal.transaction("executor", 0) as tx:
        seq = tx.insert_permit(a_permit(intent), intent)
        used = tx.move_approval(name, ApprovalState.USED, "ada", used_seq=seq)
        assert used is not None
        assert used.used_seq == seq
    with journal.transaction("executor", 0) as tx:
        second = an_intent(2)
        tx.insert_permit(a_permit(second), second)
        with pytest.raises(ValueError, match="has a permit or an approval"):
            tx.request_approval(request("paper", second, ApprovalPolicy(), 50), 3)
    assert journal.approvals() == [used]
    assert journal.approvals(open_only=True) == []
    kinds = ["ApprovalRequested", "ApprovalGranted", "ApprovalUsed"]
    events = list(journal.events(kinds))
    assert [event.type for event in events] == kinds
    assert {event.ref for event in events} == {name}
    assert {event.cycle for event in events} == {1}
    assert [event.at_ns for event in events] == [3, 0, 0]
    assert [row["seq"] for row in journal.query(select(approvals))] == [events[0].seq]
    assert verify(journal).problems == ()


def test_a_halt_file_halts_once_and_refuses_whoever_would_loosen(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "desk.db", clock_ns=ticking_clock()) as journal:
        (tmp_path / "HALT").touch()
        with journal.transaction("executor", 0) as tx:
            assert tx.trading_state() is TradingState.HALTED
        with journal.transaction("executor", 0) as tx:
            assert tx.control.actor == "file"
            with pytest.raises(UserError, match="remove it first"):
                tx.set_trading_state(TradingState.ACTIVE, "", "ada", 0)
            tx.set_trading_state(TradingState.HALTED, "by hand", "ada", 0)
        assert len(list(journal.events({"TradingStateChanged"}))) == 2
        (tmp_path / "HALT").unlink()
        with journal.transaction("executor", 0) as tx:
            assert tx.control.actor == "ada"
            tx.set_trading_state(TradingState.ACTIVE, "", "ada", 0)
        assert journal.trading_state() is TradingState.ACTIVE


def test_a_start_verifies_the_end_of_a_long_chain_and_the_whole_of_a_short_one(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "desk.db"
    with Journal.open(path, clock_ns=ticking_clock()) as journal:
        for n in range(20):
            journal.set_trading_state(TradingState.ACTIVE, str(n), "ada", n)
        assert verify_newest(journal, 5).problems == ()
        for seq, found_from in ((3, 18), (18, 3)):
            database = sqlite3.connect(path)
            database.execute("UPDATE events SET wall_ns = wall_ns + 1 WHERE seq = ?", (seq,))
            database.commit()
            assert (verify_newest(journal, found_from).first_bad_seq == seq) is True
            assert (verify_newest(journal, 1).problems == ()) is True
            database.execute("UPDATE events SET wall_ns = wall_ns - 1 WHERE seq = ?", (seq,))
            database.commit()
            database.close()
        assert verify_newest(journal, 20) == verify(journal)
