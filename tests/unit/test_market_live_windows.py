"""What a live desk knows of the past: windows from the venue's bars, days in the venue's own words."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.unit.test_market_live import MINUTE_NS, START_NS, SYMBOLS, LiveVenue, at
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import Archive
from tg_actors.market.feeds.venue import Candle, VenueFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.market.windows import DAY_NS

NEEDS = MarketNeeds(window_bars=20, days=4, references=("SPY",), facts=True, depth_levels=5)


class Days:
    """The venue's daily candles: the running day is shown too, and some are broken."""

    def __init__(self, venue: LiveVenue) -> None:
        self.asked: list[str] = []
        self.broken: set[int] = set()
        self._venue = venue

    def __call__(self, symbol: str, since_ms: int, limit: int) -> Sequence[Candle]:
        self.asked.append(symbol)
        first, last = -(-since_ms // 86_400_000), self._venue.now_ns_ // DAY_NS
        return [self.candle(day) for day in range(first, last + 1)][:limit]

    def candle(self, day: int) -> Candle:
        high = 50.0 if day in self.broken else 5_000.0
        return [day * 86_400_000, 100.0, high, 90.0, 100.0 + day % 7, 1_000.0]


@pytest.fixture
def venue() -> LiveVenue:
    return LiveVenue()


@pytest.fixture
def days(venue: LiveVenue) -> Days:
    return Days(venue)


def market(venue: LiveVenue, days: Days | None) -> SnapshotBuilder:
    spreads = dict.fromkeys(SYMBOLS, 2.0)
    feed = VenueFeed(venue, SYMBOLS, Timeframe.MIN_1, START_NS, spreads, venue, days)
    assert isinstance(feed, Archive)
    return SnapshotBuilder(feed, prefetch=1, needs=NEEDS)


def seen(market: SnapshotBuilder, venue: LiveVenue, cycle: int) -> MarketSnapshot:
    at(venue, cycle + 1.001)
    snapshot = market.advance(cycle)
    assert snapshot is not None
    assert (snapshot.references, snapshot.facts, snapshot.depth) == (None, None, None)
    return snapshot


def parts(snapshot: MarketSnapshot) -> tuple[bytes, bytes]:
    assert snapshot.window is not None
    assert snapshot.days is not None
    return snapshot.window.ohlcv.tobytes(), snapshot.days.ohlcv.tobytes()


def test_the_window_is_full_from_the_first_cycle_on(venue: LiveVenue, days: Days) -> None:
    snapshot = seen(market(venue, days), venue, 0)
    assert snapshot.window is not None
    assert snapshot.window.end_ns == START_NS + MINUTE_NS
    assert np.isfinite(snapshot.window.ohlcv).all()
    assert snapshot.window.ohlcv[-1].tobytes() == snapshot.ohlcv.tobytes()
    minutes = (np.diff(snapshot.window.ohlcv[:, 0, 0]) % 1000).tolist()
    assert minutes == [1.0] * 19


def test_days_are_the_venues_own_and_those_that_are_over(venue: LiveVenue, days: Days) -> None:
    yesterday = START_NS // DAY_NS - 1
    days.broken = {yesterday - 2}
    snapshot = seen(market(venue, days), venue, 0)
    assert snapshot.days is not None
    assert snapshot.days.end_ns == START_NS
    closes = snapshot.days.ohlcv[:, 0, 3]
    expected = [100.0 + day % 7 for day in range(yesterday - 3, yesterday + 1)]
    expected[1] = np.nan
    np.testing.assert_array_equal(closes, expected)


def test_a_day_that_the_desk_has_seen_is_summed_up_from_its_bars(venue: LiveVenue, days: Days) -> None:
    going = market(venue, days)
    snapshot = [seen(going, venue, cycle) for cycle in range(1441)][-1]
    assert snapshot.days is not None
    assert snapshot.days.end_ns == START_NS + DAY_NS
    assert snapshot.days.ohlcv[-1, 0, 4] == 14_400.0
    assert snapshot.days.ohlcv[-2, 0, 4] == 1_000.0


def test_a_late_bar_fills_its_slot_when_it_comes(venue: LiveVenue, days: Days) -> None:
    going = market(venue, days)
    seen(going, venue, 0)
    venue.silent = {SYMBOLS[0]}
    blind = seen(going, venue, 1)
    venue.silent = set()
    sighted = seen(going, venue, 2)
    assert blind.window is not None
    assert sighted.window is not None
    assert np.isnan(blind.window.ohlcv[-1, 0]).all()
    assert np.isfinite(sighted.window.ohlcv[:, 0]).all()
    assert parts(seen(market(venue, days), venue, 2)) == parts(sighted)


@pytest.mark.parametrize("shown", [True, False])
def test_a_day_whose_beginning_is_too_old_to_be_shown_is_the_venues_own_or_unknown(
    venue: LiveVenue, days: Days, shown: bool
) -> None:
    """A desk starts at noon on a venue that shows two hours."""
    noon, today = 720, START_NS // DAY_NS
    at(venue, noon + 0.5)
    venue.missing = {START_NS // 10**6 + k * 60_000 for k in range(-2000, noon - 120)}
    going = market(venue, days)
    snapshots = [seen(going, venue, cycle) for cycle in range(noon, 1439)]
    assert snapshots[-1].days is not None
    assert snapshots[-1].days.end_ns == START_NS
    days.broken = set() if shown else {today}
    afterwards = [seen(going, venue, cycle) for cycle in (1439, 1440, 1441)]
    for after in afterwards:
        assert after.days is not None
        assert after.days.end_ns == START_NS + DAY_NS
        np.testing.assert_array_equal(after.days.ohlcv[-1, 0, 4], 1_000.0 if shown else np.nan)
    assert parts(seen(market(venue, days), venue, 1441))[1] == parts(afterwards[-1])[1]


def test_starting_again_asks_the_venue_for_each_bar_once(venue: LiveVenue, days: Days) -> None:
    going = market(venue, days)
    snapshot = [seen(going, venue, cycle) for cycle in range(30)][-1]
    venue.asked.clear()
    again = market(venue, days)
    assert parts(seen(again, venue, 29)) == parts(snapshot)
    # One page of history, which holds the window and the running day as well, and the newest bar.
    assert len(venue.asked) == 2 * len(SYMBOLS)
    assert days.asked == 2 * list(SYMBOLS)


def test_a_venue_without_daily_bars_leaves_the_past_days_open(venue: LiveVenue) -> None:
    snapshot = seen(market(venue, None), venue, 0)
    assert snapshot.days is not None
    assert np.isnan(snapshot.days.ohlcv).all()
