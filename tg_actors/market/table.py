"""Any Parquet file as columns: the door for files that are not in the history's layout."""

from pathlib import Path
from typing import Any

import duckdb

from tg_actors.domain.errors import UserError


def read_parquet(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a Parquet file as plain values; times as UTC integer nanoseconds.

    Raises:
        UserError: there is no such file, or it is no Parquet file.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    connection = duckdb.connect()
    try:
        described = connection.execute(
            "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", [str(path)]
        )
        types = dict(described.fetchall())
        quoted = {name: '"' + name.replace('"', '""') + '"' for name in types}
        wanted = [
            f"epoch_ns({quoted[name]})" if kind.startswith("TIMESTAMP") else quoted[name]
            for name, kind in types.items()
        ]
        rows = connection.execute(f"SELECT {', '.join(wanted)} FROM read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise UserError(
            f"{path} is no Parquet file that can be read: {str(error).splitlines()[0]}"
        ) from error
    finally:
        connection.close()
    return {name: [row[k] for row in rows] for k, name in enumerate(types)}
