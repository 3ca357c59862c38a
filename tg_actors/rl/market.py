"""Bars, observations and costs of many instruments as one block that all episodes share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LearningMarket:
    """What episodes are played on: ``T`` bars of ``A`` instruments, each of which traded on every bar.

    ``open_``/``close (T, A)``; ``observed (T, A, F)`` is what is known at the close of bar t, named by
    ``names``; ``worse (T, A)`` how far below the market a fill at the open of bar t lands, as a fraction, 0
    to below 1 (``base`` of a slippage model's terms); ``funding (T, A)`` the part of its value that a long
    position pays to short ones at the close of bar t; ``move_frac (A,)`` the usual size of a bar's move, by
    which rewards are scaled. Episodes begin at ``first`` or later: before it observations are warming up.

    Raises:
        ValueError: shapes differ, a number is missing or out of range.
    """

    open_: F64
    close: F64
    observed: F32
    names: tuple[str, ...]
    worse: F64 = field(default_factory=lambda: np.zeros(0))
    funding: F64 = field(default_factory=lambda: np.zeros(0))
    move_frac: F64 = field(default_factory=lambda: np.zeros(0))
    first: int = 0

    def __post_init__(self) -> None:
        for name, default in (("worse", 0.0), ("funding", 0.0)):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.full(self.close.shape, default))
        if not self.move_frac.size:
            object.__setattr__(self, "move_frac", np.ones(self.close.shape[1]))
        self._check()

    def slice(self, first: int, end: int) -> "LearningMarket":
        """Return the bars ``first`` to before ``end``, as views; usual moves stay those of the whole."""
        rows = slice(first, end)
        return LearningMarket(
            open_=self.open_[rows],
            close=self.close[rows],
            observed=self.observed[rows],
            names=self.names,
            worse=self.worse[rows],
            funding=self.funding[rows],
            move_frac=self.move_frac,
            first=max(self.first - first, 0),
        )

    def column(self, name: str) -> F64:
        """Return one observed column ``(T, A)``.

        Raises:
            ValueError: nothing of this name is observed.
        """
        if name not in self.names:
            raise ValueError(f"nothing called {name!r} is observed here")
        return self.observed[:, :, self.names.index(name)].astype(np.float64)

    def _check(self) -> None:
        shapes = {array.shape for array in (self.open_, self.close, self.worse, self.funding)}
        if shapes != {self.close.shape} or self.observed.shape[:2] != self.close.shape:
            raise ValueError(f"arrays of a market are (T, A) alike, not {sorted(shapes)}")
        if self.observed.shape[2] != len(self.names) or self.move_frac.shape != self.close.shape[1:]:
            raise ValueError("every observed column has a name and every instrument a usual move")
        prices = np.stack((self.open_, self.close))
        if not (np.isfinite(prices).all() and prices.min(initial=1.0) > 0):
            raise ValueError("a price is not a positive number: leave bars without trades out")
        if not np.isfinite(self.observed[self.first :]).all() or not np.isfinite(self.funding).all():
            raise ValueError("an observation or a funding rate is not a number")
        if not (self.worse.min(initial=0.0) >= 0 and self.worse.max(initial=0.0) < 1):
            raise ValueError("slippage is a fraction from 0 to below 1, always against the trader")
        if not self.move_frac.min(initial=1.0) > 0:
            raise ValueError("the usual move of an instrument is above 0")


def usual_moves(close: F64) -> F64:
    """Return the standard deviation ``(A,)`` of the log returns of closes ``(T, A)``.

    Take it from bars before those that are judged.
    """
    moves: F64 = np.diff(np.log(close), axis=0).std(axis=0)
    return moves


def side_by_side(markets: Sequence[LearningMarket]) -> LearningMarket:
    """Return markets of equal length as one, their instruments beside each other.

    Raises:
        ValueError: lengths or observed columns differ.
    """
    if len({(len(one.close), one.names) for one in markets}) != 1:
        raise ValueError("only markets of one length and one set of columns stand side by side")
    return LearningMarket(
        open_=np.concatenate([one.open_ for one in markets], axis=1),
        close=np.concatenate([one.close for one in markets], axis=1),
        observed=np.concatenate([one.observed for one in markets], axis=1),
        names=markets[0].names,
        worse=np.concatenate([one.worse for one in markets], axis=1),
        funding=np.concatenate([one.funding for one in markets], axis=1),
        move_frac=np.concatenate([one.move_frac for one in markets]),
        first=max(one.first for one in markets),
    )
