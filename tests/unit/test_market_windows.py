"""The window, the days and the depth of a snapshot, one property of theirs at a time."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.market_feeds import BAR_NS, ListedFeed, clean_rows
from tests.market_files import write_bars
from tg_actors.domain.blocks import Depth, MarketSnapshot, Window
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import DepthSource, Feed
from tg_actors.market.feeds.recorded import RecordedFeed
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe, instant_ns
from tg_actors.market.windows import DAY_NS, Windows

START_NS = instant_ns("2024-01-01")
HOUR = Timeframe.HOUR_1


def hourly(first: int, end: int, *without: int) -> ListedFeed:
    """Bars of one instrument; cycle 0 opens at midnight."""
    slots = np.array([k for k in range(first, end) if k not in without], dtype=np.int64)
    rows = clean_rows(START_NS + slots * BAR_NS, np.random.default_rng(1))
    return ListedFeed([rows], START_NS, end)


def taken(feed: Feed, cycle: int, needs: MarketNeeds) -> MarketSnapshot:
    snapshot = SnapshotBuilder(feed, needs=needs).advance(cycle)
    assert snapshot is not None
    return snapshot


def bars(window: Window | None) -> list[bool]:
    assert window is not None
    return [bool(there) for there in np.isfinite(window.ohlcv[:, 0, 3])]


def test_a_hole_is_a_row_without_numbers() -> None:
    window = taken(hourly(-3, 9, 2, 4), 5, MarketNeeds(window_bars=6)).window
    assert bars(window) == [True, True, False, True, False, True]


def test_before_the_first_bar_there_is_nothing() -> None:
    snapshot = taken(hourly(-3, 9), 1, MarketNeeds(window_bars=8, days=2))
    assert bars(snapshot.window) == [False] * 3 + [True] * 5
    assert bars(snapshot.days) == [False, True]


@pytest.mark.parametrize(("cycle", "over"), [(22, 0), (23, 1), (24, 1), (46, 1), (47, 2)])
def test_a_day_counts_once_it_is_over(cycle: int, over: int) -> None:
    days = taken(hourly(0, 60), cycle, MarketNeeds(days=3)).days
    assert days is not None
    assert days.end_ns == START_NS + over * DAY_NS
    assert bars(days) == [False] * (3 - over) + [True] * over


def test_a_day_has_the_open_of_its_first_and_the_close_of_its_last_bar() -> None:
    feed = hourly(0, 60, 0, 23)
    days = taken(feed, 24, MarketNeeds(days=1)).days
    assert days is not None
    rows = feed.rows(0, 0, 24).ohlcv
    opened, high, low, closed, volume = days.ohlcv[0, 0].tolist()
    assert (opened, closed) == (rows[0, 0], rows[-1, 3])
    assert (high, low) == (rows[:, 1].max(), rows[:, 2].min())
    assert volume == sum(rows[:, 4].tolist())


@pytest.mark.parametrize("timeframe", [Timeframe.HOUR_4, Timeframe.DAY_1])
def test_long_bars_make_days_as_well(timeframe: Timeframe) -> None:
    feed = SimulatedFeed(3, ("BTC/USDT",), timeframe, {"BTC/USDT": 4.0})
    builder = SnapshotBuilder(feed, prefetch=50, needs=MarketNeeds(window_bars=40, days=5))
    per_day = DAY_NS // timeframe.bar_ns
    for cycle in range(260):
        snapshot = builder.advance(cycle)
        assert snapshot is not None
        assert snapshot.window is not None
        assert snapshot.days is not None
        passed = (cycle + 1) % per_day
        closes = snapshot.window.ohlcv[-1 - passed :: -per_day, 0, 3][:5]
        np.testing.assert_array_equal(snapshot.days.ohlcv[::-1, 0, 3], closes)


def test_recorded_days_reach_back_before_the_first_cycle(tmp_path: Path) -> None:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", START_NS + np.arange(400 * 24, dtype=np.int64) * BAR_NS)
    from_ns = START_NS + 300 * DAY_NS
    feed = RecordedFeed.open(tmp_path, ("BTC/USDT",), HOUR, from_ns, spread_bps={"BTC/USDT": 4.0})
    snapshot = taken(feed, 0, MarketNeeds(window_bars=1000, days=365))
    assert sum(bars(snapshot.window)) == 1000
    assert sum(bars(snapshot.days)) == 300


def test_a_snapshot_carries_its_own_rows_only() -> None:
    symbols = tuple(f"C{k}/USDT" for k in range(50))
    feed = SimulatedFeed(1, symbols, HOUR, dict.fromkeys(symbols, 4.0))
    snapshot = taken(feed, 100, MarketNeeds(window_bars=500, days=120))
    numbers = (500 + 120) * 50 * 5 * 8
    assert numbers < len(pickle.dumps(snapshot, protocol=5)) < numbers + 20_000


def test_windows_are_views_of_one_memory() -> None:
    builder = SnapshotBuilder(hourly(-100, 60), prefetch=50, needs=MarketNeeds(window_bars=40, days=2))
    first, second = builder.advance(4), builder.advance(5)
    assert first is not None
    assert second is not None
    assert first.window is not None
    assert second.window is not None
    assert first.window.ohlcv.base is second.window.ohlcv.base


def test_windows_cover_only_what_is_asked_for() -> None:
    windows = Windows(("A/B",), START_NS, BAR_NS, 0, 0)
    windows.cover(5, 1)
    assert windows.window(5) is None
    assert windows.days(5) is None


class BookedFeed(ListedFeed):
    """Offers books of one level, at a price that is the number of the cycle."""

    def depth(self, cycle: int, levels: int) -> Depth | None:
        price = np.full((1, 2, levels), float(cycle))
        return Depth(price, price, np.array([cycle]), (), np.empty((1, 0)))


def test_depth_comes_from_a_feed_that_has_books_and_only_where_asked_for() -> None:
    feed = BookedFeed([hourly(0, 9).rows(0, 0, 9)], START_NS, 9)
    assert isinstance(feed, DepthSource)
    depth = taken(feed, 3, MarketNeeds(depth_levels=7)).depth
    assert depth is not None
    assert (depth.price.shape, depth.price[0, 0, 0]) == ((1, 2, 7), 3.0)
    assert taken(feed, 3, MarketNeeds()).depth is None
    assert taken(hourly(0, 9), 3, MarketNeeds(depth_levels=7)).depth is None


@pytest.mark.data
def test_days_of_recorded_years_with_holes_are_those_of_pandas(data_dir: Path) -> None:
    symbols, from_ns = ("XRP/BTC",), instant_ns("2020-04-01T07:35")
    feed = RecordedFeed.open(
        data_dir, symbols, Timeframe.MIN_5, from_ns, spread_bps=dict.fromkeys(symbols, 4.0)
    )
    needs = MarketNeeds(window_bars=50, days=40)
    builder = SnapshotBuilder(feed, needs=needs)
    going = [builder.advance(cycle) for cycle in range(600)][-1]
    again = taken(feed, 599, needs)
    assert going is not None
    for part, same in ((going.window, again.window), (going.days, again.days)):
        assert part is not None
        assert same is not None
        assert part.ohlcv.tobytes() == same.ohlcv.tobytes()
    rows = feed.history(0, 600, 60_000)
    frame = pd.DataFrame(rows.ohlcv, pd.to_datetime(rows.open_ns, utc=True), list("ohlcv"))
    rules = {"o": "first", "h": "max", "l": "min", "c": "last", "v": "sum"}
    expected = frame.resample("1D").agg(rules).iloc[-41:-1].to_numpy()
    assert again.days is not None
    np.testing.assert_allclose(again.days.ohlcv[:, 0], expected, rtol=1e-12)
