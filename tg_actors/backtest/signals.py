"""Bars and target positions from files, so that any engine can be compared on the same input. Strict.

A file is CSV or Parquet (by its ending). Bars have ``timestamp,open,high,low,close`` and mostly
``volume``, the timestamp being when the bar opened. Signals have ``timestamp`` and one column of targets
called ``target``, or one column per symbol where the bars have a ``symbol`` column too; a file with
``target`` alone and as many rows as there are bars is taken row by row. A timestamp is ISO 8601 (UTC where
it names no zone) or an integer since 1970 in seconds, milliseconds, microseconds or nanoseconds, which its
size tells.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.market.table import read_parquet

#: The symbol of a file that names none.
SYMBOL = "ASSET/USD"
PRICES = ("open", "high", "low", "close")
_NUMBERS = (*PRICES, "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Largest absolute integer that counts as a unit (until the year 5138), and its nanoseconds.
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
#: Digits of the largest of them; and the last instant that nanoseconds in 64 bits can name.
_DIGITS_MAX = 20
_LAST_NS = int(np.iinfo(np.int64).max)
_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class BarFile:
    """Bars of one symbol: when each opened, ``ohlcv (T, 5)``, and the shortest time from one to the next.

    ``has_volume`` is False for a file without volumes, which then are 0.
    """

    symbol: str
    open_ns: NDArray[np.int64]
    ohlcv: F64
    bar_ns: int
    has_volume: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """A file's columns; ``first_line`` is where its first row stands."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    first_line: int

    def where(self, row: int) -> str:
        """Name a row of the file."""
        return f"{self.path}:{row + self.first_line}"


def read_bars(path: Path) -> dict[str, BarFile]:
    """Return the bars of a file by symbol.

    Raises:
        UserError: one sentence with file and line: a column is unknown, missing or twice there, a number
            is none, a bar impossible, or the times of a symbol do not rise.
    """
    table = _read(path)
    _check_columns(table, {"timestamp", *PRICES}, {"volume", "symbol"})
    open_ns = _times(table)
    known = [name for name in _NUMBERS if name in table.columns]
    numbers = np.zeros((len(open_ns), len(_NUMBERS)))
    numbers[:, : len(known)] = np.column_stack([_numbers(table, name) for name in known])
    _check_bars(table, numbers)
    symbols = table.columns.get("symbol", [SYMBOL] * len(open_ns))
    rows_of: dict[str, list[int]] = {}
    for row, symbol in enumerate(symbols):
        rows_of.setdefault(str(symbol), []).append(row)
    return {symbol: _bars(table, symbol, open_ns, numbers, rows) for symbol, rows in rows_of.items()}


def read_signals(path: Path, bars: Mapping[str, BarFile]) -> dict[str, F64]:
    """Return the targets ``(T,)`` of every symbol of the bars, NaN where the file has no row for a bar.

    Raises:
        UserError: one sentence with file and line: columns do not fit the bars, a timestamp is of no bar or
            not after the one before it, or a target is no number from -1 to 1.
    """
    table = _read(path)
    names = ("target",) if set(bars) == {SYMBOL} else tuple(bars)
    _check_columns(table, set(names), {"timestamp"})
    columns = {name: _targets(table, name) for name in names}
    if "timestamp" not in table.columns:
        return {
            symbol: _row_by_row(table, columns[name], bars[symbol])
            for symbol, name in zip(bars, names, strict=True)
        }
    at_ns = _times(table)
    _check_rising(table, at_ns, list(range(len(at_ns))))
    return {
        symbol: _placed(table, at_ns, columns[name], bars[symbol])
        for symbol, name in zip(bars, names, strict=True)
    }


def _read(path: Path) -> _Table:
    if path.suffix.lower() == ".parquet":
        table = _Table(path, read_parquet(path), 1)
    elif path.suffix.lower() == ".csv":
        table = _read_csv(path)
    else:
        raise UserError(f"{path} is neither .csv nor .parquet: name the file by what it is")
    if not any(len(column) for column in table.columns.values()):
        raise UserError(f"{path} has no rows")
    return table


def _read_csv(path: Path) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is no CSV file with a header") from error
    names = [name.strip().lower() if name.strip().lower() in _LOWER else name.strip() for name in header]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}:1: the column {name!r} stands twice: remove one")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise UserError(f"{path}:{line}: {len(row)} cells in a row of {len(names)} columns")
    return _Table(path, dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}, 2)


#: Words whose case does not matter in a header.
_LOWER = frozenset({"timestamp", "symbol", "target", *_NUMBERS})


def _check_columns(table: _Table, needed: set[str], allowed: set[str]) -> None:
    there = set(table.columns)
    if missing := sorted(needed - there):
        raise UserError(
            f"{table.path}:1: the column {missing[0]!r} is missing: it has {', '.join(sorted(there))}"
        )
    if unknown := sorted(there - needed - allowed):
        known = ", ".join(sorted(needed | allowed))
        raise UserError(f"{table.path}:1: the column {unknown[0]!r} is unknown: known are {known}")


def _numbers(table: _Table, name: str) -> F64:
    numbers = np.empty(len(table.columns[name]))
    for row, cell in enumerate(table.columns[name]):
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"{table.where(row)}: {name} {cell!r} is not a finite number")
        numbers[row] = number
    return numbers


def _targets(table: _Table, name: str) -> F64:
    targets = _numbers(table, name)
    outside = np.flatnonzero(np.abs(targets) > 1)
    if outside.size:
        row = int(outside[0])
        raise UserError(f"{table.where(row)}: {name} {targets[row]} is no fraction of equity from -1 to 1")
    return targets


def _times(table: _Table) -> NDArray[np.int64]:
    cells = table.columns["timestamp"]
    read = _unit_reader(cells[0]) or _iso
    times = np.empty(len(cells), dtype=np.int64)
    for row, cell in enumerate(cells):
        at_ns = read(cell)
        if at_ns is None:
            raise UserError(
                f"{table.where(row)}: timestamp {cell!r} is no time like that of the first row: use ISO "
                "8601, or one unit since 1970 all through"
            )
        if abs(at_ns) > _LAST_NS:
            raise UserError(f"{table.where(row)}: timestamp {cell!r} is not from 1678 to 2261")
        times[row] = at_ns
    return times


def _unit_reader(first: Any) -> "_Unit | None":
    number = _whole(first)
    if number is None:
        return None
    below = 0
    for limit, scale in _UNITS:
        if below <= abs(number) < limit:
            return _Unit(below, limit, scale)
        below = limit
    return _Unit(0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Reads integers of one unit; a number of another unit's size is none of its own."""

    at_least: int
    below: int
    scale: int

    def __call__(self, cell: Any) -> int | None:
        number = _whole(cell)
        return (
            number * self.scale if number is not None and self.at_least <= abs(number) < self.below else None
        )


def _whole(cell: Any) -> int | None:
    text = str(cell).strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and text.isascii() and len(digits) <= _DIGITS_MAX else None


def _iso(cell: Any) -> int | None:
    try:
        at = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def _check_bars(table: _Table, numbers: F64) -> None:
    open_, high, low, close, volume = numbers.T
    inside = (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close))
    broken = np.flatnonzero(~(inside & (low > 0) & (volume >= 0)))
    if broken.size:
        row = int(broken[0])
        raise UserError(
            f"{table.where(row)}: an impossible bar: prices must be positive, open and close between low and "
            "high, the volume not negative"
        )


def _check_rising(table: _Table, at_ns: NDArray[np.int64], rows: Sequence[int]) -> None:
    steps = np.diff(at_ns[list(rows)])
    bad = np.flatnonzero(steps <= 0)
    if bad.size:
        what = "the same as" if steps[bad[0]] == 0 else "before"
        raise UserError(
            f"{table.where(rows[int(bad[0]) + 1])}: its timestamp is {what} that of the row above"
        )


def _bars(table: _Table, symbol: str, open_ns: NDArray[np.int64], numbers: F64, rows: list[int]) -> BarFile:
    _check_rising(table, open_ns, rows)
    mine = open_ns[rows]
    bar_ns = int(np.diff(mine).min()) if len(rows) > 1 else _MINUTE_NS
    return BarFile(symbol, mine, numbers[rows], bar_ns, "volume" in table.columns)


def _row_by_row(table: _Table, targets: F64, bars: BarFile) -> F64:
    if len(targets) != len(bars.open_ns):
        raise UserError(
            f"{table.path} has {len(targets)} targets without timestamps for {len(bars.open_ns)} bars of "
            f"{bars.symbol}: there must be one for each, or add the column 'timestamp'"
        )
    return targets


def _placed(table: _Table, at_ns: NDArray[np.int64], targets: F64, bars: BarFile) -> F64:
    places = np.minimum(np.searchsorted(bars.open_ns, at_ns), len(bars.open_ns) - 1)
    strange = np.flatnonzero(bars.open_ns[places] != at_ns)
    if strange.size:
        row = int(strange[0])
        cell = table.columns["timestamp"][row]
        raise UserError(f"{table.where(row)}: timestamp {cell!r} is of no bar of {bars.symbol}")
    placed = np.full(len(bars.open_ns), np.nan)
    placed[places] = targets
    return placed
