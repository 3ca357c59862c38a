"""The market's regime: a Bayesian filter over the market's bars, forward only. Pure and causal.

The market's move in a bar is the median return of its instruments. A hidden Markov chain of the shapes in
``regime_shapes`` produces it: Student's t around the shape's drift, as wide as the market's usual standard
deviation times the shape's. Of every bar the filter computes

    p(shape | bars so far)  proportional to  p(bar | shape) * sum over before of p(before) * p(shape | before)

(the forward recursion: L. Rabiner, Proc. IEEE 77, 1989, section III A; J. Hamilton, Econometrica 57, 1989).
It is never smoothed and never a Viterbi path: those know the future and flatter.

* The usual standard deviation is the root mean square of the market's moves before this bar, scaled by how
  far instruments lie apart now (``crowd_h``) against usually: where each of them is restless on its own it is
  the times that are wild, not the market. What remains misjudged is a second hidden chain, of levels.
* Arithmetic is ``+ - * /`` and square roots, which are the same to the last bit on every machine.

Nothing is remembered that a restart needs. Passes begin at fixed instants, every ``window_bars``, and one is
heard from ``window_bars`` bars after its beginning until the next one is: a filter that goes on and one that
begins anew compute the same numbers from the same bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum, inf, sqrt
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from tg_actors.domain.blocks import F64, MarketSnapshot, Window
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.meta.regime_shapes import LEVEL_H, LEVELS, REGIMES, SHAPES, Regime

_HOUR_NS = 3_600 * 10**9
#: Degrees of freedom of a bar's move; with 5 the density needs no power but the cube.
_TAIL = 5.0
#: Fewer instruments than this have no distance from each other worth measuring.
_CROWD_MIN = 3
#: Digits of a probability in the journal.
_DIGITS = 4


class RegimeConfig(Message):
    """How the regime is told.

    A pass of the filter has seen at least ``window_bars``, at most twice as many. ``crowd_h`` is the mean
    age, in hours, of what counts as now. The label changes once another regime is more probable by
    ``margin_frac``; before ``known_bars_min`` moves it is unknown.
    """

    window_bars: int = Field(default=512, ge=32, le=1024)
    crowd_h: float = Field(default=6.0, gt=0)
    margin_frac: float = Field(default=0.1, ge=0, lt=1)
    known_bars_min: int = Field(default=48, ge=2)

    @model_validator(mode="after")
    def _can_be_known(self) -> Self:
        if self.known_bars_min > self.window_bars:
            raise ValueError("known_bars_min is above window_bars: the regime would never be known")
        return self

    def needs(self) -> MarketNeeds:
        """Bars from the beginning of the pass that is heard."""
        return MarketNeeds(window_bars=2 * self.window_bars)


class RegimeFilter:
    """Tells the regime of every cycle from the snapshot's window alone."""

    def __init__(self, config: RegimeConfig | None = None) -> None:
        self._config = config or RegimeConfig()
        self._pass: _Pass | None = None

    def view(self, snapshot: MarketSnapshot) -> RegimeView | None:
        """Return the regime at the close of this cycle, None while too little has been seen.

        The same window gives the same view, whatever was asked before.
        """
        window = snapshot.window
        if window is None or len(window.ohlcv) < 2:  # noqa: PLR2004 - a move needs two bars
            return None
        end = window.end_ns // window.bar_ns
        begin = (end // self._config.window_bars - 1) * self._config.window_bars
        if self._pass is None or not self._pass.goes_on(window, begin, end):
            self._pass = _Pass(self._config, window.bar_ns, begin, max(begin, end - len(window.ohlcv) + 1))
        self._pass.advance(window, end)
        return self._pass.view()


@dataclass(slots=True)
class _Mean:
    """A running mean: of everything, or, with ``bars``, of a mean age of so many."""

    bars: float = inf
    value: float = 0.0
    seen: int = 0

    def add(self, value: float) -> None:
        self.seen += 1
        self.value += (value - self.value) / min(self.seen, self.bars)


class _Pass:
    """One pass of the filter, bar by bar; bars are counted since the epoch by their close."""

    def __init__(self, config: RegimeConfig, bar_ns: int, begin: int, first: int) -> None:
        hours = bar_ns / _HOUR_NS
        self._config, self._bar_ns, self._begin, self._bar = config, bar_ns, begin, first
        self._chain = _Chain(bar_ns)
        self._variance, self._apart_usually = _Mean(), _Mean()
        self._apart_now = _Mean(max(config.crowd_h / hours, 1.0))
        self._regime, self._since = Regime.UNKNOWN, first

    def goes_on(self, window: Window, begin: int, end: int) -> bool:
        """Whether this pass is the one to be heard, and the window holds all that it has not seen yet."""
        unseen = end - self._bar
        same = (self._bar_ns, self._begin) == (window.bar_ns, begin)
        return same and 0 <= unseen < len(window.ohlcv)

    def advance(self, window: Window, end: int) -> None:
        """Take in every bar up to the one that closes last."""
        for bar in range(self._bar + 1, end + 1):
            row = bar - end - 1
            self._take(_moves(window.ohlcv[row - 1, :, 3], window.ohlcv[row, :, 3]))
            self._bar = bar
            self._label()

    def view(self) -> RegimeView | None:
        """Return what the pass knows by now."""
        if self._regime is Regime.UNKNOWN:
            return None
        chances = self._chain.chances()
        return RegimeView(
            regime=self._regime.value,
            probability=round(chances[self._regime], _DIGITS),
            probabilities={regime.value: round(chance, _DIGITS) for regime, chance in chances.items()},
            since_ns=self._since * self._bar_ns,
        )

    def _take(self, moves: Sequence[float]) -> None:
        if not moves:  # nothing was traded: time passes, and nothing is learnt
            self._chain.step(None, 0.0)
            return
        move = _median(moves)
        apart = fsum(abs(one - move) for one in moves) / len(moves)
        if len(moves) >= _CROWD_MIN:
            self._apart_now.add(apart)
            self._apart_usually.add(apart * apart)
        apart_usually = sqrt(self._apart_usually.value)
        crowd = self._apart_now.value / apart_usually if apart_usually else 1.0
        self._chain.step(move, sqrt(self._variance.value) * crowd)
        self._variance.add(move * move)

    def _label(self) -> None:
        if self._variance.seen < self._config.known_bars_min:
            return
        chances = self._chain.chances()
        best = max(REGIMES, key=chances.__getitem__)
        if chances[best] > chances.get(self._regime, -1.0) + self._config.margin_frac:
            self._regime, self._since = best, self._bar


class _Chain:
    """Chances of every shape and level, ``(s, l)``."""

    def __init__(self, bar_ns: int) -> None:
        hours = Fraction(bar_ns, _HOUR_NS)
        self._stays = _shapes_chain(float(hours))
        # Ehrenfest's urn: the further from the middle, the likelier the way back.
        steps = np.arange(len(LEVELS)) / (len(LEVELS) - 1)
        leave = min(float(hours) / LEVEL_H, 1.0)
        self._rise, self._fall = leave * (1.0 - steps), leave * steps
        vol = np.array([shape.vol for shape in SHAPES])[:, np.newaxis] * np.array(LEVELS)
        drift = np.array([shape.drift for shape in SHAPES])[:, np.newaxis] * sqrt(hours)
        self._width = vol * sqrt((_TAIL - 2.0) / _TAIL)
        self._centre = vol * drift
        weights = np.array([shape.duration_h for shape in SHAPES])
        self._p: F64 = np.repeat((weights / weights.sum())[:, np.newaxis], len(LEVELS), axis=1) / len(LEVELS)

    def step(self, move: float | None, usual: float) -> None:
        """Let a bar pass, and learn from its move if there was one and the market's usual one is known."""
        # Sums along an axis, no matrix product: BLAS may add in another order on another machine.
        p = (self._stays[:, :, np.newaxis] * self._p[:, np.newaxis, :]).sum(axis=0)
        rising, falling = p * self._rise, p * self._fall
        inside = p - rising - falling
        inside[:, 1:] += rising[:, :-1]
        inside[:, :-1] += falling[:, 1:]
        if move is not None and usual > 0.0:
            z = (move / usual - self._centre) / self._width
            tail = 1.0 + z * z / _TAIL
            inside /= self._width * (tail * tail * tail)
        self._p = inside / inside.sum()

    def chances(self) -> dict[Regime, float]:
        """Probability of every regime."""
        chances = dict.fromkeys(REGIMES, 0.0)
        for shape, chance in zip(SHAPES, self._p.sum(axis=1).tolist(), strict=True):
            chances[shape.regime] += chance
        return chances


def _shapes_chain(hours: float) -> F64:
    """Chances ``(s, s)`` of going from one shape to another within a bar."""
    chain = np.zeros((len(SHAPES), len(SHAPES)))
    for i, shape in enumerate(SHAPES):
        leave = min(hours / shape.duration_h, 1.0)
        chain[i, i] = 1.0 - leave
        for j, chance in shape.next.items():
            chain[i, j] += leave * chance
    return chain


def _moves(before: F64, after: F64) -> list[float]:
    """Returns of the instruments that have both closes."""
    pairs = zip(before.tolist(), after.tolist(), strict=True)
    return [b / a - 1.0 for a, b in pairs if a > 0.0 and b > 0.0]


def _median(values: Sequence[float]) -> float:
    """Sorting beats numpy.median on short lists."""
    known = sorted(values)
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2.0
