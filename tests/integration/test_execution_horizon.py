"""An order is called not found by the venue's time, whatever our own clock was set to since it left."""

from pathlib import Path

import pytest

from tests.desk_words import UP, XRP, Desk, Scene, says
from tests.execution_words import NS, HandClock
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.domain.orders import OrderState


def _tend(desk: Desk, clock: HandClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.wait(1)
        desk.executor.tend(desk.executor.at_ns)


@pytest.mark.parametrize("silent", [frozenset(), frozenset({"clock"})])
def test_a_clock_that_was_set_ahead_proves_nothing(tmp_path: Path, silent: frozenset[str]) -> None:
    venue, clock = FaultyVenue(wall_deadlines=True), HandClock()
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    scene = Scene(script=says({0: {XRP: UP}}), open_venue=venue.open, clock=clock)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
    # Somebody sets the clock a minute ahead, and the desk starts anew: 30 s deadline, 4 s grace.
    clock.wall += 60 * NS
    venue.offset_ns = -60 * NS
    venue.silent = set(silent)
    with scene.open(tmp_path) as desk:
        _tend(desk, clock, 15)
        assert [order.state for order in desk.orders()] == [OrderState.UNKNOWN]
        venue.silent = set()
        _tend(desk, clock, 90)
        assert [order.state for order in desk.orders()] == [OrderState.NOT_FOUND]
