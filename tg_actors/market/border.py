"""The border: which raw rows become bars. Every refused row is counted under its reason.

A row is refused for the first of the reasons in :class:`Rejection` that applies. The border only
remembers the newest accepted bar of each instrument: what it accepts is strictly in order.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.feed import RawRows, arrival_cycles

Mask = NDArray[np.bool_]


class Rejection(StrEnum):
    """Why a row is no bar. The order is the order of the checks."""

    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    INCOHERENT = "incoherent"
    CROSSED_BOOK = "crossed_book"
    MISALIGNED = "misaligned"
    NOT_CLOSED = "not_closed"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"


REJECTIONS = tuple(Rejection)

_ACCEPTED = -1
#: Older than any bar.
_NEVER_NS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """What the border made of some rows.

    ``accepted`` is strictly ordered in time; ``accepted_cycle`` says when each of these rows arrived:
    not before its own cycle, and later where it came late. ``rejected_cycle`` says the same of the
    refused rows, ``rejected_reason`` is an index into ``REJECTIONS``.
    """

    accepted: RawRows
    accepted_cycle: I64
    rejected_cycle: I64
    rejected_reason: I64


class Border:
    """Admit rows of ``n`` instruments onto the grid ``start_ns + k * bar_ns``."""

    def __init__(self, n: int, start_ns: int, bar_ns: int) -> None:
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._newest_ns = np.full(n, _NEVER_NS, dtype=np.int64)

    def admit(self, i: int, rows: RawRows, first_cycle: int, end_cycle: int) -> Admission:
        """Check rows of instrument ``i`` that arrived from ``first_cycle`` to before ``end_cycle``, in order.

        Rows that keep the promise of :mod:`tg_actors.market.feed` get the same answer however their
        stream is cut into calls.
        """
        if not len(rows):
            return Admission(rows, rows.open_ns, rows.open_ns, rows.open_ns)
        cycles = arrival_cycles(rows.open_ns, self._start_ns, self._bar_ns).clip(first_cycle, end_cycle - 1)
        verdicts = self._verdicts(i, rows, end_cycle)
        good = verdicts == _ACCEPTED
        kept = rows if good.all() else rows.pick(good)
        if len(kept):
            self._newest_ns[i] = kept.open_ns[-1]
        return Admission(kept, cycles[good], cycles[~good], verdicts[~good])

    def forget(self, i: int) -> None:
        """Take the next row of instrument ``i`` as the first ever."""
        self._newest_ns[i] = _NEVER_NS

    def _verdicts(self, i: int, rows: RawRows, end_cycle: int) -> I64:
        verdicts = np.full(len(rows), _ACCEPTED, dtype=np.int64)
        with np.errstate(invalid="ignore"):  # comparisons with NaN: those rows are already refused
            defects = _defects(rows)
        from_start_ns = rows.open_ns - self._start_ns
        defects[Rejection.MISALIGNED] = from_start_ns % self._bar_ns != 0
        defects[Rejection.NOT_CLOSED] = from_start_ns >= end_cycle * self._bar_ns
        for reason in reversed(defects):
            verdicts[defects[reason]] = REJECTIONS.index(reason)
        before = self._newest_before(i, rows.open_ns, verdicts == _ACCEPTED)
        sound = verdicts == _ACCEPTED
        verdicts[sound & (rows.open_ns == before)] = REJECTIONS.index(Rejection.DUPLICATE)
        verdicts[sound & (rows.open_ns < before)] = REJECTIONS.index(Rejection.OUT_OF_ORDER)
        return verdicts

    def _newest_before(self, i: int, open_ns: I64, sound: Mask) -> I64:
        """Newest bar accepted before each row: a sound row is accepted exactly when it is newer."""
        seen = np.where(sound, open_ns, _NEVER_NS)
        return np.maximum.accumulate(np.concatenate((self._newest_ns[i : i + 1], seen[:-1])))


def _defects(rows: RawRows) -> dict[Rejection, Mask]:
    """Defects that a row has in itself, in the order of :class:`Rejection`."""
    ohlcv: F64 = rows.ohlcv
    opens, highs, lows, closes, volumes = ohlcv.T
    quotes = np.stack((rows.bid, rows.ask))
    return {
        Rejection.NOT_FINITE: ~(np.isfinite(ohlcv).all(axis=1) & np.isfinite(quotes).all(axis=0)),
        Rejection.NOT_POSITIVE: (ohlcv[:, :4] <= 0).any(axis=1) | (quotes <= 0).any(axis=0) | (volumes < 0),
        Rejection.INCOHERENT: (highs < np.maximum(opens, closes)) | (lows > np.minimum(opens, closes)),
        Rejection.CROSSED_BOOK: rows.bid >= rows.ask,
    }
