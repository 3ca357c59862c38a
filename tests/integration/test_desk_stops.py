"""What protects a position rests at the venue as long as there is one, and never sells more than it."""

from decimal import Decimal
from pathlib import Path

from tests.desk_words import FLAT, OPENING, SYMBOLS, UP, XRP, XRP_BTC, Bar, Desk, Scene, says
from tests.faulty_venue import Fate, FaultyVenue, arrives
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg, OrderState, OrderType

BUY = says({0: {XRP: UP}})


def _paths(*xrp: Bar, bars: int = 14) -> dict[str, list[Bar]]:
    still: dict[str, list[Bar]] = {symbol: [OPENING[symbol]] * bars for symbol in SYMBOLS}
    return still | {XRP: [*xrp, *[xrp[-1]] * (bars - len(xrp))]}


def _resting(desk: Desk) -> list[tuple[str, Decimal]]:
    return [(order.intent.spec.symbol, order.remaining) for order in desk.journal.orders(live_only=True)]


def _sold(desk: Desk, symbol: str) -> Decimal:
    fills = [fill for fill in desk.journal.fills() if fill.symbol == symbol and fill.side is Side.SELL]
    return sum((fill.quantity for fill in fills), ZERO)


def _bought(desk: Desk, symbol: str) -> Decimal:
    [entry] = [order for order in desk.orders(Leg.ENTRY) if order.intent.spec.symbol == symbol]
    return entry.filled_quantity


def test_a_stop_is_placed_in_the_cycle_that_learns_of_the_fill(tmp_path: Path) -> None:
    with Scene(script=BUY).open(tmp_path) as desk:
        desk.run_to(0)
        assert desk.orders(Leg.STOP) == []
        desk.run_to(1)
        [entry], [stop] = desk.orders(Leg.ENTRY), desk.orders(Leg.STOP)
        assert stop.state is OrderState.OPEN
        assert stop.remaining == desk.held[XRP]
        assert entry.average_price is not None
        assert entry.intent.protection is not None
        assert stop.intent.spec.reduce_only
        level = entry.average_price * (1 - entry.intent.protection.stop_frac)
        assert stop.intent.spec.stop_price is not None
        assert 0 <= stop.intent.spec.stop_price - level < Decimal("0.0001")


def test_a_stop_that_goes_off_closes_the_position_once(tmp_path: Path) -> None:
    with Scene(script=BUY, paths=_paths(0.5, 0.5, 0.4)).open(tmp_path) as desk:
        desk.run(8)
        assert desk.held == {}
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [OrderState.FILLED]
        assert _sold(desk, XRP) == _bought(desk, XRP)
        assert _resting(desk) == []


def test_a_partial_exit_resizes_the_stop(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}})
    with Scene(script=script).open(tmp_path) as desk:
        desk.run(8)
        assert ZERO < desk.held[XRP] < _bought(desk, XRP)
        assert _resting(desk) == [(XRP, desk.held[XRP])]


def test_an_exit_takes_its_stop_along(tmp_path: Path) -> None:
    with Scene(script=says({0: {XRP: UP}, 3: {XRP: FLAT}})).open(tmp_path) as desk:
        desk.run(6)
        assert desk.held == {}
        assert _resting(desk) == []


def test_stop_and_target_cancel_each_other(tmp_path: Path) -> None:
    risk = {"take_atr_multiple": Decimal(4)}
    with Scene(script=BUY, risk=risk, paths=_paths(0.5, 0.5, 0.5, 0.6)).open(tmp_path) as desk:
        desk.run_to(2)
        assert _resting(desk) == [(XRP, desk.held[XRP])] * 2
        desk.run_to(6)
        assert [take.state for take in desk.orders(Leg.TAKE)] == [OrderState.FILLED]
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [OrderState.CANCELED]
        assert _sold(desk, XRP) == _bought(desk, XRP)


def test_a_trailing_stop_follows_the_market_up(tmp_path: Path) -> None:
    risk = {"stop_trailing": True}
    paths = _paths(0.5, 0.5, 0.55, 0.6, 0.58, 0.55)
    with Scene(script=BUY, risk=risk, paths=paths).open(tmp_path) as desk:
        desk.run(9)
        [stop] = desk.orders(Leg.STOP)
        assert stop.intent.spec.order_type is OrderType.TRAILING_STOP
        assert stop.state is OrderState.FILLED
        assert stop.average_price is not None
        assert stop.average_price > Decimal("0.5"), "the profit was kept"


def test_a_stop_that_the_venue_cancels_is_replaced(tmp_path: Path) -> None:
    venue = FaultyVenue()
    with Scene(script=BUY, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(2)
        [stop] = desk.orders(Leg.STOP)
        venue.ends_by_itself(stop.client_order_id)
        desk.run_to(4)
        first, second = desk.orders(Leg.STOP)
        assert (first.state, second.state) == (OrderState.CANCELED, OrderState.OPEN)
        assert second.remaining == desk.held[XRP]


def test_a_refused_stop_leaves_the_old_one_and_is_told_once(tmp_path: Path) -> None:
    venue = FaultyVenue()
    script = says({0: {XRP: (0.5, 1.0)}, 3: {XRP: UP}})
    paths = _paths(0.5, bars=20)
    with Scene(script=script, paths=paths, open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(2)
        [old] = desk.orders(Leg.STOP)
        venue.post_fate = lambda i: Fate.REFUSED if i.leg is Leg.STOP else Fate.ARRIVES
        desk.run_to(8)
        assert desk.held[XRP] > old.remaining
        states = [order.state for order in desk.orders(Leg.STOP)]
        assert states == [OrderState.OPEN, OrderState.REJECTED], "the same refused stop is not sent again"
        told = [e.content()["text"] for e in desk.journal.events({"AlertRaised"}) if "stop" in e.payload]
        assert len(told) == 1
        assert "not today" in told[0]
        venue.post_fate = arrives
        desk.run_to(17)
        assert desk.orders(Leg.STOP)[-1].state is OrderState.OPEN, "tried again after a while"
        assert _resting(desk) == [(XRP, desk.held[XRP])]


def test_a_stop_that_never_arrived_is_replaced_once_that_is_proved(tmp_path: Path) -> None:
    venue = FaultyVenue()
    venue.post_fate = lambda i: Fate.MESSAGE_LOST if i.leg is Leg.STOP else Fate.ARRIVES
    with Scene(script=BUY, paths=_paths(0.5, bars=20), open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(1)
        assert [order.state for order in desk.orders(Leg.STOP)] == [OrderState.UNKNOWN]
        venue.post_fate = arrives
        desk.run_to(8)
        assert [o.state for o in desk.orders(Leg.STOP)] == [OrderState.NOT_FOUND, OrderState.OPEN]
        assert max(venue.posts.values()) == 1
        assert _resting(desk) == [(XRP, desk.held[XRP])]


def test_stops_survive_a_restart(tmp_path: Path) -> None:
    scene = Scene(script=BUY, paths=_paths(0.5, 0.5, 0.5, 0.5, 0.5, 0.4))
    with scene.open(tmp_path) as desk:
        desk.run(3)
        before = desk.orders(Leg.STOP)
    with scene.open(tmp_path) as desk:
        assert desk.orders(Leg.STOP) == before, "neither lost nor doubled"
        desk.run(5)
        assert desk.held == {}
        assert [stop.state for stop in desk.orders(Leg.STOP)] == [OrderState.FILLED]


def test_an_exit_and_a_stop_in_one_bar_sell_only_what_their_instrument_holds(tmp_path: Path) -> None:
    """XRP is held twice, against USDT and against BTC: the venue has one balance of it.

    A bar that opens for the exit and falls through the stop once sold the other position's XRP.
    """
    gap: Bar = (0.5, 0.5, 0.4, 0.41)
    script = says({0: {XRP: UP, XRP_BTC: UP}, 3: {XRP: FLAT}})
    with Scene(script=script, paths=_paths(0.5, 0.5, 0.5, 0.5, gap)).open(tmp_path) as desk:
        desk.run(8)
        assert _sold(desk, XRP) == _bought(desk, XRP)
        assert _sold(desk, XRP_BTC) == ZERO
        assert desk.held == {XRP_BTC: _bought(desk, XRP_BTC)}
        assert _resting(desk) == [(XRP_BTC, desk.held[XRP_BTC])]


def test_a_partial_exit_and_a_stop_in_one_bar_sell_no_more_than_the_position(tmp_path: Path) -> None:
    gap: Bar = (0.5, 0.5, 0.4, 0.41)
    script = says({0: {XRP: UP, XRP_BTC: UP}, 3: {XRP: (0.5, 1.0)}})
    with Scene(script=script, paths=_paths(0.5, 0.5, 0.5, 0.5, gap)).open(tmp_path) as desk:
        desk.run(8)
        assert _sold(desk, XRP) == _bought(desk, XRP)
        assert desk.held == {XRP_BTC: _bought(desk, XRP_BTC)}
