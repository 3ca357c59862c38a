"""Markets to learn on, and the batch of episodes beside the plain reference."""

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import ACTIONS, Episodes
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.reference import Reference


def walk(
    seed: int, bars: int, assets: int = 3, sigma: float = 0.02, features: int = 4, worse: float = 5e-4
) -> LearningMarket:
    """Random prices with gaps between close and open, slippage and funding on every bar."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(sigma * rng.standard_normal((bars, assets)), axis=0))
    before = np.concatenate((close[:1], close[:-1]))
    return LearningMarket(
        open_=before * np.exp(0.3 * sigma * rng.standard_normal((bars, assets))),
        close=close,
        observed=rng.standard_normal((bars, assets, features)).astype(np.float32),
        names=tuple(f"f{k}" for k in range(features)),
        worse=worse * rng.random((bars, assets)),
        funding=2e-4 * rng.standard_normal((bars, assets)),
    )


def random_actions(rng: np.random.Generator, n: int) -> I64:
    return np.column_stack([rng.integers(0, size, n) for size in ACTIONS])


def beside_the_reference(
    market: LearningMarket, rules: EpisodeRules, n: int, steps: int, seed: int = 1
) -> tuple[F64, F64, int]:
    """Equity of every row and step, from the batch and from one plain account per episode; liquidations."""
    rng = np.random.default_rng(seed)
    episodes = Episodes(market, rules, n, seed)
    episodes.reset()
    plain = [_reference(episodes, row) for row in range(n)]
    batch, scalar, liquidated = np.empty((steps, n)), np.empty((steps, n)), 0
    for t in range(steps):
        actions = random_actions(rng, n)
        stepped = episodes.step(actions)
        batch[t] = stepped.passage.after
        for row, (verb, size) in enumerate(actions.tolist()):
            scalar[t, row] = plain[row].step(verb, size)
        for row in stepped.ended.tolist():
            assert plain[row].is_liquidated == stepped.terminated[row]
            liquidated += plain[row].is_liquidated
            plain[row] = _reference(episodes, row)
    return batch, scalar, liquidated


def _reference(episodes: Episodes, row: int) -> Reference:
    return Reference(episodes.market, episodes.rules, int(episodes.asset[row]), int(episodes.start[row]))
