"""News that an order has ended may overtake, or outlive, the news of what it filled."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import BTC, OPENING, UP, XRP, XRP_BTC, Scene, ScriptedFeed, says
from tests.execution_words import HandClock
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.orders import OrderState


@pytest.mark.parametrize(("outside", "state"), [(True, OrderState.OPEN), (False, OrderState.CANCELED)])
def test_outside_this_process_an_end_is_believed_with_its_fills_only(
    tmp_path: Path, state: OrderState, *, outside: bool
) -> None:
    venue, clock = FaultyVenue(wall_deadlines=outside), HandClock()
    paths = {symbol: [OPENING[symbol]] * 8 for symbol in (BTC, XRP, XRP_BTC)}
    # Of what is wanted a tenth can be had; the rest of the order is cancelled by the venue.
    feed = ScriptedFeed(paths, volumes={XRP: [1_000.0] * 8})
    venue.holds_fills_back = lambda cycle: cycle <= 2
    with Scene(feed=feed, script=says({0: {XRP: UP}}), open_venue=venue.open, clock=clock).open(
        tmp_path
    ) as desk:
        desk.run_to(1)
        (entry,) = desk.orders()
        assert (entry.state, entry.filled_quantity) == (state, Decimal(0))
        desk.run_to(4)
        entry = desk.orders()[0]
        assert entry.state is OrderState.CANCELED
        assert entry.filled_quantity == desk.held[XRP] > 0
