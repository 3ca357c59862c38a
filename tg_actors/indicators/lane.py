"""One instrument's window of bars and the indicator handles that run over it."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from talib import stream

from tg_actors.domain.blocks import F64, I64
from tg_actors.indicators.catalogue import COLUMNS, FEATURES, INDICATORS, Handle, features

WARMUP_BARS = 300
ANCHOR_BARS = 256

_CAPACITY = WARMUP_BARS + ANCHOR_BARS
_DAY_NS = 86_400 * 10**9

Ask = Callable[..., Any]


def _update(handle: Handle, *inputs: float) -> Any:
    return handle.update(*inputs)


def _peek(handle: Handle, *inputs: float) -> Any:
    return handle.peek(*inputs)


class Lane:
    """Features of one instrument as a pure function of its window.

    The window starts ``WARMUP_BARS`` bars before the first bar of the running segment, or at the
    first bar ever while fewer are known. A segment is the bars between two multiples of
    ``ANCHOR_BARS * bar_ns``, hence at most ``ANCHOR_BARS`` of them. Whatever way a bar came in,
    its features are those of its window: handles are only a short cut.
    """

    def __init__(self, bar_ns: int) -> None:
        self._bar_ns = bar_ns
        self._columns = np.empty((len(COLUMNS), _CAPACITY))
        self._closes = np.empty(_CAPACITY, dtype=np.int64)
        self._count = 0
        self._handles: tuple[Handle, ...] = ()
        self._vwap: Handle | None = None

    @property
    def last_close_ns(self) -> int | None:
        """When the newest bar closed, None before the first."""
        return int(self._closes[self._count - 1]) if self._count else None

    def extend(self, closes: I64, bars: F64) -> F64:
        """Take bars ``(m, 5)`` of any length in order; return their features ``(m, f)``."""
        out = np.empty((len(bars), len(FEATURES)))
        segments = closes // (ANCHOR_BARS * self._bar_ns)
        edges = [0, *(np.flatnonzero(np.diff(segments)) + 1).tolist(), len(bars)]
        for low, high in itertools.pairwise(edges):
            if low < high:
                out[low:high] = self._extend_in_segment(closes[low:high], bars[low:high])
        return out

    def peek(self, bar: F64) -> F64:
        """Return what the next bar's features would be, ``(f,)``, without taking the bar."""
        last = self.last_close_ns
        close_ns = self._bar_ns if last is None else last + self._bar_ns
        if self._goes_on(close_ns):
            return self._row(bar, _peek)
        block = self._twin().extend(np.array([close_ns], dtype=np.int64), bar[np.newaxis])
        return block.reshape(-1)

    def _extend_in_segment(self, closes: I64, bars: F64) -> F64:
        if len(bars) == 1 and self._goes_on(int(closes[0])):
            self._append(closes, bars)
            return self._row(bars[0], _update)[np.newaxis]
        if self._is_new_segment(int(closes[0])):
            self._slide()
        first = self._count
        self._append(closes, bars)
        return self._fill(first)

    def _goes_on(self, close_ns: int) -> bool:
        """Whether open handles may simply take the bar: same segment, same session."""
        last = self.last_close_ns
        if last is None or not self._handles or self._is_new_segment(close_ns):
            return False
        return bool(self._day(close_ns) == self._day(last))

    def _is_new_segment(self, close_ns: int) -> bool:
        last, span = self.last_close_ns, ANCHOR_BARS * self._bar_ns
        return last is not None and close_ns // span != last // span

    def _day(self, close_ns: Any) -> Any:
        """UTC day in which a bar opened: a bar that closes at midnight belongs to the old day."""
        return (close_ns - self._bar_ns) // _DAY_NS

    def _slide(self) -> None:
        """Drop what the warm-up of a new segment does not need."""
        if self._count > WARMUP_BARS:
            kept = slice(self._count - WARMUP_BARS, self._count)
            self._columns[:, :WARMUP_BARS] = self._columns[:, kept].copy()
            self._closes[:WARMUP_BARS] = self._closes[kept].copy()
            self._count = WARMUP_BARS

    def _append(self, closes: I64, bars: F64) -> None:
        rows = slice(self._count, self._count + len(bars))
        self._columns[:, rows] = bars.T
        self._closes[rows] = closes
        self._count += len(bars)

    def _fill(self, first: int) -> F64:
        """Open all handles on the window; return the features of its bars from ``first`` on."""
        if self._count < WARMUP_BARS:
            return np.full((self._count - first, len(FEATURES)), np.nan)
        values: dict[str, Any] = dict(zip(COLUMNS, self._columns[:, : self._count], strict=True))
        handles = []
        for row in INDICATORS:
            handle, filled = row.open_and_fill(*(values[name] for name in row.inputs), *row.parameters)
            handles.append(handle)
            series = filled if isinstance(filled, tuple) else (filled,)
            if row.lagged:
                series = tuple(np.concatenate(([np.nan], line[:-1])) for line in series)
            values.update(zip(row.outputs, series, strict=True))
        self._handles = tuple(handles)
        values["vwap"] = self._fill_vwap(first)
        block = features({name: series[first:] for name, series in values.items()})
        block[: max(0, WARMUP_BARS - 1 - first)] = np.nan
        return block

    def _fill_vwap(self, first: int) -> F64:
        """Run one VWAP per session that reaches past ``first``; NaN before those."""
        hlcv = self._columns[1:, : self._count]
        days = self._day(self._closes[: self._count])
        starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), self._count]
        series = np.full(self._count, np.nan)
        for low, high in itertools.pairwise(starts):
            if high > first:
                handle, filled = stream.VWAP.open_and_fill(*hlcv[:, low:high])
                self._vwap, series[low:high] = handle, filled
        return series

    def _row(self, bar: F64, ask: Ask) -> F64:
        """Features of one more bar from the open handles."""
        values: dict[str, Any] = dict(zip(COLUMNS, bar.tolist(), strict=True))
        for row, handle in zip(INDICATORS, self._handles, strict=True):
            before = handle.value
            output = ask(handle, *[values[name] for name in row.inputs])
            if row.lagged:
                output = before
            values.update(zip(row.outputs, output if isinstance(output, tuple) else (output,), strict=True))
        values["vwap"] = ask(self._vwap, *bar[1:].tolist())
        return features(values)

    def _twin(self) -> "Lane":
        """A copy of the window without handles."""
        twin = Lane(self._bar_ns)
        twin._append(self._closes[: self._count], self._columns[:, : self._count].T)
        return twin
