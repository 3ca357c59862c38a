"""The learned agent, pure: a snapshot in, a policy's exposure of every instrument out."""

from collections.abc import Callable

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import RegimeView
from tg_actors.rl.accounts import EpisodeRules, Flags
from tg_actors.rl.books import Books
from tg_actors.rl.episodes import ACCOUNT, BUY, LEVELS, SELL, VERBS
from tg_actors.rl.market import F32
from tg_actors.rl.model import Model
from tg_actors.rl.observation import Observer, funding_a_bar
from tg_actors.rl.spec import RlSpec

_OPEN, _CLOSE = 0, 3
#: What stands in the evidence where a version would.
NO_MODEL = "no_model"
#: Tells the regime of a snapshot from the snapshot alone.
TellRegime = Callable[[MarketSnapshot], RegimeView | None]


class RlAgent:
    """Asks a policy what it would hold, in an account of its own per instrument.

    The policy sees what it saw in training (:mod:`observation`) and an account that is moved by the rules of
    its episodes (:mod:`books`): an opinion cannot see the desk's account, which belongs to all agents.

    * direction is the exposure that the policy wants, -1..1 of the largest allowed position;
    * confidence is the probability that the policy does not act against it: of not selling while long, of
      not buying while short, of not opening while flat;
    * flat it speaks for ``say_bars`` bars, then abstains for want of conviction until it opens again.

    The evidence names the version that has answered, with the exposure, and shows the account. Without a
    model the agent abstains (``no_model``). Memory is the books, ``(n, 9)``; a version that takes over finds
    them as they are. Asked twice about a cycle, the agent gives the same answer twice.
    """

    def __init__(self, spec: RlSpec, n: int, observer: Observer, regime: TellRegime) -> None:
        self._spec, self._n, self._observer, self._regime = spec, n, observer, regime
        self._rules = EpisodeRules(fee_frac=spec.fee_frac, bars=spec.episode_bars)
        self._books = Books(n, self._rules, LEVELS)
        self._model: Model | None = None
        self._cycle: int | None = None
        self._before = self._books.memory()
        self._is_recalled = False

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def follow(self, model: Model | None) -> None:
        """Ask this version from the next cycle on; None: abstain.

        Raises:
            ValueError: it does not take what this agent observes.
        """
        if model is not None and (why := misfit(model.manifest.features, self._observer)) is not None:
            raise ValueError(f"agent {self.name}: {model.id} {why}")
        memory = self._books.memory()
        shorts, level_max = (False, LEVELS) if model is None else _limits(model)
        rules = EpisodeRules(fee_frac=self._rules.fee_frac, bars=self._rules.bars, shorts=shorts)
        self._books = Books(self._n, rules, level_max)
        self._books.restore(memory)
        self._model, self._cycle = model, None

    def recall(self, memory: F64 | None) -> None:
        """Take back the books of the last opinion before a crash, None at the very first start.

        Raises:
            ValueError: not the memory of this agent.
        """
        blank = Books(self._n, self._rules, LEVELS).memory()
        try:
            self._books.restore(blank if memory is None else memory)
        except ValueError as error:
            raise ValueError(f"agent {self.name}: {error}") from error
        self._cycle, self._is_recalled = None, True

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; abstains from everything before :meth:`recall`."""
        if not self._is_recalled or self._model is None:
            why = Abstention.NO_MODEL if self._is_recalled else Abstention.RECALLING
            return self._silent(snapshot, why)
        if snapshot.cycle != self._cycle:
            self._cycle, self._before = snapshot.cycle, self._books.memory()
        self._books.restore(self._before)
        fresh = snapshot.is_fresh
        bar = snapshot.ohlcv
        self._books.pass_bar(
            bar[:, _OPEN], bar[:, _CLOSE], self._spec.slippage_frac, funding_a_bar(snapshot), fresh
        )
        seen = self._observer.observe(snapshot, self._regime(snapshot))
        observed = np.zeros((self._n, seen.values.shape[1] + len(ACCOUNT)), dtype=np.float32)
        observed[:, : -len(ACCOUNT)] = seen.values
        self._books.observe(observed[:, -len(ACCOUNT) :])
        logits = self._model.policy.logits(observed)
        answered: Flags = np.logical_and.reduce(np.isfinite(logits), axis=1)
        self._books.act(self._model.policy.choose(logits), seen.known & answered)
        speaks = seen.known & answered & self._has_a_wish()
        reasons = [~fresh, ~seen.known, ~answered, ~speaks]
        return self._spoken(snapshot, logits, speaks, reasons, observed[:, -len(ACCOUNT) :])

    def _has_a_wish(self) -> Flags:
        wishes: Flags = (self._books.level != 0) | (self._books.since < self._spec.say_bars)
        return wishes

    def _spoken(
        self, snapshot: MarketSnapshot, logits: F32, speaks: Flags, reasons: list[Flags], account: F32
    ) -> Opinions:
        exposure = self._books.level / LEVELS
        confidence = _confidence(logits, self._books.level, shorts=self._shorts)
        codes = np.select(reasons, list(range(len(reasons))), len(reasons))
        version = self._model.id if self._model is not None else NO_MODEL
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.where(speaks, exposure, np.nan),
            confidence=np.where(speaks, confidence, np.nan),
            evidence_names=(version, *ACCOUNT),
            evidence=np.column_stack((exposure, account.astype(np.float64))),
            memory=self._books.memory(),
            abstained=tuple([_REASONS[code] for code in codes.tolist()]),
        )

    @property
    def _shorts(self) -> bool:
        return self._model is not None and self._model.manifest.shorts

    def _silent(self, snapshot: MarketSnapshot, why: Abstention) -> Opinions:
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.full(self._n, np.nan),
            confidence=np.full(self._n, np.nan),
            evidence_names=(NO_MODEL, *ACCOUNT),
            evidence=np.full((self._n, 1 + len(ACCOUNT)), np.nan),
            memory=self._books.memory(),
            abstained=(why,) * self._n,
        )


_REASONS = (
    Abstention.STALE_MARKET,
    Abstention.WARMING_UP,
    Abstention.INCOHERENT,
    Abstention.NO_CONVICTION,
    None,
)


def version_of(opinions: Opinions) -> str:
    """Return the version that has answered, ``rl-aggressive@7``; empty where none has."""
    named = opinions.evidence_names[0] if opinions.evidence_names else NO_MODEL
    return "" if named == NO_MODEL else named


def misfit(features: tuple[str, ...], observer: Observer) -> str | None:
    """Say why a version with these columns cannot be asked, None when it can."""
    known = (*observer.names, *ACCOUNT)
    if features == known:
        return None
    strange = sorted(set(features) ^ set(known))
    what = f"differs in {', '.join(strange)}" if strange else "has them in another order"
    return f"takes {len(features)} columns, an agent here observes {len(known)}: it {what}"


def _limits(model: Model) -> tuple[bool, int]:
    return model.manifest.shorts, model.manifest.level_max


def _confidence(logits: F32, level: np.ndarray[tuple[int], np.dtype[np.int64]], *, shorts: bool) -> F64:
    """Probability ``(n,)`` of not acting against the level that is held."""
    verbs = logits[:, :VERBS].astype(np.float64)
    likely = np.exp(verbs - verbs.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    buy, sell = likely[:, BUY], likely[:, SELL]
    opens = buy + sell if shorts else buy
    against = np.where(level > 0, sell, np.where(level < 0, buy, opens))
    confidence: F64 = np.minimum(np.maximum(1.0 - against, 0.0), 1.0)
    return confidence
