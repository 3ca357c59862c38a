"""A market taken down as arrays, so that its future can be changed: what detectors run agents on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from tg_actors.domain.blocks import F64, I64, Depth, Window
from tg_actors.market.builder import HISTORY_BARS
from tg_actors.market.feed import (
    DepthSource,
    FactSource,
    Feed,
    RawRows,
    ReferenceSource,
    arrival_cycles,
    concatenate,
    no_rows,
)
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.windows import DAY_NS

#: Rows beyond what an agent asks for: the builder reads a little more than it shows.
_MARGIN_CYCLES = 512
_FACTOR = 3.0
_CLOSE = 3


class Change(StrEnum):
    """What is done to everything after a bar."""

    TRUNCATED = "truncated"
    EMPTIED = "emptied"
    RAISED = "raised"
    LOWERED = "lowered"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Everything a market shows in ``cycles`` cycles and in the history before them.

    ``rows``: of every instrument, in order of arrival; ``facts`` values and instants ``(cycles + 1, n, k)``
    from cycle -1 on. ``source`` is asked for books and references. ``cut``: the last cycle that is as it was;
    ``other_bars``: the books of the source are none of these bars'.
    """

    source: Feed
    cycles: int
    rows: tuple[RawRows, ...]
    arrivals: tuple[I64, ...]
    facts: tuple[F64, I64] | None
    cut: int | None = None
    change: Change | None = None
    other_bars: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """Instruments in their order."""
        return self.source.symbols

    @property
    def bar_ns(self) -> int:
        """Length of a bar."""
        return self.source.bar_ns

    def close_ns(self, cycle: int) -> int:
        """When the bar of a cycle closes."""
        return self.source.start_ns + (cycle + 1) * self.source.bar_ns

    def ohlcv(self) -> F64:
        """The bars on the grid of cycles, ``(cycles, n, 5)``; NaN where there is none."""
        grid = np.full((self.cycles, len(self.rows), 5), np.nan)
        for i, rows in enumerate(self.rows):
            bars = (rows.open_ns - self.source.start_ns) // self.source.bar_ns
            inside = (bars >= 0) & (bars < self.cycles)
            grid[bars[inside], i] = rows.ohlcv[inside]
        return grid

    def changed(self, cut: int, change: Change, seed: int) -> "Tape":
        """Return the same market up to and including cycle ``cut``, and another one after it.

        ``EMPTIED`` has no bar after it, ``TRUNCATED`` ends there; the others change prices and volumes by
        a factor, or put the bars of the future in random order.
        """
        rng = np.random.default_rng(seed)
        rows, arrivals = [], []
        for each, arrived in zip(self.rows, self.arrivals, strict=True):
            after = each.open_ns > self.close_ns(cut) - self.bar_ns
            altered = _ALTER[change](each, after, rng)
            rows.append(altered)
            arrivals.append(arrived[~after] if len(altered) < len(each) else arrived)
        return replace(
            self,
            cycles=cut + 1 if change is Change.TRUNCATED else self.cycles,
            rows=tuple(rows),
            arrivals=tuple(arrivals),
            facts=None if self.facts is None else _other_facts(self.facts, cut),
            cut=cut,
            change=change,
        )

    def replaced(self, ohlcv: F64) -> "Tape":
        """Return a market with other bars ``(cycles, n, 5)`` after the same history, and without facts.

        Spreads are the median ones of each instrument.
        """
        cycles = np.arange(self.cycles, dtype=np.int64)
        rows, arrivals = [], []
        for i, each in enumerate(self.rows):
            past = self.arrivals[i] < 0
            half = float(np.median((each.ask - each.bid) / (each.ask + each.bid))) if len(each) else 0.0
            close = ohlcv[:, i, _CLOSE]
            opens = self.source.start_ns + cycles * self.bar_ns
            new = RawRows(opens, ohlcv[:, i], close * (1.0 - half), close * (1.0 + half))
            rows.append(concatenate((each.pick(past), new)))
            arrivals.append(np.concatenate((self.arrivals[i][past], cycles)))
        return replace(self, rows=tuple(rows), arrivals=tuple(arrivals), facts=None, other_bars=True)

    def begun(self, first: int) -> "Tape":
        """Return the same market as if nothing had been before cycle ``first``."""
        kept = [arrived >= first for arrived in self.arrivals]
        return replace(
            self,
            rows=tuple(rows.pick(keep) for rows, keep in zip(self.rows, kept, strict=True)),
            arrivals=tuple(arrived[keep] for arrived, keep in zip(self.arrivals, kept, strict=True)),
        )


def record(feed: Feed, cycles: int, needs: MarketNeeds) -> Tape:
    """Take down ``cycles`` cycles of a feed, or all it has, with the history that ``needs`` asks for."""
    count = cycles if feed.cycles is None else min(cycles, feed.cycles)
    bars_a_day = -(-DAY_NS // feed.bar_ns)
    before = max(HISTORY_BARS, needs.window_bars, (needs.days + 1) * bars_a_day) + _MARGIN_CYCLES
    rows = tuple(feed.rows(i, -before, before + count) for i in range(len(feed.symbols)))
    closes = feed.start_ns + np.arange(count + 1, dtype=np.int64) * feed.bar_ns
    knows = needs.facts and isinstance(feed, FactSource) and bool(feed.fact_names)
    return Tape(
        source=feed,
        cycles=count,
        rows=rows,
        arrivals=tuple(arrival_cycles(each.open_ns, feed.start_ns, feed.bar_ns) for each in rows),
        facts=feed.facts(closes) if knows and isinstance(feed, FactSource) else None,
    )


class TapedFeed:
    """The tape as a feed with every port: what it has none of is answered with nothing."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.symbols = tape.symbols
        self.bar_ns = tape.bar_ns
        self.start_ns = tape.source.start_ns
        self.cycles: int | None = tape.cycles

    @property
    def fact_names(self) -> tuple[str, ...]:
        """Those of the source, none where it was not asked for facts."""
        source = self._tape.source
        has = self._tape.facts is not None and isinstance(source, FactSource)
        return source.fact_names if has and isinstance(source, FactSource) else ()

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows that arrive in these cycles."""
        low, high = np.searchsorted(self._tape.arrivals[i], (first_cycle, first_cycle + count)).tolist()
        return self._tape.rows[i].pick(slice(low, high))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest rows that arrived before a cycle."""
        high = int(np.searchsorted(self._tape.arrivals[i], before_cycle))
        return self._tape.rows[i].pick(slice(max(0, high - n_bars), high))

    def facts(self, at_ns: I64) -> tuple[F64, I64]:
        """What was known at closes of bars."""
        if self._tape.facts is None:
            raise ValueError("this tape holds no facts")
        at = (at_ns - self.start_ns) // self.bar_ns
        values, as_of_ns = self._tape.facts
        return values[at], as_of_ns[at]

    def depth(self, cycle: int, levels: int) -> Depth | None:
        """The books of the source; after the cut they are larger by a factor."""
        source, cut = self._tape.source, self._tape.cut
        if self._tape.other_bars or not isinstance(source, DepthSource):
            return None
        depth = source.depth(cycle, levels)
        if depth is None or cut is None or cycle <= cut:
            return depth
        return replace(depth, size=depth.size * _FACTOR, flow=depth.flow * _FACTOR)

    def references(self, names: tuple[str, ...], end_ns: int, days: int) -> Window | None:
        """The references of the source; days that end after the cut are higher by a factor."""
        source, cut = self._tape.source, self._tape.cut
        window = source.references(names, end_ns, days) if isinstance(source, ReferenceSource) else None
        if window is None or cut is None:
            return window
        ends = window.end_ns - np.arange(len(window.ohlcv) - 1, -1, -1) * window.bar_ns
        raised = np.where(ends > self._tape.close_ns(cut), _FACTOR, 1.0)[:, np.newaxis, np.newaxis]
        return replace(window, ohlcv=window.ohlcv * raised)


Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


def _without(rows: RawRows, after: Flags, _: np.random.Generator) -> RawRows:
    return rows.pick(~after) if len(rows) else no_rows()


def _scaled(factor: float) -> Callable[[RawRows, Flags, np.random.Generator], RawRows]:
    def scale(rows: RawRows, after: Flags, rng: np.random.Generator) -> RawRows:
        by = np.where(after, factor * rng.uniform(0.8, 1.25, len(rows)), 1.0)
        return RawRows(rows.open_ns, rows.ohlcv * by[:, np.newaxis], rows.bid * by, rows.ask * by)

    return scale


def _shuffled(rows: RawRows, after: Flags, rng: np.random.Generator) -> RawRows:
    places = np.flatnonzero(after)
    order = np.arange(len(rows))
    order[places] = rng.permutation(places)
    return RawRows(rows.open_ns, rows.ohlcv[order], rows.bid[order], rows.ask[order])


_ALTER: Mapping[Change, Callable[[RawRows, Flags, np.random.Generator], RawRows]] = {
    Change.TRUNCATED: _without,
    Change.EMPTIED: _without,
    Change.RAISED: _scaled(_FACTOR),
    Change.LOWERED: _scaled(1.0 / _FACTOR),
    Change.SHUFFLED: _shuffled,
}


def _other_facts(facts: tuple[F64, I64], cut: int) -> tuple[F64, I64]:
    """Facts of later instants are other ones; row 0 is that of cycle -1."""
    values, as_of_ns = facts
    after = np.arange(len(values)) > cut + 1
    return np.where(after[:, np.newaxis, np.newaxis], -_FACTOR * values, values), as_of_ns
