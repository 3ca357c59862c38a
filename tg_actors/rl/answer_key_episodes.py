"""The answer-key market as episodes: what a learner steps whose policy is then valued exactly."""

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.answer_key import EXPOSURES, REGIMES, SIGNALS, AnswerKey
from tg_actors.rl.episodes import ACTIONS, LEVELS, Stepped
from tg_actors.rl.market import F32

_G, _S, _E = len(REGIMES), len(SIGNALS), len(EXPOSURES)
_SIGN = np.array([1, -1, 0])


def observed_states() -> F32:
    """Return what every state shows ``(4, 5, 11, 10)``: a column a regime and a signal, the exposure."""
    seen = np.zeros((_G, _S, _E, _G + _S + 1), dtype=np.float32)
    for g in range(_G):
        seen[g, :, :, g] = 1.0
    for s in range(_S):
        seen[:, s, :, _G + s] = 1.0
    seen[..., -1] = EXPOSURES
    return seen


class AnswerKeyEpisodes:
    """``n`` rows of the market; an episode is ``bars`` long and begins flat, or anywhere with ``explores``.

    Regime and signal begin as often as they occur, or with the chances ``begins (4, 5)``.
    Rewards are those of :meth:`~tg_actors.rl.answer_key.AnswerKey.rewards`, without noise, times ``scale``.
    """

    actions = ACTIONS
    names = (*REGIMES, *(f"signal_{s:+.0f}" for s in SIGNALS.tolist()), "exposure")

    def __init__(
        self,
        key: AnswerKey,
        n: int,
        seed: int,
        *,
        bars: int = 256,
        scale: float = 100.0,
        explores: bool = True,
        begins: F64 | None = None,
    ) -> None:
        self.n, self._bars, self._explores = n, bars, explores
        self._rewards = key.rewards() * scale
        self._regime_edges, self._signal_edges = key.regimes.cumsum(axis=1), key.signals.cumsum(axis=1)
        self._often = (key.stationary() if begins is None else begins).reshape(-1).cumsum()
        self._seen = observed_states()
        self.regime, self.signal, self.exposure, self._left = (np.zeros(n, dtype=np.int64) for _ in range(4))
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the random sequence anew."""
        self._rng = np.random.default_rng(seed)

    def reset(self, *, staggered: bool = True) -> F32:
        """Begin all rows, the first episodes of random length (``staggered``); return what is observed."""
        self._begin(np.arange(self.n))
        if staggered:
            self._left = self._rng.integers(1, self._bars + 1, self.n)
        return self._observe()

    def step(self, actions: I64) -> Stepped:
        """Act on every row ``(n, 2)``."""
        wanted = self.exposure + _SIGN[actions[:, 0]] * (actions[:, 1] + 1)
        moved = np.minimum(np.maximum(wanted, 0), _E - 1)
        reward: F64 = self._rewards[self.regime, self.signal, self.exposure, moved]
        self.exposure = moved
        self.regime = self._next(self._regime_edges[self.regime])
        self.signal = self._next(self._signal_edges[self.signal])
        self._happened()
        self._left = self._left - 1
        truncated = self._left == 0
        ended = np.flatnonzero(truncated)
        observed = self._observe()
        last = observed[ended]
        if len(ended):
            self._begin(ended)
            observed[ended] = self._observe()[ended]
        return Stepped(observed, reward, np.zeros(self.n, dtype=np.bool_), truncated, ended, last)

    def _happened(self) -> None:
        """Regime and signal have moved on; nothing else does so here."""

    def _observe(self) -> F32:
        return self._seen[self.regime, self.signal, self.exposure]

    def _next(self, edges: F64) -> I64:
        # Not above the last state: sums of chances may end a little below 1.
        after: I64 = (self._rng.random(len(edges))[:, np.newaxis] >= edges[:, :-1]).sum(axis=1)
        return after

    def _begin(self, rows: I64) -> None:
        often = np.minimum(np.searchsorted(self._often, self._rng.random(len(rows))), _G * _S - 1)
        self.regime[rows], self.signal[rows] = np.divmod(often, _S)
        everywhere = self._rng.integers(0, _E, len(rows))
        self.exposure[rows] = everywhere if self._explores else LEVELS
        self._left[rows] = self._bars
