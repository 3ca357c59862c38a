"""The desk at the end of a bad line: lost messages, late, repeated and foreign fills, cancel races."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import (
    FLAT,
    OPENING,
    SYMBOLS,
    UP,
    XRP,
    XRP_BTC,
    Bar,
    Desk,
    InlineFeed,
    Scene,
    ScriptedFeed,
    says,
)
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.desk.history import rebuilt_books
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, Leg, Liquidity, OrderState, TradingState
from tg_actors.journal.verify import verify

S = OrderState


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


def _at(leg: Leg, fate: Fate, times: int = 1) -> Callable[[Intent], Fate]:
    """Let the first posts of a leg have a fate, all others arrive."""
    left = {"n": times}

    def whim(intent: Intent) -> Fate:
        if intent.leg is not leg or not left["n"]:
            return Fate.ARRIVES
        left["n"] -= 1
        return fate

    return whim


def _states(desk: Desk) -> list[OrderState]:
    """Every state that the journal knows of the desk's first order, repetitions left out."""
    first = desk.orders()[0].client_order_id
    moves = [S(e.content()["state"]) for e in desk.journal.events({"OrderChanged"}) if e.ref == first]
    return [move for k, move in enumerate(moves) if k == 0 or moves[k - 1] is not move]


def _is_whole(desk: Desk, venue: FaultyVenue) -> None:
    """The laws that hold whatever the line does, once everything has been heard."""
    books = rebuilt_books(desk.journal)
    fills = desk.journal.fills()
    for symbol, position in books.positions.items():
        assert position.quantity == sum((f.side.sign * f.quantity for f in fills if f.symbol == symbol), ZERO)
        assert position.quantity >= ZERO
    held = venue.exchange.balances()
    for currency, amount in books.expected_balances().items():
        assert held.get(currency, ZERO) == amount, currency
    assert max(venue.posts.values(), default=1) == 1
    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert verify(desk.journal).problems == ()


BUY = says({0: {XRP: UP}})


def test_a_lost_answer_is_found_at_the_venue_and_never_sent_again(tmp_path: Path, venue: FaultyVenue) -> None:
    venue.post_fate = _at(Leg.ENTRY, Fate.ANSWER_LOST)
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(3)
        assert _states(desk) == [S.UNKNOWN, S.FILLED]
        assert desk.held.keys() == {XRP}
        _is_whole(desk, venue)


def test_a_lost_answer_to_a_resting_order_is_found_open(tmp_path: Path, venue: FaultyVenue) -> None:
    venue.post_fate = _at(Leg.STOP, Fate.ANSWER_LOST)
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(4)
        [stop] = desk.orders(Leg.STOP)
        assert stop.state is S.OPEN
        assert [order.client_order_id for order in venue.exchange.open_orders()] == [stop.client_order_id]
        _is_whole(desk, venue)


def test_a_lost_order_is_given_up_only_after_its_deadline_and_two_look_ups(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    venue.post_fate = _at(Leg.ENTRY, Fate.MESSAGE_LOST)
    scene = Scene(script=says({}, otherwise={XRP: UP}), open_venue=venue.open)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        assert _states(desk) == [S.UNKNOWN]
        report = desk.run_to(1)  # past the deadline, but only one look-up says so
        assert _states(desk) == [S.UNKNOWN]
        assert report.settlement.account.blocked == (XRP,)
        assert desk.denials(1) == [DenialCode.ORDER_UNKNOWN]
        report = desk.run_to(2)
        assert _states(desk) == [S.UNKNOWN, S.NOT_FOUND]
        assert any("never reached the venue" in alert for alert in report.settlement.alerts)
        assert report.settlement.account.blocked == ()
        desk.run_to(4)  # wanted still: a new intent, not the old one again
        assert len(desk.orders(Leg.ENTRY)) == 2
        assert desk.held.keys() == {XRP}
        _is_whole(desk, venue)


def test_no_answer_is_not_a_no(tmp_path: Path, venue: FaultyVenue) -> None:
    venue.post_fate = _at(Leg.ENTRY, Fate.MESSAGE_LOST)
    venue.is_deaf = lambda: True
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(8)
        assert _states(desk) == [S.UNKNOWN]
        venue.is_deaf = lambda: False
        desk.run(2)
        assert _states(desk) == [S.UNKNOWN, S.NOT_FOUND]


def test_before_the_deadline_absence_proves_nothing(tmp_path: Path, venue: FaultyVenue) -> None:
    venue.post_fate = _at(Leg.ENTRY, Fate.MESSAGE_LOST)
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(1)
    for _ in range(3):  # every start looks it up, at the same instant of the market
        with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
            assert _states(desk) == [S.UNKNOWN]


def test_a_fill_that_comes_after_the_end_of_its_order_is_booked_and_paged(
    tmp_path: Path, venue: FaultyVenue
) -> None:
    venue.holds_fills_back = lambda cycle: cycle == 1
    # A tenth of this bar is less than the order, and the rest of an entry is not waited for.
    feed = ScriptedFeed({s: [OPENING[s]] * 9 for s in SYMBOLS}, volumes={XRP: [1e9, 1_000.0]})
    with Scene(script=BUY, feed=feed, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(1)
        assert _states(desk) == [S.OPEN, S.CANCELED]
        assert desk.held == {}
        report = desk.run_to(2)
        assert report.settlement.account.positions == {XRP: Decimal(100)}
        assert any("late fill" in alert for alert in report.settlement.alerts)
        assert desk.orders()[0].filled_quantity == 100
        assert _states(desk)[-1] is S.CANCELED
        desk.run_to(3)
        assert [stop.remaining for stop in desk.orders(Leg.STOP)] == [100], "it is protected all the same"
        _is_whole(desk, venue)


def test_repeated_fills_change_nothing(tmp_path: Path, venue: FaultyVenue) -> None:
    venue.repeats_itself = True
    script = says({0: {XRP: UP}, 3: {XRP: FLAT}, 5: {XRP_BTC: UP}})
    with Scene(script=script, open_venue=venue.open).open(tmp_path) as desk:
        desk.run(9)
        assert len(desk.journal.fills()) == 3
        _is_whole(desk, venue)


def _foreign_fill(at_ns: int) -> Fill:
    return Fill(
        venue="practice",
        account="paper",
        trade_id="X1",
        client_order_id="somebody-else",
        symbol=XRP,
        side=Side.BUY,
        quantity=Decimal(10),
        price=Decimal("0.5"),
        fee=ZERO,
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=at_ns,
    )


def test_a_fill_of_an_order_that_is_not_ours_halts_the_desk(tmp_path: Path, venue: FaultyVenue) -> None:
    with Scene(script=says({2: {XRP: UP}}), open_venue=venue.open).open(tmp_path) as desk:
        report = desk.run_to(1)
        venue.foreign = [_foreign_fill(report.snapshot.at_ns)]
        report = desk.run_to(2)
        assert desk.journal.trading_state() is TradingState.HALTED
        assert desk.journal.control().actor == "executor"
        assert any("no order of this desk" in alert for alert in report.settlement.alerts)
        assert desk.denials(2) == [DenialCode.TRADING_HALTED]
        assert desk.journal.fills() == []


def test_a_difference_of_balances_at_a_start_halts_the_desk(tmp_path: Path, venue: FaultyVenue) -> None:
    scene = Scene(script=says({0: {XRP: UP}, 4: {XRP_BTC: UP}}), open_venue=venue.open)
    with scene.open(tmp_path) as desk:
        desk.run(3)
    venue.drift = {"USDT": Decimal("-0.00000001")}
    with scene.open(tmp_path) as desk:
        assert any("balances differ from the books (USDT" in alert for alert in desk.start_alerts)
        assert desk.journal.trading_state() is TradingState.ACTIVE, "the venue may only be slow"
        desk.run(1)
        assert desk.journal.trading_state() is TradingState.HALTED, "it was not"
        desk.run(2)
        assert desk.denials(4) == [DenialCode.TRADING_HALTED]
    venue.drift = {}
    with scene.open(tmp_path) as desk:
        assert desk.journal.trading_state() is TradingState.HALTED, "only a person resumes"


def _partial_exit(venue: FaultyVenue, bars: int = 12) -> Scene:
    """Buys in cycle 0, halves the position in cycle 3: the stop is replaced and the old one cancelled."""
    return Scene(
        script=says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}}),
        paths={symbol: [OPENING[symbol]] * bars for symbol in SYMBOLS},
        open_venue=venue.open,
    )


@pytest.mark.parametrize("fate", [Fate.ANSWER_LOST, Fate.MESSAGE_LOST])
def test_a_lost_cancel_is_asked_again_until_the_order_has_ended(
    fate: Fate, tmp_path: Path, venue: FaultyVenue
) -> None:
    fates = iter([fate, fate])
    venue.cancel_fate = lambda: next(fates, Fate.ARRIVES)
    with _partial_exit(venue).open(tmp_path) as desk:
        desk.run(8)
        old, new = desk.orders(Leg.STOP)
        assert (old.state, new.state) == (S.CANCELED, S.OPEN)
        assert new.remaining == desk.held[XRP]
        assert [order.client_order_id for order in venue.exchange.open_orders()] == [new.client_order_id]
        _is_whole(desk, venue)


def test_a_fill_that_wins_the_race_against_its_cancel_is_booked(tmp_path: Path, venue: FaultyVenue) -> None:
    """The cancel never arrives, the market falls through both stops: together they sell what is held."""
    venue.cancel_fate = lambda: Fate.MESSAGE_LOST
    path: list[Bar] = [*[0.5] * 5, *[0.4] * 7]
    scene = _partial_exit(venue)
    scene = Scene(script=scene.script, paths={**scene.paths, XRP: path}, open_venue=venue.open)
    with scene.open(tmp_path) as desk:
        desk.run(9)
        sold = sum(order.filled_quantity for order in desk.orders(Leg.STOP, Leg.EXIT))
        assert sold == desk.orders(Leg.ENTRY)[0].filled_quantity
        assert desk.held == {}
        assert desk.journal.orders(live_only=True) == []
        _is_whole(desk, venue)


def test_news_of_an_end_that_died_with_the_desk_are_found_again(tmp_path: Path, venue: FaultyVenue) -> None:
    """The venue cancels the rest of an entry; the desk dies between hearing of it and writing it down."""
    feed = ScriptedFeed({s: [OPENING[s]] * 9 for s in SYMBOLS}, volumes={XRP: [1e9, 1_000.0]})
    scene = Scene(script=BUY, feed=feed, open_venue=venue.open)
    with scene.open(tmp_path) as desk:
        report = desk.run_to(0)
        assert report.execution.permitted
        snapshot = InlineFeed(feed).observe(1)
        assert snapshot is not None
        assert venue.read(snapshot).ended
    with scene.open(tmp_path) as desk:
        assert [order.state for order in desk.orders(Leg.ENTRY)] == [S.CANCELED]
        desk.run(2)
        assert desk.held == {XRP: Decimal(100)}
        assert desk.reports[-1].settlement.account.busy == ()
        _is_whole(desk, venue)
