"""The answer-key market with a hidden regime: what is seen is how likely each regime is.

Every bar gives a hint of its regime, right more often than not. The filter that knows the chances is exact,
so the probabilities are all that the past tells, and no policy can do better than the best one on them. That
best value is bounded from above on a grid of probabilities: it is convex in them, so straight lines between
points of a grid lie above it (W. Lovejoy, Computationally feasible bounds for partially observed Markov
decision processes, Operations Research 39, 1991), and iterating from the value with full information never
falls below it. Any policy played bounds it from below.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl import answer_key
from tg_actors.rl.answer_key import EXPOSURES, REACHED, REGIMES, SIGNALS, STANDARD, AnswerKey
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.answer_key_play import actions_to
from tg_actors.rl.episodes import LEVELS
from tg_actors.rl.market import F32

_G, _S, _E = len(REGIMES), len(SIGNALS), len(EXPOSURES)
_TOLERANCE = 1e-4


def _hints(right: float) -> F64:
    hints = np.full((_G, _G), (1.0 - right) / (_G - 1))
    np.fill_diagonal(hints, right)
    return hints


@dataclass(frozen=True, slots=True, eq=False)
class HiddenKey:
    """A market, and the chance of every hint in every regime ``hints (4, 4)``."""

    key: AnswerKey = STANDARD
    hints: F64 = field(default_factory=lambda: _hints(0.7))

    def prior(self) -> F64:
        """Return how likely each regime is before any hint ``(4,)``."""
        often: F64 = self.key.stationary().sum(axis=1)
        return often

    def told(self, likely: F64, hint: I64) -> F64:
        """Return the probabilities ``(n, 4)`` after a hint each (Bayes)."""
        weighed = likely * self.hints.T[hint]
        after: F64 = weighed / weighed.sum(axis=1, keepdims=True)
        return after


class HiddenEpisodes(AnswerKeyEpisodes):
    """The market's episodes, with the filtered probabilities in the columns of the regimes."""

    def __init__(
        self, hidden: HiddenKey, n: int, seed: int, *, bars: int = 256, explores: bool = True
    ) -> None:
        self._hidden = hidden
        self._hint_edges = hidden.hints.cumsum(axis=1)
        self.likely: F64 = np.tile(hidden.prior(), (n, 1))
        super().__init__(hidden.key, n, seed, bars=bars, explores=explores)

    def _happened(self) -> None:
        expected = self.likely @ self._hidden.key.regimes
        self.likely = self._hidden.told(expected, self._next(self._hint_edges[self.regime]))

    def _observe(self) -> F32:
        observed = super()._observe()
        observed[:, :_G] = self.likely
        return observed

    def _begin(self, rows: I64) -> None:
        super()._begin(rows)
        hint = self._next(self._hint_edges[self.regime[rows]])
        self.likely[rows] = self._hidden.told(np.tile(self._hidden.prior(), (len(rows), 1)), hint)


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """No policy that does not see the regime is worth more than ``value``.

    ``best (P, 5, 11)`` is what the bound's own best policy chooses at the points ``grid (P, 4)``.
    """

    value: float
    grid: F64
    best: I64

    def act(self, observed: F32) -> I64:
        """Act as at the nearest point of the grid: a policy like any other, worth no more than the bound."""
        likely = observed[:, :_G].astype(np.float64)
        point = ((likely[:, np.newaxis, :] - self.grid) ** 2).sum(axis=2).argmin(axis=1)
        signal = observed[:, _G : _G + _S].argmax(axis=1)
        now = np.rint(observed[:, -1] * LEVELS).astype(np.int64) + LEVELS
        return actions_to(now, self.best[point, signal, now])


def bound(hidden: HiddenKey, parts: int = 8) -> Bound:
    """Bound the best value from above, on probabilities in whole ``parts``; the more, the closer."""
    key, grid = hidden.key, _grid(parts)
    paid = np.einsum("pg,gsef->psef", grid, key.rewards())
    follows = _follows(hidden, grid, parts)
    values = np.einsum("pg,gse->pse", grid, answer_key.best_policy(key)[1])
    while True:
        later = np.einsum(
            "pq,qse->pse", follows, np.einsum("sr,qre->qse", key.signals, values), optimize=True
        )
        worth = np.where(REACHED, paid + key.gamma * later[:, :, np.newaxis, :], -np.inf)
        after = worth.max(axis=3)
        if np.abs(after - values).max() <= _TOLERANCE * (1.0 - key.gamma) * np.abs(after).max():
            break
        values = after
    first = _first(hidden, grid, parts)
    begins = np.outer(first, key.stationary().sum(axis=0))
    return Bound(float((begins * after[:, :, LEVELS]).sum()), grid, worth.argmax(axis=3))


def played(
    hidden: HiddenKey, act: Callable[[F32], I64], *, rows: int, bars: int, seed: int
) -> tuple[float, float]:
    """Play a policy from flat; return its mean discounted value over ``rows`` and the standard error.

    A bar is paid what is expected of it by the exact probabilities: the same in the mean, with less noise.
    What comes after ``bars`` is left out.
    """
    episodes = HiddenEpisodes(hidden, rows, seed, bars=bars + 1, explores=False)
    seen, rewards = episodes.reset(staggered=False), hidden.key.rewards()
    total, weight = np.zeros(rows), 1.0
    for _ in range(bars):
        likely, signal, before = episodes.likely, episodes.signal, episodes.exposure
        seen = episodes.step(act(seen)).observed
        total += weight * (likely * rewards[:, signal, before, episodes.exposure].T).sum(axis=1)
        weight *= hidden.key.gamma
    return float(total.mean()), float(total.std(ddof=1) / np.sqrt(rows))


def _grid(parts: int) -> F64:
    """All probabilities that are multiples of ``1 / parts`` ``(P, 4)``."""
    cuts = np.array(list(combinations(range(parts + _G - 1), _G - 1)))
    edges = np.column_stack((np.full(len(cuts), -1), cuts, np.full(len(cuts), parts + _G - 1)))
    grid: F64 = (np.diff(edges, axis=1) - 1) / parts
    return grid


def _corners(likely: F64, grid: F64, parts: int) -> F64:
    """Write probabilities ``(n, 4)`` as weighted means of points of the grid ``(n, P)`` (H. Freudenthal)."""
    places = {tuple(point): k for k, point in enumerate(np.rint(_heights(grid, parts)).astype(int).tolist())}
    heights = _heights(likely, parts)
    low = np.floor(heights + 1e-9)
    rest = np.maximum(heights - low, 0.0)
    order = np.argsort(-rest, axis=1, kind="stable")
    falling = np.take_along_axis(rest, order, axis=1)
    weights = -np.diff(np.column_stack((np.ones(len(rest)), falling, np.zeros(len(rest)))), axis=1)
    corners = np.zeros((len(likely), len(grid)))
    for row, (base, ways) in enumerate(zip(low.astype(int).tolist(), order.tolist(), strict=True)):
        for weight, way in zip(weights[row], [None, *ways], strict=True):
            if way is not None:
                base[way] += 1
            if weight > 0.0:
                corners[row, places[tuple(base)]] += weight
    return corners


def _heights(likely: F64, parts: int) -> F64:
    """Sums from each regime to the last, in parts: they fall, from ``parts`` on."""
    heights: F64 = parts * likely[:, ::-1].cumsum(axis=1)[:, ::-1]
    heights[:, 0] = parts
    return heights


def _follows(hidden: HiddenKey, grid: F64, parts: int) -> F64:
    """How likely each point follows on each ``(P, P)``, what lies between points shared by its corners."""
    expected = grid @ hidden.key.regimes
    follows = np.zeros((len(grid), len(grid)))
    for hint in range(_G):
        chance = expected @ hidden.hints[:, hint]
        after = hidden.told(expected, np.full(len(grid), hint))
        follows += chance[:, np.newaxis] * _corners(after, grid, parts)
    return follows


def _first(hidden: HiddenKey, grid: F64, parts: int) -> F64:
    """How likely each point is after the first hint ``(P,)``."""
    prior = hidden.prior()[np.newaxis]
    first: F64 = sum(
        (
            float(prior[0] @ hidden.hints[:, hint])
            * _corners(hidden.told(prior, np.array([hint])), grid, parts)[0]
            for hint in range(_G)
        ),
        np.zeros(len(grid)),
    )
    return first
