"""A market with a planted leak: one column is the next bar's move, so the best policy is in plain sight.

A learner that earns nothing here is broken, not honest. Nothing costs anything and the open is the close
before, so the best log growth of an account without leverage is the sum of all rising moves.
"""

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.evaluation import Acting
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.plans import TrainingPlan

#: The column that knows the future, between two that know nothing.
LEAK = "next_move"
NAMES = ("noise_0", LEAK, "noise_1")
_BARS, _ASSETS, _SIGMA = 2_000, 4, 0.01
_EPISODE_BARS = 128


def market(seed: int) -> LearningMarket:
    """Return prices that go nowhere in the mean, and what is seen of them."""
    rng = np.random.default_rng(seed)
    moves = _SIGMA * rng.standard_normal((_BARS, _ASSETS)) - _SIGMA**2 / 2
    close = 100.0 * np.exp(moves.cumsum(axis=0))
    observed = rng.standard_normal((_BARS, _ASSETS, len(NAMES)))
    observed[:, :, NAMES.index(LEAK)] = next_moves(close) / _SIGMA
    return LearningMarket(
        open_=np.concatenate((close[:1], close[:-1])),
        close=close,
        observed=observed.astype(np.float32),
        names=NAMES,
        move_frac=np.full(_ASSETS, _SIGMA),
    )


def next_moves(close: F64) -> F64:
    """Return the log return that follows on each close ``(T, A)``, 0 after the last: what nobody can know."""
    after: F64 = np.diff(np.log(close), axis=0, append=np.log(close[-1:]))
    return after


def plan(seed: int) -> TrainingPlan:
    """Return a plan for what is seen and over within a bar."""
    return TrainingPlan(steps=150_000, seed=seed, learning_rate=2e-3, gamma=0.9, gae_lambda=0.5, device="cpu")


def episodes(market: LearningMarket, n: int, seed: int) -> Episodes:
    """Return episodes of the market without costs."""
    return Episodes(market, EpisodeRules(fee_frac=0.0, bars=_EPISODE_BARS), n, seed)


def earned(acting: Acting, market: LearningMarket) -> tuple[float, float]:
    """Return the log growth of a policy over the whole market, summed over instruments, and the best one."""
    bars, assets = market.close.shape
    rules = EpisodeRules(fee_frac=0.0, bars=bars - 1)
    playing = Episodes(market, rules, assets, seed=0)
    seen, growth = playing.reset(0, staggered=False), 0.0
    # The episode's last bar is not reached: it would begin again.
    for _ in range(rules.bars - 1):
        stepped = playing.step(acting.act(seen))
        seen = stepped.observed
        growth += float(np.log(stepped.passage.after / stepped.passage.before).sum())
    return growth, float(np.maximum(next_moves(market.close)[: rules.bars - 1], 0.0).sum())
