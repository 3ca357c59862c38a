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
* With ``refit_bars`` each pass begins with shapes that were fitted to the bars before it (``regime_refit``).
* Arithmetic is ``+ - * /`` and square roots, which are the same to the last bit on every machine.

Nothing is remembered that a restart needs. Passes begin at fixed instants, every ``window_bars``, and one is
heard from ``window_bars`` bars after its beginning until the next one is: a filter that goes on and one that
begins anew compute the same numbers from the same bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, nan, sqrt
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from tg_actors.domain.blocks import MarketSnapshot, Window
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.meta.regime_chain import Chain
from tg_actors.meta.regime_refit import refit
from tg_actors.meta.regime_shapes import REGIMES, SHAPES, Regime, Shape

_HOUR_NS = 3_600 * 10**9
#: Fewer instruments than this have no distance from each other worth measuring.
_CROWD_MIN = 3
#: Digits of a probability in the journal.
_DIGITS = 4


class RegimeConfig(Message):
    """How the regime is told.

    A pass of the filter has seen at least ``window_bars``, at most twice as many. ``crowd_h`` is the mean
    age, in hours, of what counts as now. The label changes once another regime is more probable by
    ``margin_frac``; before ``known_bars_min`` moves it is unknown. ``refit_bars`` are those before each pass
    that its shapes are fitted to; None leaves them as they were set, and so does a past of fewer than
    ``known_bars_min``.
    """

    window_bars: int = Field(default=512, ge=32, le=1024)
    crowd_h: float = Field(default=6.0, gt=0)
    margin_frac: float = Field(default=0.1, ge=0, lt=1)
    known_bars_min: int = Field(default=48, ge=2)
    # Not written where nothing is fitted: plans of desks that began without it stay what they were.
    refit_bars: int | None = Field(default=None, ge=256, le=4096, exclude_if=lambda bars: bars is None)

    @model_validator(mode="after")
    def _can_be_known(self) -> Self:
        if self.known_bars_min > self.window_bars:
            raise ValueError("known_bars_min is above window_bars: the regime would never be known")
        return self

    def needs(self) -> MarketNeeds:
        """Bars from the beginning of the pass that is heard, and those that it was fitted to."""
        return MarketNeeds(window_bars=2 * self.window_bars + (self.refit_bars or 0))


class RegimeFilter:
    """Tells the regime of every cycle from the snapshot's window alone.

    To be handed on it needs nothing but ``view``: the probabilities of the regimes are a function of the
    snapshot, so whoever holds a filter has nothing to remember, and says after a restart, on Ray or in a
    replay what it would have said. A snapshot must hold ``RegimeConfig.needs()``.
    """

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
            first = max(begin, end - len(window.ohlcv) + 1)
            self._pass = _Pass(self._config, window.bar_ns, begin, first, self._shapes(window, first, end))
        self._pass.advance(window, end)
        return self._pass.view()

    def _shapes(self, window: Window, first: int, end: int) -> Sequence[Shape]:
        """Return the shapes of the pass that begins after bar ``first``: fitted to the bars up to it."""
        if self._config.refit_bars is None:
            return SHAPES
        oldest = max(first - self._config.refit_bars, end - len(window.ohlcv) + 1)
        scale, moves = _Scale(self._config, window.bar_ns), []
        for bar in range(oldest + 1, first + 1):
            move, usual = scale.take(_moves_of(window, bar, end))
            moves.append(move / usual if move is not None and usual > 0.0 else nan)
        if np.isfinite(moves).sum() < self._config.known_bars_min:
            return SHAPES
        return refit(SHAPES, np.array(moves), window.bar_ns)


@dataclass(slots=True)
class _Mean:
    """A running mean: of everything, or, with ``bars``, of a mean age of so many."""

    bars: float = inf
    value: float = 0.0
    seen: int = 0

    def add(self, value: float) -> None:
        self.seen += 1
        self.value += (value - self.value) / min(self.seen, self.bars)


class _Scale:
    """What the market's usual move is, as far as it has been seen."""

    def __init__(self, config: RegimeConfig, bar_ns: int) -> None:
        self._variance, self._apart_usually = _Mean(), _Mean()
        self._apart_now = _Mean(max(config.crowd_h / (bar_ns / _HOUR_NS), 1.0))

    @property
    def seen(self) -> int:
        """How many moves there have been."""
        return self._variance.seen

    def take(self, moves: Sequence[float]) -> tuple[float | None, float]:
        """Return the market's move, and what was usual before it; None when nothing was traded."""
        if not moves:
            return None, 0.0
        move = _median(moves)
        apart = fsum(abs(one - move) for one in moves) / len(moves)
        if len(moves) >= _CROWD_MIN:
            self._apart_now.add(apart)
            self._apart_usually.add(apart * apart)
        apart_usually = sqrt(self._apart_usually.value)
        crowd = self._apart_now.value / apart_usually if apart_usually else 1.0
        usual = sqrt(self._variance.value) * crowd
        self._variance.add(move * move)
        return move, usual


class _Pass:
    """One pass of the filter, bar by bar; bars are counted since the epoch by their close."""

    def __init__(
        self, config: RegimeConfig, bar_ns: int, begin: int, first: int, shapes: Sequence[Shape]
    ) -> None:
        self._config, self._bar_ns, self._begin, self._bar = config, bar_ns, begin, first
        self._chain, self._scale = Chain(bar_ns, shapes), _Scale(config, bar_ns)
        self._regime, self._since = Regime.UNKNOWN, first

    def goes_on(self, window: Window, begin: int, end: int) -> bool:
        """Whether this pass is the one to be heard, and the window holds all that it has not seen yet."""
        unseen = end - self._bar
        same = (self._bar_ns, self._begin) == (window.bar_ns, begin)
        return same and 0 <= unseen < len(window.ohlcv)

    def advance(self, window: Window, end: int) -> None:
        """Take in every bar up to the one that closes last."""
        for bar in range(self._bar + 1, end + 1):
            # Where nothing was traded time passes, and nothing is learnt.
            self._chain.step(*self._scale.take(_moves_of(window, bar, end)))
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

    def _label(self) -> None:
        if self._scale.seen < self._config.known_bars_min:
            return
        chances = self._chain.chances()
        best = max(REGIMES, key=chances.__getitem__)
        if chances[best] > chances.get(self._regime, -1.0) + self._config.margin_frac:
            self._regime, self._since = best, self._bar


def _moves_of(window: Window, bar: int, end: int) -> list[float]:
    """Returns within a bar of the instruments that have both closes."""
    row = bar - end - 1
    before, after = window.ohlcv[row - 1, :, 3], window.ohlcv[row, :, 3]
    pairs = zip(before.tolist(), after.tolist(), strict=True)
    return [b / a - 1.0 for a, b in pairs if a > 0.0 and b > 0.0]


def _median(values: Sequence[float]) -> float:
    """Sorting beats numpy.median on short lists."""
    known = sorted(values)
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2.0
