"""Closes of whole days as a table: instruments, and beside them what is watched. Pure."""

from collections.abc import Sequence

import numpy as np

from tg_actors.domain.blocks import F64, Window

_CLOSE = 3


def closes_of(days: Window, names: Sequence[str]) -> F64:
    """Return closes ``(d, n)`` in the order of ``names``, NaN where there was none; a view if it can be.

    Raises:
        ValueError: the window does not hold one of them.
    """
    if days.names == tuple(names):
        return days.ohlcv[:, :, _CLOSE]
    return days.ohlcv[:, [days.names.index(name) for name in names], _CLOSE]


def closes_beside(days: Window, references: Window | None, names: Sequence[str]) -> F64:
    """Return closes ``(d, n + r)`` of instruments and references, each in the row of its day."""
    closes = closes_of(days, names)
    if references is None or not references.names:
        return closes
    beside = np.full((len(closes), len(references.names)), np.nan)
    late = (days.end_ns - references.end_ns) // days.bar_ns
    # What ends a day earlier than the days has its newest row one higher.
    rows = np.arange(len(references.ohlcv)) + len(closes) - len(references.ohlcv) - late
    inside = (rows >= 0) & (rows < len(closes))
    beside[rows[inside]] = references.ohlcv[inside, :, _CLOSE]
    return np.concatenate((closes, beside), axis=1)
