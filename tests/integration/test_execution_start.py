"""Starts that must not permit: a damaged journal, too many of them, another account, a silent venue."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.desk_words import UP, XRP, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg, OrderState, TradingState
from tg_actors.execution.start import PINNED
from tg_actors.execution.wire import RestartIntensity

BUY = says({0: {XRP: UP}})


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


@pytest.fixture
def scene(venue: FaultyVenue) -> Scene:
    return Scene(script=says({}, otherwise={XRP: UP}), open_venue=venue.open)


def test_a_damaged_journal_starts_halted_and_is_still_read(tmp_path: Path, scene: Scene) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(2)
    database = sqlite3.connect(tmp_path / "desk.sqlite")
    database.execute("UPDATE events SET wall_ns = wall_ns + 1 WHERE seq = 4")
    database.commit()
    database.close()
    with scene.open(tmp_path) as desk:
        assert desk.start_alerts[0] == (
            "the journal is damaged: event 4 was changed after it was written: trading halted"
        )
        permits = len(desk.journal.permits())
        desk.run_to(4)
        assert desk.journal.trading_state() is TradingState.HALTED
        assert len(desk.journal.permits()) == permits
        assert desk.held.keys() == {XRP}


def test_the_start_after_too_many_within_the_window_is_halted(tmp_path: Path, scene: Scene) -> None:
    clock = HandClock()
    scene = replace(
        scene,
        executor={"restarts": RestartIntensity(starts_max=2, window_s=60)},
        clock=clock,
        wall_ns=clock.wall_ns,
    )
    for _ in range(2):
        with scene.open(tmp_path) as desk:
            assert desk.journal.trading_state() is TradingState.ACTIVE
    clock.wait(61)
    told: tuple[str, ...] = ()
    for state in (TradingState.ACTIVE, TradingState.ACTIVE, TradingState.HALTED):
        with scene.open(tmp_path) as desk:
            assert desk.journal.trading_state() is state
            told = desk.start_alerts
    assert told == ("the executor has started 3 times within 60 s: trading halted",)


def test_another_account_than_last_time_halts(tmp_path: Path, scene: Scene, venue: FaultyVenue) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
    venue.account = "somebody-else"
    with scene.open(tmp_path) as desk:
        assert desk.journal.trading_state() is TradingState.HALTED
        assert desk.start_alerts[0] == (
            "the venue shows account practice/somebody-else, this journal is of practice/paper: "
            "trading halted"
        )
        assert len(list(desk.journal.events({PINNED}))) == 1


@pytest.mark.parametrize("question", ["balances", "trades"])
def test_nothing_is_permitted_before_the_venue_has_answered_for_its_books(
    question: str, tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    venue.silent = {question}
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        assert desk.denials() == [DenialCode.VENUE_UNKNOWN] * 2
        venue.silent = set()
        desk.run_to(2)
        assert len(desk.orders(Leg.ENTRY)) == 1


def test_nothing_is_permitted_before_the_venues_clock_was_read(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    venue.silent = {"clock"}
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        assert desk.denials() == [DenialCode.CLOCK_OFFSET]
        venue.silent = set()
        desk.run_to(1)
        assert len(desk.orders(Leg.ENTRY)) == 1


def test_an_order_that_ended_while_we_were_away_is_filled_before_it_is_ended(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    """Its fills come from the venue's trades first, so that none of them is called late."""
    fates = iter([Fate.ANSWER_LOST])
    venue.post_fate = lambda _: next(fates, Fate.ARRIVES)
    venue.holds_fills_back = lambda _: True
    venue.is_remote = True
    venue.is_deaf = lambda: True
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(1)
        assert desk.journal.fills() == []
    venue.is_deaf = lambda: False
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        [entry] = desk.orders(Leg.ENTRY)
        assert entry.state is OrderState.FILLED
        assert desk.start_alerts == ()
        desk.run_to(2)
        assert desk.held.keys() == {XRP}
        assert len(desk.reports[-1].settlement.fills) == 1
