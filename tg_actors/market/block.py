"""A block of consecutive cycles, filled instrument by instrument, read cycle by cycle."""

from dataclasses import dataclass, fields

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.border import REJECTIONS, Admission

#: (arrival cycle, index into REJECTIONS, instrument) of refused rows.
_NO_REFUSALS = np.empty((3, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Newest:
    """The newest accepted bar of each instrument, and how many there were.

    Shapes as in ``MarketSnapshot``. ``accepted (n,)`` counts bars since the last seek,
    ``first_close_ns (n,)`` is the close of the first of them (0: none yet). In a block every array
    has the cycle as an axis in front.
    """

    ohlcv: F64
    bid: F64
    ask: F64
    close_ns: I64
    features: F64
    accepted: I64
    first_close_ns: I64

    @classmethod
    def nothing(cls, n: int, n_features: int) -> "Newest":
        """No instrument has a bar yet."""
        nan, zero = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
        return cls(np.full((n, 5), np.nan), nan, nan, zero, np.full((n, n_features), np.nan), zero, zero)

    def at(self, k: int) -> "Newest":
        """Row ``k`` of a block, as views."""
        return Newest(
            self.ohlcv[k],
            self.bid[k],
            self.ask[k],
            self.close_ns[k],
            self.features[k],
            self.accepted[k],
            self.first_close_ns[k],
        )

    def missing(self, bar_ns: int) -> I64:
        """Holes between the first and the newest bar, in bars, ``(n,)``."""
        expected = (self.close_ns - self.first_close_ns) // bar_ns + 1
        return np.where(self.accepted > 0, expected - self.accepted, 0)


class Block:
    """Newest bars of ``count`` cycles from ``first_cycle`` on, for all instruments.

    The cycle is the first axis, so that one cycle is a contiguous slice: a snapshot consists of
    views, and only its own numbers travel when it is pickled. Before :meth:`fill`, every cycle shows
    what was known before the block.
    """

    def __init__(self, first_cycle: int, count: int, before: Newest) -> None:
        self.first_cycle = first_cycle
        self.end_cycle = first_cycle + count
        arrays = (getattr(before, field.name) for field in fields(Newest))
        self._newest = Newest(*(np.repeat(array[np.newaxis], count, axis=0) for array in arrays))
        self._refused = [_NO_REFUSALS]

    def fill(self, i: int, admission: Admission, close_ns: I64, features: F64) -> None:
        """Enter the bars of instrument ``i``, each in the cycle in which it arrived.

        A cycle in which none arrived shows the one before, and one of several shows the newest.
        """
        self._refuse(i, admission)
        cycles = admission.accepted_cycle
        if not len(cycles):
            return
        first = int(cycles[0]) - self.first_cycle
        asked = np.arange(self.first_cycle + first, self.end_cycle)
        which: slice | I64 = slice(None)
        # One bar a cycle, the usual case, needs no index.
        if not np.array_equal(asked, cycles):
            which = np.searchsorted(cycles, asked, side="right") - 1
        rows, newest = admission.accepted, self._newest
        newest.ohlcv[first:, i] = rows.ohlcv[which]
        newest.bid[first:, i] = rows.bid[which]
        newest.ask[first:, i] = rows.ask[which]
        newest.close_ns[first:, i] = close_ns[which]
        newest.features[first:, i] = features[which]
        newest.accepted[first:, i] += np.arange(1, len(cycles) + 1)[which]
        if newest.first_close_ns[first, i] == 0:
            newest.first_close_ns[first:, i] = close_ns[0]

    def seal(self) -> None:
        """Make the arrays read-only: every snapshot of the block looks at the same memory."""
        for field in fields(Newest):
            getattr(self._newest, field.name).flags.writeable = False

    def newest(self, cycle: int) -> Newest:
        """What is known in one cycle of the block."""
        return self._newest.at(cycle - self.first_cycle)

    def refused_in(self, cycle: int) -> tuple[tuple[int, int, int], ...]:
        """Rows refused in one cycle: (instrument, index of the reason, count), in order."""
        if len(self._refused) == 1:
            return ()
        arrived, reason, instrument = np.concatenate(self._refused, axis=1)
        now = arrived == cycle
        kinds, counts = np.unique(np.stack((instrument[now], reason[now])), axis=1, return_counts=True)
        return tuple(zip(*kinds.tolist(), counts.tolist(), strict=True))

    def rejections(self, cycle: int) -> I64:
        """Refused rows of this block that had arrived by ``cycle``: counts ``(n, reasons)``."""
        counts = np.zeros((self._newest.bid.shape[1], len(REJECTIONS)), dtype=np.int64)
        arrived, reason, instrument = np.concatenate(self._refused, axis=1)
        known = arrived <= cycle
        np.add.at(counts, (instrument[known], reason[known]), 1)
        return counts

    def _refuse(self, i: int, admission: Admission) -> None:
        arrived, reason = admission.rejected_cycle, admission.rejected_reason
        if len(arrived):
            self._refused.append(np.stack((arrived, reason, np.full_like(reason, i))))
