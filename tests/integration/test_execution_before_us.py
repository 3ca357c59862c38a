"""What the account did before the desk began, and what the desk must not do after a halt."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import BAR_NS, UP, XRP, XRP_BTC, Scene, says
from tests.execution_words import HandClock
from tests.faulty_venue import Fate, FaultyVenue
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Intent, Leg, Liquidity, OrderState, TradingState
from tg_actors.execution.shadow.watch import ShadowWatch
from tg_actors.market.feeds.simulated import START_NS

BEGUN_NS = START_NS + BAR_NS
MINUTE_NS = 60 * 10**9


class BegunClock(HandClock):
    """A desk that begins shortly before its first snapshot, in the market's time."""

    def desk_ns(self, at_ns: int) -> int:
        return max(super().desk_ns(at_ns), BEGUN_NS - MINUTE_NS)


def somebodys(at_ns: int) -> Fill:
    """A trade by hand, of an order that this desk never sent."""
    return Fill(
        venue="practice",
        account="paper",
        trade_id="by-hand",
        client_order_id="foreign:1",
        symbol="DOGE/USDT",
        side=Side.BUY,
        quantity=Decimal(10),
        price=Decimal("0.1"),
        fee=ZERO,
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=at_ns,
    )


@pytest.fixture
def venue() -> FaultyVenue:
    return FaultyVenue()


@pytest.fixture
def scene(venue: FaultyVenue) -> Scene:
    return Scene(script=says({1: {XRP: UP}}), open_venue=venue.open, clock=BegunClock())


def test_history_of_the_account_neither_halts_nor_becomes_ours(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    history = somebodys(BEGUN_NS - 2 * MINUTE_NS)
    for _ in range(2):
        # At a first start, with the news, and at every start that follows.
        venue.foreign = [history]
        with scene.open(tmp_path) as desk:
            venue.foreign = [history]
            desk.run(3)
            assert desk.journal.trading_state() is TradingState.ACTIVE
            assert history.trade_id not in {fill.trade_id for fill in desk.journal.fills()}
            venue.foreign = [history]
            shadow = ShadowWatch(scene.plan("").account.executor, venue, desk.journal)
            assert [shadow.look(k * MINUTE_NS) for k in range(3)] == [()] * 3
            assert desk.held.keys() == {XRP}


def test_a_trade_by_hand_after_the_beginning_still_halts(
    tmp_path: Path, scene: Scene, venue: FaultyVenue
) -> None:
    with scene.open(tmp_path) as desk:
        strange = [somebodys(BEGUN_NS), somebodys(BEGUN_NS).model_copy(update={"trade_id": "another"})]
        for _ in range(3):
            venue.foreign = list(strange)
            desk.run(1)
            assert desk.journal.trading_state() is TradingState.HALTED
        halts = [e for e in desk.journal.events({"TradingStateChanged"}) if "no order of this" in e.payload]
        assert len(halts) == len(strange), "each is told once, however often it is read"


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCE_ONLY])
def test_the_rest_of_a_batch_is_not_sent_after_a_halt(tmp_path: Path, state: TradingState) -> None:
    venue = FaultyVenue(wall_deadlines=True)
    script = says({1: {XRP: UP, XRP_BTC: UP}})
    with replace(Scene(script=script), open_venue=venue.open).open(tmp_path) as desk:
        desk.run_to(0)

        def halting(intent: Intent) -> Fate:
            desk.journal.set_trading_state(state, "somebody saw enough", "a person", 0)
            return Fate.ARRIVES

        venue.post_fate = halting
        desk.run_to(1)
        entries = [order for order in desk.journal.orders() if order.intent.leg is Leg.ENTRY]
        assert len(entries) == 2, "both were permitted in one transaction"
        assert sum(venue.posts.values()) == 1
        (unsent,) = [order for order in entries if not venue.posts[order.intent.intent_id]]
        assert unsent.state is OrderState.REJECTED
        assert unsent.reason == f"not sent: trading became {state} first"
