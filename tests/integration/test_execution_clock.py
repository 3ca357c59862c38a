"""What a late desk must not do: act on old wishes and old prices; and what time may do at all."""

from pathlib import Path

import pytest

from tests.desk_words import BAR_NS, FLAT, UP, XRP, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg, OrderState

BUY = says({0: {XRP: UP}})


def test_an_intent_is_denied_once_it_has_waited_longer_than_it_is_valid(tmp_path: Path) -> None:
    clock = HandClock()
    with Scene(script=BUY, clock=clock).open(tmp_path) as desk:
        clock.be_late(bars=1.001)
        desk.run_to(0)
        assert desk.denials() == [DenialCode.INTENT_EXPIRED]
        assert desk.journal.permits() == []


def test_an_intent_that_is_late_and_still_valid_is_permitted_at_its_true_time(tmp_path: Path) -> None:
    clock, venue = HandClock(), FaultyVenue(expiry_s_max=20)
    with Scene(script=BUY, clock=clock, open_venue=venue.open).open(tmp_path) as desk:
        clock.be_late(bars=0.5)
        report = desk.run_to(0)
        [permit] = desk.journal.permits()
        assert permit.permitted_at_ns == report.decision.at_ns + BAR_NS // 2
        assert permit.venue_deadline_ns == permit.permitted_at_ns + 20 * 10**9, "no later than it keeps"


def test_prices_that_are_too_old_permit_nothing_however_young_the_wish(tmp_path: Path) -> None:
    clock, venue = HandClock(), FaultyVenue()
    script = says({0: {XRP: UP}, 3: {XRP: FLAT}})
    with Scene(script=script, clock=clock, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(2)
        [stop] = desk.orders(Leg.STOP)
        assert venue.exchange.cancel(stop.client_order_id, 0)
        clock.be_late(bars=2.001)
        for _ in range(20):
            clock.wait(1)
            desk.executor.tend(desk.executor.at_ns)
        assert [o.state for o in desk.orders(Leg.STOP)] == [OrderState.CANCELED]
        # The executor's own wish is of this very instant; the market it was made from is not.
        assert set(desk.denials()) == {DenialCode.MARKET_STALE}


@pytest.mark.parametrize("bars", [0.0, 0.99])
def test_a_desk_that_is_in_time_trades_the_same_whatever_its_clock(bars: float, tmp_path: Path) -> None:
    clock = HandClock()
    clock.be_late(bars)
    script = says({0: {XRP: UP}, 4: {XRP: FLAT}})
    with Scene(script=script, clock=clock).open(tmp_path / "late") as desk:
        desk.run(8)
        late = [(o.intent.intent_id, o.state, o.average_price) for o in desk.orders()]
    with Scene(script=script).open(tmp_path / "replay") as desk:
        desk.run(8)
        assert [(o.intent.intent_id, o.state, o.average_price) for o in desk.orders()] == late
