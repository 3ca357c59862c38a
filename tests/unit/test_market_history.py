from pathlib import Path

import numpy as np
import pytest

from tests.market_feeds import BAR_NS
from tests.market_files import COLUMNS, write_bars
from tg_actors.domain.errors import UserError
from tg_actors.market.history import HistoryStore, SeriesName
from tg_actors.market.timeframes import Timeframe, instant_ns, instant_text

HOUR = Timeframe.HOUR_1
START_NS = instant_ns("2024-01-01")


def hours(count: int) -> np.ndarray:
    return START_NS + np.arange(count, dtype=np.int64) * BAR_NS


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    for name in (
        "BINANCE_BTC-USDT_1h",
        "BINANCE_BTC-USDT_5m",
        "BINANCE_BTC-USDT_2020crash_5m",
        "KRAKEN_BTC-USD_1h",
    ):
        write_bars(tmp_path, name, hours(10))
    (tmp_path / "ohlcv" / "notes.parquet").write_bytes(b"not ours")
    return HistoryStore(tmp_path)


def test_catalog_reads_file_names_and_skips_what_is_not_ours(store: HistoryStore) -> None:
    assert store.catalog() == (
        SeriesName("BINANCE", "BTC/USDT", "1h", ""),
        SeriesName("BINANCE", "BTC/USDT", "5m", ""),
        SeriesName("BINANCE", "BTC/USDT", "5m", "2020crash"),
        SeriesName("KRAKEN", "BTC/USD", "1h", ""),
    )


def test_load_gives_exactly_the_bars_that_open_in_the_time(tmp_path: Path) -> None:
    written = write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours(10))
    bars = HistoryStore(tmp_path).load("BTC/USDT", HOUR, START_NS + 2 * BAR_NS, START_NS + 5 * BAR_NS)
    np.testing.assert_array_equal(bars.open_ns, hours(10)[2:5])
    np.testing.assert_array_equal(bars.ohlcv, written[2:5])


def test_rows_come_in_the_order_of_the_file_with_their_defects(tmp_path: Path) -> None:
    opens = hours(5)[[0, 2, 1, 1, 4]]
    written = write_bars(
        tmp_path, "BINANCE_BTC-USDT_1h", opens, COLUMNS.replace("close", "nullif(close, close) AS close")
    )
    series = HistoryStore(tmp_path).open("BTC/USDT", HOUR)
    assert series.open_ns.tolist() == opens.tolist()
    ohlcv = series.ohlcv(1, 4)
    np.testing.assert_array_equal(ohlcv[:, 0], written[1:4, 0])
    assert np.isnan(ohlcv[:, 3]).all()


def test_a_tag_is_only_found_when_asked_for(store: HistoryStore) -> None:
    assert store.open("BTC/USDT", Timeframe.MIN_5).name.tag == ""
    assert store.open("BTC/USDT", Timeframe.MIN_5, tag="2020crash").name.tag == "2020crash"


@pytest.mark.parametrize(
    ("symbol", "timeframe", "sentence"),
    [
        (
            "BTC/USDT",
            Timeframe.MIN_15,
            r"no bars of BTC/USDT 15m of BINANCE in .*: BTC/USDT is there in 1h, 5m$",
        ),
        ("BTC/USDC", HOUR, r"did you mean BTC/USDT\?$"),
        ("ZZZZZ/QQQ", HOUR, r"there are 1 pairs of BINANCE, and the venues BINANCE, KRAKEN$"),
    ],
)
def test_a_missing_series_is_explained(
    store: HistoryStore, symbol: str, timeframe: Timeframe, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        store.open(symbol, timeframe)


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no market data in .*nowhere: there is no folder .*ohlcv$"):
        HistoryStore(tmp_path / "nowhere")


def test_an_empty_time_is_explained(store: HistoryStore) -> None:
    with pytest.raises(
        UserError, match=r"no bar of BTC/USDT 1h between 2023-01-01T00:00:00Z .* has 2024-01-01T00"
    ):
        store.load("BTC/USDT", HOUR, instant_ns("2023-01-01"), instant_ns("2023-02-01"))


@pytest.mark.parametrize("damage", [b"", b"PAR1 and then nothing", b"x" * 5000])
def test_a_corrupt_file_is_one_sentence(tmp_path: Path, damage: bytes) -> None:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours(3))
    path = tmp_path / "ohlcv" / "BINANCE_BTC-USDT_1h.parquet"
    path.write_bytes(damage)
    with pytest.raises(UserError, match=r"BTC-USDT_1h.parquet is no readable Parquet file") as caught:
        HistoryStore(tmp_path).open("BTC/USDT", HOUR)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_one_sentence(tmp_path: Path) -> None:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours(3000))
    path = tmp_path / "ohlcv" / "BINANCE_BTC-USDT_1h.parquet"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="no readable Parquet file"):
        HistoryStore(tmp_path).open("BTC/USDT", HOUR)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (COLUMNS.replace(", volume", ""), r"needs timestamp, open, high, low, close, volume: volume missing"),
        (
            COLUMNS.replace("to_timestamp(open_ns / 1e9)", "open_ns"),
            r"timestamp holds BIGINT; it must hold TIMESTAMP",
        ),
        (
            COLUMNS.replace("low,", "low::VARCHAR AS low,"),
            r"the column low holds VARCHAR; it must hold numbers",
        ),
        (COLUMNS.replace("to_timestamp(open_ns / 1e9)", "NULL::TIMESTAMP"), r"bars without a timestamp"),
    ],
)
def test_wrong_columns_are_explained(tmp_path: Path, columns: str, sentence: str) -> None:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours(3), columns)
    with pytest.raises(UserError, match=sentence):
        HistoryStore(tmp_path).open("BTC/USDT", HOUR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01", "2024-01-01T00:00:00Z"),
        ("2024-01-01T12:30", "2024-01-01T12:30:00Z"),
        ("2024-01-01T12:30:00+02:00", "2024-01-01T10:30:00Z"),
        ("1969-12-31T23:00", "1969-12-31T23:00:00Z"),
    ],
)
def test_instants_are_utc(text: str, expected: str) -> None:
    assert instant_text(instant_ns(text)) == expected


def test_a_text_that_is_no_date_is_explained() -> None:
    with pytest.raises(UserError, match="'yesterday' is no date: write 2024-01-31"):
        instant_ns("yesterday")


def test_timeframes_know_their_length() -> None:
    assert [one.bar_ns // (60 * 10**9) for one in Timeframe] == [1, 5, 15, 30, 60, 240, 1440]


@pytest.mark.data
def test_the_shared_folder_is_readable(data_dir: Path) -> None:
    store = HistoryStore(data_dir)
    assert len(store.catalog()) > 100
    bars = store.load("BTC/USDT", HOUR, instant_ns("2020-03-12"), instant_ns("2020-03-14"))
    assert len(bars.open_ns) == 48
    assert bars.ohlcv[:, 2].min() == 3782.13
