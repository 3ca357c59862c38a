"""Policies on the answer-key market: what they show others, and what they are worth exactly."""

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl import answer_key
from tg_actors.rl.answer_key import EXPOSURES, AnswerKey, Policy
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes, observed_states
from tg_actors.rl.episodes import ACTIONS, BUY, HOLD, LEVELS, SELL
from tg_actors.rl.evaluation import Acting
from tg_actors.rl.market import F32

_SIGN: I64 = np.array([1, -1, 0])
#: Of a long run's mean, when the policy is deterministic: bars after which the beginning is forgotten.
_BARS = 2_000


def actions_to(now: I64, wanted: I64) -> I64:
    """Return the actions ``(n, 2)`` that go from exposures to those wanted, as far as one action goes."""
    change = wanted - now
    verb = np.select([change > 0, change < 0], [BUY, SELL], HOLD)
    return np.column_stack((verb, np.clip(np.abs(change), 1, LEVELS) - 1)).astype(np.int64)


def demonstrated(
    key: AnswerKey, policy: Policy, *, rows: int, bars: int, seed: int, astray_frac: float = 0.0
) -> tuple[F32, I64]:
    """Play a policy and return what was seen ``(rows * bars, 10)`` and done ``(rows * bars, 2)``.

    A part ``astray_frac`` of what is done is drawn at random, and shown like everything else.
    """
    episodes, rng = AnswerKeyEpisodes(key, rows, seed), np.random.default_rng((seed, 1))
    seen, done = [episodes.reset()], []
    for _ in range(bars):
        acts = actions_to(episodes.exposure, policy[episodes.regime, episodes.signal, episodes.exposure])
        astray = rng.random(rows) < astray_frac
        drawn = np.column_stack([rng.integers(0, size, rows) for size in ACTIONS])
        acts = np.where(astray[:, np.newaxis], drawn, acts)
        done.append(acts)
        seen.append(episodes.step(acts).observed)
    return np.concatenate(seen[:-1]), np.concatenate(done)


def policy_of(acting: Acting) -> Policy:
    """Return the exposure chosen in every state."""
    seen = observed_states()
    acts = acting.act(seen.reshape(-1, seen.shape[-1]))
    now: I64 = np.tile(np.arange(len(EXPOSURES)), len(acts) // len(EXPOSURES))
    step: I64 = _SIGN[acts[:, 0]] * (acts[:, 1] + 1)
    policy: Policy = np.minimum(np.maximum(now + step, 0), len(EXPOSURES) - 1).reshape(seen.shape[:-1])
    return policy


def worth(key: AnswerKey, policy: Policy) -> float:
    """Return the exact value of a policy that begins flat."""
    return answer_key.score(key, answer_key.values_of(key, policy))


def optimum(key: AnswerKey) -> float:
    """Return the value of the best policy."""
    return answer_key.score(key, answer_key.best_policy(key)[1])


def mean_exposure(key: AnswerKey, policy: Policy) -> float:
    """Return the mean size of the exposure in the long run, beginning flat: 0 is always flat, 1 all in."""
    often = np.zeros(policy.shape)
    often[:, :, LEVELS] = key.stationary()
    total = 0.0
    for _ in range(_BARS):
        moved = _moved(often, policy)
        total += float((moved.sum(axis=(0, 1)) * np.abs(EXPOSURES)).sum())
        often = np.einsum("gse,gh,sr->hre", moved, key.regimes, key.signals)
    return total / _BARS


def _moved(often: F64, policy: Policy) -> F64:
    """How often regime, signal and exposure occur after everybody has acted."""
    moved = np.zeros_like(often)
    g, s, _ = np.meshgrid(*map(np.arange, often.shape), indexing="ij")
    np.add.at(moved, (g, s, policy), often)
    return moved
