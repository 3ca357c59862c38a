"""A journal against a model of dicts and lists, durable and in batches, through random histories."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal_words import BLOCK, a_decision, a_fill, a_permit, an_intent, an_order, ticking_clock
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.journal.digest import digest
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.transaction import Transaction
from tg_actors.journal.verify import verify


class Crash(Exception):  # noqa: N818 - not a mistake of anybody
    """The writer's block ends badly."""


@dataclass
class Model:
    """What the journal must hold."""

    cycles: set[int] = field(default_factory=set)
    orders: dict[int, OrderState] = field(default_factory=dict)
    trades: list[str] = field(default_factory=list)
    state: TradingState = TradingState.ACTIVE

    def copy(self) -> "Model":
        return Model(set(self.cycles), dict(self.orders), list(self.trades), self.state)


Act = Callable[[Transaction, Model, int], None]
#: Transactions: what each does, whether it crashes, whether the process is restarted after it.
History = list[tuple[list[tuple[Act, int]], bool, bool]]


def decide(tx: Transaction, model: Model, n: int) -> None:
    assert tx.record_decision(a_decision(n), BLOCK) is (n not in model.cycles)
    model.cycles.add(n)


def permit(tx: Transaction, model: Model, n: int) -> None:
    intent = an_intent(n)
    assert tx.permit_exists(intent.intent_id) is (n in model.orders)
    if n not in model.orders:
        tx.insert_permit(a_permit(intent), intent)
        model.orders[n] = OrderState.PERMITTED


def move(tx: Transaction, model: Model, n: int) -> None:
    if n in model.orders:
        tx.save_order(an_order(an_intent(n), OrderState.OPEN), n)
        model.orders[n] = OrderState.OPEN


def fill(tx: Transaction, model: Model, n: int) -> None:
    fresh = f"t{n}" not in model.trades
    assert tx.insert_fill(a_fill(an_intent(n), f"t{n}"), n) is fresh
    if fresh:
        model.trades.append(f"t{n}")


def halt(tx: Transaction, model: Model, n: int) -> None:
    assert tx.trading_state() is model.state
    model.state = list(TradingState)[n % 3]
    tx.set_trading_state(model.state, str(n), "ada", n)


acts = st.lists(st.tuples(st.sampled_from([decide, permit, move, fill, halt]), st.integers(0, 4)), max_size=4)
histories = st.lists(st.tuples(acts, st.booleans(), st.booleans()), max_size=8)


def _transact(journal: Journal, model: Model, steps: list[tuple[Act, int]], *, crashes: bool) -> None:
    with journal.transaction("executor", 0) as tx:
        for act, n in steps:
            act(tx, model, n)
        if crashes:
            raise Crash


def _check(journal: Journal, model: Model) -> None:
    assert {order.intent.cycle: order.state for order in journal.orders()} == model.orders
    assert [trade.trade_id for trade in journal.fills()] == model.trades
    assert journal.cycles_count() == len(model.cycles)
    assert journal.trading_state() is model.state
    assert verify(journal).problems == ()


def _play(path: Path, durability: Durability, history: History) -> str:
    model, clock_ns = Model(), ticking_clock()
    journal = Journal.open(path, durability, clock_ns=clock_ns, batch=2)
    try:
        for steps, crashes, restarts in history:
            after = model.copy()
            with contextlib.suppress(Crash):
                _transact(journal, after, steps, crashes=crashes)
                model = after
            if restarts:
                journal.close()
                journal = Journal.open(path, durability, clock_ns=clock_ns, batch=2)
        _check(journal, model)
        return digest(journal)
    finally:
        journal.close()


@pytest.mark.timeout(120)
@settings(max_examples=15)
@given(history=histories)
def test_every_history_leaves_what_the_model_holds_in_both_durabilities(
    history: History,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        digests = {_play(Path(folder) / f"{mode}.db", mode, history) for mode in Durability}
    assert len(digests) == 1
