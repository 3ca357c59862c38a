"""Charts as inline SVG that stretches with the page: lines keep their width, labels are HTML beside it.

An SVG with a fixed drawing area shrinks its text on a phone. Here the drawing area is 1000 by 100 and
stretched (``preserveAspectRatio="none"``), strokes do not scale, and everything that is read is HTML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from tg_actors.domain.blocks import F64, I64

_WIDTH = 1000.0
_HEIGHT = 100.0
#: Points of a line: more than any screen shows.
_POINTS = 1200
#: Room above and below a line, as a part of its range.
_MARGIN = 0.04
_NS_PER_S = 1_000_000_000
_DAY_S = 86_400
_TICKS = 5
#: Highest over lowest value from which equal differences say less than equal factors.
_LOG_FROM = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name in the legend, its style class, its SVG path."""

    name: str
    style: str
    path: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A sign on a chart, at parts of its width and height in percent; ``tip`` is told when pointed at."""

    x: float
    y: float
    sign: str
    style: str
    tip: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a part of an axis in percent, from the left or from the top."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a template needs to draw a chart."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    markers: tuple[Marker, ...] = ()
    legend: bool = False
    note: str = ""

    @property
    def label_chars(self) -> int:
        """Length of the longest label up the side: the room it needs."""
        return max((len(tick.text) for tick in self.y_ticks), default=0)


@dataclass(slots=True)
class Axes:
    """Where instants and values lie in the drawing area."""

    first_ns: int
    last_ns: int
    low: float
    high: float
    fmt: str = "{:,.0f}"
    ticks: int = _TICKS
    #: Equal factors get equal heights.
    is_log: bool = False

    @classmethod
    def around(cls, at_ns: I64, series: Sequence[F64], fmt: str, ticks: int = _TICKS) -> "Axes":
        """Span all finite values of some series, with a margin; values far apart get a logarithmic scale."""
        known = np.concatenate([values[np.isfinite(values)] for values in series])
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        if low > 0 and high / low > _LOG_FROM:
            edge = (high / low) ** _MARGIN
            return cls(int(at_ns[0]), int(at_ns[-1]), low / edge, high * edge, fmt, ticks, is_log=True)
        margin = (high - low or abs(high) or 1.0) * _MARGIN
        return cls(int(at_ns[0]), int(at_ns[-1]), low - margin, high + margin, fmt, ticks)

    def x(self, at_ns: float) -> float:
        """Part of the width, 0 to 1."""
        return (at_ns - self.first_ns) / (self.last_ns - self.first_ns or 1)

    def y(self, value: float) -> float:
        """Part of the height from the top, 0 to 1."""
        if self.is_log:
            return math.log(self.high / value) / math.log(self.high / self.low)
        return (self.high - value) / (self.high - self.low or 1.0)

    def path(self, at_ns: I64, values: F64, *, filled: bool = False) -> str:
        """Return the SVG path of a series; NaN breaks the line."""
        which = _thinned(values)
        parts, pen = [], "M"
        for at, value in zip(at_ns[which].tolist(), values[which].tolist(), strict=True):
            if not math.isfinite(value):
                pen = "M"
                continue
            parts.append(f"{pen}{self.x(at) * _WIDTH:.1f} {self.y(value) * _HEIGHT:.2f}")
            pen = "L"
        if filled and parts:
            parts.append(f"L{_WIDTH:.0f} {self.y(0.0) * _HEIGHT:.2f}L0 {self.y(0.0) * _HEIGHT:.2f}Z")
        return "".join(parts)

    def x_ticks(self) -> tuple[Tick, ...]:
        """Dates along the bottom."""
        seconds = (self.last_ns - self.first_ns) / _NS_PER_S
        form = "%H:%M" if seconds <= 2 * _DAY_S else "%d %b" if seconds <= 200 * _DAY_S else "%b %Y"
        spots = np.linspace(0.0, 1.0, self.ticks)
        lasted = self.last_ns - self.first_ns
        return tuple(Tick(100.0 * s, _date(self.first_ns + s * lasted, form)) for s in spots.tolist())

    def y_ticks(self) -> tuple[Tick, ...]:
        """Round values up the side."""
        if self.is_log:
            return tuple(Tick(100.0 * self.y(value), self.fmt.format(value)) for value in self._decades())
        values: list[float] = []
        for finer in (1, 2, 4):  # one value alone gives no scale
            step = _nice((self.high - self.low) / (self.ticks - 1) / finer)
            values = [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
            if len(values) > 1:
                break
        return tuple(Tick(100.0 * self.y(value), self.fmt.format(value)) for value in values)

    def _decades(self) -> list[float]:
        """The 1, 2 and 5 of every power of ten in sight, as many as there is room for."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        fine = [m * 10.0**p for p in powers for m in (1.0, 2.0, 5.0) if self.low <= m * 10.0**p <= self.high]
        coarse = [value for value in fine if f"{value:e}".startswith("1")]
        return fine if len(fine) <= 2 * self.ticks else coarse

    def chart(
        self,
        title: str,
        unit: str,
        lines: Sequence[Line],
        markers: Sequence[Marker] = (),
        note: str = "",
    ) -> Chart:
        """Put a chart together on these axes."""
        return Chart(
            title,
            unit,
            tuple(lines),
            self.x_ticks(),
            self.y_ticks(),
            tuple(markers),
            legend=len(lines) > 1,
            note="; ".join(filter(None, (note, "logarithmic scale" if self.is_log else ""))),
        )


def _thinned(values: F64) -> I64:
    """Indices that keep the lowest and highest value of every bucket: no spike is lost."""
    m = len(values)
    if m <= _POINTS:
        return np.arange(m)
    edges = np.linspace(0, m, _POINTS // 2 + 1).astype(np.int64)
    kept = {0, m - 1}
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        bucket = values[begin:end]
        if np.isfinite(bucket).any():
            kept.update((begin + int(np.nanargmin(bucket)), begin + int(np.nanargmax(bucket))))
    return np.array(sorted(kept), dtype=np.int64)


def _nice(step: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next((m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= step), 10.0 * power)


def _date(at_ns: float, form: str) -> str:
    return datetime.fromtimestamp(at_ns / _NS_PER_S, tz=UTC).strftime(form)
