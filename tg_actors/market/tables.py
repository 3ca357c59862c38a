"""Columns of Parquet files beside the bars: funding, trades, on-chain figures, indices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError


def column_names(path: Path) -> tuple[str, ...]:
    """Names of the columns of a file.

    Raises:
        UserError: the file cannot be read.
    """
    found = _query(path, "SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(?))")
    return tuple(found["column_name"].tolist())


def read_numbers(path: Path, columns: Sequence[str]) -> tuple[I64, F64]:
    """Read a file with a column ``timestamp`` and others of numbers, in the order of the file.

    Returns:
        UTC nanoseconds ``(m,)`` and the columns asked for, ``(m, k)``; what is missing is NaN.

    Raises:
        UserError: the file cannot be read, has not these columns, or a row has no timestamp.
    """
    missing = [name for name in ("timestamp", *columns) if name not in column_names(path)]
    if missing:
        raise UserError(f"{path} has no column {missing[0]}: download it again, or take it away")
    chosen = ", ".join(f'"{name}"::DOUBLE AS "{name}"' for name in columns)
    statement = f"SELECT epoch_ns(timestamp) AS at_ns, {chosen} FROM read_parquet(?, file_row_number = true)"
    found = _query(path, f"{statement} ORDER BY file_row_number")
    if np.ma.is_masked(found["at_ns"]):
        raise UserError(f"{path} has rows without a timestamp: download it again")
    numbers = np.column_stack([np.ma.filled(found[name].astype(np.float64), np.nan) for name in columns])
    return np.asarray(found["at_ns"], dtype=np.int64), numbers


def _query(path: Path, statement: str) -> dict[str, Any]:
    # One thread: several actors share the machine. No extension is ever fetched from the network.
    config: dict[str, Any] = {"threads": 1, "autoinstall_known_extensions": False}
    try:
        with duckdb.connect(":memory:", config=config) as connection:
            result = connection.execute(statement, [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no readable Parquet file, download it again: {reason}") from error
    return {name: np.ma.asanyarray(column) for name, column in result.items()}
