"""The tracker on made-up books whose orders' fates are known."""

import numpy as np
import pytest

from tests.book_words import MS, T0_NS, delta, snapshot
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import Level
from tg_actors.market.books.rules import SequenceRule
from tg_actors.market.books.tracker import FLOW_NAMES, BookTracker, TrackerSpec

ANY_ORDER = SequenceRule(counts=False, restarts=True, has_ids=False)


class Scene:
    """A calm book of 60 levels a side (bids from 99.9 down, asks from 100.1 up, size 1), and its tracker."""

    def __init__(self, *, knows_trades: bool = True) -> None:
        self.book, self.tracker = LocalBook(ANY_ORDER), BookTracker(TrackerSpec(), knows_trades=knows_trades)
        bids = [(round(99.9 - 0.1 * k, 1), 1.0) for k in range(60)]
        asks = [(round(100.1 + 0.1 * k, 1), 1.0) for k in range(60)]
        self.book.hear(snapshot(bids=bids, asks=asks))
        self.tracker.follow(self.book)

    def at(
        self,
        seconds: float,
        bids: tuple[Level, ...] = (),
        asks: tuple[Level, ...] = (),
        trade: tuple[float, float, int] | None = None,
    ) -> None:
        if trade is not None:
            self.tracker.trade(*trade)
        self.book.hear(delta(0, 0, bids, asks, at_ms=int(seconds * 1000)))
        self.tracker.follow(self.book)

    def cut(self) -> dict[str, float]:
        return dict(zip(FLOW_NAMES, self.tracker.cut().tolist(), strict=True))


def test_a_wall_that_stands_is_large_and_no_spoof() -> None:
    scene = Scene()
    scene.at(2, bids=((99.0, 50.0),))
    scene.at(90, bids=((98.9, 1.5),))
    flow = scene.cut()
    assert (flow["bid_large_base"], flow["ask_large_base"]) == (50.0, 0.0)
    assert (flow["bid_pulled_base"], flow["bid_spoof_frac"]) == (0.0, 0.0)


def test_a_wall_that_vanishes_at_once_behind_better_prices_is_a_spoof() -> None:
    for knows_trades in (True, False):
        scene = Scene(knows_trades=knows_trades)
        scene.at(2, asks=((101.0, 40.0),))
        scene.at(5, asks=((101.0, 0.0),))
        flow = scene.cut()
        assert (flow["ask_pulled_base"], flow["ask_spoof_frac"], flow["ask_replaced_base"]) == (
            40.0,
            1.0,
            0.0,
        )
        assert scene.cut()["ask_large_base"] == 0.0, "what ended in a bar is not seen in the next"


def test_a_wall_pulled_after_a_long_life_is_pulled_but_no_spoof() -> None:
    scene = Scene()
    scene.at(2, asks=((101.0, 40.0),))
    scene.at(62, asks=((101.0, 0.0),))
    flow = scene.cut()
    assert (flow["ask_pulled_base"], flow["ask_spoof_frac"]) == (40.0, 0.0)


def test_a_wall_that_comes_with_the_snapshot_is_of_unknown_age() -> None:
    scene = Scene()
    scene.book.hear(snapshot(bids=[(99.9, 1.0)], asks=[(100.1, 1.0)]))
    bids = [(round(99.9 - 0.1 * k, 1), 25.0 if k == 7 else 1.0) for k in range(60)]
    asks = [(round(100.1 + 0.1 * k, 1), 1.0) for k in range(60)]
    scene.book.hear(snapshot(bids=bids, asks=asks, at_ms=3_000))
    scene.tracker.follow(scene.book)
    scene.at(5, bids=((99.2, 0.0),))
    flow = scene.cut()
    assert (flow["bid_large_base"], flow["bid_pulled_base"], flow["bid_spoof_frac"]) == (25.0, 25.0, 0.0)


def test_a_wall_that_was_traded_is_no_pull() -> None:
    scene = Scene()
    scene.at(2, bids=((99.9, 30.0),))
    scene.at(4, bids=((99.9, 0.0),), trade=(99.9, 29.0, -1))
    flow = scene.cut()
    assert (flow["bid_large_base"], flow["bid_pulled_base"], flow["taker_sell_base"]) == (30.0, 0.0, 29.0)


def test_without_trades_a_best_level_that_vanishes_is_given_the_benefit_of_the_doubt() -> None:
    scene = Scene(knows_trades=False)
    scene.at(2, bids=((99.9, 30.0),))
    scene.at(4, bids=((99.9, 0.0),))
    flow = scene.cut()
    assert flow["bid_pulled_base"] == 0.0
    assert np.isnan([flow[name] for name in FLOW_NAMES[-4:]]).all()


def test_with_trades_the_same_vanishing_is_known_for_a_pull() -> None:
    scene = Scene()
    scene.at(2, bids=((99.9, 30.0),))
    scene.at(4, bids=((99.9, 0.0),), trade=(99.9, 3.0, -1))
    assert scene.cut()["bid_pulled_base"] == 30.0


def test_what_was_traded_before_explains_no_later_vanishing() -> None:
    scene = Scene()
    scene.at(1, trade=(99.9, 50.0, -1))
    scene.at(2, bids=((99.9, 30.0),))
    scene.at(4, bids=((99.9, 0.0),))
    assert scene.cut()["bid_pulled_base"] == 30.0


def test_an_order_that_is_moved_about_counts_once_and_is_a_spoof_when_it_goes() -> None:
    scene = Scene()
    scene.at(2, asks=((101.0, 40.0),))
    scene.at(40, asks=((101.0, 0.0), (100.9, 42.0)))
    scene.at(80, asks=((100.9, 0.0), (100.8, 41.0)))
    flow = scene.cut()
    assert (flow["ask_large_base"], flow["ask_replaced_base"], flow["ask_spoof_frac"]) == (41.0, 83.0, 0.0)
    scene.at(130, asks=((100.8, 0.0),))
    flow = scene.cut()
    assert (flow["ask_pulled_base"], flow["ask_spoof_frac"]) == (41.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "price", "size"), [(6.0, 100.9, 40.0), (3.0, 101.6, 40.0), (3.0, 100.9, 80.0)]
)
def test_too_late_too_far_or_of_other_size_is_another_order(
    seconds: float, price: float, size: float
) -> None:
    scene = Scene()
    scene.at(1, asks=((101.0, 40.0),))
    scene.at(2, asks=((101.0, 0.0),))
    scene.at(seconds, asks=((price, size),))
    assert scene.cut()["ask_replaced_base"] == 0.0


def test_order_flow_imbalance_is_that_of_the_paper() -> None:
    """Cont, Kukanov, Stoikov 2014, event by event."""
    scene = Scene()
    steps: tuple[tuple[tuple[Level, ...], tuple[Level, ...], float], ...] = (
        (((99.9, 4.0),), (), 3.0),  # bid grows by 3
        (((100.0, 2.0),), (), 2.0),  # a better bid of 2
        (((100.0, 0.0),), (), -2.0),  # it is withdrawn
        ((), ((100.1, 0.0),), 1.0),  # the best ask of 1 is taken
        ((), ((100.1, 5.0),), -5.0),  # and comes back with 5
    )
    total = gross = 0.0
    for k, (bids, asks, change) in enumerate(steps):
        scene.at(0.1 * (k + 1), bids=bids, asks=asks)
        total, gross = total + change, gross + abs(change)
    flow = scene.cut()
    assert (flow["ofi_base"], flow["ofi_gross_base"]) == pytest.approx((total, gross))


def test_absorption_is_what_was_sold_while_the_bid_held() -> None:
    scene = Scene()
    scene.at(1)
    scene.at(2, bids=((99.9, 3.0),), trade=(99.9, 8.0, -1))
    scene.at(3, bids=((99.9, 0.0),), trade=(99.9, 5.0, -1))
    scene.at(4, asks=((100.1, 3.0),), trade=(100.1, 2.0, 1))
    flow = scene.cut()
    assert (flow["taker_sell_base"], flow["bid_absorbed_base"]) == (13.0, 8.0)
    assert (flow["taker_buy_base"], flow["ask_absorbed_base"]) == (2.0, 2.0)


def test_imbalance_is_the_mean_of_what_rests_near_the_touch() -> None:
    scene = Scene()
    for second in range(1, 5):
        scene.at(second, bids=tuple((round(99.8 - 0.1 * k, 1), 3.0) for k in range(20)))
    assert scene.cut()["imbalance_frac"] > 0.3
    # Levels that lie on the edge of a band may fall on either side of it.
    assert Scene().cut()["imbalance_frac"] == pytest.approx(0.0, abs=0.05)


def test_after_a_break_nothing_is_known_to_have_been_pulled() -> None:
    scene = Scene()
    scene.at(2, asks=((101.0, 40.0),))
    scene.tracker.lose()
    scene.book.hear(snapshot(at_ms=4_000))
    scene.tracker.follow(scene.book)
    flow = scene.cut()
    assert (flow["ask_large_base"], flow["ask_pulled_base"], flow["ofi_base"]) == (0.0, 0.0, 0.0)


def test_equal_messages_give_equal_numbers() -> None:
    def play() -> np.ndarray:
        rng = np.random.default_rng(5)
        scene = Scene()
        for k in range(1, 400):
            price = round(99.9 - 0.1 * int(rng.integers(0, 40)), 1)
            scene.at(0.2 * k, bids=((price, float(rng.choice([0.0, 1.0, 2.0, 40.0]))),))
        return scene.tracker.cut()

    first, second = play(), play()
    np.testing.assert_array_equal(first, second)
    assert first[FLOW_NAMES.index("bid_large_base")] > 0.0


def test_times_are_the_venues() -> None:
    scene = Scene()
    scene.at(2, bids=((99.0, 50.0),))
    assert [order.since_ns for order in scene.tracker.standing] == [T0_NS + 2_000 * MS]
    assert scene.tracker.ended == ()
