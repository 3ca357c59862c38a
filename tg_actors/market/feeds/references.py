"""Recorded references: daily series that are watched and not traded, on the calendar of UTC days.

A reference is named as its file is: ``USEQUITY-ADJ/SPY-USD`` is ``ohlcv/USEQUITY-ADJ_SPY-USD_1d.parquet``,
``macro/vix`` is ``macro/vix_1d.parquet``, of which only the close is known. Snapshots use the short names
``SPY`` and ``VIX``.

The slot of day D holds the session of date D, and is known once the UTC day D is over. A session of New York
begins no earlier than the midnight with which it is stamped (04:00 UTC in summer, 05:00 in winter) and ends
16 hours later (NYSE: 16:00 in New York, 20:00 or 21:00 UTC), so it is over by then; waiting for midnight
costs three hours and gives coins and references one calendar. A day without a session is NaN: nothing is
carried forward.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tg_actors.domain.blocks import F64, I64, Window
from tg_actors.domain.errors import UserError
from tg_actors.market.history import HistoryStore
from tg_actors.market.tables import read_numbers
from tg_actors.market.timeframes import Timeframe
from tg_actors.market.windows import DAY_NS

#: From the midnight that stamps a session to its end: 16:00 in New York (NYSE, core trading session).
SESSION_NS = 16 * 3_600 * 10**9

_MACRO = "macro"
_CLOSE = 3


@dataclass(frozen=True, slots=True)
class _Name:
    """A reference: where it comes from, what it is called there, and in snapshots."""

    full: str
    venue: str
    symbol: str

    @property
    def short(self) -> str:
        return self.symbol.split("/")[0].upper()


class RecordedReferences:
    """A :class:`~tg_actors.market.feed.ReferenceSource` over the files of a data folder."""

    def __init__(self, data_dir: str | Path, names: Sequence[str]) -> None:
        """Find the files; they are read when somebody asks for them.

        Raises:
            UserError: there is no such series, or two of them share a short name.
        """
        self._data_dir = Path(data_dir)
        known = {name.full: name for name in _known(self._data_dir)} if names else {}
        self._names = [_found(name, known, self._data_dir) for name in names]
        shorts = [name.short for name in self._names]
        for k, name in enumerate(self._names):
            if name.short in shorts[:k]:
                other = self._names[shorts.index(name.short)].full
                raise UserError(
                    f"references {other} and {name.full} are both {name.short}: choose one of them"
                )
        self._daily: dict[str, tuple[int, F64]] = {}

    def references(self, names: tuple[str, ...], end_ns: int, days: int) -> Window | None:
        """See the port; ``names`` are short or full ones, the answer has short ones."""
        wanted = [name for name in self._names if name.short in names or name.full in names]
        if not wanted:
            return None
        end = end_ns // DAY_NS
        cells = np.full((days, len(wanted), 5), np.nan)
        for k, name in enumerate(wanted):
            first, daily = self._series(name)
            low, high = max(first, end - days), min(first + len(daily), end)
            if low < high:
                cells[low - end + days : high - end + days, k] = daily[low - first : high - first]
        cells.flags.writeable = False
        return Window(DAY_NS, end * DAY_NS, tuple(name.short for name in wanted), cells)

    def _series(self, name: _Name) -> tuple[int, F64]:
        """The first day of a series, counted from 1970, and all days from there on, ``(m, 5)``."""
        if name.full not in self._daily:
            self._daily[name.full] = _on_the_calendar(name.full, *_read(self._data_dir, name))
        return self._daily[name.full]


def recorded_of(names: Sequence[str], data_dir: str | Path) -> tuple[str, ...]:
    """Return those of some references that a data folder has.

    Raises:
        UserError: it is no data folder.
    """
    known = {name.full for name in _known(Path(data_dir))} if names else set()
    return tuple(name for name in names if name in known)


def _read(data_dir: Path, name: _Name) -> tuple[I64, F64]:
    if name.venue != _MACRO:
        series = HistoryStore(data_dir, name.venue).open(name.symbol, Timeframe.DAY_1)
        return series.open_ns, series.ohlcv(0, len(series.open_ns))
    at_ns, closes = read_numbers(data_dir / _MACRO / f"{name.symbol}_1d.parquet", [name.symbol])
    ohlcv = np.full((len(at_ns), 5), np.nan)
    ohlcv[:, _CLOSE] = closes[:, 0]
    return at_ns, ohlcv


def _on_the_calendar(label: str, at_ns: I64, ohlcv: F64) -> tuple[int, F64]:
    late = at_ns % DAY_NS + SESSION_NS > DAY_NS
    if late.any() or not len(at_ns):
        raise UserError(
            f"reference {label}: its days must be stamped with the midnight, UTC or in New York, that begins "
            "them: take it out of references"
        )
    sound = ohlcv[:, _CLOSE] > 0
    days = at_ns // DAY_NS
    first = int(days.min())
    cells = np.full((int(days.max()) - first + 1, 5), np.nan)
    cells[days[sound] - first] = ohlcv[sound]
    return first, cells


def _known(data_dir: Path) -> list[_Name]:
    """All daily series of a data folder."""
    catalog = HistoryStore(data_dir).catalog()
    bars = [
        _Name(f"{one.venue}/{one.symbol.replace('/', '-')}", one.venue, one.symbol)
        for one in catalog
        if one.timeframe == Timeframe.DAY_1.value and not one.tag
    ]
    macro = (path.name.removesuffix("_1d.parquet") for path in (data_dir / _MACRO).glob("*_1d.parquet"))
    return bars + [_Name(f"{_MACRO}/{name}", _MACRO, name) for name in sorted(macro)]


def _found(name: str, known: dict[str, _Name], data_dir: Path) -> _Name:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    near += [full for full, one in known.items() if one.short == name.upper() and full not in near]
    there = (
        f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
    )
    raise UserError(
        f"no daily series {name!r} in {data_dir}, take it out of references or put it there: {there}"
    )
