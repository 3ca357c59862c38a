import numpy as np
import pytest

from tests.market_feeds import BAR_NS, ListedFeed, clean_rows
from tg_actors.indicators.bank import FEATURES, WARMUP_BARS
from tg_actors.market.border import Rejection
from tg_actors.market.builder import HISTORY_BARS, SnapshotBuilder
from tg_actors.market.feed import RawRows, no_rows

START_NS = 1_000_000 * BAR_NS


def opens(first: int, end: int, *holes: int) -> np.ndarray:
    return START_NS + np.array([k for k in range(first, end) if k not in holes], dtype=np.int64) * BAR_NS


def rows(first: int, end: int, *holes: int) -> RawRows:
    return clean_rows(opens(first, end, *holes), np.random.default_rng(1))


def test_an_instrument_without_bars_has_no_price_and_no_age() -> None:
    builder = SnapshotBuilder(ListedFeed([no_rows(), rows(0, 5)], START_NS, 5))
    snapshot = builder.advance(0)
    assert snapshot is not None
    assert np.isnan(snapshot.ohlcv[0]).all()
    assert np.isnan(snapshot.mid[0])
    assert snapshot.close_ns.tolist() == [0, START_NS + BAR_NS]
    assert snapshot.is_fresh.tolist() == [False, True]
    assert snapshot.bars_seen.tolist() == [0, 1]
    assert snapshot.features.shape == (2, len(FEATURES))
    nothing = builder.health().instruments[0]
    assert (nothing.bars_accepted, nothing.bars_missing, nothing.age_ns) == (0, 0, None)


def test_a_hole_keeps_the_last_bar_and_makes_it_old() -> None:
    builder = SnapshotBuilder(ListedFeed([rows(0, 6, 2, 3)], START_NS, 6))
    ages = []
    for cycle in range(6):
        snapshot = builder.advance(cycle)
        assert snapshot is not None
        ages.append(int(snapshot.age_ns[0]) // BAR_NS)
        assert builder.health().instruments[0].age_ns == ages[-1] * BAR_NS
    assert ages == [0, 0, 1, 2, 0, 0]
    assert builder.health().bars_missing == 2


def test_features_come_with_the_last_bar_of_the_warm_up() -> None:
    builder = SnapshotBuilder(ListedFeed([rows(0, WARMUP_BARS + 1)], START_NS, WARMUP_BARS + 1))
    warming, warm = builder.advance(WARMUP_BARS - 2), builder.advance(WARMUP_BARS - 1)
    assert warming is not None
    assert warm is not None
    assert np.isnan(warming.features).all()
    assert np.isfinite(warm.features).all()


def test_history_is_warm_up() -> None:
    feed = ListedFeed([rows(-1000, 3)], START_NS, 3)
    snapshot = SnapshotBuilder(feed).advance(0)
    assert snapshot is not None
    assert np.isfinite(snapshot.features).all()
    assert snapshot.bars_seen.tolist() == [HISTORY_BARS]


def test_a_history_full_of_dirt_is_asked_for_again_until_there_are_enough_bars() -> None:
    good = rows(-2000, 3)
    prices = good.ohlcv.copy()
    prices[::2, 3] = np.nan
    feed = ListedFeed([RawRows(good.open_ns, prices, good.bid, good.ask)], START_NS, 3)
    snapshot = SnapshotBuilder(feed).advance(1)
    assert snapshot is not None
    assert snapshot.bars_seen.tolist() == [HISTORY_BARS]
    assert feed.histories_asked == 2


def test_the_market_ends_after_its_last_cycle() -> None:
    builder = SnapshotBuilder(ListedFeed([rows(0, 3)], START_NS, 3))
    assert [builder.advance(cycle) is None for cycle in (0, 1, 2, 3, 4)] == [False, False, False, True, True]
    assert builder.advance(2) is not None
    with pytest.raises(ValueError, match="start at 0"):
        builder.advance(-1)


def test_the_same_cycle_again_is_the_same_snapshot_without_work() -> None:
    feed = ListedFeed([rows(-600, 9)], START_NS, 9)
    builder = SnapshotBuilder(feed)
    first, again = builder.advance(4), builder.advance(4)
    assert first is not None
    assert again is not None
    assert first.digest() == again.digest()
    assert feed.histories_asked == 1


def test_snapshots_cannot_be_changed_by_a_reader() -> None:
    snapshot = SnapshotBuilder(ListedFeed([rows(-600, 9)], START_NS, 9)).advance(4)
    assert snapshot is not None
    with pytest.raises(ValueError, match="read-only"):
        snapshot.ohlcv[0, 0] = 1.0


def test_refused_rows_are_reported_in_the_cycle_in_which_they_came() -> None:
    good = rows(0, 6)
    prices = good.ohlcv.copy()
    prices[4, 0] = np.inf
    again = RawRows(good.open_ns, prices, good.bid, good.ask).pick(np.ones(6, dtype=bool))
    order = np.array([0, 1, 1, 2, 3, 4, 5])
    dirty = RawRows(again.open_ns[order], again.ohlcv[order], again.bid[order], again.ask[order])
    builder = SnapshotBuilder(ListedFeed([dirty], START_NS, 6))
    reported = []
    for cycle in range(6):
        builder.advance(cycle)
        reported.append(builder.health().instruments[0].rejected)
    duplicate, both = {Rejection.DUPLICATE: 1}, {Rejection.NOT_FINITE: 1, Rejection.DUPLICATE: 1}
    assert reported == [{}, duplicate, duplicate, duplicate, both, both]
    assert builder.health().rejected == 2


def test_a_prefetch_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SnapshotBuilder(ListedFeed([rows(0, 3)], START_NS, 3), prefetch=0)
