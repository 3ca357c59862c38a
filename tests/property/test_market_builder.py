import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market_feeds import BAR_NS, ListedFeed, clean_rows
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.indicators.bank import FEATURES, IndicatorBank
from tg_actors.market.builder import HISTORY_BARS, SnapshotBuilder
from tg_actors.market.feed import RawRows

START_NS = 1_000_000 * BAR_NS
CYCLES = 60


@st.composite
def feeds(draw: st.DrawFn) -> ListedFeed:
    """Three instruments with holes, repeats, late rows and broken numbers, and histories of any length."""
    streams = []
    for _ in range(3):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        history = draw(st.sampled_from([0, 5, 299, 556, 700, 1300]))
        opens = START_NS + np.arange(-history, CYCLES, dtype=np.int64) * BAR_NS
        opens = opens[rng.random(len(opens)) > draw(st.sampled_from([0.0, 0.3]))]
        streams.append(_spoil(clean_rows(opens, rng), rng, draw(st.sampled_from([0.0, 0.05, 0.3]))))
    return ListedFeed(streams, START_NS, CYCLES)


def _spoil(rows: RawRows, rng: np.random.Generator, share: float) -> RawRows:
    ohlcv, order = rows.ohlcv.copy(), np.arange(len(rows))
    ohlcv[rng.random(len(rows)) < share, 1] = np.nan
    again = rng.random(len(rows)) < share / 2
    order = np.sort(np.concatenate((order, order[again])))
    if len(order) > 1:
        late = np.flatnonzero(rng.random(len(order) - 1) < share / 2)
        order[late], order[late + 1] = order[late + 1].copy(), order[late].copy()
    return RawRows(rows.open_ns[order], ohlcv[order], rows.bid[order], rows.ask[order])


def snapshots(builder: SnapshotBuilder, cycles: range = range(CYCLES)) -> list[MarketSnapshot]:
    taken = [builder.advance(cycle) for cycle in cycles]
    assert None not in taken
    return [snapshot for snapshot in taken if snapshot is not None]


def everything(snapshot: MarketSnapshot) -> tuple[str, bytes]:
    return snapshot.digest(), snapshot.bars_seen.tobytes()


@settings(max_examples=12)
@given(feed=feeds(), prefetch=st.integers(1, 80))
def test_snapshots_do_not_depend_on_the_prefetch(feed: ListedFeed, prefetch: int) -> None:
    one_by_one = SnapshotBuilder(feed, prefetch=1)
    in_blocks = SnapshotBuilder(feed, prefetch=prefetch)
    for cycle in range(CYCLES):
        pair = one_by_one.advance(cycle), in_blocks.advance(cycle)
        assert pair[0] is not None
        assert pair[1] is not None
        assert everything(pair[0]) == everything(pair[1])
        assert one_by_one.health() == in_blocks.health()


@settings(max_examples=12)
@given(feed=feeds(), jumps=st.lists(st.integers(0, CYCLES - 1), min_size=1, max_size=6))
def test_snapshots_do_not_depend_on_where_one_starts(feed: ListedFeed, jumps: list[int]) -> None:
    expected = [everything(snapshot) for snapshot in snapshots(SnapshotBuilder(feed))]
    jumping = SnapshotBuilder(feed, prefetch=16)
    for cycle in jumps:
        jumping.seek(cycle)
        again = snapshots(jumping, range(cycle, min(cycle + 3, CYCLES)))
        assert [everything(snapshot) for snapshot in again] == expected[cycle : cycle + 3]
        assert everything(snapshots(jumping, range(cycle, cycle + 1))[0]) == expected[cycle]


@settings(max_examples=8)
@given(feed=feeds(), cut=st.integers(1, CYCLES - 1))
def test_a_snapshot_does_not_know_the_future(feed: ListedFeed, cut: int) -> None:
    known = [feed.rows(i, -(10**6), 10**6 + cut) for i in range(3)]
    blind = SnapshotBuilder(ListedFeed(known, START_NS, CYCLES))
    expected = [everything(snapshot) for snapshot in snapshots(SnapshotBuilder(feed), range(cut))]
    assert [everything(snapshot) for snapshot in snapshots(blind, range(cut))] == expected


@settings(max_examples=8)
@given(feed=feeds())
def test_a_snapshot_shows_the_newest_sound_bar_and_its_features(feed: ListedFeed) -> None:
    """The oracle walks the rows one by one, with a bank of its own."""
    taken = snapshots(SnapshotBuilder(feed))
    for i in range(3):
        bank, newest, sound, features = IndicatorBank(1, BAR_NS), -1, 0, np.full(len(FEATURES), np.nan)
        rows, k = feed.rows(i, -(10**6), 10**6 + CYCLES), 0
        bar = np.full(5, np.nan)
        for snapshot in taken:
            while k < len(rows) and max(rows.open_ns[: k + 1]) < snapshot.at_ns:
                if np.isfinite(rows.ohlcv[k]).all() and rows.open_ns[k] > newest:
                    newest, sound, bar = int(rows.open_ns[k]), sound + 1, rows.ohlcv[k]
                    features = bank.update(0, newest + BAR_NS, bar)
                k += 1
            np.testing.assert_array_equal(snapshot.ohlcv[i], bar)
            np.testing.assert_array_equal(snapshot.features[i], features)
            assert snapshot.close_ns[i] == (newest + BAR_NS if sound else 0)
            assert snapshot.bars_seen[i] == min(sound, HISTORY_BARS)


@pytest.mark.parametrize("prefetch", [1, 256])
def test_a_long_run_crosses_blocks_and_segments(prefetch: int) -> None:
    opens = START_NS + np.arange(-700, 900, dtype=np.int64) * BAR_NS
    feed = ListedFeed([clean_rows(opens, np.random.default_rng(3))], START_NS, 900)
    builder = SnapshotBuilder(feed, prefetch=prefetch)
    digests = [snapshot.digest() for snapshot in snapshots(builder, range(900))]
    for cycle in (899, 0, 511, 512, 513):
        builder.seek(cycle)
        assert snapshots(builder, range(cycle, cycle + 1))[0].digest() == digests[cycle]
