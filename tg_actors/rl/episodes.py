"""Many episodes over one market at once, in NumPy alone: what learners step, without a learning library.

An action is ``(verb, size)``: 0 buy, 1 sell, 2 hold, and 0..4 for 20..100 % of the exposure limit. It
*changes* the exposure, cut to 0..100 % (-100..100 % with shorts) of ``leverage_max``; hold ignores the size.
It is decided on ``close[t]`` and filled at ``open[t+1]``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.accounts import Accounts, BarPrices, EpisodeRules, Flags, Passage
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.presets import DEFAULT_REWARD, reward_preset

BUY, SELL, HOLD = range(3)
VERBS = 3
LEVELS = 5
#: Sizes of an action space, as gymnasium's MultiDiscrete takes them.
ACTIONS = (VERBS, LEVELS)
#: The account's part of an observation, after the market's.
ACCOUNT = ("exposure", "target", "unrealised", "drawdown")
#: Observations are cut to this on either side.
OBSERVED_MAX = 10.0

SIGN = np.array([1, -1, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """The answer to a step, each with ``n`` rows.

    ``observed`` already begins the next episode where one has ended; ``last`` are the final observations of
    the rows ``ended (k,)``. Terminated: liquidated. Truncated: the episode's bars are over.
    """

    observed: F32
    reward: F64
    terminated: Flags
    truncated: Flags
    ended: I64
    last: F32


@dataclass(frozen=True, slots=True, eq=False)
class Traded(Stepped):
    """A step of accounts: ``passage`` is what the bar did to them."""

    passage: Passage


def account_columns(out: F32, exposure: Any, target: Any, unrealised: Any, drawdown: Any) -> None:
    """Write the account's part ``(..., 4)`` of an observation, in training and live alike.

    ``exposure`` and ``target`` are parts of the exposure limit, the others of the equity.
    """
    for k, column in enumerate((exposure, target, unrealised, drawdown)):
        out[..., k] = column
    # Two calls: np.clip takes three times as long to begin.
    np.maximum(out, -OBSERVED_MAX, out=out)
    np.minimum(out, OBSERVED_MAX, out=out)


class Episodes:
    """``n`` rows, each an account of its own on instrument ``row % A``: one policy is shared by all."""

    actions = ACTIONS

    def __init__(
        self,
        market: LearningMarket,
        rules: EpisodeRules,
        n: int,
        seed: int,
        reward: str = DEFAULT_REWARD,
        starts: F64 | None = None,
    ) -> None:
        """Set the rows up; :meth:`reset` begins.

        ``starts (T, A)`` says how often an episode of an instrument begins on a bar, in any unit; without it
        every bar is as good. Once begun, an episode runs its natural course.

        Raises:
            ValueError: the market is shorter than an episode, or no episode may begin on any bar.
            UserError: there is no such reward.
        """
        preset = reward_preset(reward)
        self.market, self.rules, self.n = market, rules, n
        bars, assets = market.close.shape
        self._starts = bars - rules.bars - market.first
        if self._starts < 1:
            raise ValueError(f"{bars} bars, {market.first} of them warm-up, hold no episode of {rules.bars}")
        self.asset: I64 = np.arange(n, dtype=np.int64) % assets
        self._assets = assets
        self._ladder = None if starts is None else self._ladder_of(starts)
        self._low = -preset.level_max if rules.shorts else 0
        self._high = preset.level_max
        self._columns = tuple(
            np.ascontiguousarray(array).reshape(-1)
            for array in (market.open_, market.close, market.worse, market.funding)
        )
        seen = np.clip(market.observed.reshape(bars * assets, -1), -OBSERVED_MAX, OBSERVED_MAX)
        # Beside the market's columns the account's are free: one gather makes the whole observation.
        self._seen: F32 = np.zeros((len(seen), seen.shape[1] + len(ACCOUNT)), dtype=np.float32)
        self._seen[:, : seen.shape[1]] = seen
        self.names = (*market.names, *ACCOUNT)
        self.accounts = Accounts(n, rules)
        self.reward = preset.open_(market.move_frac[self.asset])
        self.level: I64 = np.zeros(n, dtype=np.int64)
        self.bar, self._end, self.start = (self.level.copy() for _ in range(3))
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the sequence of starts anew; the same seed and actions give the same numbers."""
        self._rng = np.random.default_rng(seed)

    def reset(self, start: int | None = None, *, staggered: bool = True) -> F32:
        """Begin all episodes and return what is observed.

        The first ones are of random length, so that they never end all at once (``staggered``). With
        ``start`` every first episode begins on that bar.

        Raises:
            ValueError: no whole episode begins on that bar.
        """
        everybody = np.arange(self.n)
        self._begin(everybody)
        if start is not None:
            if not 0 <= start - self.market.first < self._starts:
                raise ValueError(f"no whole episode begins on bar {start}")
            self.start[:] = self.bar[:] = start
            self._end[:] = start + self.rules.bars
        if staggered:
            self._end[:] = self.bar + self._rng.integers(1, self.rules.bars + 1, self.n)
        return self.observe()

    def step(self, actions: NDArray[np.int64]) -> Traded:
        """Act on every row ``(n, 2)``; rows that end begin again at once."""
        verb, level = actions[:, 0], self.levels_after(actions)
        ordered = level != self.level
        self.level = level
        self.bar = self.bar + 1
        at = self.bar * self._assets + self.asset
        prices = BarPrices(*(column.take(at) for column in self._columns))
        target = level.astype(np.float64) * (self.rules.leverage_max / LEVELS)
        passage = self.accounts.move(prices, target, ordered, verb)
        reward = self.reward.pay(passage)
        truncated = (self.bar >= self._end) & ~passage.liquidated
        ended = np.flatnonzero(truncated | passage.liquidated)
        observed = self.observe()
        last = observed[ended]
        if len(ended):
            self._begin(ended)
            observed[ended] = self.observe(ended)
        return Traded(observed, reward, passage.liquidated, truncated, ended, last, passage)

    def levels_after(self, actions: NDArray[np.int64]) -> I64:
        """Return the exposure ``(n,)`` in fifths of the limit that actions ``(n, 2)`` lead to now."""
        wanted = self.level + SIGN[actions[:, 0]] * (actions[:, 1] + 1)
        level: I64 = np.minimum(np.maximum(wanted, self._low), self._high)
        return level

    def observe(self, rows: Any = slice(None)) -> F32:
        """Return what these rows see ``(k, F + 4)``, a fresh array."""
        bar, asset, accounts = self.bar[rows], self.asset[rows], self.accounts
        observed: F32 = self._seen.take(bar * self._assets + asset, axis=0)
        equity = np.maximum(accounts.equity[rows], 1e-9)
        value = equity - accounts.cash[rows]
        account_columns(
            observed[:, -len(ACCOUNT) :],
            value / (equity * self.rules.leverage_max),
            self.level[rows] / LEVELS,
            (value - accounts.cost[rows]) / equity,
            1.0 - equity / np.maximum(accounts.peak[rows], 1e-9),
        )
        return observed

    def _ladder_of(self, starts: F64) -> F64:
        """Cumulative chances of all starts ``(A * S,)``: the instrument is the whole number, 0..1 its bar."""
        if starts.shape != self.market.close.shape:
            raise ValueError(f"starts are {self.market.close.shape}, one per bar and instrument")
        whole = starts[self.market.first : self.market.first + self._starts].T
        weights: F64 = whole.sum(axis=1, keepdims=True)
        if not (np.isfinite(whole).all() and whole.min() >= 0.0 and weights.min() > 0.0):
            raise ValueError("starts are 0 or more, and above 0 on some bar of every instrument")
        rising = np.cumsum(whole / weights, axis=1)
        # Rounding must leave no chance beyond the last bar that has one.
        rising /= rising[:, -1:]
        ladder: F64 = (rising + np.arange(len(rising))[:, np.newaxis]).reshape(-1)
        return ladder

    def _drawn(self, rows: NDArray[np.int64]) -> I64:
        """Draw bars to begin on, counted from the first that is possible."""
        if self._ladder is None:
            return self._rng.integers(0, self._starts, len(rows))
        asset = self.asset[rows]
        steps = np.searchsorted(self._ladder, asset + self._rng.random(len(rows)), side="right")
        # Beyond 1 lies the next instrument, which a sum may just reach.
        drawn: I64 = np.clip(steps - asset * self._starts, 0, self._starts - 1)
        return drawn

    def _begin(self, rows: NDArray[np.int64]) -> None:
        self.start[rows] = self.market.first + self._drawn(rows)
        self.bar[rows] = self.start[rows]
        self._end[rows] = self.start[rows] + self.rules.bars
        self.level[rows] = 0
        self.accounts.begin(rows)
        self.reward.begin(rows)
