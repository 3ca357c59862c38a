"""One technical agent, pure: a market snapshot in, an opinion on every instrument out."""

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.technical.conditions import CONDITIONS, MarketView
from tg_actors.technical.spec import TechnicalSpec

Mask = NDArray[np.bool_]

#: Loudness to divide by where every condition is silent: agreement is 0 there.
_WHISPER = np.finfo(np.float64).tiny


class TechnicalAgent:
    """Weigh conditions, remember a stance, speak or abstain; all instruments at once.

    With condition scores ``s_k`` in -1..1 and weights ``w_k`` that sum to 1:

    * score ``S = sum(w_k s_k)``, agreement ``A = |S| / sum(w_k |s_k|)`` (1: all on one side);
    * a stance is taken where ``|S| >= enter_score`` and ``A >= agreement_min``, turned by the
      opposite of that, and dropped where ``S`` falls below ``exit_score`` on its side;
    * with a stance, direction is ``S`` and confidence ``sqrt(|S| A)``: it never falls when any
      condition turns more to the side of the stance;
    * without one, direction is 0 ("be flat") and confidence ``1 - |S| / enter_score``, at least
      0; the agent speaks so while the score is worth watching and on the very bar on which it drops
      its stance, else it abstains for want of conviction.

    Memory is the stance -1, 0 or 1, shape ``(n, 1)``. An abstaining agent keeps it; asked twice
    about a cycle, the agent gives the same answer twice.
    """

    def __init__(self, spec: TechnicalSpec, n: int) -> None:
        self._spec = spec
        self._names = tuple(condition.name for condition in spec.conditions)
        self._conditions = tuple(CONDITIONS[name] for name in self._names)
        weights = np.array([condition.weight for condition in spec.conditions])
        self._weights = (weights / weights.sum())[:, np.newaxis]
        self._cycle: int | None = None
        self._before = np.zeros(n)
        self._stance = np.zeros(n)
        self._is_recalled = False

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def recall(self, memory: F64 | None) -> None:
        """Take back the memory of the last opinion before a crash, None at the very first start.

        Raises:
            ValueError: not the memory of this agent.
        """
        stance = np.zeros_like(self._stance) if memory is None else np.asarray(memory).reshape(-1)
        if stance.shape != self._stance.shape or not np.isin(stance, (-1.0, 0.0, 1.0)).all():
            raise ValueError(f"agent {self._spec.name}: a memory holds one stance per instrument")
        self._cycle, self._stance, self._is_recalled = None, stance.astype(np.float64), True

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; abstains from everything before :meth:`recall`."""
        if not self._is_recalled:
            return self._silent(snapshot)
        if snapshot.cycle != self._cycle:
            self._cycle, self._before = snapshot.cycle, self._stance
        scores = self._scores(MarketView(snapshot))
        votes = self._weights * scores
        score: F64 = np.add.reduce(votes)
        strength, fresh = np.abs(score), snapshot.is_fresh
        agreement = strength / np.maximum(np.add.reduce(np.abs(votes)), _WHISPER)
        speaking = fresh & (score == score)  # noqa: PLR0124 - NaN, not known yet, is the only x != x
        self._stance = np.where(speaking, self._next_stance(score, strength, agreement), self._before)
        stands = self._stance != 0.0
        undecided = (strength < self._spec.exit_score) & ~(stands | (self._before != 0.0))
        silent = undecided | ~speaking
        direction = score * stands + 0.0  # no negative zero in a record
        flat = np.maximum(1.0 - strength / self._spec.enter_score, 0.0)
        confidence = np.where(stands, np.sqrt(strength * agreement), flat)
        direction[silent] = confidence[silent] = np.nan
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=direction,
            confidence=confidence,
            evidence_names=self._names,
            evidence=np.ascontiguousarray(scores.T),
            memory=self._stance[:, np.newaxis].copy(),
            abstained=_reasons(fresh, speaking, undecided),
        )

    def _scores(self, market: MarketView) -> F64:
        return np.array([condition(market) for condition in self._conditions])

    def _next_stance(self, score: F64, strength: F64, agreement: F64) -> F64:
        entering = (strength >= self._spec.enter_score) & (agreement >= self._spec.agreement_min)
        holding = self._before * score >= self._spec.exit_score
        return np.where(entering, np.sign(score), np.where(holding, self._before, 0.0))

    def _silent(self, snapshot: MarketSnapshot) -> Opinions:
        n = len(self._stance)
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.full(n, np.nan),
            confidence=np.full(n, np.nan),
            evidence_names=self._names,
            evidence=np.full((n, len(self._names)), np.nan),
            memory=np.zeros((n, 1)),
            abstained=(Abstention.RECALLING,) * n,
        )


_REASONS = (Abstention.STALE_MARKET, Abstention.WARMING_UP, Abstention.NO_CONVICTION, None)


def _reasons(fresh: Mask, speaking: Mask, undecided: Mask) -> tuple[Abstention | None, ...]:
    """Name the first reason to be silent, None where there is none."""
    codes = np.where(speaking, 3 - undecided.view(np.int8), fresh.view(np.int8))
    return tuple([_REASONS[code] for code in codes.tolist()])
