"""The correlation agent, pure: what the days of coins and references say about each other."""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.institutional.correlation_spec import CorrelationSpec
from tg_actors.institutional.correlation_view import CONDITIONS, CrossView, study
from tg_actors.portfolio.correlation import WINDOWS_DAYS
from tg_actors.portfolio.days import closes_beside

#: What stands in the evidence beside the conditions.
SHOWN = ("target_weight", "mean_correlation", "references_known")
#: So many closes make the longest window; older ones say nothing.
_ROWS = max(WINDOWS_DAYS) + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What is said about one day, ``(n,)`` each: NaN direction is silence. ``known``: enough days."""

    direction: F64
    confidence: F64
    evidence: F64
    known: F64


class CorrelationAgent:
    """De-risk with a falling leader and in stress, favour what goes its own way, follow who leads.

    A function of the snapshot's days and references alone: it remembers nothing, so a crash loses
    nothing, and all cycles of a day get one opinion. With the scores ``s_k`` in -1..1 of the conditions
    of :mod:`correlation_view` and their weights ``w_k``:

    * score ``S = sum(w_k s_k)``, cut at -1 and 1; agreement ``A = |sum(w_k s_k)| / sum(w_k |s_k|)``;
    * from ``enter_score`` on direction is ``S`` and confidence ``sqrt(|S| A)``;
    * on the day after it had an opinion and has none any more, it says so: direction 0, confidence 1;
    * else it abstains for want of conviction.

    It warms up until half of the longest window's days are known; without days it has no source. Without
    references it works with the instruments alone: ``references_known`` in the evidence is then 0.
    """

    def __init__(self, spec: CorrelationSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        del bar_ns  # it thinks in days
        self._spec = spec
        self._symbols = symbols
        weights = spec.conditions.model_dump()
        self._weights = np.array([weights[name] for name in CONDITIONS])
        self._said: tuple[bytes, _Said] | None = None
        #: Today's and yesterday's view by the closes they follow from.
        self._views: dict[bytes, CrossView] = {}

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def recall(self, memory: F64 | None) -> None:
        """Nothing to take back: its opinion is a function of the snapshot."""
        del memory

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; worked out once for all cycles of a day."""
        n, fresh = len(self._symbols), snapshot.is_fresh
        said = self._say(snapshot)
        if said is None:
            silence = np.full(n, np.nan)
            nothing = np.full((n, len(CONDITIONS) + len(SHOWN)), np.nan)
            return self._opinions(snapshot, silence, silence.copy(), nothing, (Abstention.NO_SOURCE,) * n)
        speaks = fresh & ~np.isnan(said.direction)
        codes = np.select([~fresh, said.known == 0, ~speaks], [0, 1, 2], 3)
        return self._opinions(
            snapshot,
            np.where(speaks, said.direction, np.nan),
            np.where(speaks, said.confidence, np.nan),
            said.evidence.copy(),
            tuple([_REASONS[code] for code in codes.tolist()]),
        )

    def _opinions(
        self,
        snapshot: MarketSnapshot,
        direction: F64,
        confidence: F64,
        evidence: F64,
        abstained: tuple[Abstention | None, ...],
    ) -> Opinions:
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=direction,
            confidence=confidence,
            evidence_names=(*CONDITIONS, *SHOWN),
            evidence=evidence,
            memory=np.empty((len(self._symbols), 0)),
            abstained=abstained,
        )

    def _say(self, snapshot: MarketSnapshot) -> _Said | None:
        """Answer from the day's closes; the same closes are not studied twice."""
        if snapshot.days is None or not len(snapshot.days.ohlcv):
            return None
        closes = closes_beside(snapshot.days, snapshot.references, self._symbols)
        # The bytes, not the date: what is asked about another past is answered anew.
        days = closes[-_ROWS - 1 :].tobytes()
        if self._said is None or self._said[0] != days:
            self._said = days, self._think(closes)
        return self._said[1]

    def _think(self, closes: F64) -> _Said:
        n = len(self._symbols)
        yesterday, today = self._view_of(closes[:-1]), self._view_of(closes)
        score, agreement = self._score(today)
        speaks = np.abs(score) >= self._spec.enter_score
        drops = (np.abs(self._score(yesterday)[0]) >= self._spec.enter_score) & (today.known > 0) & ~speaks
        silent = ~(speaks | drops)
        direction = np.where(silent, np.nan, score * speaks + 0.0)
        confidence = np.where(speaks, np.sqrt(np.abs(score) * agreement), np.where(drops, 1.0, np.nan))
        shown = (today.target, np.full(n, today.mean), np.full(n, float(today.references_known)))
        evidence = np.column_stack((*today.scores, *shown))
        return _Said(direction, confidence, evidence, today.known)

    def _view_of(self, closes: F64) -> CrossView:
        """Study closes, unless that was done: what is yesterday now was today before."""
        rows = closes[-_ROWS:]
        if (days := rows.tobytes()) not in self._views:
            self._views = dict([*self._views.items()][-1:])
            self._views[days] = study(rows, self._symbols, self._spec)
        return self._views[days]

    def _score(self, view: CrossView) -> tuple[F64, F64]:
        """Return score -1..1 and agreement 0..1 per instrument, NaN where not known."""
        votes = self._weights[:, np.newaxis] * view.scores
        total, loud = votes.sum(axis=0), np.abs(votes).sum(axis=0)
        agreement = np.abs(total) / np.where(loud > 0, loud, 1.0)
        return np.minimum(np.maximum(total, -1.0), 1.0), agreement


_REASONS = (Abstention.STALE_MARKET, Abstention.WARMING_UP, Abstention.NO_CONVICTION, None)
