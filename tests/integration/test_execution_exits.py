"""Venues that cannot tie a stop to an exit: the stop goes first, and nothing is ever sold twice."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import FLAT, OPENING, SYMBOLS, UP, XRP, Bar, Desk, Scene, says
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg, OrderState, TradingState

S = OrderState
IN_AND_OUT = says({0: {XRP: UP}, 3: {XRP: FLAT}})


def _paths(*xrp: Bar, bars: int = 14) -> dict[str, list[Bar]]:
    still: dict[str, list[Bar]] = {symbol: [OPENING[symbol]] * bars for symbol in SYMBOLS}
    return still | {XRP: [*xrp, *[xrp[-1]] * (bars - len(xrp))]}


@pytest.fixture(params=[{"oco": False}, {"stops_hold_balance": True}, {"oco": False, "reduce_only": False}])
def venue(request: pytest.FixtureRequest) -> FaultyVenue:
    return FaultyVenue(**request.param)


def _sold_is_bought(desk: Desk) -> bool:
    sides = {side: sum((f.quantity for f in desk.journal.fills() if f.side is side), ZERO) for side in Side}
    return sides[Side.SELL] == sides[Side.BUY]


def test_an_exit_leaves_in_its_own_cycle_once_the_stop_is_proven_gone(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    with Scene(script=IN_AND_OUT, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(6)
        [stop], [done] = desk.orders(Leg.STOP), desk.orders(Leg.EXIT)
        assert (stop.state, done.state) == (S.CANCELED, S.FILLED)
        assert done.intent.spec.oco_group is None
        assert desk.denials() == []
        assert desk.held == {}
        assert _sold_is_bought(desk)


def test_an_exit_waits_until_the_cancel_is_proven_and_no_new_stop_gets_in_its_way(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    fates = iter([Fate.MESSAGE_LOST])
    venue.cancel_fate = lambda: next(fates, Fate.ARRIVES)
    with Scene(script=IN_AND_OUT, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(3)
        assert desk.denials() == [DenialCode.EXIT_WAITS]
        assert desk.orders(Leg.EXIT) == []
        assert desk.executor.state.live, "the position is still protected"
        desk.run_to(4)  # the cancel is asked for again, arrives, and the same exit leaves
        [exit_order] = desk.orders(Leg.EXIT)
        assert exit_order.intent.cycle == 3
        desk.run_to(6)
        assert len(desk.orders(Leg.STOP)) == 1
        assert desk.held == {}
        assert _sold_is_bought(desk)


def test_between_two_cycles_the_exit_leaves_as_soon_as_it_can(tmp_path: Path, venue: FaultyVenue) -> None:
    fates = iter([Fate.MESSAGE_LOST])
    venue.cancel_fate = lambda: next(fates, Fate.ARRIVES)
    with Scene(script=IN_AND_OUT, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(3)
        desk.executor.tend(desk.executor.at_ns)
        assert len(desk.orders(Leg.EXIT)) == 1
        assert max(venue.posts.values()) == 1


def test_an_exit_that_waited_too_long_is_forgotten_and_the_position_protected_again(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    venue.cancel_fate = lambda: Fate.MESSAGE_LOST
    with Scene(script=IN_AND_OUT, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(5)  # valid for one bar only
        venue.cancel_fate = lambda: Fate.ARRIVES
        desk.run_to(7)
        assert desk.orders(Leg.EXIT) == []
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [S.CANCELED, S.OPEN]
        assert desk.orders(Leg.STOP)[1].remaining == desk.held[XRP]


def test_a_stop_that_fills_while_it_is_cancelled_leaves_nothing_to_exit(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    venue.cancel_fate = lambda: Fate.MESSAGE_LOST
    scene = Scene(script=IN_AND_OUT, paths=_paths(0.5, 0.5, 0.5, 0.5, 0.4), open_venue=venue.open)
    with scene.open(tmp_path) as desk:
        desk.run_to(7)
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [S.FILLED]
        assert desk.orders(Leg.EXIT) == []
        assert desk.held == {}
        assert _sold_is_bought(desk)


def test_a_halted_desk_does_not_give_its_stop_away_for_an_exit_that_cannot_leave(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    with Scene(script=IN_AND_OUT, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(2)
        [intent] = [o.intent for o in desk.orders(Leg.STOP)]
        desk.journal.set_trading_state(TradingState.HALTED, "by hand", "a person", 0)
        snapshot = desk.reports[-1].snapshot
        report = desk.executor.flatten(snapshot)
        assert [denied.code for denied in report.denied] == [DenialCode.TRADING_HALTED]
        assert [o.intent for o in desk.orders(Leg.STOP) if o.state is S.OPEN] == [intent]


def test_a_flatten_frees_the_balance_first_too(tmp_path: Path, venue: FaultyVenue) -> None:
    fates = iter([Fate.MESSAGE_LOST])
    venue.cancel_fate = lambda: next(fates, Fate.ARRIVES)
    with Scene(script=says({0: {XRP: UP}}), open_venue=venue.open).open(tmp_path) as desk:
        report = desk.run_to(2)
        first = desk.executor.flatten(report.snapshot)
        assert [denied.code for denied in first.denied] == [DenialCode.EXIT_WAITS]
        desk.executor.tend(desk.executor.at_ns)
        second = desk.executor.flatten(report.snapshot)
        assert (second.denied, second.unfinished) == ((), (XRP,))
        desk.run_to(4)
        assert [o.state for o in desk.orders(Leg.FLATTEN)] == [S.FILLED]
        assert _sold_is_bought(desk)


def test_where_nothing_ties_the_two_only_the_stop_is_placed_and_that_is_said_once(tmp_path: Path) -> None:
    venue = FaultyVenue(oco=False)
    scene = Scene(
        script=says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}}),
        risk={"take_atr_multiple": Decimal(3)},
        open_venue=venue.open,
    )
    with scene.open(tmp_path) as desk:
        alerts = [alert for report in desk.run(8) for alert in report.settlement.alerts]
        assert desk.orders(Leg.TAKE) == []
        assert len(desk.orders(Leg.STOP)) == 2, "the stop was resized"
        assert [alert for alert in alerts if "take-profit" in alert] == [
            f"{XRP}: stop without take-profit, the venue cannot tie the two"
        ]
