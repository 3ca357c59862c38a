"""A difference of balances counts only once the venue has shown its trades as well."""

from pathlib import Path

from tests.desk_words import UP, XRP, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.orders import TradingState


def test_a_lost_fill_is_no_difference_while_the_trades_cannot_be_read(tmp_path: Path) -> None:
    venue, clock = FaultyVenue(), HandClock()
    venue.holds_fills_back = lambda cycle: cycle >= 1
    scene = Scene(script=says({0: {XRP: UP}}), open_venue=venue.open, clock=clock)
    with scene.open(tmp_path) as desk:
        desk.run_to(3)
        venue.silent = {"trades"}
        for _ in range(300):
            clock.wait(1)
            desk.executor.tend(desk.executor.at_ns)
        assert venue.balances() != desk.executor.state.books.expected_balances()
        assert desk.journal.trading_state() is TradingState.ACTIVE
