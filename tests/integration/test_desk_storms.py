"""Everything goes wrong at once, from a seed: lost messages, late and repeated fills, sudden deaths."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.desk_words import Scene, flipping, simulated
from tests.faulty_venue import Fate, FaultyVenue
from tests.mortal import Doom, live_until
from tg_actors.desk.history import rebuilt_books
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType
from tg_actors.journal.verify import verify

STORM_CYCLES = 24
#: Calm bars at the end, in which all that was lost must be found.
CALM_CYCLES = 6
FATES = [Fate.ARRIVES, Fate.ANSWER_LOST, Fate.MESSAGE_LOST]


def _brew(venue: FaultyVenue, rng: np.random.Generator) -> None:
    """Make a venue fail as the generator says."""
    venue.post_fate = lambda _: FATES[rng.choice(3, p=[0.6, 0.2, 0.2])]
    venue.cancel_fate = lambda: FATES[rng.choice(3, p=[0.6, 0.2, 0.2])]
    venue.is_deaf = lambda: bool(rng.random() < 0.2)
    venue.holds_fills_back = lambda _: bool(rng.random() < 0.3)
    venue.repeats_itself = bool(rng.random() < 0.5)


def _calm(venue: FaultyVenue) -> None:
    calm = FaultyVenue()
    venue.post_fate, venue.cancel_fate = calm.post_fate, calm.cancel_fate
    venue.is_deaf, venue.holds_fills_back = calm.is_deaf, calm.holds_fills_back


@pytest.mark.parametrize("seed", range(6))
def test_no_storm_doubles_an_order_or_loses_a_cent(seed: int, tmp_path: Path) -> None:
    path = str(tmp_path / "desk.sqlite")
    rng = np.random.default_rng(seed)
    venue = FaultyVenue()
    scene = Scene(
        feed=simulated(seed=seed),
        script=flipping(2),
        risk={"stop_atr_multiple": Decimal("0.5"), "trades_per_day_max": 100},
        open_venue=venue.open,
    )
    _brew(venue, rng)
    deaths = 0
    while not live_until(scene, path, STORM_CYCLES, Doom(int(rng.integers(12, 60)))):
        deaths += 1
    _calm(venue)
    assert live_until(scene, path, STORM_CYCLES + CALM_CYCLES, Doom())
    assert deaths
    assert OrderState.UNKNOWN in _states_seen(path)
    with JournalReader.read_only(path) as journal:
        _keeps_the_laws(journal, venue)


def _states_seen(path: str) -> set[str]:
    with JournalReader.read_only(path) as journal:
        return {event.content()["state"] for event in journal.events({EventType.ORDER_CHANGED})}


def _keeps_the_laws(journal: JournalReader, venue: FaultyVenue) -> None:
    assert verify(journal).problems == ()
    assert max(venue.posts.values()) == 1, "an intent was posted twice"
    permitted = {permit.intent_id: permit.client_order_id for permit in journal.permits()}
    assert venue.posts.keys() <= permitted.keys()
    fills, books = journal.fills(), rebuilt_books(journal)
    assert fills
    assert {fill.client_order_id for fill in fills} <= set(permitted.values())
    for symbol, position in books.positions.items():
        assert position.quantity == sum((f.side.sign * f.quantity for f in fills if f.symbol == symbol), ZERO)
    held = venue.exchange.balances()
    for currency, amount in books.expected_balances().items():
        assert held.get(currency, ZERO) == amount, currency
    for order in journal.orders():
        theirs = venue.exchange.look_up(order.client_order_id)
        if order.is_live:
            assert theirs is not None
            assert theirs.ended_at_ns is None, "the desk waits for an order that has ended"
    at = {e.ref: e.seq for e in journal.events({EventType.ORDER_PERMITTED})}
    assert all(at[e.content()["client_order_id"]] < e.seq for e in journal.events({EventType.ORDER_FILLED}))
    assert journal.trading_state() is TradingState.ACTIVE
