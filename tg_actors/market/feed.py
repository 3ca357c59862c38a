"""The port of every source of market data: raw rows by cycle, in the order the source gives them.

Cycle ``k`` covers the bar ``[start_ns + k * bar_ns, start_ns + (k + 1) * bar_ns)`` and is decided at
its close. A row *arrives* in the cycle of the newest bar its source has shown up to that row
(:func:`arrival_cycles`): a late row is seen when it comes, not when it should have come, so that
nobody knows a bar before it closed and nothing depends on how many cycles are asked for at once.

What a source may have beside bars are ports of their own: :class:`DepthSource`, :class:`FactSource`,
:class:`ReferenceSource`, :class:`Archive`, :class:`DaySource`. A feed offers one by having its methods.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64, Depth, Window


@dataclass(frozen=True, slots=True, eq=False)
class RawRows:
    """Bars of one instrument as the source gave them, possibly dirty.

    Shapes: ``open_ns (m,)`` when each bar opened, ``ohlcv (m, 5)``, ``bid``/``ask (m,)`` at its close.
    """

    open_ns: I64
    ohlcv: F64
    bid: F64
    ask: F64

    def __len__(self) -> int:
        return len(self.open_ns)

    def pick(self, which: slice | NDArray[np.bool_]) -> "RawRows":
        """Return the rows that a slice or mask selects."""
        return RawRows(self.open_ns[which], self.ohlcv[which], self.bid[which], self.ask[which])


def no_rows() -> RawRows:
    """Rows of a source that has nothing to say."""
    return RawRows(np.empty(0, dtype=np.int64), np.empty((0, 5)), np.empty(0), np.empty(0))


def concatenate(parts: Iterable[RawRows]) -> RawRows:
    """Join rows in order."""
    rows = [no_rows(), *parts]
    return RawRows(
        np.concatenate([part.open_ns for part in rows]),
        np.concatenate([part.ohlcv for part in rows]),
        np.concatenate([part.bid for part in rows]),
        np.concatenate([part.ask for part in rows]),
    )


def arrival_cycles(open_ns: I64, start_ns: int, bar_ns: int) -> I64:
    """Cycle in which each row of a stream arrives, ``(m,)``: never decreasing."""
    return np.maximum.accumulate((open_ns - start_ns) // bar_ns)


class Feed(Protocol):
    """A source of raw rows for a fixed list of instruments; rows may be asked for again."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Instruments in their order: ordinal ``i`` means ``symbols[i]``."""
        ...

    @property
    def bar_ns(self) -> int:
        """Length of a bar."""
        ...

    @property
    def start_ns(self) -> int:
        """When the bar of cycle 0 opens."""
        ...

    @property
    def cycles(self) -> int | None:
        """How many cycles there are, None when the source never ends."""
        ...

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows of instrument ``i`` that arrive in cycles ``first_cycle`` to ``first_cycle + count - 1``.

        Cycles before 0 are the history, as far as there is one; a live feed is an :class:`Archive` instead.
        """
        ...

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest ``n_bars`` rows of instrument ``i`` that arrived before a cycle, or all there are."""
        ...


@runtime_checkable
class Archive(Protocol):
    """A live feed: its past is asked for by the instrument, and long pasts in daily bars."""

    def past(self, i: int, first_cycle: int, end_cycle: int) -> RawRows:
        """Rows of instrument ``i`` whose bars belong to these cycles, all before the present one."""
        ...

    def daily(self, i: int, end_ns: int, count: int) -> RawRows:
        """The newest ``count`` whole UTC days of instrument ``i`` up to ``end_ns``, or all there are."""
        ...


@runtime_checkable
class DaySource(Protocol):
    """A feed whose past goes back further in days than in bars."""

    def days_before(self, i: int, end_ns: int, count: int) -> RawRows:
        """Of the ``count`` whole UTC days of instrument ``i`` before ``end_ns`` those without any bar."""
        ...


@runtime_checkable
class DepthSource(Protocol):
    """Order books at the close of a cycle, for all instruments of a feed at once."""

    def depth(self, cycle: int, levels: int) -> Depth | None:
        """Books and what they did during the cycle's bar; None where nobody knows any. May be repeated."""
        ...


@runtime_checkable
class FactSource(Protocol):
    """Numbers about all instruments of a feed that are not bars, by the names of ``facts.FACTS``."""

    @property
    def fact_names(self) -> tuple[str, ...]:
        """What this source may know, in the order of its columns; empty where it knows nothing."""
        ...

    def facts(self, at_ns: I64) -> tuple[F64, I64]:
        """Say what was known at each of ``m`` instants, which are closes of bars in order.

        Returns:
            Values and when each became known, both ``(m, n, k)``; NaN and 0 where nothing was.
        """
        ...


@runtime_checkable
class ReferenceSource(Protocol):
    """Daily bars of what is watched and not traded."""

    def references(self, names: tuple[str, ...], end_ns: int, days: int) -> Window | None:
        """Whole days of those of ``names`` that the source has, the newest one over at ``end_ns``.

        ``end_ns`` is a midnight UTC; None where it has none of them.
        """
        ...
