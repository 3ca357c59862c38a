"""What a policy does on a market and what that earns: one account per instrument, from the first bar on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import ACCOUNT, ACTIONS, BUY, LEVELS, SELL, Episodes, account_columns
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.presets import DEFAULT_REWARD


class Acting(Protocol):
    """Anything that answers observations ``(n, F)`` with actions ``(n, 2)``."""

    def act(self, observed: F32) -> NDArray[np.int64]:
        """Return verb and size of every row."""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A policy on a market; row 0 of ``equity`` is before the first bar that was played.

    ``equity (T + 1, A)`` as parts of the first cash, ``exposure (T, A)`` the targets in parts of the limit,
    ``turnover (T, A)`` what was traded as a part of the equity, ``reward (T, A)`` what the preset paid.
    """

    equity: F64
    exposure: F64
    turnover: F64
    reward: F64

    @property
    def growth(self) -> F64:
        """Log growth of every bar ``(T, A)``."""
        floor = np.maximum(self.equity, 1e-9)
        grown: F64 = np.diff(np.log(floor), axis=0)
        return grown

    def daily_returns(self, bars_per_day: int) -> F64:
        """Simple returns ``(days,)`` of equal parts in every instrument, never rebalanced; whole days."""
        marks = self.equity.mean(axis=1)[::bars_per_day]
        alive = marks[:-1] > 0.0
        returns: F64 = np.where(alive, marks[1:] / np.where(alive, marks[:-1], 1.0) - 1.0, 0.0)
        return returns


def play(policy: Acting, market: LearningMarket, rules: EpisodeRules, reward: str = DEFAULT_REWARD) -> Played:
    """Let a policy trade every instrument from ``market.first`` to the last bar.

    An account that is liquidated stays at what is left. ``reward`` names the preset, which also says how far
    the policy may go.

    Raises:
        ValueError: there are fewer than two bars.
    """
    bars, assets = len(market.close) - market.first - 1, market.close.shape[1]
    episodes = Episodes(market, replace(rules, bars=bars), assets, 0, reward)
    observed = episodes.reset(market.first, staggered=False)
    equity, paid = np.full((bars + 1, assets), rules.cash), np.zeros((bars, assets))
    exposure, turnover = np.zeros((bars, assets)), np.zeros((bars, assets))
    alive = np.ones(assets, dtype=np.bool_)
    for bar in range(bars):
        actions = policy.act(observed)
        exposure[bar] = episodes.levels_after(actions) / LEVELS * alive
        stepped = episodes.step(actions)
        observed, passage = stepped.observed, stepped.passage
        equity[bar + 1] = np.where(alive, passage.after, equity[bar])
        paid[bar], turnover[bar] = stepped.reward * alive, passage.turnover * alive
        alive &= ~stepped.terminated
    return Played(equity / rules.cash, exposure, turnover, paid)


class Following:
    """Plays targets ``(T, A)`` instead of a policy: holds, rules, teachers. NaN leaves a position alone."""

    def __init__(self, targets: F64, level_max: int = LEVELS) -> None:
        self._levels = levels_of(targets, level_max)
        self._bar = 0

    def act(self, observed: F32) -> NDArray[np.int64]:
        """Return the change that leads from the target shown to the one of this bar."""
        held = np.rint(observed[:, len(observed[0]) - len(ACCOUNT) + 1] * LEVELS).astype(np.int64)
        actions = towards(held, self._levels[self._bar])
        self._bar += 1
        return actions


def levels_of(targets: F64, level_max: int = LEVELS) -> I64:
    """Return targets ``(T, A)`` of -1..1 as levels of exposure; NaN takes the one before, 0 at first."""
    known = ~np.isnan(targets)
    newest = np.maximum.accumulate(np.where(known, np.arange(len(targets))[:, np.newaxis], -1), axis=0)
    filled = np.where(newest < 0, 0.0, np.take_along_axis(targets, np.maximum(newest, 0), axis=0))
    levels: I64 = np.clip(np.rint(filled * LEVELS), -level_max, level_max).astype(np.int64)
    return levels


def towards(held: I64, wanted: I64) -> I64:
    """Return the actions ``(n, 2)`` that lead from levels held to levels wanted, in one step where it can."""
    change = wanted - held
    verb = np.where(change > 0, BUY, np.where(change < 0, SELL, ACTIONS[0] - 1))
    size = np.clip(np.abs(change), 1, LEVELS) - 1
    return np.column_stack((verb, size))


def fixed_states(market: LearningMarket, rows: int, seed: int) -> F32:
    """Return observations ``(rows, F)`` of random bars and accounts: the same for everybody compared."""
    rng = np.random.default_rng(seed)
    bars, assets = market.close.shape
    observed = np.zeros((rows, len(market.names) + len(ACCOUNT)), dtype=np.float32)
    observed[:, : len(market.names)] = market.observed[
        rng.integers(market.first, bars, rows), rng.integers(0, assets, rows)
    ]
    held = rng.integers(0, LEVELS + 1, rows) / LEVELS
    gain = held * 0.05 * rng.standard_normal(rows)
    account_columns(observed[:, -len(ACCOUNT) :], held, held, gain, 0.1 * rng.random(rows))
    return observed


def disagreement(policies: Mapping[str, Acting], states: F32) -> dict[tuple[str, str], float]:
    """Return for every pair the part of the states where they would hold different exposures."""
    held = np.rint(states[:, len(states[0]) - len(ACCOUNT) + 1] * LEVELS).astype(np.int64)
    after = {name: _after(policy.act(states), held) for name, policy in policies.items()}
    names: Sequence[str] = list(policies)
    return {
        (one, other): float((after[one] != after[other]).mean())
        for k, one in enumerate(names)
        for other in names[k + 1 :]
    }


def _after(actions: NDArray[np.int64], held: I64) -> I64:
    sign = np.array([1, -1, 0])[actions[:, 0]]
    level: I64 = np.clip(held + sign * (actions[:, 1] + 1), 0, LEVELS)
    return level
