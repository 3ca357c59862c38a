from pathlib import Path

import numpy as np
import pytest

from tests.market_feeds import BAR_NS
from tests.market_files import write_bars
from tg_actors.domain.errors import UserError
from tg_actors.market import feeds
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.recorded import RecordedFeed
from tg_actors.market.timeframes import Timeframe, instant_ns

HOUR = Timeframe.HOUR_1
START_NS = instant_ns("2024-01-01")
SYMBOLS = ("BTC/USDT", "XRP/USDT")
SPREADS = {"BTC/USDT": 2.0, "XRP/USDT": 10.0, "XRP/BTC": 8.0}


def hours(first: int, end: int) -> np.ndarray:
    return START_NS + np.arange(first, end, dtype=np.int64) * BAR_NS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours(0, 1000))
    write_bars(tmp_path, "BINANCE_XRP-USDT_1h", hours(300, 1200))
    return tmp_path


def open_feed(folder: Path, first: int | None = None, end: int | None = None) -> RecordedFeed:
    bounds = [None if k is None else START_NS + k * BAR_NS for k in (first, end)]
    return RecordedFeed.open(folder, SYMBOLS, HOUR, *bounds, spread_bps=SPREADS)


def test_without_times_the_replay_runs_where_all_instruments_have_bars(folder: Path) -> None:
    feed = open_feed(folder)
    assert feed.start_ns == START_NS + 300 * BAR_NS
    assert feed.cycles == 700
    assert len(feed.history(0, 0, 10_000)) == 300
    assert len(feed.history(1, 0, 10_000)) == 0


def test_given_times_are_kept_and_rounded_up_to_whole_bars(folder: Path) -> None:
    feed = RecordedFeed.open(
        folder, SYMBOLS, HOUR, START_NS + 400 * BAR_NS - 1, START_NS + 500 * BAR_NS, spread_bps=SPREADS
    )
    assert (feed.start_ns, feed.cycles) == (START_NS + 400 * BAR_NS, 100)
    assert feed.history(0, 0, 7).open_ns.tolist() == hours(393, 400).tolist()
    assert feed.rows(1, 98, 50).open_ns.tolist() == hours(498, 500).tolist()


def test_quotes_lie_half_the_spread_around_the_close(folder: Path) -> None:
    rows = open_feed(folder).rows(1, 0, 5)
    closes = rows.ohlcv[:, 3]
    np.testing.assert_allclose((rows.ask - rows.bid) / closes, 10e-4, rtol=1e-9)
    np.testing.assert_allclose((rows.ask + rows.bid) / 2.0, closes, rtol=1e-12)


def test_chunks_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_feed(folder).rows(0, 0, 700)
    monkeypatch.setattr(feeds.recorded, "_CHUNK_ROWS", 64)
    feed = open_feed(folder)
    parts = [feed.rows(0, first, 37) for first in range(0, 700, 37)]
    np.testing.assert_array_equal(np.concatenate([part.ohlcv for part in parts]), whole.ohlcv)
    np.testing.assert_array_equal(np.concatenate([part.open_ns for part in parts]), whole.open_ns)
    np.testing.assert_array_equal(feed.rows(0, 3, 5).ohlcv, whole.ohlcv[3:8])


@pytest.mark.parametrize(
    ("first", "end", "sentence"),
    [
        (
            1100,
            1150,
            r"no bar of BTC/USDT 1h between .*: the file has 2024-01-01T00:00:00Z to 2024-02-11T15:00:00Z",
        ),
        (500, 400, r"no bar between 2024-01-21T20:00:00Z and .*: choose a later end"),
        (2000, None, r"no time at which all instruments have bars \(BTC/USDT 2024-01-01"),
    ],
)
def test_a_window_without_bars_is_explained(folder: Path, first: int, end: int | None, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        open_feed(folder, first, end)


def test_an_empty_file_is_explained(folder: Path) -> None:
    write_bars(folder, "BINANCE_BTC-USDT_1h", hours(0, 0))
    with pytest.raises(UserError, match="the file of BTC/USDT 1h has no bars"):
        open_feed(folder)


def test_bars_off_the_grid_are_explained(folder: Path) -> None:
    write_bars(folder, "BINANCE_BTC-USDT_1h", hours(0, 1000) + 60 * 10**9)
    with pytest.raises(UserError, match="no bar of BTC/USDT 1h opens at a whole multiple"):
        open_feed(folder)


@pytest.mark.data
def test_the_shared_years_replay_with_their_holes(data_dir: Path) -> None:
    symbols = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
    feed = RecordedFeed.open(
        data_dir, symbols, HOUR, instant_ns("2020-06-01"), instant_ns("2020-07-01"), spread_bps=SPREADS
    )
    builder = SnapshotBuilder(feed)
    assert feed.cycles == 720
    last = builder.advance(feed.cycles - 1)
    assert last is not None
    assert builder.advance(feed.cycles) is None
    assert np.isfinite(last.features).all()
    assert last.ohlcv[2, 3] == pytest.approx(last.ohlcv[1, 3] / last.ohlcv[0, 3], rel=3e-3)
    builder.seek(0)
    for cycle in range(feed.cycles):
        builder.advance(cycle)
    assert builder.health().rejected == 0
    # Binance stood still for three hours on 2020-06-28.
    assert builder.health().instruments[0].bars_missing >= 3
