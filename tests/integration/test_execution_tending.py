"""Between two cycles: news, look-ups, foreign orders, trades, balances, clocks, the dead man's timer."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import UP, XRP, Desk, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg, OrderState, TradingState
from tg_actors.execution.venues.port import OpenOrder, VenueNews

S = OrderState
BUY = says({0: {XRP: UP}})


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def scene(venue: FaultyVenue, clock: HandClock) -> Scene:
    return Scene(script=BUY, open_venue=venue.open, clock=clock)


def _tend(desk: Desk, clock: HandClock, seconds: float) -> tuple[str, ...]:
    """Let time pass second by second, tending as the actor does; returns all alerts."""
    alerts: tuple[str, ...] = ()
    for _ in range(int(seconds)):
        clock.wait(1)
        alerts += desk.executor.tend(desk.executor.at_ns)
    return alerts


def test_before_its_first_settlement_an_executor_can_be_tended(
    tmp_path: Path, scene: Scene, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        assert _tend(desk, clock, 70) == ()
        assert desk.journal.orders() == []


def test_a_fill_between_two_cycles_is_booked_protected_and_told_in_the_next(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    venue.holds_fills_back = lambda cycle: cycle == 1
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        assert desk.held == {}
        venue.news = VenueNews(fills=tuple(venue.trades()))
        _tend(desk, clock, 1)
        [stop] = desk.orders(Leg.STOP)
        assert stop.state is S.OPEN
        report = desk.run_to(2)
        assert [fill.symbol for fill in report.settlement.fills] == [XRP]
        assert desk.held[XRP] == stop.remaining
        assert len(desk.orders(Leg.STOP)) == 1


def test_what_a_tend_has_booked_is_told_also_by_the_next_process(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    venue.is_remote = True
    venue.holds_fills_back = lambda _: True
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        venue.news = VenueNews(fills=tuple(venue.trades()))
        _tend(desk, clock, 1)
        assert len(desk.journal.fills()) == 1
    with scene.open(tmp_path) as desk:
        [report] = desk.run(1)
        assert report.settlement.fills == tuple(desk.journal.fills())
        assert report.settlement.cycle == 2


def test_an_order_of_unknown_fate_is_looked_up_every_three_seconds(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    fates = iter([Fate.ANSWER_LOST])
    venue.post_fate = lambda _: next(fates, Fate.ARRIVES)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        venue.is_deaf = lambda: True
        _tend(desk, clock, 4)
        assert [o.state for o in desk.orders()] == [S.UNKNOWN]
        venue.is_deaf = lambda: False
        _tend(desk, clock, 3)
        assert [o.state for o in desk.orders()] == [S.OPEN]


def test_a_lost_order_is_given_up_between_cycles_once_its_deadline_has_passed(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        _tend(desk, clock, 30)
        assert [o.state for o in desk.orders()] == [S.UNKNOWN], "desk time stands still"
        clock.late_ns = 35 * 10**9
        alerts = _tend(desk, clock, 6)
        assert [o.state for o in desk.orders()] == [S.NOT_FOUND]
        assert any("never reached the venue" in alert for alert in alerts)


@pytest.mark.parametrize(("silence_s", "state"), [(150, S.UNKNOWN), (160, S.NOT_FOUND)])
def test_without_a_deadline_at_the_venue_only_long_silence_says_that_an_order_is_lost(
    silence_s: int, state: OrderState, tmp_path: Path, clock: HandClock
) -> None:
    venue = FaultyVenue(expiry_s_max=0, unknown_horizon_s=120)
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    with Scene(script=BUY, open_venue=venue.open, clock=clock).open(tmp_path) as desk:
        desk.run_to(0)
        clock.late_ns = silence_s * 10**9  # 30 s of our own, 120 s of silence, 2 s of read lag
        _tend(desk, clock, 10)
        assert [o.state for o in desk.orders()] == [state]


def test_what_cannot_be_looked_up_by_our_id_is_never_called_absent(tmp_path: Path, clock: HandClock) -> None:
    venue = FaultyVenue(look_up_by_client_id=False)
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    with Scene(script=BUY, open_venue=venue.open, clock=clock).open(tmp_path) as desk:
        desk.run_to(5)
        assert [o.state for o in desk.orders()] == [S.UNKNOWN]


def test_an_order_that_comes_back_from_the_dead_is_cancelled_and_paged(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    venue.post_fate = lambda _: Fate.MESSAGE_LOST
    with scene.open(tmp_path) as desk:
        desk.run_to(2)
        [lost] = desk.orders()
        assert lost.state is S.NOT_FOUND
        venue.strangers = [OpenOrder("V1", lost.client_order_id, XRP)]
        alerts = _tend(desk, clock, 40)
        assert venue.cancels == [lost.client_order_id] * 3
        assert len([alert for alert in alerts if "it is cancelled" in alert]) == 1
        assert desk.journal.trading_state() is TradingState.ACTIVE


def _foreign(remaining: str | None) -> OpenOrder:
    quantity = None if remaining is None else Decimal(remaining)
    return OpenOrder("V1", "", XRP, quantity, Decimal("0.5"))


@pytest.mark.parametrize(
    ("remaining", "state"),
    [("200", TradingState.ACTIVE), ("200.2", TradingState.HALTED), (None, TradingState.HALTED)],
)
def test_an_order_of_somebody_else_counts_as_exposure_and_halts_above_the_tolerance(
    remaining: str | None,
    state: TradingState,
    tmp_path: Path,
    scene: Scene,
    venue: FaultyVenue,
    clock: HandClock,
) -> None:
    tolerant = replace(scene, permits={"external_notional_max": Decimal(100)})
    with tolerant.open(tmp_path) as desk:
        desk.run_to(3)
        venue.strangers = [_foreign(remaining)]
        alerts = _tend(desk, clock, 16)
        assert desk.journal.trading_state() is state
        assert any("is not ours" in alert for alert in alerts)
        account = desk.run_to(4).settlement.account
        assert account.open_notional == {XRP: Decimal(remaining or 0) / 2}
        venue.strangers = []
        assert _tend(desk, clock, 16) == ()
        assert desk.run_to(5).settlement.account.open_notional == {}


def test_by_default_any_order_of_somebody_else_halts(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        venue.strangers = [_foreign("0.2")]
        _tend(desk, clock, 16)
        assert desk.journal.control().reason == (
            f"orders that are not ours rest at the venue ({XRP}): trading halted"
        )


def test_an_order_that_no_longer_rests_is_looked_up_and_ended(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        [stop] = desk.orders(Leg.STOP)
        assert venue.exchange.cancel(stop.client_order_id, 0)
        _tend(desk, clock, 17)
        old, new = desk.orders(Leg.STOP)
        assert (old.state, new.state) == (S.CANCELED, S.OPEN), "and the position is protected again"
        assert max(venue.posts.values()) == 1


def test_missed_fills_are_found_within_a_minute(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    venue.holds_fills_back = lambda _: True
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        assert desk.journal.fills() == []
        _tend(desk, clock, 61)
        assert len(desk.journal.fills()) == 1
        assert desk.journal.trading_state() is TradingState.ACTIVE


def test_only_a_difference_of_balances_that_stays_halts(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(3)
        venue.drift = {"USDT": Decimal("0.01")}
        _tend(desk, clock, 61)
        venue.drift = {"USDT": Decimal("0.02")}
        _tend(desk, clock, 60)
        assert desk.journal.trading_state() is TradingState.ACTIVE
        alerts = _tend(desk, clock, 60)
        assert desk.journal.trading_state() is TradingState.HALTED
        assert any("balances differ from the books (USDT" in alert for alert in alerts)
        assert _tend(desk, clock, 180) == (), "once is enough"


def test_no_answer_about_balances_is_no_difference(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(3)
        venue.silent = {"balances", "open_orders", "trades", "clock", "poll", "look_up"}
        assert _tend(desk, clock, 200) == ()
        assert desk.journal.trading_state() is TradingState.ACTIVE


def test_balances_are_not_compared_shortly_after_we_did_something(
    tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        venue.drift = {"USDT": Decimal("0.01")}
        for _ in range(5):
            clock.wait(60)
            desk.executor.state.active_wall_ns = clock.wall - 9 * 10**9
            desk.executor.tend(desk.executor.at_ns)
        assert desk.journal.trading_state() is TradingState.ACTIVE


def test_what_the_news_cannot_see_is_not_traded_until_it_is_seen_again(
    tmp_path: Path, venue: FaultyVenue, clock: HandClock
) -> None:
    scene = Scene(script=says({1: {XRP: UP}, 2: {XRP: UP}}), open_venue=venue.open, clock=clock)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        venue.blindness = VenueNews(gap="the order stream stands still", blind=frozenset({XRP}))
        report = desk.run_to(1)
        assert desk.denials(1) == [DenialCode.VENUE_UNKNOWN]
        assert "the venue is not wholly seen: the order stream stands still" in report.settlement.alerts
        venue.blindness = VenueNews()
        _tend(desk, clock, 1)
        desk.run_to(2)
        assert desk.denials(2) == []
        assert len(desk.orders(Leg.ENTRY)) == 1


def test_a_venue_that_does_not_say_what_happened_is_not_traded(
    tmp_path: Path, venue: FaultyVenue, clock: HandClock
) -> None:
    scene = Scene(script=says({1: {XRP: UP}, 2: {XRP: UP}}), open_venue=venue.open, clock=clock)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        venue.silent = {"read"}
        desk.run_to(1)
        assert desk.denials(1) == [DenialCode.VENUE_UNKNOWN]
        venue.silent = set()
        desk.run_to(2)
        assert len(desk.orders(Leg.ENTRY)) == 1


def test_a_clock_that_walks_away_stops_permits_until_it_is_back(
    tmp_path: Path, venue: FaultyVenue, clock: HandClock
) -> None:
    with Scene(script=says({}, otherwise={XRP: UP}), open_venue=venue.open, clock=clock).open(
        tmp_path
    ) as desk:
        venue.offset_ns = -501 * 10**6
        alerts = _tend(desk, clock, 61)
        assert alerts == ("the venue's clock is -501 ms from ours: no permits until it is near",)
        desk.run_to(0)
        assert desk.denials(0) == [DenialCode.CLOCK_OFFSET]
        venue.offset_ns = 500 * 10**6
        desk.run_to(1)
        assert len(desk.orders(Leg.ENTRY)) == 1


@pytest.mark.parametrize("question", ["poll", "look_up", "trades", "balances", "clock", "open_orders"])
def test_a_sign_of_somebody_else_halts_and_the_desk_goes_on_reading(
    question: str, tmp_path: Path, scene: Scene, venue: FaultyVenue, clock: HandClock
) -> None:
    with scene.open(tmp_path) as desk:
        desk.run_to(1)
        venue.strangers = [OpenOrder("V1", desk.orders()[0].client_order_id, XRP)] * (question == "look_up")
        if question == "look_up":
            assert venue.exchange.cancel(desk.orders(Leg.STOP)[0].client_order_id, 0)
        venue.suspects = {question}
        alerts = _tend(desk, clock, 130)
        assert desk.journal.control().state is TradingState.HALTED
        assert desk.journal.control().reason == "the key is used by somebody else: trading halted"
        assert "the key is used by somebody else: trading halted" in alerts
        desk.run_to(3)


def test_a_refusal_that_smells_of_a_second_writer_halts(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    venue.post_fate = lambda _: Fate.SUSPECT
    with scene.open(tmp_path) as desk:
        report = desk.run_to(0)
        assert [o.state for o in desk.orders()] == [S.REJECTED]
        assert desk.journal.trading_state() is TradingState.HALTED
        assert report.execution.alerts == ("a nonce that we never used: trading halted",)


def test_the_dead_man_is_armed_only_while_nothing_protects_a_position(
    tmp_path: Path, clock: HandClock
) -> None:
    venue = FaultyVenue(dead_man_s=60)
    scene = Scene(script=BUY, open_venue=venue.open, clock=clock)
    with scene.open(tmp_path) as desk:
        desk.run_to(0)
        _tend(desk, clock, 41)
        assert venue.dead_man == [60, 60, 60], "asked again three times within its timeout"
        desk.run_to(1)
        assert venue.dead_man[3:] == [0], "taken back before the stop is placed"
        _tend(desk, clock, 60)
        assert venue.dead_man[4:] == []
    venue.dead_man.clear()
    with scene.open(tmp_path) as desk:  # who died may have armed it
        _tend(desk, clock, 21)
        assert venue.dead_man == [0]
