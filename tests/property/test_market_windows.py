"""Windows and days against an oracle that walks the rows one by one, however the market was reached."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market_feeds import BAR_NS, ListedFeed, clean_rows
from tg_actors.domain.blocks import F64, MarketSnapshot, Window
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import RawRows
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.windows import DAY_NS

#: 16:00 UTC: days begin in the middle of the run.
START_NS = 1_000_000 * BAR_NS
CYCLES = 60
NEEDS = MarketNeeds(window_bars=30, days=4)


@st.composite
def feeds(draw: st.DrawFn) -> ListedFeed:
    """Three instruments with holes, repeats, late rows and broken numbers, and histories of any length."""
    streams = []
    for _ in range(3):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        history = draw(st.sampled_from([0, 5, 100, 556]))
        opens = START_NS + np.arange(-history, CYCLES, dtype=np.int64) * BAR_NS
        opens = opens[rng.random(len(opens)) > draw(st.sampled_from([0.0, 0.3]))]
        streams.append(spoiled(clean_rows(opens, rng), rng, draw(st.sampled_from([0.0, 0.05, 0.4]))))
    return ListedFeed(streams, START_NS, CYCLES)


def spoiled(rows: RawRows, rng: np.random.Generator, share: float) -> RawRows:
    """Neighbours change places, and often the newer one, which comes first, is broken: the other is late."""
    ohlcv, order = rows.ohlcv.copy(), np.arange(len(rows))
    ohlcv[rng.random(len(rows)) < share / 2, 1] = np.nan
    for k in np.flatnonzero(rng.random(max(len(rows) - 1, 0)) < share / 2).tolist():
        order[k], order[k + 1] = order[k + 1], order[k]
        if rng.random() < 0.7:
            ohlcv[order[k], 2] = np.nan
    return RawRows(rows.open_ns[order], ohlcv[order], rows.bid[order], rows.ask[order])


@dataclass
class Oracle:
    """The accepted bars of one instrument by their open, row by row."""

    rows: RawRows
    read: int = 0
    newest: int = -1

    def __post_init__(self) -> None:
        self.bars: dict[int, F64] = {}

    def at(self, at_ns: int) -> dict[int, F64]:
        while self.read < len(self.rows) and max(self.rows.open_ns[: self.read + 1]) < at_ns:
            opened, bar = int(self.rows.open_ns[self.read]), self.rows.ohlcv[self.read]
            if np.isfinite(bar).all() and opened > self.newest:
                self.newest, self.bars[opened] = opened, bar
            self.read += 1
        return self.bars


def window_of(bars: dict[int, F64], at_ns: int) -> F64:
    opens = [at_ns - k * BAR_NS for k in range(NEEDS.window_bars, 0, -1)]
    return np.array([bars.get(opened, np.full(5, np.nan)) for opened in opens])


def days_of(bars: dict[int, F64], at_ns: int) -> F64:
    """By pandas, but for the order in which volumes are added."""
    last = at_ns // DAY_NS
    index = pd.to_datetime(sorted(bars), unit="ns", utc=True)
    frame = pd.DataFrame([bars[opened] for opened in sorted(bars)], index, list("ohlcv"), dtype=float)
    whole = frame.resample("1D")
    columns = whole["o"].first(), whole["h"].max(), whole["l"].min(), whole["c"].last()
    volumes = whole["v"].apply(lambda bars: sum(bars.tolist()) if len(bars) else np.nan)
    daily = pd.concat([*columns, volumes], axis=1)
    wanted = pd.to_datetime(np.arange(last - NEEDS.days, last) * DAY_NS, utc=True)
    return daily.reindex(wanted).to_numpy(dtype=float) if len(frame) else np.full((NEEDS.days, 5), np.nan)


def snapshots(builder: SnapshotBuilder, cycles: range = range(CYCLES)) -> list[MarketSnapshot]:
    taken = [builder.advance(cycle) for cycle in cycles]
    return [snapshot for snapshot in taken if snapshot is not None]


def seen(snapshot: MarketSnapshot) -> list[tuple[int, int, tuple[str, ...], bytes]]:
    assert snapshot.window is not None
    assert snapshot.days is not None
    return [
        (part.bar_ns, part.end_ns, part.names, part.ohlcv.tobytes())
        for part in (snapshot.window, snapshot.days)
    ]


@settings(max_examples=8)
@given(feed=feeds(), prefetch=st.integers(1, 80))
def test_windows_and_days_are_those_of_the_oracle(feed: ListedFeed, prefetch: int) -> None:
    oracles = [Oracle(feed.rows(i, -(10**6), 10**6 + CYCLES)) for i in range(3)]
    for snapshot in snapshots(SnapshotBuilder(feed, prefetch=prefetch, needs=NEEDS)):
        assert snapshot.window is not None
        assert snapshot.days is not None
        assert snapshot.window.end_ns == snapshot.at_ns
        assert snapshot.days.end_ns == snapshot.at_ns // DAY_NS * DAY_NS
        for i, oracle in enumerate(oracles):
            bars = oracle.at(snapshot.at_ns)
            np.testing.assert_array_equal(snapshot.window.ohlcv[:, i], window_of(bars, snapshot.at_ns))
            np.testing.assert_array_equal(snapshot.days.ohlcv[:, i], days_of(bars, snapshot.at_ns))


@settings(max_examples=25)
@given(feed=feeds(), prefetch=st.integers(1, 80), jumps=st.lists(st.integers(0, CYCLES - 1), max_size=6))
def test_windows_do_not_depend_on_where_one_starts(feed: ListedFeed, prefetch: int, jumps: list[int]) -> None:
    expected = [seen(snapshot) for snapshot in snapshots(SnapshotBuilder(feed, needs=NEEDS))]
    jumping = SnapshotBuilder(feed, prefetch=prefetch, needs=NEEDS)
    for cycle in jumps:
        jumping.seek(cycle)
        again = snapshots(jumping, range(cycle, min(cycle + 3, CYCLES)))
        assert [seen(snapshot) for snapshot in again] == expected[cycle : cycle + 3]
        assert seen(snapshots(jumping, range(cycle, cycle + 1))[0]) == expected[cycle]


@settings(max_examples=15)
@given(feed=feeds(), cut=st.integers(1, CYCLES - 1))
def test_a_window_does_not_know_the_future(feed: ListedFeed, cut: int) -> None:
    known = [feed.rows(i, -(10**6), 10**6 + cut) for i in range(3)]
    blind = SnapshotBuilder(ListedFeed(known, START_NS, CYCLES), needs=NEEDS)
    expected = [seen(snapshot) for snapshot in snapshots(SnapshotBuilder(feed, needs=NEEDS), range(cut))]
    assert [seen(snapshot) for snapshot in snapshots(blind, range(cut))] == expected


def test_the_newest_row_of_a_window_is_the_bar_of_this_cycle() -> None:
    opens = START_NS + np.arange(-100, CYCLES, dtype=np.int64) * BAR_NS
    feed = ListedFeed([clean_rows(opens, np.random.default_rng(1))], START_NS, CYCLES)
    for snapshot in snapshots(SnapshotBuilder(feed, prefetch=16, needs=NEEDS)):
        window: Window | None = snapshot.window
        assert window is not None
        assert window.ohlcv[-1].tobytes() == snapshot.ohlcv.tobytes()
        assert not window.ohlcv.flags.writeable
