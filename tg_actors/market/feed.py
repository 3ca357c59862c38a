"""The port of every source of market data: raw rows by cycle, in the order the source gives them.

Cycle ``k`` covers the bar ``[start_ns + k * bar_ns, start_ns + (k + 1) * bar_ns)`` and is decided at
its close. A row *arrives* in the cycle of the newest bar its source has shown up to that row
(:func:`arrival_cycles`): a late row is seen when it comes, not when it should have come, so that
nobody knows a bar before it closed and nothing depends on how many cycles are asked for at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64


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
        """Rows of instrument ``i`` that arrive in cycles ``first_cycle`` to ``first_cycle + count - 1``."""
        ...

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest ``n_bars`` rows of instrument ``i`` that arrived before a cycle, or all there are."""
        ...
