"""Recorded books: captures of a venue's depth messages, and of its best quotes, in Parquet files.

A capture is ``<folder>/l2/<VENUE>_<BASE>-<QUOTE>_<day>_depth.parquet`` (deltas and snapshots) or
``..._agg100.parquet`` (whole aggregated books) with one row per level: ``timestamp, recv_ns, seq, kind,
side, price, size, first_id, final_id``; ``kind`` 0 is a level of a snapshot, 1 a new size; ``side`` is 1
for bids, -1 for asks. Rows come in the order in which they were received. Beside it may lie ``..._bbo``
(quotes with their ``update_id``) and ``..._book20_1s`` (20 levels at every full second), to check against.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.books.messages import BookMessage
from tg_actors.market.books.rules import RULES, WHOLE_BOOKS, SequenceRule

_FILE_NAME = re.compile(
    r"(?P<venue>[A-Z0-9]+)_(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)_(?P<day>\d{4}-\d{2}-\d{2})_"
    r"(?P<kind>depth|agg100)\.parquet"
)
_COLUMNS = ("timestamp", "seq", "kind", "side", "price", "size", "first_id", "final_id")
_SNAPSHOT = 0

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, order=True)
class CaptureName:
    """What a capture holds: ``kind`` is ``depth`` or ``agg100``, ``day`` an ISO date."""

    venue: str
    symbol: str
    day: str
    kind: str

    @property
    def rule(self) -> SequenceRule:
        """How the venue numbers these messages.

        Raises:
            UserError: nobody has described this venue.
        """
        if self.kind == "agg100":
            return WHOLE_BOOKS
        if self.venue not in RULES:
            raise UserError(f"no rule says how {self.venue} numbers its books: known are {', '.join(RULES)}")
        return RULES[self.venue]


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """Best quotes in order: ``at_ns (m,)``, ``update_id (m,)``, ``best (m, 4)`` bid, size, ask, size."""

    at_ns: I64
    update_id: I64
    best: F64


@dataclass(frozen=True, slots=True, eq=False)
class Ladders:
    """Books at full seconds: ``at_ns (m,)``, ``levels (m, 2, 2, 20)``: [price or size, bid or ask, level]."""

    at_ns: I64
    levels: F64


class RecordedBooks:
    """One capture; reading it again gives the same messages."""

    def __init__(self, path: str | Path) -> None:
        """Open a capture.

        Raises:
            UserError: the file is missing or not named like a capture.
        """
        self.path = Path(path).expanduser()
        match = _FILE_NAME.fullmatch(self.path.name)
        if match is None:
            raise UserError(
                f"{self.path.name} is not named like a capture of books: "
                "<VENUE>_<BASE>-<QUOTE>_<day>_depth.parquet or ..._agg100.parquet"
            )
        if not self.path.is_file():
            raise UserError(f"there is no capture {self.path}: name a file of the folder l2")
        symbol = f"{match['base']}/{match['quote']}"
        self.name = CaptureName(match["venue"], symbol, match["day"], match["kind"])

    def messages(self) -> Iterator[BookMessage]:
        """Every message in the order in which it was received.

        Raises:
            UserError: the file is damaged or has other columns.
        """
        columns = _read(self.path, _COLUMNS)
        if not len(columns["seq"]):
            raise UserError(f"{self.path} holds no message: download it again")
        cuts = np.flatnonzero(np.diff(columns["seq"])) + 1
        first = np.concatenate(([0], cuts))
        head = {name: columns[name][first].tolist() for name in ("timestamp", "kind", "first_id", "final_id")}
        levels = list(zip(columns["price"].tolist(), columns["size"].tolist(), strict=True))
        is_bid = columns["side"] > 0
        ends = [*cuts.tolist(), len(levels)]
        numbered = self.name.rule.has_ids
        for k, (begin, end) in enumerate(zip(first.tolist(), ends, strict=True)):
            part, bids = levels[begin:end], is_bid[begin:end].tolist()
            summed = not numbered and self.name.kind == "depth"
            yield BookMessage(
                at_ns=head["timestamp"][k],
                is_snapshot=head["kind"][k] == _SNAPSHOT,
                first_id=head["first_id"][k] if numbered else 0,
                final_id=head["final_id"][k] if numbered else 0,
                previous_id=None,
                bids=[level for level, bid in zip(part, bids, strict=True) if bid],
                asks=[level for level, bid in zip(part, bids, strict=True) if not bid],
                # Kraken's checksum stands where others have an id; the snapshot carries none.
                checksum=head["first_id"][k] or None if summed else None,
            )

    def quotes(self) -> Quotes | None:
        """The quote stream of the same time, None where it was not captured."""
        path = self._beside("bbo")
        if not path.is_file():
            return None
        names = ("bid", "bid_size", "ask", "ask_size")
        columns = _read(path, ("timestamp", *names, "update_id"))
        best: F64 = np.column_stack([columns[name] for name in names])
        return Quotes(columns["timestamp"], columns["update_id"], best)

    def ladders(self) -> Ladders | None:
        """Books that others replayed from the same stream, None where there are none."""
        path = self._beside("book20_1s")
        if not path.is_file():
            return None
        names = [f"{side}_{what}_{k}" for what in ("px", "sz") for side in ("bid", "ask") for k in range(20)]
        columns = _read(path, ("timestamp", *names))
        levels: F64 = np.column_stack([columns[name] for name in names]).reshape(-1, 2, 2, 20)
        return Ladders(columns["timestamp"], levels)

    def trades(self) -> Path | None:
        """The file of trades of the same instrument and day, None where there is none."""
        name = self.name
        pair = name.symbol.replace("/", "-")
        path = self.path.parent.parent / "trades" / f"{name.venue}_{pair}_{name.day}_trades.parquet"
        return path if path.is_file() else None

    def _beside(self, kind: str) -> Path:
        return self.path.with_name(self.path.name.replace(f"_{self.name.kind}.", f"_{kind}."))


def captures(data_dir: str | Path, venue: str) -> tuple[RecordedBooks, ...]:
    """All captures of a venue in a data folder, oldest first; none where there is no folder ``l2``."""
    paths = sorted((Path(data_dir) / "l2").glob(f"{venue}_*.parquet"))
    return tuple(RecordedBooks(path) for path in paths if _FILE_NAME.fullmatch(path.name))


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """Trades in the order of the file, each ``(m,)``; ``side`` is the taker's, 1 for a buy."""

    at_ns: I64
    price: F64
    size: F64
    side: F64


def read_prints(path: Path) -> Prints:
    """Trades of a file.

    Raises:
        UserError: the file is damaged or has other columns.
    """
    columns = _read(path, ("timestamp", "price", "size", "side"))
    return Prints(columns["timestamp"], columns["price"], columns["size"], columns["side"].astype(np.float64))


def _read(path: Path, names: tuple[str, ...]) -> Columns:
    chosen = ", ".join(f"epoch_ns({name}) AS {name}" if name == "timestamp" else name for name in names)
    config: dict[str, Any] = {"threads": 1, "autoinstall_known_extensions": False}
    try:
        with duckdb.connect(":memory:", config=config) as connection:
            statement = (
                f"SELECT {chosen} FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number"
            )
            columns = connection.execute(statement, [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no readable capture, download it again: {reason}") from error
    for name, column in columns.items():
        if column.dtype.kind not in "iuf" or np.ma.is_masked(column):
            raise UserError(f"{path}: the column {name!r} holds what is no number: download it again")
    return {name: np.ma.getdata(column) for name, column in columns.items()}
