"""Windows of the past: the newest bars and the newest whole days, as of every cycle of a block.

A window is a function of the bars accepted by its cycle and of nothing else: going on, starting again and
starting in the middle give the same bits. Arrays reach over the whole block, and what a cycle sees is a
view; only where a bar came later than its own cycle (the feed was late, the border had refused a newer
one) do the cycles before its arrival get a copy without it.
"""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64, Window
from tg_actors.market.feed import RawRows

DAY_NS = 86_400 * 10**9

_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_NOTHING = np.full(5, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Before:
    """What a cell showed before a late bar arrived in ``cycle``."""

    cycle: int
    slot: int
    i: int
    values: F64


class Strip:
    """Bars of ``n`` instruments in numbered slots of time, the newest ``length`` of them shown at a time."""

    def __init__(self, length: int, n: int) -> None:
        self._length = length
        self._n = n
        self.first = 0
        self.cells: F64 = np.empty((0, n, 5))
        self._before: list[_Before] = []

    def move(self, first: int, end: int) -> None:
        """Cover the slots that views ending between ``first`` and ``end`` show, and forget older ones."""
        first -= self._length
        cells = np.full((end - first, self._n, 5), np.nan)
        low, high = max(first, self.first), min(end, self.first + len(self.cells))
        if low < high:
            cells[low - first : high - first] = self.cells[low - self.first : high - self.first]
        self.first, self.cells = first, cells
        self._before.clear()

    def seal(self) -> None:
        """Make the cells read-only: every view looks at the same memory."""
        self.cells.flags.writeable = False

    def came_late(self, cycle: int, slot: int, i: int, before: F64) -> None:
        """Remember what a cell shows until ``cycle``, in which a late bar arrived. Called in order."""
        self._before.append(_Before(cycle, slot, i, before))

    def show(self, end: int, cycle: int) -> F64:
        """Return the slots before ``end`` as of a cycle, ``(length, n, 5)``, read-only."""
        top = end - self.first
        view = self.cells[top - self._length : top]
        # The oldest last: before two late bars there was none.
        hidden = [
            one
            for one in reversed(self._before)
            if one.cycle > cycle and end - self._length <= one.slot < end
        ]
        if not hidden:
            return view
        view = view.copy()
        for one in hidden:
            view[one.slot - end, one.i] = one.values
        view.flags.writeable = False
        return view


class Windows:
    """The window and the days of a market; a block of cycles is covered, filled, sealed, then read."""

    def __init__(
        self, symbols: tuple[str, ...], start_ns: int, bar_ns: int, window_bars: int, days: int
    ) -> None:
        self._symbols = symbols
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._window_bars, self._days = window_bars, days
        self._first_cycle = 0
        self.forget()

    def forget(self) -> None:
        """Know no bar."""
        self._bars = Strip(self._window_bars, len(self._symbols))
        self._daily = Strip(self._days, len(self._symbols))
        #: The newest day of each instrument to which bars do not count, as somebody else has summed it up.
        self._settled: I64 = np.full(len(self._symbols), -1, dtype=np.int64)

    def cover(self, first_cycle: int, count: int) -> None:
        """Make room for ``count`` cycles from ``first_cycle`` on; what they still see is kept."""
        self._first_cycle, last = first_cycle, first_cycle + count - 1
        self._bars.move(first_cycle + 1, last + 1)
        # One day more: the running one, which nobody sees before it is over.
        self._daily.move(self._day(first_cycle), self._day(last) + 1)

    @property
    def first_bar_seen(self) -> int:
        """Cycle of the oldest bar that the window of the block's first cycle shows."""
        return self._first_cycle - self._window_bars + 1

    @property
    def first_day_seen(self) -> int:
        """The oldest UTC day, counted from 1970, that the days of the block's first cycle show."""
        return self.running_day - self._days

    @property
    def running_day(self) -> int:
        """The UTC day, counted from 1970, that is not over at the close of the block's first cycle."""
        return self._day(self._first_cycle)

    def cycle_at(self, day: int) -> int:
        """The cycle whose bar opens when a UTC day begins, or spans its beginning."""
        return (day * DAY_NS - self._start_ns) // self._bar_ns

    def fill(self, i: int, accepted: RawRows, accepted_cycle: I64) -> None:
        """Enter bars of instrument ``i`` in the order in which they arrived, each once."""
        if self._window_bars:
            self.fill_window(i, accepted, accepted_cycle)
        if self._days:
            self.fill_days(i, accepted, accepted_cycle)

    def fill_window(self, i: int, rows: RawRows, cycles: I64) -> None:
        """As :meth:`fill`, but they count for no day."""
        strip = self._bars
        slots = (rows.open_ns - self._start_ns) // self._bar_ns
        inside = slots >= strip.first
        strip.cells[slots[inside] - strip.first, i] = rows.ohlcv[inside]
        for k in np.flatnonzero(inside & (cycles > slots) & (cycles > self._first_cycle)).tolist():
            strip.came_late(int(cycles[k]), int(slots[k]), i, _NOTHING)

    def fill_days(self, i: int, rows: RawRows, cycles: I64) -> None:
        """As :meth:`fill`, but they count for their days only."""
        strip = self._daily
        days = rows.open_ns // DAY_NS
        inside = days >= max(strip.first, int(self._settled[i]) + 1)
        # Seen without it: the day was over in a cycle of this block before the bar arrived.
        over = (self._start_ns + cycles * self._bar_ns) // DAY_NS > days
        late = inside & over & (cycles > self._first_cycle)
        cells = strip.cells[:, i]
        if not late.any():
            _add(cells, days[inside] - strip.first, rows.ohlcv[inside])
            return
        for k in np.flatnonzero(inside).tolist():
            slot = int(days[k]) - strip.first
            if late[k]:
                strip.came_late(int(cycles[k]), int(days[k]), i, cells[slot].copy())
            _add(cells, np.array([slot]), rows.ohlcv[k : k + 1])

    def enter_days(self, i: int, daily: RawRows) -> None:
        """Enter whole days of instrument ``i`` before the running one, as somebody else summed them up.

        No bar counts any more for them and for days before them.
        """
        strip = self._daily
        days = daily.open_ns // DAY_NS
        inside = (days >= strip.first) & (days < self.running_day)
        strip.cells[days[inside] - strip.first, i] = daily.ohlcv[inside]
        self._settled[i] = max(int(self._settled[i]), *days[inside].tolist(), -1)

    def forget_day(self, i: int, day: int) -> None:
        """Know nothing of a day of instrument ``i``, for good; no bar counts for it any more."""
        self._settled[i] = max(int(self._settled[i]), day)
        if day >= self._daily.first:
            self._daily.cells[day - self._daily.first, i] = np.nan

    def seal(self) -> None:
        """Say that the block is complete."""
        self._bars.seal()
        self._daily.seal()

    def window(self, cycle: int) -> Window | None:
        """The newest bars as of a cycle of the block, None where nobody asked for any."""
        if not self._window_bars:
            return None
        end_ns = self._at_ns(cycle)
        return Window(self._bar_ns, end_ns, self._symbols, self._bars.show(cycle + 1, cycle))

    def days(self, cycle: int) -> Window | None:
        """The newest whole UTC days as of a cycle of the block, None where nobody asked for any."""
        if not self._days:
            return None
        day = self._day(cycle)
        return Window(DAY_NS, day * DAY_NS, self._symbols, self._daily.show(day, cycle))

    def _at_ns(self, cycle: int) -> int:
        return self._start_ns + (cycle + 1) * self._bar_ns

    def _day(self, cycle: int) -> int:
        """The running UTC day at the close of a cycle: those before are over."""
        return self._at_ns(cycle) // DAY_NS


def _add(cells: F64, slots: I64, ohlcv: F64) -> None:
    """Add bars in order of time to the days in ``cells (rows, 5)`` to which they belong.

    Volumes are added one after the other, never in pairs, so that the sum does not depend on how the
    stream was cut.
    """
    if not len(slots):
        return
    begins = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    touched = slots[begins]
    fresh = np.isnan(cells[touched, _CLOSE])
    cells[touched[fresh], _OPEN] = ohlcv[begins[fresh], _OPEN]
    cells[touched[fresh], _VOLUME] = 0.0
    cells[touched, _HIGH] = np.fmax(cells[touched, _HIGH], np.maximum.reduceat(ohlcv[:, _HIGH], begins))
    cells[touched, _LOW] = np.fmin(cells[touched, _LOW], np.minimum.reduceat(ohlcv[:, _LOW], begins))
    cells[touched, _CLOSE] = ohlcv[np.append(begins[1:], len(slots)) - 1, _CLOSE]
    np.add.at(cells[:, _VOLUME], slots, ohlcv[:, _VOLUME])
