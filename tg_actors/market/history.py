"""History store: bars in Parquet files, read through DuckDB.

A file is ``<folder>/ohlcv/<VENUE>_<BASE>-<QUOTE>[_<tag>]_<timeframe>.parquet`` with the columns
``timestamp`` (when the bar opens), ``open, high, low, close, volume`` (base units). Rows are handed
out in the order of the file, defects included: judging them is the border's work.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.timeframes import Timeframe, instant_text

DEFAULT_VENUE = "BINANCE"

_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
_FILE_NAME = re.compile(
    r"(?P<venue>[A-Z0-9-]+)_(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)"
    r"(?:_(?P<tag>[A-Za-z0-9-]+))?_(?P<timeframe>[0-9]+[a-z])\.parquet"
)


@dataclass(frozen=True, slots=True, order=True)
class SeriesName:
    """What a file holds; ``tag`` is empty for the plain series of a pair."""

    venue: str
    symbol: str
    timeframe: str
    tag: str


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars in the order of the file: ``open_ns (m,)`` UTC nanoseconds, ``ohlcv (m, 5)``."""

    open_ns: I64
    ohlcv: F64


class Series:
    """One file. Its timestamps are read at once, its bars by row number as they are needed."""

    def __init__(self, name: SeriesName, path: Path, connection: "duckdb.DuckDBPyConnection") -> None:
        self.name = name
        self._path = path
        self._connection = connection
        self._check_columns()
        columns = self._query("SELECT epoch_ns(timestamp) AS open_ns FROM read_parquet(?)", [])
        if np.ma.is_masked(columns["open_ns"]):
            raise UserError(f"{path} has bars without a timestamp: download it again")
        #: When each bar opens, in the order of the file.
        self.open_ns: I64 = np.asarray(columns["open_ns"], dtype=np.int64)

    def ohlcv(self, first_row: int, end_row: int) -> F64:
        """Bars of the rows ``first_row`` to before ``end_row``, ``(m, 5)``; what is missing is NaN.

        Raises:
            UserError: the file cannot be read.
        """
        # DuckDB numbers rows from 0 in the order of the file; the row groups around are skipped.
        statement = """
            SELECT open::DOUBLE AS open, high::DOUBLE AS high, low::DOUBLE AS low,
                   close::DOUBLE AS close, volume::DOUBLE AS volume
            FROM read_parquet(?, file_row_number = true)
            WHERE file_row_number >= ? AND file_row_number < ?
            ORDER BY file_row_number"""
        columns = self._query(statement, [first_row, end_row])
        return np.column_stack([np.ma.filled(columns[name], np.nan) for name in _COLUMNS[1:]])

    def _check_columns(self) -> None:
        found = self._query(
            "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", []
        )
        types = dict(zip(found["column_name"].tolist(), found["column_type"].tolist(), strict=True))
        missing = [name for name in _COLUMNS if name not in types]
        if missing:
            raise UserError(
                f"{self._path} has the columns {', '.join(types)}; "
                f"a file of bars needs {', '.join(_COLUMNS)}: {', '.join(missing)} missing"
            )
        if not types["timestamp"].startswith("TIMESTAMP"):
            raise UserError(
                f"{self._path}: the column timestamp holds {types['timestamp']}; it must hold TIMESTAMP"
            )
        texts = [
            name for name in _COLUMNS[1:] if types[name] not in _NUMERIC and "DECIMAL" not in types[name]
        ]
        if texts:
            raise UserError(
                f"{self._path}: the column {texts[0]} holds {types[texts[0]]}; it must hold numbers"
            )

    def _query(self, statement: str, arguments: Sequence[int]) -> dict[str, NDArray[Any]]:
        try:
            result = self._connection.execute(statement, [str(self._path), *arguments]).fetchnumpy()
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{self._path} is no readable Parquet file, download it again: {reason}"
            ) from error
        return {name: np.ma.asanyarray(column) for name, column in result.items()}


_NUMERIC = ("DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


class HistoryStore:
    """All bar files of a folder, by venue, pair and timeframe.

    Raises:
        UserError: the folder does not exist or has no ``ohlcv`` folder.
    """

    def __init__(self, data_dir: str | Path, venue: str = DEFAULT_VENUE) -> None:
        self._folder = Path(data_dir) / "ohlcv"
        self._venue = venue
        if not self._folder.is_dir():
            raise UserError(f"no market data in {data_dir}: there is no folder {self._folder}")
        # One thread: several actors share the machine. No extension is ever fetched from the network.
        config: dict[str, Any] = {"threads": 1, "autoinstall_known_extensions": False}
        self._connection = duckdb.connect(":memory:", config=config)

    def catalog(self) -> tuple[SeriesName, ...]:
        """Names of all series of all venues, sorted; files named otherwise are not ours."""
        matches = (_FILE_NAME.fullmatch(path.name) for path in self._folder.glob("*.parquet"))
        return tuple(sorted(_series_name(match) for match in matches if match))

    def open(self, symbol: str, timeframe: Timeframe, tag: str = "") -> Series:
        """Open one series of the store's venue.

        Raises:
            UserError: there is none such, or the file is damaged or has other columns.
        """
        name = SeriesName(self._venue, symbol, timeframe.value, tag)
        path = self._folder / _file_name(name)
        if not path.is_file():
            raise UserError(self._what_is_there_instead(name))
        return Series(name, path, self._connection)

    def load(self, symbol: str, timeframe: Timeframe, from_ns: int, to_ns: int, tag: str = "") -> Bars:
        """Bars that open in ``[from_ns, to_ns)``, in the order of the file.

        Raises:
            UserError: as for :meth:`open`, or no bar opens in that time.
        """
        series = self.open(symbol, timeframe, tag)
        inside = (series.open_ns >= from_ns) & (series.open_ns < to_ns)
        if not inside.any():
            raise UserError(nothing_between(series, from_ns, to_ns))
        rows = np.flatnonzero(inside)
        first, end = int(rows[0]), int(rows[-1]) + 1
        return Bars(series.open_ns[inside], series.ohlcv(first, end)[inside[first:end]])

    def _what_is_there_instead(self, wanted: SeriesName) -> str:
        mine = [name for name in self.catalog() if name.venue == self._venue and name.tag == wanted.tag]
        label = f"{wanted.symbol} {wanted.timeframe} of {self._venue}" + (
            f" ({wanted.tag})" if wanted.tag else ""
        )
        sentence = f"no bars of {label} in {self._folder}"
        timeframes = [name.timeframe for name in mine if name.symbol == wanted.symbol]
        if timeframes:
            return f"{sentence}: {wanted.symbol} is there in {', '.join(timeframes)}"
        symbols = list(dict.fromkeys(name.symbol for name in mine))
        near = difflib.get_close_matches(wanted.symbol, symbols, n=3, cutoff=0.6)
        if near:
            return f"{sentence}: did you mean {' or '.join(near)}?"
        venues = list(dict.fromkeys(name.venue for name in self.catalog()))
        return (
            f"{sentence}: there are {len(symbols)} pairs of {self._venue}, and the venues {', '.join(venues)}"
        )


def nothing_between(series: Series, from_ns: int, to_ns: int) -> str:
    """Say what a series has instead of the bars that were asked for."""
    label = f"{series.name.symbol} {series.name.timeframe}"
    if not len(series.open_ns):
        return f"the file of {label} has no bars: download it again"
    asked = f"{instant_text(from_ns)} to {instant_text(to_ns)}"
    return f"no bar of {label} between {asked}: the file has {span_text(series)}"


def span_text(series: Series) -> str:
    """Say from when to when the bars of a series, which must have some, open."""
    return f"{instant_text(int(series.open_ns.min()))} to {instant_text(int(series.open_ns.max()))}"


def _series_name(match: re.Match[str]) -> SeriesName:
    symbol = f"{match['base']}/{match['quote']}"
    return SeriesName(match["venue"], symbol, match["timeframe"], match["tag"] or "")


def _file_name(name: SeriesName) -> str:
    parts = (name.venue, name.symbol.replace("/", "-"), name.tag, name.timeframe)
    return "_".join(part for part in parts if part) + ".parquet"
