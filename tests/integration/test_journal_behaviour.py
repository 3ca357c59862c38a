"""What every journal does, durable or in batches, in a file or on a PostgreSQL server."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.journal_words import BLOCK, a_decision, a_fill, a_permit, an_intent, an_order, ticking_clock
from tg_actors.domain.errors import Fenced
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.journal.digest import digest
from tg_actors.journal.records import CancelRequested, Durability, EventType, OrderPermitted
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify

Reopen = Callable[[], Journal]


@pytest.fixture(params=["full", "batch", pytest.param("postgres", marks=pytest.mark.postgres)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopen]:
    """A function that closes the journal, if it is open, and opens it again."""
    postgres = request.param == "postgres"
    place = request.getfixturevalue("new_database")() if postgres else tmp_path / "desk.db"
    durability = Durability.BATCH if request.param == "batch" else Durability.FULL
    opened: list[Journal] = []

    def open_again() -> Journal:
        while opened:
            opened.pop().close()
        opened.append(Journal.open(place, durability, clock_ns=ticking_clock(), batch=3))
        return opened[-1]

    yield open_again
    while opened:
        opened.pop().close()


@pytest.fixture
def journal(reopen: Reopen) -> Journal:
    return reopen()


def test_everything_written_is_read_back_after_a_restart(reopen: Reopen) -> None:
    journal = reopen()
    intent = an_intent()
    permit, fill, decision = a_permit(intent), a_fill(intent), a_decision(approved=(intent,))
    filled = an_order(intent, OrderState.FILLED).model_copy(
        update={"filled_quantity": fill.quantity, "average_price": fill.price, "fees": fill.fee}
    )
    epoch = journal.take_lease("executor", "host:1", 5)
    with journal.transaction("executor", epoch) as tx:
        assert tx.record_decision(decision, BLOCK)
        tx.insert_permit(permit, intent)
    with journal.transaction("executor", epoch) as tx:
        assert tx.insert_fill(fill, cycle=2)
        tx.save_order(filled, fill.at_ns)
        tx.save_venue_state("practice", "paper", 2, b"books")

    journal = reopen()
    assert journal.permits() == [permit]
    assert journal.orders() == [filled]
    assert journal.orders(live_only=True) == []
    assert journal.order(permit.client_order_id) == filled
    assert journal.fills() == [fill]
    assert journal.fills_of_cycle(2) == [fill]
    assert journal.fills_of_cycle(1) == []
    assert journal.last_decision() == decision
    assert journal.decision(1) == journal.decision(decision.cycle_id) == (decision, BLOCK)
    assert journal.equity_curve() == [(decision.at_ns, decision.equity)]
    assert journal.cycles_count() == 1
    assert journal.venue_state("practice", "paper") == (2, b"books")
    assert verify(journal).problems == ()


def test_an_empty_journal_answers_every_question(journal: Journal) -> None:
    assert journal.trading_state() is TradingState.ACTIVE
    assert journal.identity() is None
    assert journal.lease("executor") is None
    assert journal.last_decision() is None
    assert journal.decision(7) is None
    assert journal.order("nobody") is None
    assert journal.venue_state("practice", "paper") is None
    assert (journal.permits(), journal.orders(), journal.fills(), journal.equity_curve()) == ([], [], [], [])
    assert (journal.pending_requests(), journal.permits_after(0), list(journal.events())) == ([], [], [])
    assert verify(journal).ok


def test_an_intent_is_permitted_once(reopen: Reopen) -> None:
    journal = reopen()
    intent = an_intent()
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        assert not tx.permit_exists(intent.intent_id)
        tx.insert_permit(a_permit(intent), intent)
        assert tx.permit_exists(intent.intent_id)
    other = an_intent(cycle=2)
    same_order = a_permit(other).model_copy(update={"client_order_id": a_permit(intent).client_order_id})
    for restarts in (False, True):
        journal = reopen() if restarts else journal
        epoch = journal.take_lease("executor", "b", 0)
        for permit, wish in ((a_permit(intent), intent), (same_order, other)):
            with (
                pytest.raises(ValueError, match="has a permit"),
                journal.transaction("executor", epoch) as tx,
            ):
                tx.insert_permit(permit, wish)
        assert len(journal.permits()) == 1
    assert verify(journal).ok


def test_a_trade_is_filled_once(reopen: Reopen) -> None:
    journal = reopen()
    intent = an_intent()
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        assert tx.insert_fill(a_fill(intent), cycle=1)
        assert not tx.insert_fill(a_fill(intent, quantity="0.4"), cycle=1)
        assert tx.insert_fill(a_fill(intent, trade_id="t2"), cycle=1)
    journal = reopen()
    with journal.transaction("executor", epoch) as tx:
        assert not tx.insert_fill(a_fill(intent), cycle=2)
    assert [fill.trade_id for fill in journal.fills()] == ["t1", "t2"]
    assert journal.fills()[0].quantity == Decimal("0.5")


def test_fills_can_be_read_from_an_event_on(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        for trade in ("t1", "t2", "t3"):
            tx.insert_fill(a_fill(an_intent(), trade), cycle=1)
    second = [event.seq for event in journal.events({EventType.ORDER_FILLED})][1]
    assert [fill.trade_id for fill in journal.fills(after=second)] == ["t3"]


def test_a_cycle_is_decided_once(journal: Journal) -> None:
    epoch = journal.take_lease("coordinator", "a", 0)
    for equity, first in (("10000", True), ("9999", False)):
        with journal.transaction("coordinator", epoch) as tx:
            assert tx.record_decision(a_decision(equity=equity), BLOCK) is first
    assert journal.equity_curve() == [(60, Decimal(10000))]


def test_a_block_that_raises_leaves_no_trace(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    before, intent = list(journal.events()), an_intent()
    with pytest.raises(KeyError, match="crash"), journal.transaction("executor", epoch) as tx:  # noqa: PT012
        tx.insert_permit(a_permit(intent), intent)
        tx.insert_fill(a_fill(intent), cycle=1)
        tx.set_trading_state(TradingState.HALTED, "r", "a", 0)
        raise KeyError("crash")
    assert list(journal.events()) == before
    assert journal.trading_state() is TradingState.ACTIVE
    with journal.transaction("executor", epoch) as tx:
        assert not tx.permit_exists(intent.intent_id)
        assert tx.insert_fill(a_fill(intent), cycle=1)
    assert verify(journal).ok


def test_a_newer_epoch_fences_the_older_one_for_good(reopen: Reopen) -> None:
    journal = reopen()
    old = journal.take_lease("executor", "zombie", 10)
    new = journal.take_lease("executor", "heir", 20)
    other = journal.take_lease("coordinator", "c", 30)
    assert (old, new, other) == (1, 2, 1)
    for restarts in (False, True):
        journal = reopen() if restarts else journal
        for epoch in (old, new + 1):
            with pytest.raises(Fenced) as caught, journal.transaction("executor", epoch):
                pytest.fail("a fenced writer got a transaction")
            assert not caught.value.retryable
        with journal.transaction("executor", new) as tx:
            tx.append("StillHere", {})
        held = journal.lease("executor")
        assert held is not None
        assert (held.epoch, held.owner) == (new, "heir")


def test_starts_are_counted_per_role_and_window(journal: Journal) -> None:
    for wall_ns in (10, 20, 30):
        journal.take_lease("executor", "a", wall_ns)
    journal.take_lease("coordinator", "a", 30)
    assert [journal.starts("executor", since) for since in (0, 20, 31)] == [3, 2, 0]


def test_the_kill_switch_shows_in_the_next_transaction(reopen: Reopen) -> None:
    journal = reopen()
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        assert tx.trading_state() is TradingState.ACTIVE
    journal.set_trading_state(TradingState.HALTED, "news", "ada", 7)
    with journal.transaction("executor", epoch) as tx:
        assert tx.trading_state() is TradingState.HALTED
        tx.set_trading_state(TradingState.REDUCE_ONLY, "calmer", "bob", 8)
        assert tx.trading_state() is TradingState.REDUCE_ONLY
    control = reopen().control()
    assert (control.state, control.reason, control.actor) == (TradingState.REDUCE_ONLY, "calmer", "bob")


def test_a_request_waits_until_it_is_completed_once(reopen: Reopen) -> None:
    journal = reopen()
    first = journal.request("flatten", "", "ada")
    second = journal.request("restart_agent", "trend", "bob")
    journal = reopen()
    assert [(r.id, r.verb, r.argument, r.actor) for r in journal.pending_requests()] == [
        (first, "flatten", "", "ada"),
        (second, "restart_agent", "trend", "bob"),
    ]
    epoch = journal.take_lease("coordinator", "a", 0)
    with journal.transaction("coordinator", epoch) as tx:
        assert tx.complete_request(first, "done")
        assert not tx.complete_request(first, "again")
    assert [request.id for request in journal.pending_requests()] == [second]
    with pytest.raises(ValueError, match="no request 99"), journal.transaction("coordinator", epoch) as tx:
        tx.complete_request(99, "what?")


def test_the_inbox_holds_permits_and_cancels_in_order(reopen: Reopen) -> None:
    journal = reopen()
    epoch = journal.take_lease("executor", "a", 0)
    wishes = [an_intent(cycle) for cycle in (1, 2)]
    for intent in wishes:
        with journal.transaction("executor", epoch) as tx:
            tx.insert_permit(a_permit(intent), intent)
            tx.append("Noise", {})
    cancelled = a_permit(wishes[0]).client_order_id
    with journal.transaction("executor", epoch) as tx:
        tx.request_cancel(cancelled, cycle=2, at_ns=9)
    expected = [OrderPermitted(permit=a_permit(i), intent=i) for i in wishes]
    for restarts in (False, True):
        journal = reopen() if restarts else journal
        inbox = journal.permits_after(0)
        assert [item for _, item in inbox] == [*expected, CancelRequested(client_order_id=cancelled)]
        for read, (seq, _) in enumerate(inbox, start=1):
            assert journal.permits_after(seq) == inbox[read:]


def test_an_order_without_a_permit_cannot_exist(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    order = an_order(an_intent())
    with pytest.raises(ValueError, match="no permit"), journal.transaction("executor", epoch) as tx:
        tx.save_order(order, 0)
    with pytest.raises(ValueError, match="no permit"), journal.transaction("executor", epoch) as tx:
        tx.request_cancel(order.client_order_id, 1, 0)


def test_live_orders_come_in_the_order_of_their_permits(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    wishes = [an_intent(cycle) for cycle in (3, 1, 2)]
    for intent in wishes:
        with journal.transaction("executor", epoch) as tx:
            tx.insert_permit(a_permit(intent), intent)
    with journal.transaction("executor", epoch) as tx:
        tx.save_order(an_order(wishes[0], OrderState.UNKNOWN), 5)
        tx.save_order(an_order(wishes[1], OrderState.CANCELED), 5)
    assert [order.intent.cycle for order in journal.orders()] == [3, 1, 2]
    live = [(order.intent.cycle, order.state) for order in journal.orders(live_only=True)]
    assert live == [(3, OrderState.UNKNOWN), (2, OrderState.PERMITTED)]


def test_the_identity_of_the_run_is_kept(reopen: Reopen) -> None:
    journal = reopen()
    journal.set_identity({"desk": "laptop", "seed": 7})
    journal.set_identity({"desk": "laptop", "seed": 8})
    assert reopen().identity() == {"desk": "laptop", "seed": 8}


def test_events_keep_role_epoch_and_times(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        seq = tx.append("AlertRaised", {"text": "¡ojo! \x1f", "price": Decimal("1.10")}, "ref", 4, 99)
    (event,) = journal.events({"AlertRaised"})
    assert (event.seq, event.role, event.epoch, event.ref, event.cycle, event.at_ns) == (
        seq,
        "executor",
        epoch,
        "ref",
        4,
        99,
    )
    assert event.content() == {"text": "¡ojo! \x1f", "price": "1.10"}
    assert list(journal.events(after_seq=seq - 1)) == [event]
    assert verify(journal).ok


def test_more_events_than_one_page_come_back_whole(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    with journal.transaction("executor", epoch) as tx:
        for number in range(2_100):
            tx.append("Even" if number % 2 == 0 else "Odd", {"number": number})
    assert [event.content()["number"] for event in journal.events({"Odd"})] == list(range(1, 2_100, 2))


def test_not_a_number_never_enters(journal: Journal) -> None:
    epoch = journal.take_lease("executor", "a", 0)
    with pytest.raises(ValueError, match="JSON"), journal.transaction("executor", epoch) as tx:
        tx.append("Bad", {"price": float("nan")})
    assert verify(journal).events == 1


def _trade(journal: Journal, *, noise: bool) -> str:
    epoch = journal.take_lease("executor", "a", 0)
    for cycle in (1, 2, 3, 4):
        intent = an_intent(cycle)
        if noise:
            epoch = journal.take_lease("executor", "restarted", cycle)
            journal.set_trading_state(TradingState.ACTIVE, "checked", "ada", cycle)
        with journal.transaction("executor", epoch) as tx:
            tx.record_decision(a_decision(cycle, approved=(intent,)), BLOCK)
            tx.insert_permit(a_permit(intent), intent)
            tx.insert_fill(a_fill(intent, trade_id=f"t{cycle}"), cycle)
    return digest(journal)


def test_the_digest_depends_on_what_happened_only(reopen: Reopen, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "reference.db", clock_ns=ticking_clock(1)) as reference:
        expected = _trade(reference, noise=False)
    journal = reopen()
    assert _trade(journal, noise=True) == expected
    with journal.transaction("executor", 5) as tx:
        tx.insert_fill(a_fill(an_intent(4), trade_id="late"), 5)
    assert digest(journal) != expected
