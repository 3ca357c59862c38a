"""The agent that hunts liquidity, pure: where orders rest, who takes them, and which are not meant."""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions, Window
from tg_actors.institutional import liquidity_bars as bars
from tg_actors.institutional.liquidity_depth import book_scores
from tg_actors.institutional.liquidity_pools import pools_and_sweeps, swing_highs, tops
from tg_actors.institutional.liquidity_spec import LiquiditySpec
from tg_actors.institutional.weighing import squash

Mask = NDArray[np.bool_]

#: Evidence from bars, then from the book, then whether there is a book (1) or not (0).
BAR_EVIDENCE = ("sweep", "pools", "zone", "effort")
BOOK_EVIDENCE = ("walls", "spoofs", "flow", "imbalance", "absorption")
EVIDENCE = (*BAR_EVIDENCE, *BOOK_EVIDENCE, "book")

#: Fewer bars of the window than this part, and the agent is still warming up.
_KNOWN_FRAC_MIN = 0.8
#: Distance in ATRs at which a pool draws with half its strength.
_DRAW_HALF_ATR = 1.5
_WHISPER = np.finfo(np.float64).tiny


class LiquidityAgent:
    """Weigh what bars and books show of liquidity; all instruments at once, no memory.

    Evidence, each -1..1 and above 0 for a rise:

    * ``sweep``: a pool below was taken and the bar closed back above it (above 0), or the mirror image;
    * ``pools``: the nearest untouched pool draws the price, the more so the nearer and larger it is;
    * ``zone``: accumulation or distribution in a narrow range;
    * ``effort``: much volume and no way made, against the move before;
    * ``walls``: resting size that stands out from its neighbourhood, weighed by how much of it is meant;
    * ``spoofs``: large orders pulled without trade, asks less bids;
    * ``flow``: order-flow imbalance; ``imbalance``: depth near the touch; ``absorption``: taker volume that
      did not move the price, sellers' less buyers'.

    The last six are NaN without a book, the last two also where its source does not know them; ``book``, 1 or
    0, says which it was. With weights ``w_k`` and sums over what is known:

    * votes add up, for each is an event that is mostly absent: ``x = sum(w_k s_k)``, score
      ``S = x / sqrt(1 + x * x)``, agreement ``A = |x| / sum(w_k |s_k|)``;
    * where ``|S| >= enter_score`` and ``A >= agreement_min`` the direction is ``S`` and the confidence
      ``sqrt(|S| A)``, times ``bars_only_confidence_frac`` where there is no book;
    * elsewhere it abstains for want of conviction: it has nothing to say about being flat. It abstains
      from a market that is stale, while fewer than four fifths of its window are known, and on a desk
      that gives it no window at all.

    Equal snapshots give equal opinions, whatever was asked before.
    """

    def __init__(self, spec: LiquiditySpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        self._spec = spec
        self._n = len(symbols)
        self._age_ns_max = spec.depth_age_bars_max * bar_ns
        names = (*BAR_EVIDENCE, *BOOK_EVIDENCE)
        self._weights = np.array([getattr(spec.weights, name) for name in names])[:, np.newaxis]
        self._is_recalled = False

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def recall(self, memory: F64 | None) -> None:
        """Take note of a start; there is nothing to remember.

        Raises:
            ValueError: not the memory of this agent.
        """
        if memory is not None and np.asarray(memory).size:
            raise ValueError(f"agent {self._spec.name}: it has no memory to be handed back")
        self._is_recalled = True

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; abstains from everything before :meth:`recall`."""
        if not self._is_recalled:
            return self._silent(snapshot, Abstention.RECALLING)
        if snapshot.window is None:
            return self._silent(snapshot, Abstention.NO_SOURCE)
        known = self._is_known(snapshot.window)
        book = book_scores(
            snapshot.depth, snapshot.at_ns, self._age_ns_max, self._spec.wall_score_min, self._n
        )
        # Missing bars are NaN all the way: what follows from them is caught by `known`.
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = np.array([*self._bar_scores(snapshot.window), *astuple(book)[1:]])
        direction, confidence = self._weigh(scores, book.known)
        fresh = snapshot.is_fresh
        abstained = _reasons(fresh, known, ~np.isnan(direction))
        silent = np.array([reason is not None for reason in abstained])
        direction[silent] = confidence[silent] = np.nan
        return self._opinions(snapshot, direction, confidence, np.vstack((scores, book.known)).T, abstained)

    def _bar_scores(self, window: Window) -> tuple[F64, F64, F64, F64]:
        spec = self._spec
        newest = window.ohlcv[-spec.window_bars :]
        # One bar more than a zone: the true range of its first one looks at the close before.
        _, high, low, close, volume = np.ascontiguousarray(newest[-spec.zone_bars - 1 :].transpose(2, 0, 1))
        atr = bars.true_range(high, low, close, spec.zone_bars)
        sweep, draw = [], []
        for top, end in ((tops(-newest[..., 2]), -close), (tops(newest[..., 1]), close)):
            swings = swing_highs(top, spec.swing_bars)
            pool, swept = pools_and_sweeps(top, end, swings, atr, spec.sweep_bars)
            sweep.append(swept)
            pull = pool.swings / (1.0 + pool.swings) / (1.0 + pool.distance / _DRAW_HALF_ATR)
            draw.append(np.nan_to_num(pull))
        return (
            sweep[0] - sweep[1],
            draw[1] - draw[0],
            bars.zone(high[1:], low[1:], close[1:], volume[1:], atr),
            bars.effort(close[1:], volume[1:], atr),
        )

    def _weigh(self, scores: F64, book: F64) -> tuple[F64, F64]:
        """Direction and confidence, NaN where there is no conviction."""
        spec = self._spec
        heard = np.isfinite(scores)
        votes = np.where(heard, scores, 0.0) * self._weights
        total = votes.sum(axis=0)
        score = squash(total)
        agreement = np.abs(total) / np.maximum(np.abs(votes).sum(axis=0), _WHISPER)
        speaks = (np.abs(score) >= spec.enter_score) & (agreement >= spec.agreement_min)
        direction = np.where(speaks, score, np.nan)
        trust = np.where(book > 0.0, 1.0, spec.bars_only_confidence_frac)
        return direction, np.sqrt(np.abs(direction) * agreement) * trust

    def _is_known(self, window: Window) -> Mask:
        """Whether the newest bar and enough of the window are there."""
        closes = window.ohlcv[-self._spec.window_bars :, :, 3]
        there = np.isfinite(closes)
        known: Mask = there[-1] & (there.sum(axis=0) >= _KNOWN_FRAC_MIN * self._spec.window_bars)
        return known

    def _silent(self, snapshot: MarketSnapshot, reason: Abstention) -> Opinions:
        nothing = np.full(self._n, np.nan)
        evidence = np.full((self._n, len(EVIDENCE)), np.nan)
        return self._opinions(snapshot, nothing, nothing, evidence, (reason,) * self._n)

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
            evidence_names=EVIDENCE,
            evidence=np.ascontiguousarray(evidence),
            memory=np.zeros((self._n, 0)),
            abstained=abstained,
        )


_REASONS = (Abstention.STALE_MARKET, Abstention.WARMING_UP, Abstention.NO_CONVICTION, None)


def _reasons(fresh: Mask, known: Mask, convinced: Mask) -> tuple[Abstention | None, ...]:
    """Name the first reason to be silent, None where there is none."""
    codes = np.where(fresh, np.where(known, 2 + convinced, 1), 0)
    return tuple([_REASONS[code] for code in codes.tolist()])
