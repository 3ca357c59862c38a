"""The audit of rewards: degenerate policies on a market with nothing to win, and on one that drifts.

On a martingale with costs nothing beats staying flat: a reward that pays any policy of the zoo more than
staying flat can be milked without earning money. On a drifting market a reward must put policies in the order
of their log growth. Means are over episodes; a difference counts beyond three standard errors.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import BUY, HOLD, LEVELS, SELL, Episodes
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.presets import PRESETS, reward_preset
from tg_actors.rl.reward import log_growth

_ERRORS = 3.0
_SIGMA = 0.01
#: Drift of a bar in its standard deviations, large enough that log growth rises with leverage up to 2.
_DRIFT = 0.1
_EPISODES = 256

Policy = Callable[[Episodes, np.random.Generator], I64]


def _everybody(episodes: Episodes, verb: int, size: int) -> I64:
    return np.tile(np.array([verb, size], dtype=np.int64), (episodes.n, 1))


def _flat(episodes: Episodes, _: np.random.Generator) -> I64:
    return _everybody(episodes, HOLD, 0)


def _hold(episodes: Episodes, _: np.random.Generator) -> I64:
    """Buy 40 % of the limit once; a row at its first bar is flat."""
    return _where(episodes.level == 0, BUY, 1)


def _churn(episodes: Episodes, rng: np.random.Generator) -> I64:
    return np.column_stack([rng.integers(0, size, episodes.n) for size in episodes.actions])


def _most(episodes: Episodes, _: np.random.Generator) -> I64:
    return _everybody(episodes, BUY, LEVELS - 1)


def _flip(episodes: Episodes, _: np.random.Generator) -> I64:
    """All in, all out, all in."""
    acts = _everybody(episodes, BUY, LEVELS - 1)
    acts[episodes.level > 0, 0] = SELL
    return acts


def _one_win(episodes: Episodes, _: np.random.Generator) -> I64:
    """Take one small profit, then sit for ever."""
    accounts = episodes.accounts
    value = accounts.quantity * episodes.market.close[episodes.bar, episodes.asset]
    # Costs of getting out are covered twice over.
    wins = value > accounts.cost * (1.0 + 4.0 * episodes.rules.fee_frac)
    acts = _where((episodes.level == 0) & (accounts.equity == episodes.rules.cash), BUY, 0)
    acts[(episodes.level > 0) & wins] = SELL, LEVELS - 1
    return acts


def _where(rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], verb: int, size: int) -> I64:
    return np.where(rows[:, np.newaxis], (verb, size), (HOLD, 0)).astype(np.int64)


#: What must not pay. The first is what the others are compared with.
ZOO: Mapping[str, Policy] = MappingProxyType(
    {
        "flat": _flat,
        "hold": _hold,
        "churn": _churn,
        "one_win_then_sit": _one_win,
        "max_leverage": _most,
        "flip_every_bar": _flip,
    }
)


@dataclass(frozen=True, slots=True)
class PolicyScore:
    """What a policy was paid and what it earned a bar, in the mean over episodes.

    ``reward`` is the discounted mean of a bar, ``growth`` the plain one of equity's log growth. ``excess``
    is the reward beyond that of staying flat, ``excess_error`` its standard error.
    """

    policy: str
    reward: float
    excess: float
    excess_error: float
    growth: float

    @property
    def is_overpaid(self) -> bool:
        """Whether it is paid more than staying flat, beyond chance."""
        return self.excess > _ERRORS * self.excess_error


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What came of one preset: scores on the martingale, pairs in the wrong order where there is drift."""

    preset: str
    cash: float
    scores: tuple[PolicyScore, ...]
    inverted: tuple[tuple[str, str], ...]

    @property
    def overpaid(self) -> tuple[str, ...]:
        """The policies that are paid for nothing."""
        return tuple(score.policy for score in self.scores if score.is_overpaid)

    @property
    def is_sound(self) -> bool:
        """Whether the preset passes."""
        return not self.overpaid and not self.inverted


def audit_all(
    names: Iterable[str] = PRESETS, *, seed: int = 1, bars: int = 300, cash: float = 10_000.0
) -> tuple[AuditReport, ...]:
    """Audit presets on the same markets.

    Raises:
        UserError: there is no preset of a name.
    """
    rules = EpisodeRules(fee_frac=0.001, leverage_max=2.0, liquidation_level=0.4, bars=bars + 1, cash=cash)
    still, drifting = (_market(seed + k, bars, drift) for k, drift in enumerate((0.0, _DRIFT)))
    return tuple(_audit(name, still, drifting, rules, seed) for name in names)


def _audit(
    name: str, still: LearningMarket, drifting: LearningMarket, rules: EpisodeRules, seed: int
) -> AuditReport:
    paid = {policy: _run(name, policy, still, rules, seed) for policy in ZOO}
    flat, bars = paid["flat"][0], rules.bars - 1
    scores = tuple(
        PolicyScore(
            policy=policy,
            reward=float(reward.mean()),
            excess=float((reward - flat).mean()),
            excess_error=_error(reward - flat),
            growth=float(growth.mean()) / bars,
        )
        for policy, (reward, growth) in paid.items()
    )
    drifted = {policy: _run(name, policy, drifting, rules, seed) for policy in ZOO}
    return AuditReport(name, rules.cash, scores, _inverted(drifted))


def _run(name: str, policy: str, market: LearningMarket, rules: EpisodeRules, seed: int) -> tuple[F64, F64]:
    """Return reward and log growth ``(n,)`` of one episode per instrument; what is shaped is settled."""
    rng = np.random.default_rng(seed)
    episodes = Episodes(market, rules, market.close.shape[1], seed, name)
    episodes.reset(market.first, staggered=False)
    reward, growth, on = np.zeros(episodes.n), np.zeros(episodes.n), np.ones(episodes.n)
    gamma = weight = reward_preset(name).gamma
    # The episode's last bar is not reached: nothing begins again before it is settled.
    for _ in range(rules.bars - 1):
        stepped = episodes.step(ZOO[policy](episodes, rng))
        reward += weight * stepped.reward * on
        growth += log_growth(stepped.passage) * on
        on *= ~stepped.terminated
        weight *= gamma
    reward += weight * episodes.reward.owed() * on
    return reward * (1.0 - gamma), growth


def _error(values: F64) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _inverted(drifted: Mapping[str, tuple[F64, F64]]) -> tuple[tuple[str, str], ...]:
    """Pairs of which the first grows faster and the second is paid more, both beyond chance."""
    return tuple(
        (faster, paid_more)
        for faster, (reward_a, growth_a) in drifted.items()
        for paid_more, (reward_b, growth_b) in drifted.items()
        if (growth_a - growth_b).mean() > _ERRORS * _error(growth_a - growth_b)
        and (reward_b - reward_a).mean() > _ERRORS * _error(reward_b - reward_a)
    )


def _market(seed: int, bars: int, drift: float) -> LearningMarket:
    """Prices that are martingales but for a drift; every instrument is one episode."""
    rng = np.random.default_rng(seed)
    moves = _SIGMA * (rng.standard_normal((bars + 2, _EPISODES)) + drift) - _SIGMA**2 / 2
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    open_ = np.concatenate((close[:1], close[:-1]))
    return LearningMarket(
        open_=open_,
        close=close,
        observed=np.zeros((*close.shape, 0), dtype=np.float32),
        names=(),
        worse=np.full(close.shape, 5e-4),
        move_frac=np.full(_EPISODES, _SIGMA),
    )
