"""Depth of markets: what captures know of a cycle, and the simulated books with their planted truth."""

from pathlib import Path

import numpy as np
import pytest

from tests.book_words import T0_NS, delta, snapshot, write_capture
from tg_actors.market.books.depth import RecordedDepth
from tg_actors.market.books.planted import LEVELS, PlantedBooks
from tg_actors.market.books.tracker import FLOW_NAMES
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.recorded import RecordedFeed
from tg_actors.market.feeds.simulated import START_NS, SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe, instant_ns

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
SYMBOLS = ("BTC/USDT", "XRP/USDT")
#: The captures of these tests begin at this minute.
FIRST_NS = T0_NS // MINUTE_NS * MINUTE_NS
OFFSET_MS = (FIRST_NS - T0_NS) // 10**6


def minutes(count: float) -> int:
    """A time on the captures' clock, in milliseconds."""
    return OFFSET_MS + round(count * 60_000)


def recorded(folder: Path) -> RecordedDepth:
    return RecordedDepth(folder, "BINANCE", SYMBOLS, FIRST_NS, MINUTE_NS)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """XRP's book from minute 0.5 to 3.2: the best bid grows by one every ten seconds."""
    told = [snapshot(10, at_ms=minutes(0.5))]
    told += [delta(10 + k, 10 + k, bids=[(99.0, 1.0 + k)], at_ms=minutes(0.5 + k / 6)) for k in range(1, 17)]
    write_capture(tmp_path, "BINANCE_XRP-USDT_2023-11-14_depth", told)
    return tmp_path


def test_a_close_knows_the_messages_before_it_and_no_other_instrument(capture: Path) -> None:
    depth = recorded(capture).depth(0, 2)
    assert depth is not None
    assert depth.price[1].tolist() == [[99.0, 98.0], [101.0, 102.0]]
    assert depth.size[1, 0, 0] == 3.0, "two messages lie before the close; the third is at it"
    assert depth.as_of_ns.tolist() == [0, FIRST_NS + 50 * SECOND_NS]
    assert np.isnan(depth.price[0]).all()
    assert depth.flow_names == FLOW_NAMES


def test_flow_is_known_where_the_whole_bar_is_covered(capture: Path) -> None:
    depths = [recorded(capture).depth(cycle, 2) for cycle in range(5)]
    assert [depth is None for depth in depths] == [False, False, False, True, True]
    flows = [depth.flow[1, FLOW_NAMES.index("ofi_base")] for depth in depths if depth is not None]
    assert np.isnan(flows[0])
    assert flows[1:] == [6.0, 6.0]
    assert all(np.isnan(depth.flow[0]).all() for depth in depths if depth is not None)


def test_a_break_makes_the_flow_of_its_bar_unknown(tmp_path: Path) -> None:
    told = [snapshot(10, at_ms=minutes(0.5)), delta(11, 11, bids=[(98.0, 1.0)], at_ms=minutes(1.1))]
    told += [delta(13, 13, bids=[(98.0, 3.0)], at_ms=minutes(1.2)), snapshot(13, at_ms=minutes(1.3))]
    told += [
        delta(14, 14, bids=[(98.0, 4.0)], at_ms=minutes(2.1)),
        delta(15, 15, bids=[(98.0, 5.0)], at_ms=minutes(3.1)),
    ]
    write_capture(tmp_path, "BINANCE_XRP-USDT_2023-11-14_depth", told)
    source = recorded(tmp_path)
    known = [source.depth(cycle, 2) for cycle in (1, 2)]
    assert [depth is not None and bool(np.isnan(depth.flow[1, 0])) for depth in known] == [True, False]


def test_whole_books_have_no_flow_and_a_silent_cycle_no_book(tmp_path: Path) -> None:
    told = [snapshot(at_ms=minutes(k), bids=[(98.0, 1.0 + k)]) for k in (0.2, 0.6, 1.4, 3.5, 4.5)]
    write_capture(tmp_path, "BINANCE_XRP-USDT_2023-11-14_agg100", told)
    depths = [recorded(tmp_path).depth(cycle, 1) for cycle in range(5)]
    assert [None if depth is None else depth.size[1, 0, 0] for depth in depths] == [1.6, 2.4, None, 4.5, None]
    assert all(np.isnan(depth.flow).all() for depth in depths if depth is not None)


def test_the_same_cycle_gives_the_same_numbers_whatever_was_asked_before(capture: Path) -> None:
    first, second = recorded(capture), recorded(capture)
    for cycle in (2, 0, 1):
        first.depth(cycle, 5)
    one, other = first.depth(1, 5), second.depth(1, 5)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.flow, other.flow)
    np.testing.assert_array_equal(one.size, other.size)


def test_a_folder_without_captures_knows_nothing(tmp_path: Path) -> None:
    assert recorded(tmp_path).depth(0, 5) is None


@pytest.mark.data
def test_the_recorded_market_has_real_depth_where_a_capture_lies(data_dir: Path) -> None:
    start, end = instant_ns("2024-08-08T23:00"), instant_ns("2024-08-09T00:30")
    feed = RecordedFeed.open(
        data_dir, ("BTC/USDT",), Timeframe("5m"), start, end, spread_bps={"BTC/USDT": 1.0}
    )
    market = SnapshotBuilder(feed, needs=MarketNeeds(depth_levels=20))
    depths = {cycle: snapshot.depth for cycle in range(18) if (snapshot := market.advance(cycle))}
    known = [cycle for cycle, depth in depths.items() if depth is not None]
    assert known == [10, 11, 12], "closes at 23:55, 00:00 and 00:05"
    midnight = depths[11]
    assert midnight is not None
    assert midnight.price[0, :, 0].tolist() == [61685.99, 61686.0]
    flow = dict(zip(FLOW_NAMES, midnight.flow[0].tolist(), strict=True))
    assert -1.0 < flow["ofi_base"] / flow["ofi_gross_base"] < 0.0, "the price fell in that bar"
    assert flow["taker_sell_base"] > flow["taker_buy_base"] > 50.0
    assert flow["bid_absorbed_base"] < flow["taker_sell_base"]


def simulated(seed: int = 7, symbols: tuple[str, ...] = SYMBOLS) -> SimulatedFeed:
    return SimulatedFeed(seed, symbols, Timeframe.HOUR_1, dict.fromkeys(symbols, 5.0))


def test_simulated_books_surround_the_quotes_of_their_bars_and_are_never_crossed() -> None:
    feed = simulated()
    for cycle in (0, 1, 255, 256, 700):
        depth, rows = feed.depth(cycle, LEVELS + 4), feed.rows(1, cycle, 1)
        assert (depth.price[1, 0, 0], depth.price[1, 1, 0]) == pytest.approx((rows.bid[0], rows.ask[0]))
        assert (np.diff(depth.price[:, 0, :LEVELS]) < 0).all()
        assert (np.diff(depth.price[:, 1, :LEVELS]) > 0).all()
        assert (depth.size[:, :, :LEVELS] > 0).all()
        assert np.isnan(depth.price[:, :, LEVELS:]).all()
        assert depth.as_of_ns.tolist() == [START_NS + (cycle + 1) * feed.bar_ns] * 2


def test_simulated_books_do_not_depend_on_order_levels_or_other_symbols() -> None:
    there, alone = simulated(), simulated(symbols=("XRP/USDT",))
    there.depth(2_000, 5)
    for cycle in (300, 3):
        first, second = there.depth(cycle, 10), alone.depth(cycle, 32)
        np.testing.assert_array_equal(first.size[1], second.size[0, :, :10])
        np.testing.assert_array_equal(first.flow[1], second.flow[0])
        assert there.planted(1, cycle) == alone.planted(0, cycle)


def test_books_change_no_bar() -> None:
    asked, plain = simulated(), simulated()
    asked.depth(500, 10)
    np.testing.assert_array_equal(asked.rows(0, 0, 600).ohlcv, plain.rows(0, 0, 600).ohlcv)


def test_planted_walls_stand_where_the_truth_says_until_they_are_traded_through() -> None:
    feed = simulated()
    standing = 0
    for cycle in range(600):
        depth, low, high = feed.depth(cycle, LEVELS), *feed.rows(0, cycle, 1).ohlcv[0, [2, 1]]
        for wall in feed.planted(0, cycle):
            if wall.is_spoof:
                continue
            if cycle > wall.first_cycle:
                assert (low > wall.price) if wall.side == 0 else (high < wall.price)
            level = np.flatnonzero(depth.price[0, wall.side] == wall.price)
            if len(level):
                standing += 1
                ordinary = np.median(depth.size[0, wall.side])
                assert depth.size[0, wall.side, level[0]] > 4.0 * ordinary
    assert standing > 60


def test_spoofs_are_pulled_and_scored_and_walls_are_not() -> None:
    feed = simulated()
    bid = {name: FLOW_NAMES.index(f"bid_{name}") for name in ("large_base", "pulled_base", "spoof_frac")}
    for cycle in range(600):
        flow, truth = feed.depth(cycle, 1).flow[0], [one for one in feed.planted(0, cycle) if one.side == 0]
        pulled, whole = (sum(one.times for one in truth if one.is_spoof or every) for every in (False, True))
        assert flow[bid["spoof_frac"]] == pytest.approx(pulled / whole if whole else 0.0)
        assert (flow[bid["large_base"]] > 0.0) == bool(truth)
        assert (flow[bid["pulled_base"]] > 0.0) == bool(pulled)


def test_planted_walls_know_a_little_and_spoofs_mislead_a_little() -> None:
    """70 % of the planted sides are true (walls) or false (spoofs): 12 bars later the price tells."""
    right: dict[bool, list[bool]] = {False: [], True: []}
    for seed in range(3):
        feed = simulated(seed)
        close = feed.rows(0, 0, 2_100).ohlcv[:, 3]
        begun = {one for cycle in range(2_000) for one in feed.planted(0, cycle) if one.first_cycle >= 0}
        for one in begun:
            rose = close[one.first_cycle + 12] > close[one.first_cycle]
            right[one.is_spoof].append(rose == (one.side == 0))
    walls, spoofs = (float(np.mean(right[kind])) for kind in (False, True))
    assert min(len(right[False]), len(right[True])) > 80
    assert 0.63 < walls < 0.77
    assert 0.23 < spoofs < 0.38


def test_order_flow_goes_with_its_own_bar_only() -> None:
    feed = simulated()
    rows = feed.rows(0, 0, 1_001).ohlcv
    returns = np.log(rows[:, 3] / rows[:, 0])
    ofi = np.array([feed.depth(cycle, 1).flow[0, :2] for cycle in range(1_000)])
    share = ofi[:, 0] / ofi[:, 1]
    assert np.corrcoef(share, returns[:-1])[0, 1] > 0.3
    assert abs(np.corrcoef(share, returns[1:])[0, 1]) < 0.1


def test_books_before_the_world_began_have_no_episodes() -> None:
    feed = simulated()
    books = PlantedBooks(7, SYMBOLS, START_NS, feed.bar_ns, lambda block: feed._block(block)[1])
    assert books.depth(-4 * 256, 4).price.shape == (2, 2, 4)
