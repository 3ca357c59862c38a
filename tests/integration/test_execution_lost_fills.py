"""News that an order has ended may outlive the news of what it filled: no stop is replaced on half of it."""

from pathlib import Path

import pytest

from tests.desk_words import BTC, OPENING, UP, XRP, XRP_BTC, Scene, ScriptedFeed, says
from tests.execution_words import HandClock
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.orders import Leg, OrderState


def _scene(venue: FaultyVenue) -> Scene:
    paths = {symbol: [OPENING[symbol]] * 8 for symbol in (BTC, XRP, XRP_BTC)}
    # Of what is wanted a part can be had; the rest of the order is cancelled by the venue.
    feed = ScriptedFeed(paths, volumes={XRP: [1_000.0] * 8})
    venue.holds_fills_back = lambda cycle: cycle <= 2
    return Scene(feed=feed, script=says({0: {XRP: UP}}), open_venue=venue.open, clock=HandClock())


def test_an_end_that_is_told_is_looked_up_and_its_fills_are_pulled(tmp_path: Path) -> None:
    with _scene(FaultyVenue(wall_deadlines=True)).open(tmp_path) as desk:
        desk.run_to(1)
        entry, stop = desk.orders()
        assert entry.state is OrderState.CANCELED
        assert entry.filled_quantity == desk.held[XRP] > 0
        assert (stop.intent.leg, stop.intent.spec.quantity) == (Leg.STOP, entry.filled_quantity)


@pytest.mark.parametrize("silent", ["look_up", "trades"])
def test_an_end_whose_fills_cannot_be_read_is_not_believed_yet(tmp_path: Path, silent: str) -> None:
    venue = FaultyVenue(wall_deadlines=True)
    with _scene(venue).open(tmp_path) as desk:
        desk.run_to(0)
        venue.silent = {silent}
        desk.run_to(1)
        assert [order.state for order in desk.orders()] == [OrderState.OPEN]
        venue.silent = set()
        desk.run_to(4)
        assert desk.orders(Leg.ENTRY)[0].filled_quantity == desk.held[XRP] > 0
