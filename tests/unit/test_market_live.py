from collections.abc import Sequence

import pytest

from tg_actors.domain.errors import UserError
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.config import (
    MarketConfig,
    MarketSpec,
    SimulatedSource,
    VenueSource,
    begin,
    open_feed,
)
from tg_actors.market.feeds.venue import Candle, VenueFeed
from tg_actors.market.timeframes import Timeframe, instant_ns

S = 10**9
MINUTE_NS = 60 * S
START_NS = instant_ns("2026-01-01T00:00")
SYMBOLS = ("BTC/USDT", "XRP/USDT")


class LiveVenue:
    """Candles of a venue that lives: every minute one, the running one shown; silent for whom it is told."""

    def __init__(self) -> None:
        self.now_ns_ = START_NS
        self.asked: list[tuple[str, int]] = []
        self.silent: set[str] = set()
        self.missing: set[int] = set()
        self.shows_running = True
        self.waits = 0

    def now_ns(self) -> int:
        return self.now_ns_

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.now_ns_ += int(seconds * S)

    def __call__(self, symbol: str, since_ms: int, limit: int) -> Sequence[Candle]:
        self.asked.append((symbol, since_ms))
        if symbol in self.silent:
            return ()
        opens = range(since_ms // 60_000 * 60_000, self.now_ns_ // 10**6 + 1, 60_000)
        shown = [open_ms for open_ms in opens if open_ms not in self.missing]
        if not self.shows_running:
            shown = [open_ms for open_ms in shown if open_ms * 10**6 + MINUTE_NS <= self.now_ns_]
        return [self.candle(open_ms) for open_ms in shown][:limit]

    def candle(self, open_ms: int) -> Candle:
        is_running = open_ms * 10**6 + MINUTE_NS > self.now_ns_
        price = 100.0 + open_ms // 60_000 % 1000
        # A running candle has another close than it will have: whoever takes it takes a wrong one.
        return [open_ms, price, price + 2, price - 2, price + (1.5 if is_running else 1.0), 10.0]


@pytest.fixture
def venue() -> LiveVenue:
    return LiveVenue()


@pytest.fixture
def feed(venue: LiveVenue) -> VenueFeed:
    return VenueFeed(venue, SYMBOLS, Timeframe.MIN_1, START_NS, dict.fromkeys(SYMBOLS, 2.0), venue)


def at(venue: LiveVenue, minutes: float) -> None:
    venue.now_ns_ = START_NS + int(minutes * MINUTE_NS)


def test_a_bar_comes_once_it_has_closed(feed: VenueFeed, venue: LiveVenue) -> None:
    at(venue, 0.99)
    assert len(feed.rows(0, 0, 1)) == 0
    assert venue.asked == []
    at(venue, 1.001)
    rows = feed.rows(0, 0, 1)
    assert rows.open_ns.tolist() == [START_NS]
    assert rows.ohlcv[0, 3] == rows.ohlcv[0, 0] + 1.0
    assert rows.bid[0] < rows.ohlcv[0, 3] < rows.ask[0]
    again = feed.rows(0, 0, 1)
    assert again is rows
    assert len(venue.asked) == 1


def test_without_a_newer_bar_a_close_counts_after_the_clocks_difference(
    feed: VenueFeed, venue: LiveVenue
) -> None:
    venue.shows_running = False
    at(venue, 1.001)
    assert feed.rows(0, 0, 1).open_ns.tolist() == [START_NS]
    assert venue.now_ns_ >= START_NS + MINUTE_NS + 5 * S
    assert venue.waits > 0


def test_a_silent_venue_gives_nothing_and_is_waited_for_once(feed: VenueFeed, venue: LiveVenue) -> None:
    venue.silent = set(SYMBOLS)
    at(venue, 1.001)
    assert len(feed.rows(0, 0, 1)) == 0
    waits = venue.waits
    assert len(feed.rows(1, 0, 1)) == 0
    assert (waits, venue.waits) == (10, 10)


def test_what_was_missed_comes_late(feed: VenueFeed, venue: LiveVenue) -> None:
    venue.silent = {SYMBOLS[0]}
    at(venue, 1.001)
    feed.rows(0, 0, 1)
    venue.silent = set()
    at(venue, 2.001)
    assert feed.rows(0, 1, 1).open_ns.tolist() == [START_NS, START_NS + MINUTE_NS]


def test_a_bar_that_the_venue_lacks_is_not_made_up(feed: VenueFeed, venue: LiveVenue) -> None:
    venue.missing = {START_NS // 10**6}
    at(venue, 1.001)
    assert len(feed.rows(0, 0, 1)) == 0
    at(venue, 2.001)
    assert feed.rows(0, 1, 1).open_ns.tolist() == [START_NS + MINUTE_NS]


def test_nonsense_is_passed_over(venue: LiveVenue) -> None:
    nonsense: list[Candle] = [[], [None] * 6, ["a"] * 6, [float("nan")] * 6, [1]]  # type: ignore[list-item]  # on purpose

    def candles(symbol: str, since_ms: int, limit: int) -> Sequence[Candle]:
        return [*nonsense, *venue(symbol, since_ms, limit)]

    feed = VenueFeed(candles, SYMBOLS, Timeframe.MIN_1, START_NS, dict.fromkeys(SYMBOLS, 2.0), venue)
    at(venue, 1.001)
    assert feed.rows(0, 0, 1).open_ns.tolist() == [START_NS]


def test_history_is_paged_and_holds_closed_bars_only(feed: VenueFeed, venue: LiveVenue) -> None:
    at(venue, 0.5)
    rows = feed.history(0, 0, 2500)
    assert len(rows) == 2500
    assert rows.open_ns[-1] == START_NS - MINUTE_NS
    assert len(venue.asked) == 3
    at(venue, 5.001)
    assert feed.history(0, 5, 3).open_ns.tolist() == [START_NS + k * MINUTE_NS for k in (2, 3, 4)]


def test_the_future_is_not_sold(feed: VenueFeed) -> None:
    with pytest.raises(ValueError, match="cycle by cycle"):
        feed.rows(0, 0, 2)


def test_a_desk_sees_the_market_bar_by_bar(feed: VenueFeed, venue: LiveVenue) -> None:
    market = SnapshotBuilder(feed, prefetch=1)
    for cycle in range(3):
        at(venue, cycle + 1.001)
        snapshot = market.advance(cycle)
        assert snapshot is not None
        assert snapshot.is_fresh.all()
        assert snapshot.at_ns == START_NS + (cycle + 1) * MINUTE_NS
    venue.silent = {"XRP/USDT"}
    at(venue, 4.001)
    stale = market.advance(3)
    assert stale is not None
    assert stale.is_fresh.tolist() == [True, False]


def test_a_live_market_begins_at_the_bar_that_closed_last() -> None:
    live = MarketConfig(timeframe=Timeframe.MIN_1, source=VenueSource(exchange="kraken"))
    begun = begin(live, START_NS + 90 * S)
    assert begun.source == VenueSource(exchange="kraken", from_utc="2026-01-01T00:00:00Z")
    assert begin(begun, START_NS + 10**15) == begun
    replay = MarketConfig(source=SimulatedSource(seed=1))
    assert begin(replay, START_NS) == replay


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (VenueSource(exchange="kraken"), "from_utc"),
        (VenueSource(exchange="kracken", from_utc="2026-01-01"), "knows no exchange 'kracken'"),
        (
            VenueSource(exchange="kraken", url="http://127.0.0.1:1", from_utc="2026-01-01"),
            "cannot read the markets of kraken",
        ),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(source: VenueSource, sentence: str) -> None:
    spec = MarketSpec(symbols=("BTC/USDT",), timeframe=Timeframe.MIN_1, source=source, spread_bps={})
    with pytest.raises(UserError, match=sentence):
        open_feed(spec)
