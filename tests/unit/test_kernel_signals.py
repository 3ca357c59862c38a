from pathlib import Path

import duckdb
import numpy as np
import pytest

from tg_actors.backtest.signals import SYMBOL, read_bars, read_signals
from tg_actors.domain.errors import UserError

HEADER = "timestamp,open,high,low,close,volume\n"
BARS = HEADER + "1600000000,10,11,9,10.5,5\n1600003600,10.5,12,10,11,6\n1600007200,11,11,11,11,0\n"


def written(tmp_path: Path, text: str, name: str = "bars.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "stamps",
    [
        ("1600000000", "1600003600"),
        ("1600000000000", "1600003600000"),
        ("1600000000000000", "1600003600000000"),
        ("1600000000000000000", "1600003600000000000"),
        ("2020-09-13T12:26:40Z", "2020-09-13T13:26:40Z"),
        ("2020-09-13 12:26:40", "2020-09-13 13:26:40"),
        ("2020-09-13T14:26:40+02:00", "2020-09-13T13:26:40+00:00"),
    ],
)
def test_a_time_is_read_by_its_shape(tmp_path: Path, stamps: tuple[str, str]) -> None:
    rows = "".join(f"{stamp},1,1,1,1,1\n" for stamp in stamps)
    bars = read_bars(written(tmp_path, HEADER + rows))[SYMBOL]
    assert bars.open_ns.tolist() == [1_600_000_000 * 10**9, 1_600_003_600 * 10**9]
    assert bars.bar_ns == 3_600 * 10**9


def test_signals_find_their_bars_and_silence_leaves_things_alone(tmp_path: Path) -> None:
    bars = read_bars(written(tmp_path, BARS))
    targets = read_signals(written(tmp_path, "timestamp,target\n1600003600,0.5\n", "s.csv"), bars)[SYMBOL]
    assert np.isnan(targets[[0, 2]]).all()
    assert targets[1] == 0.5


def test_targets_alone_are_taken_row_by_row(tmp_path: Path) -> None:
    bars = read_bars(written(tmp_path, BARS))
    path = written(tmp_path, "target\n0\n-1\n1\n", "s.csv")
    assert read_signals(path, bars)[SYMBOL].tolist() == [0, -1, 1]


def test_many_symbols_have_a_column_each(tmp_path: Path) -> None:
    text = "timestamp,symbol,open,high,low,close,volume\n"
    for symbol in ("BTC", "XRP"):
        text += f"1600000000,{symbol},1,1,1,1,1\n1600003600,{symbol},1,1,1,1,1\n"
    bars = read_bars(written(tmp_path, text))
    path = written(tmp_path, "timestamp,XRP,BTC\n1600000000,0.1,0.2\n1600003600,0.3,0.4\n", "s.csv")
    targets = read_signals(path, bars)
    assert {symbol: column.tolist() for symbol, column in targets.items()} == {
        "BTC": [0.2, 0.4],
        "XRP": [0.1, 0.3],
    }


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    csv, parquet = written(tmp_path, BARS), tmp_path / "bars.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"COPY (SELECT to_timestamp(timestamp) AS timestamp, * EXCLUDE (timestamp) "
            f"FROM read_csv('{csv}')) TO '{parquet}' (FORMAT parquet)"
        )
    ours, theirs = read_bars(csv)[SYMBOL], read_bars(parquet)[SYMBOL]
    assert ours.open_ns.tolist() == theirs.open_ns.tolist()
    assert ours.ohlcv.tolist() == theirs.ohlcv.tolist()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEADER, "has no rows"),
        ("", "no CSV file"),
        (HEADER.replace("close,", "") + "1,1,1,1,1\n", "'close' is missing"),
        (HEADER.replace("volume", "vol") + "1,1,1,1,1,1\n", "'vol' is unknown"),
        (HEADER.replace("volume", "open") + "1,1,1,1,1,1\n", "'open' stands twice"),
        ("color," + HEADER + "red,1,1,1,1,1,1\n", "'color' is unknown"),
        (HEADER + "1600000000,1,1,1,1\n", ":2: 5 cells in a row of 6"),
        (HEADER + "1600000000,1,1,1,nan,1\n", ":2: close 'nan' is not a finite number"),
        (HEADER + "1600000000,1,1,1,,1\n", ":2: close '' is not a finite number"),
        (HEADER + "1600000000,1,1,1,inf,1\n", "not a finite number"),
        (HEADER + "1600000000,1,2,1,3,1\n", ":2: an impossible bar"),
        (HEADER + "1600000000,0,0,0,0,1\n", ":2: an impossible bar"),
        (HEADER + "1600000000,1,1,1,1,-1\n", ":2: an impossible bar"),
        (HEADER + "1600003600,1,1,1,1,1\n1600003600,1,1,1,1,1\n", ":3: its timestamp is the same as"),
        (HEADER + "1600003600,1,1,1,1,1\n1600000000,1,1,1,1,1\n", ":3: its timestamp is before"),
        (HEADER + "1600003600,1,1,1,1,1\n1600007200000,1,1,1,1,1\n", ":3: timestamp '1600007200000' is no"),
        (HEADER + "1600003600,1,1,1,1,1\n2020-01-01,1,1,1,1,1\n", ":3: timestamp '2020-01-01' is no time"),
        (HEADER + "yesterday,1,1,1,1,1\n", ":2: timestamp 'yesterday' is no time"),
        (HEADER + "50000000000,1,1,1,1,1\n", ":2: timestamp '50000000000' is not from 1678 to 2261"),
        (HEADER + "10000000000000000000,1,1,1,1,1\n", "is not from 1678 to 2261"),
        (HEADER + "9999-01-01,1,1,1,1,1\n", ":2: timestamp '9999-01-01' is not from 1678"),
        (HEADER + "9" * 5_000 + ",1,1,1,1,1\n", "is no time like that"),
        (HEADER + "1600000000.5,1,1,1,1,1\n", ":2: timestamp '1600000000.5' is no time"),
    ],
)
def test_bars_that_make_no_sense_are_refused_with_their_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UserError) as caught:
        read_bars(written(tmp_path, text))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("timestamp,target\n1600003601,1\n", ":2: timestamp '1600003601' is of no bar"),
        ("timestamp,target\n1600003600,1\n1600003600,0\n", ":3: its timestamp is the same as"),
        ("timestamp,target\n1600003600,nan\n", ":2: target 'nan' is not a finite number"),
        ("timestamp,target\n1600003600,1.01\n", ":2: target 1.01 is no fraction"),
        ("timestamp,target,stop\n1600003600,1,2\n", "'stop' is unknown"),
        ("timestamp,BTC\n1600003600,1\n", "'target' is missing"),
        ("target\n1\n", "1 targets without timestamps for 3 bars"),
    ],
)
def test_signals_that_make_no_sense_are_refused_with_their_line(tmp_path: Path, text: str, why: str) -> None:
    bars = read_bars(written(tmp_path, BARS))
    with pytest.raises(UserError) as caught:
        read_signals(written(tmp_path, text, "signals.csv"), bars)
    assert why in str(caught.value)


def test_a_file_is_named_by_what_it_is(tmp_path: Path) -> None:
    for name, why in (("bars.xls", "neither"), ("none.csv", "cannot read"), ("none.parquet", "no file")):
        with pytest.raises(UserError, match=why):
            read_bars(tmp_path / name)
    with pytest.raises(UserError, match="no Parquet file"):
        read_bars(written(tmp_path, "x", "bad.parquet"))
