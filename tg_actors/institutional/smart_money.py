"""The smart-money agent, pure: who trades, what leaves the exchanges, who pays to stay in; a view on each."""

from collections.abc import Callable

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, Facts, MarketSnapshot, Opinions, Window
from tg_actors.institutional.smart_money_history import Habits, Observed
from tg_actors.institutional.smart_money_sources import SOURCES, Family, known_since
from tg_actors.institutional.smart_money_spec import SmartMoneySpec
from tg_actors.institutional.weighing import CLOSE, Weighed, first_reasons, squash, weigh

#: Nanoseconds in a second and in a millisecond.
_S, _MS = 10**9, 10**6

#: A family counts as agreeing from this loud on.
_LOUD = 0.1

#: A trend is known when so many of the bars that measure its size are.
_RETURNS_MIN_FRAC = 0.5

#: Turns the mean absolute deviation of normal numbers into their standard deviation.
_SIGMA_PER_MEAN = 1.25

#: How one source is read: its standard deviations, the price's own move in standard deviations, the spec.
Reading = Callable[[F64, F64, SmartMoneySpec], F64]


class SmartMoneyAgent:
    """Hear every source, score it against its own history, speak where independent ones agree.

    With ``z_k`` how unusual source ``k`` is in standard deviations of its own history
    (``smart_money_history``) and ``q`` the price's move over ``trend_bars`` in its own:

    * ``whale_flow``, ``retail_gap``: ``squash(z) * room``. ``room`` is 1 where the price falls or stands
      while they buy (accumulation) or rises while they sell (distribution), and fades to 0 where it has
      already gone their way: the divergence is the signal (M. Barclay and J. Warner, Stealth trading and
      volatility, Journal of Financial Economics 34, 1993; the words are R. Wyckoff's, 1931).
    * ``taker_flow``: likewise, for all who are in a hurry: imbalances last, and prices follow late
      (T. Chordia and A. Subrahmanyam, Order imbalance and individual stock returns, Journal of Financial
      Economics 72, 2004).
    * ``absorption``: where small orders press one way and the price does not follow, whoever takes the other
      side is patient and large: ``squash(q) - squash(z)`` where opposed to ``z``, as loud as the pressure.
    * ``exchange_flow``: ``squash(z)``: coins that leave exchanges are not for sale.
    * ``funding``: a crowd pays to stay in; ``-squash(z beyond crowd_sigma)``, silent below it.
    * ``open_interest``: ``squash(z) * squash(q)``: new contracts confirm a move, vanishing ones do not
      (J. Murphy, Technical Analysis of the Financial Markets, 1999, chapter 7).

    Direction is the weighted mean ``S`` of the sources that are heard, agreement ``A`` how much they are on
    one side, and confidence ``sqrt(|S| A) * sqrt(agreeing families / configured families)``: it grows with
    the number of independent sources that agree and reaches 1 only where all do. It abstains:

    * STALE_MARKET: the newest bar is not of this cycle;
    * NO_SOURCE: fewer than ``sources_min`` sources are supplied and young enough;
    * WARMING_UP: they are, but fewer than that have their history, or the price's move is not known;
    * NO_CONVICTION: ``|S|`` stays below ``enter_score``.

    Evidence: the score of each source, NaN where it is not heard, and ``heard``, the part of the configured
    sources that is. Memory is that of :class:`Habits`. Asked twice about a cycle, it answers the same
    twice.
    """

    def __init__(self, spec: SmartMoneySpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        """Set up; ``bar_ns`` is not needed, every agent is told."""
        del bar_ns
        self._spec = spec
        self._n = len(symbols)
        self._names = tuple(source.name for source in spec.sources)
        self._sources = tuple(SOURCES[name] for name in self._names)
        self._weights = np.array([source.weight for source in spec.sources])
        self._age_max_ns = np.array([source.age_s_max * _S for source in spec.sources], dtype=np.int64)
        noise = np.array([source.noise for source in self._sources])
        noise_frac = np.array([source.noise_frac for source in self._sources])
        self._habits = Habits(spec.sources, noise, noise_frac)
        families = tuple(dict.fromkeys(source.family for source in self._sources))
        self._members = tuple(self._members_of(family) for family in families)
        self._cycle: int | None = None
        self._before = self._memory = self._habits.blank(self._n)
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
        blank = self._habits.blank(self._n)
        kept = blank if memory is None else np.array(memory, dtype=np.float64)
        if kept.shape != blank.shape or not np.isfinite(kept).all():
            raise ValueError(f"agent {self.name}: a memory holds finite numbers, shape {blank.shape}")
        self._cycle, self._memory, self._is_recalled = None, kept, True

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; abstains from everything before :meth:`recall`."""
        if not self._is_recalled:
            return self._silent(snapshot)
        if snapshot.cycle != self._cycle:
            self._cycle, self._before = snapshot.cycle, self._memory
        observed = self._observe(snapshot)
        self._memory = self._habits.learn(self._before, observed)
        present = np.isfinite(observed.value)
        sigmas = np.where(present, self._habits.sigmas(self._memory), np.nan)
        move = _move(snapshot.window, self._spec.trend_bars, self._n)
        scores = np.array(
            [_READINGS[name](sigmas[:, k], move, self._spec) for k, name in enumerate(self._names)]
        )
        return self._say(snapshot, present.sum(axis=1), scores)

    def _say(self, snapshot: MarketSnapshot, present: F64, scores: F64) -> Opinions:
        weighed = weigh(self._weights, scores)
        heard = np.isfinite(scores).sum(axis=0)
        least = self._spec.sources_min
        # A score that is not known is not at least anything.
        speaking = snapshot.is_fresh & (heard >= least) & (np.abs(weighed.score) >= self._spec.enter_score)
        confidence = weighed.conviction * np.sqrt(self._agreeing_frac(scores, weighed))
        evidence = np.vstack((scores, heard / len(self._names))).T
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.where(speaking, weighed.score, np.nan),
            confidence=np.where(speaking, confidence, np.nan),
            evidence_names=(*self._names, "heard"),
            evidence=np.ascontiguousarray(evidence),
            memory=self._memory.copy(),
            abstained=first_reasons(
                self._n,
                (
                    (Abstention.STALE_MARKET, ~snapshot.is_fresh),
                    (Abstention.NO_SOURCE, present < least),
                    (Abstention.WARMING_UP, heard < least),
                    (Abstention.NO_CONVICTION, ~speaking),
                ),
            ),
        )

    def _observe(self, snapshot: MarketSnapshot) -> Observed:
        facts = snapshot.facts
        if facts is None:
            nothing = np.full((self._n, len(self._names)), np.nan)
            return Observed(nothing, np.zeros_like(nothing))
        known_ns = np.stack([known_since(facts, source.facts) for source in self._sources], axis=1)
        values = np.stack([self._value(source.observe, facts) for source in self._sources], axis=1)
        age_ns = snapshot.at_ns - known_ns
        # What claims to be known later than now is no more believed than what is too old.
        young = (known_ns > 0) & (age_ns >= 0) & (age_ns <= self._age_max_ns)
        return Observed(np.where(young, values, np.nan), (known_ns // _MS).astype(np.float64))

    @staticmethod
    def _value(observe: Callable[[Facts], F64], facts: Facts) -> F64:
        value = observe(facts)
        return np.where(np.isfinite(value), value, np.nan)

    def _members_of(self, family: Family) -> F64:
        """Weights of the sources of a family, 0 for the others."""
        weights: F64 = self._weights * np.array([source.family == family for source in self._sources])
        return weights

    def _agreeing_frac(self, scores: F64, weighed: Weighed) -> F64:
        """The part of the configured families that is loud on the side of the score."""
        side = np.sign(weighed.score)
        voices = np.array([weigh(members, scores).score for members in self._members])
        agreeing: F64 = (np.where(np.isfinite(voices), voices, 0.0) * side >= _LOUD).mean(axis=0)
        return agreeing

    def _silent(self, snapshot: MarketSnapshot) -> Opinions:
        names = (*self._names, "heard")
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.full(self._n, np.nan),
            confidence=np.full(self._n, np.nan),
            evidence_names=names,
            evidence=np.full((self._n, len(names)), np.nan),
            memory=self._habits.blank(self._n),
            abstained=(Abstention.RECALLING,) * self._n,
        )


def _move(window: Window | None, bars: int, n: int) -> F64:
    """Return of the last ``bars`` bars over what that many usually make, ``(n,)``; NaN where unknown."""
    if window is None or len(window.ohlcv) <= bars:
        return np.full(n, np.nan)
    close = window.ohlcv[..., CLOSE]
    returns = close[1:] / close[:-1] - 1.0
    known = np.isfinite(returns)
    count = known.sum(axis=0)
    size = np.where(known, np.abs(returns), 0.0).sum(axis=0) / np.maximum(count, 1)
    usual = _SIGMA_PER_MEAN * size * np.sqrt(bars)
    enough = count >= max(_RETURNS_MIN_FRAC * len(returns), bars)
    move = close[-1] / close[-1 - bars] - 1.0
    # A market that stood still all the time has not moved.
    return np.where(
        enough, np.where(usual > 0.0, move / np.where(usual > 0.0, usual, 1.0), move * 0.0), np.nan
    )


def _divergence(sigmas: F64, move: F64, _spec: SmartMoneySpec) -> F64:
    side = squash(sigmas)
    room = np.minimum(1.0 - np.sign(sigmas) * squash(move), 1.0)
    return side * room


def _absorption(sigmas: F64, move: F64, _spec: SmartMoneySpec) -> F64:
    held = np.minimum(np.maximum(squash(move) - squash(sigmas), -1.0), 1.0)
    pressure = np.minimum(np.abs(sigmas), 1.0)
    return held * pressure * (held * sigmas < 0.0)


def _outflow(sigmas: F64, _move: F64, _spec: SmartMoneySpec) -> F64:
    return squash(sigmas)


def _crowd(sigmas: F64, _move: F64, spec: SmartMoneySpec) -> F64:
    beyond = np.maximum(np.abs(sigmas) - spec.crowd_sigma, 0.0)
    return -np.sign(sigmas) * squash(beyond) + 0.0  # no negative zero in a record


def _confirmation(sigmas: F64, move: F64, _spec: SmartMoneySpec) -> F64:
    return squash(sigmas) * squash(move)


#: One reading for every source.
_READINGS: dict[str, Reading] = {
    "whale_flow": _divergence,
    "retail_gap": _divergence,
    "taker_flow": _divergence,
    "absorption": _absorption,
    "exchange_flow": _outflow,
    "funding": _crowd,
    "open_interest": _confirmation,
}
