"""A flatten closes everything once, and is done only when nothing is left."""

from pathlib import Path

from tests.desk_words import SYMBOLS, UP, XRP, Scene, says
from tg_actors.domain.orders import Leg, OrderState, TradingState

BUY = says({0: {XRP: UP}})


def test_flatten_closes_everything_and_leaves_nothing_at_the_venue(tmp_path: Path) -> None:
    with Scene(script=says({0: dict.fromkeys(SYMBOLS, UP)})).open(tmp_path) as desk:
        desk.run_to(2)
        assert desk.held.keys() == set(SYMBOLS)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "enough", "a person", 0)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        desk.run_to(4)
        assert desk.held == {}
        assert [order.state for order in desk.orders(Leg.FLATTEN)] == [OrderState.FILLED] * 3
        assert desk.journal.orders(live_only=True) == []


def test_a_flatten_repeated_sells_nothing_twice(tmp_path: Path) -> None:
    with Scene(script=BUY).open(tmp_path) as desk:
        desk.run_to(2)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "flatten", "a person", 0)
        for _ in range(3):
            desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        desk.run_to(4)
        assert len(desk.orders(Leg.FLATTEN)) == 1
        assert desk.held == {}
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []


def test_a_flatten_closes_what_a_partial_exit_leaves_and_is_done_only_then(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}})
    with Scene(script=script).open(tmp_path) as desk:
        desk.run_to(3)
        assert [order.is_live for order in desk.orders(Leg.EXIT)] == [True]
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "flatten", "a person", 0)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        assert len(desk.journal.pending_requests()) == 1
        desk.run_to(5)
        assert desk.held == {}
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []


def test_a_flatten_ends_when_a_person_resumes(tmp_path: Path) -> None:
    with Scene(script=BUY).open(tmp_path) as desk:
        desk.run_to(2)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []
        assert desk.orders(Leg.FLATTEN) == []
