"""The second pair of eyes: what heals, what pages, what halts."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import FLAT, UP, XRP, Desk, Scene, says
from tests.faulty_venue import FaultyVenue
from tg_actors.domain.orders import TradingState
from tg_actors.execution.shadow.reader import Difference, Severity
from tg_actors.execution.shadow.watch import DIFFERED, ShadowWatch

S = 10**9


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


@pytest.fixture
def desk(tmp_path: Path, venue: FaultyVenue) -> Iterator[Desk]:
    script = says({0: {XRP: UP}, 4: {XRP: FLAT}})
    with Scene(script=script, open_venue=venue.open).open(tmp_path) as desk:
        yield desk


@pytest.fixture
def shadow(desk: Desk, venue: FaultyVenue) -> ShadowWatch:
    plan = Scene().plan("")
    return ShadowWatch(plan.account.executor, venue, desk.journal)


def _severities(found: tuple[Difference, ...]) -> list[Severity]:
    return [difference.severity for difference in found]


def test_a_desk_in_order_shows_nothing(desk: Desk, shadow: ShadowWatch) -> None:
    assert shadow.look(0) == (), "before its first order too"
    for k in range(8):
        desk.run(1)
        assert shadow.look(k * 60 * S) == ()
    assert len(desk.journal.fills()) == 2
    assert desk.journal.trading_state() is TradingState.ACTIVE


def test_a_trade_that_the_journal_lacks_heals_then_pages_and_is_told_once(
    desk: Desk, shadow: ShadowWatch, venue: FaultyVenue
) -> None:
    venue.holds_fills_back = lambda _: True
    desk.run(2)
    assert _severities(shadow.look(0)) == [Severity.HEALS]
    assert _severities(shadow.look(90 * S)) == [Severity.HEALS]
    assert _severities(shadow.look(91 * S)) == [Severity.PAGE]
    shadow.look(150 * S)
    [told] = desk.journal.events({DIFFERED})
    assert "is not in the journal" in told.payload
    assert desk.journal.trading_state() is TradingState.ACTIVE
    venue.holds_fills_back = lambda _: False
    desk.run(1)
    assert shadow.look(210 * S) == ()


def test_money_that_differs_twice_in_a_row_halts(desk: Desk, shadow: ShadowWatch, venue: FaultyVenue) -> None:
    desk.run(3)
    venue.drift = {"USDT": Decimal("0.00000001")}
    assert _severities(shadow.look(0)) == [Severity.HEALS]
    venue.drift = {"USDT": Decimal("0.00000002")}
    assert _severities(shadow.look(60 * S)) == [Severity.HEALS], "it moves: something is being booked"
    assert desk.journal.trading_state() is TradingState.ACTIVE
    assert _severities(shadow.look(120 * S)) == [Severity.HALT]
    control = desk.journal.control()
    assert (control.state, control.actor) == (TradingState.HALTED, "shadow")
    assert control.reason.startswith("USDT: the venue holds ")


def test_a_fill_that_the_venue_denies_halts(desk: Desk, shadow: ShadowWatch, venue: FaultyVenue) -> None:
    desk.run(3)
    venue.hidden = {fill.trade_id for fill in desk.journal.fills()}
    found = [shadow.look(k * 60 * S) for k in range(2)][-1]
    assert Severity.HALT in _severities(found)
    assert "is in the journal and not at the venue" in desk.journal.control().reason


def test_silence_is_no_difference_and_a_suspect_account_halts_at_once(
    desk: Desk, shadow: ShadowWatch, venue: FaultyVenue
) -> None:
    desk.run(3)
    venue.drift = {"USDT": Decimal(1)}
    venue.silent = {"balances"}
    assert [shadow.look(k * 60 * S) for k in range(3)] == [()] * 3
    assert desk.journal.trading_state() is TradingState.ACTIVE
    venue.suspects = {"trades"}
    assert _severities(shadow.look(240 * S)) == [Severity.HALT]
    assert desk.journal.control().actor == "shadow"
