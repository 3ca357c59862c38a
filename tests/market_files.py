"""Write bar files as the history store expects them, and as it does not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np

from tests.market_feeds import clean_rows
from tg_actors.domain.blocks import F64, I64

COLUMNS = "to_timestamp(open_ns / 1e9) AS timestamp, open, high, low, close, volume"


def write_bars(folder: Path, name: str, open_ns: I64, columns: str = COLUMNS) -> F64:
    """Write sound bars that open at these times to ``folder/ohlcv/name.parquet``; return them."""
    ohlcv = clean_rows(open_ns, np.random.default_rng(len(name))).ohlcv
    (folder / "ohlcv").mkdir(exist_ok=True)
    path = folder / "ohlcv" / f"{name}.parquet"
    # Rows as lists: a prepared statement per row would take a thousand times as long.
    lists = [open_ns.tolist(), *ohlcv.T.tolist()]
    names = ("open_ns::BIGINT", *(f"{name}::DOUBLE" for name in ("open", "high", "low", "close", "volume")))
    typed = ", ".join(f"{name} AS {name.split(':')[0]}" for name in names)
    plain = ", ".join(f"unnest(?) AS {name.split(':')[0]}" for name in names)
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT {typed} FROM (SELECT {plain}))) TO '{path}'",
            lists,
        )
    return ohlcv


def write_table(path: Path, at_ns: Sequence[int] | I64, columns: Mapping[str, Sequence[float] | F64]) -> None:
    """Write a Parquet file with a column ``timestamp`` and others of numbers."""
    path.parent.mkdir(exist_ok=True)
    lists = [np.asarray(at_ns, dtype=np.int64).tolist(), *(np.asarray(c).tolist() for c in columns.values())]
    names = ", ".join(f'unnest(?)::DOUBLE AS "{name}"' for name in columns)
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"COPY (SELECT to_timestamp(at_ns / 1e9) AS timestamp, * EXCLUDE (at_ns) FROM "
            f"(SELECT unnest(?)::BIGINT AS at_ns, {names})) TO '{path}'",
            lists,
        )
