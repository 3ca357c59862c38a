"""Arrays of the hot path: one snapshot and one opinion block a cycle, all instruments at once.

They are frozen dataclasses, not pydantic: Ray moves their arrays out of band and every reader maps
them without a copy. ``F64`` is float64, ``I64`` int64; the first axis is always the instrument, in
the order of ``symbols``.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Abstention(StrEnum):
    """Why an agent, or an agent on one instrument, has no opinion. Never a hold, buy or sell.

    ``NO_SOURCE``: what it lives on (flows, a book, references) does not come to this desk, or came too long
    ago. ``NO_MODEL``: a learned agent has no version of its model to ask.
    """

    WARMING_UP = "warming_up"
    STALE_MARKET = "stale_market"
    NO_SOURCE = "no_source"
    NO_CONVICTION = "no_conviction"
    RECALLING = "recalling"
    LATE = "late"
    DEAD = "dead"
    INCOHERENT = "incoherent"
    GIVEN_UP = "given_up"
    NO_MODEL = "no_model"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Closed bars of the recent past on a grid of time, oldest first.

    Shape: ``ohlcv (w, n, 5)``, NaN where an instrument has no bar in a slot. The newest slot closes at
    ``end_ns``, every slot lasts ``bar_ns``; ``names`` are those of the second axis.
    """

    bar_ns: int
    end_ns: int
    names: tuple[str, ...]
    ohlcv: F64


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Numbers about instruments that are not bars: funding, open interest, flows.

    Shapes: ``values (n, k)``, NaN where unknown; ``as_of_ns (n, k)`` when each became known, 0 where it
    never did. Nothing is in here before it could be known.
    """

    names: tuple[str, ...]
    values: F64
    as_of_ns: I64

    def column(self, name: str) -> F64:
        """Return one fact for all instruments, ``(n,)``; all NaN where nobody supplies it."""
        if name not in self.names:
            return np.full(len(self.values), np.nan)
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """Order books at the instant of the snapshot, and what they did during its bar.

    Shapes: ``price``/``size (n, 2, levels)``: bids falling, then asks rising, NaN beyond what is known,
    sizes in base units; ``as_of_ns (n,)`` newest update, 0 where there is no book. ``flow (n, k)`` sums up
    the updates of the bar under ``flow_names``, NaN where only the book itself is known.
    """

    price: F64
    size: F64
    as_of_ns: I64
    flow_names: tuple[str, ...]
    flow: F64


@dataclass(frozen=True, eq=False)
class MarketSnapshot:
    """What the desk knows of the market at one instant.

    What follows from it (``mid``, ``is_fresh``, ``columns``) is computed once by whoever asks, and
    does not travel.

    Shapes: ``ohlcv (n, 5)`` of the newest accepted bar, ``bid``/``ask (n,)`` at its close,
    ``close_ns (n,)`` when that bar closed (0: none yet), ``bars_seen (n,)`` accepted bars so far,
    ``features (n, n_features)`` with NaN while an indicator warms up.
    ``refused`` names the rows that the border refused in this very cycle: (symbol, reason, count).
    ``window`` holds the newest bars of the desk's timeframe, this cycle's last; ``days`` whole UTC days;
    ``references`` whole days of what is watched and not traded (indices, commodities); each of these,
    ``facts`` and ``depth`` is None on a desk where no agent asks for it or no source has it.
    Units: prices in quote currency, volume in base currency, times UTC nanoseconds.
    """

    cycle: int
    at_ns: int
    bar_ns: int
    symbols: tuple[str, ...]
    ohlcv: F64
    bid: F64
    ask: F64
    close_ns: I64
    bars_seen: I64
    feature_names: tuple[str, ...]
    features: F64
    refused: tuple[tuple[str, str, int], ...] = ()
    window: Window | None = None
    days: Window | None = None
    references: Window | None = None
    facts: Facts | None = None
    depth: Depth | None = None

    @cached_property
    def mid(self) -> F64:
        """Mid price per instrument, NaN where there is no market yet."""
        return (self.bid + self.ask) / 2.0

    @property
    def age_ns(self) -> I64:
        """Time since the newest accepted bar closed, per instrument."""
        return self.at_ns - self.close_ns

    @cached_property
    def is_fresh(self) -> NDArray[np.bool_]:
        """Whether the newest bar is of this very cycle (younger than one bar), per instrument."""
        return (self.close_ns > 0) & (self.age_ns < self.bar_ns)

    @cached_property
    def columns(self) -> dict[str, F64]:
        """Every indicator by its name, each ``(n,)`` and contiguous."""
        return dict(zip(self.feature_names, np.ascontiguousarray(self.features.T), strict=True))

    def feature(self, name: str) -> F64:
        """Return one indicator for all instruments, shape ``(n,)``.

        Raises:
            KeyError: no such indicator is computed.
        """
        return self.columns[name]

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def digest(self) -> str:
        """Hex SHA-256 of every number that is new in this cycle; equal snapshots have equal digests.

        The windows are left out: their rows were new in earlier cycles, or are the history before.
        """
        sha = hashlib.sha256(struct.pack("<qqq", self.cycle, self.at_ns, self.bar_ns))
        sha.update("\x1f".join((*self.symbols, *self.feature_names)).encode())
        for array in (self.ohlcv, self.bid, self.ask, self.close_ns, self.features, *self._extras()):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def _extras(self) -> Iterator[NDArray[Any]]:
        if self.facts is not None:
            yield from (self.facts.values, self.facts.as_of_ns)
        if self.depth is not None:
            yield from (self.depth.price, self.depth.size, self.depth.as_of_ns, self.depth.flow)


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """One agent's view of all instruments in one cycle.

    Shapes: ``direction (n,)`` in -1..1, NaN where the agent abstains; ``confidence (n,)`` in 0..1,
    NaN likewise; ``evidence (n, k)`` the score -1..1 of each named condition; ``memory (n, m)``
    what the agent must be handed back after a crash (m may be 0).
    ``abstained`` says why per instrument, ``None`` where there is an opinion.
    """

    agent: str
    cycle: int
    horizon_bars: int
    direction: F64
    confidence: F64
    evidence_names: tuple[str, ...]
    evidence: F64
    memory: F64
    abstained: tuple[Abstention | None, ...]

    def incoherence(self, n: int) -> str | None:
        """Say what makes this block unusable for ``n`` instruments, None when it is sound."""
        shapes = (self.direction.shape, self.confidence.shape, self.evidence.shape[:1])
        if shapes != ((n,), (n,), (n,)) or len(self.abstained) != n or len(self.memory) != n:
            return "wrong shape"
        silent = np.isnan(self.direction).tolist()
        if silent != np.isnan(self.confidence).tolist():
            return "direction without confidence"
        if silent != [reason is not None for reason in self.abstained]:
            return "abstention without reason"
        if _outside(self.direction, -1.0):
            return "direction outside -1..1"
        if _outside(self.confidence, 0.0):
            return "confidence outside 0..1"
        return None if np.isfinite(self.memory).all() else "memory not finite"


def _outside(values: F64, low: float) -> bool:
    """Whether any value lies below ``low`` or above 1; NaN, which is silence, does not."""
    return bool(np.fmin.reduce(values, initial=low) < low or np.fmax.reduce(values, initial=1.0) > 1.0)
