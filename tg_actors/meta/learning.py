"""The ensemble that learns whom to trust: agents are traded in thought, a bandit weighs them. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from tg_actors.domain.blocks import F64, Opinions
from tg_actors.domain.decisions import RegimeView, Targets
from tg_actors.meta.bandits.bandit import Mask
from tg_actors.meta.ensemble import CombineRequest, EqualWeightEnsemble, MetaConfig
from tg_actors.meta.learned import UNKNOWN, Learned, as_reward, blank, recalled
from tg_actors.meta.policies import EqualWeightPolicy, LearningPolicy, SelectionPolicy
from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.meta.regimes import RegimeFilter
from tg_actors.portfolio.stances import next_stance


class MetaCore(Protocol):
    """What turns opinions into targets; all it remembers travels with the request and the targets."""

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures; the same request gives the same answer."""
        ...


def open_ensemble(agents: Sequence[str], config: MetaConfig) -> MetaCore:
    """Return the meta agent's core for a policy."""
    if isinstance(config.policy, EqualWeightPolicy):
        return EqualWeightEnsemble(agents, config)
    return LearningEnsemble(agents, config, config.policy)


class Remembering:
    """A core that is handed back in each cycle what its last targets brought along.

    On a desk the memory stands in the journal with the decision that it belongs to. Whoever fails to record a
    decision is fenced and ends, so this copy never runs ahead of the journal.
    """

    def __init__(self, core: MetaCore) -> None:
        self._core = core
        self._memory: F64 | None = None
        self._memory_of: tuple[str, ...] = ()

    def recall(self, memory: F64 | None, memory_of: tuple[str, ...] = ()) -> None:
        """Take the memory of the newest decision and the agents that it is of, None for a blank start."""
        self._memory, self._memory_of = memory, memory_of

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures, and remember."""
        asked = replace(request, memory=self._memory, memory_of=self._memory_of)
        targets = self._core.combine(asked)
        self._memory, self._memory_of = targets.memory, ()
        return targets


class LearningEnsemble:
    """Weighs agents by what their opinions would have earned.

    In every cycle, before anything is decided, the positions that each agent's opinions led to are paid: the
    change of the mid prices since the last cycle less what moving cost, the mean over the instruments. These
    are the rewards of the last cycle, under the regime that it was thought to have; the bandit learns from
    them, and gives the weights of this cycle. The agents' opinions then move their positions.

    An agent without any opinion and any position earns nothing that could be judged. One that is silent keeps
    its positions, as the desk does.
    """

    def __init__(self, agents: Sequence[str], config: MetaConfig, policy: LearningPolicy) -> None:
        self._agents, self._policy = tuple(agents), policy
        self._blend = EqualWeightEnsemble(agents, config)
        self._regimes = RegimeFilter(config.regime)
        self._costly = np.array([agent in policy.costly for agent in agents])

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures, and what is remembered into what is to be.

        Raises:
            KeyError: an opinion is of an agent that this ensemble does not know.
            ValueError: the memory is that of another desk.
        """
        learned = self._recalled(request)
        view = self._regimes.view(request.snapshot)
        self._reward(learned, request.snapshot.mid)
        learned.context = _context(view)
        heard = tuple(one for one in request.opinions if self._counts(one.agent, request))
        heard_mask = self._mask(heard)
        mask = self._trusted(learned, heard_mask)
        learned.weights = self._weights(learned, mask, request.cycle_id)
        learned.given = learned.given + learned.weights
        targets = self._blend.weigh(request.snapshot, heard, learned.weights, view)
        if heard_mask.any() and not mask.any():
            targets = _aside(targets)
        self._move(learned, (*request.opinions, *request.unheard), targets)
        return replace(targets, memory=learned.pack())

    def _recalled(self, request: CombineRequest) -> Learned:
        n = len(request.snapshot.symbols)
        if request.memory is None:
            return blank(self._agents, n, self._policy)
        return recalled(request.memory, request.memory_of or self._agents, self._agents, n, self._policy)

    def _reward(self, learned: Learned, mid: F64) -> None:
        """Pay what was held since the last cycle, and let the bandit learn from it."""
        before, learned.mid = learned.mid, np.where(np.isfinite(mid), mid, learned.mid)
        if not np.isfinite(before).any():
            return
        known = np.isfinite(before) & np.isfinite(learned.mid)
        moved = np.where(known, learned.mid / np.where(known, before, 1.0) - 1.0, 0.0)
        earned = (learned.held * moved).mean(axis=1) - learned.cost_frac
        learned.earned_frac = learned.earned_frac + earned
        learned.earned_by_regime = learned.earned_by_regime + learned.context[:, np.newaxis] * earned
        learned.regime_cycles = learned.regime_cycles + learned.context
        learned.cycles = learned.cycles + 1.0
        seen = (learned.watched > 0) & (~self._costly | (learned.weights > 0))
        rewards = np.where(seen, as_reward(earned[:-1], self._policy), np.nan)
        learned.bandit.update_all(rewards, learned.context)

    def _mask(self, heard: Sequence[Opinions]) -> Mask:
        """Which arms have an opinion on anything."""
        said = {o.agent for o in heard if not np.isnan(o.direction).all()}
        return np.array([agent in said for agent in self._agents])

    def _trusted(self, learned: Learned, mask: Mask) -> Mask:
        errors_min = self._policy.trust_errors_min
        return mask if errors_min is None else learned.bandit.earning(learned.context, mask, errors_min)

    def _weights(self, learned: Learned, mask: Mask, cycle_id: str) -> F64:
        if isinstance(self._policy, SelectionPolicy):
            return self._selected(learned, mask, cycle_id)
        return learned.bandit.weights(learned.context, mask, self._policy.sharpness)

    def _counts(self, agent: str, request: CombineRequest) -> bool:
        return request.switched.get(agent, agent not in self._policy.disabled)

    def _selected(self, learned: Learned, mask: Mask, cycle_id: str) -> F64:
        weights = np.zeros(len(self._agents))
        if mask.any():
            rng = np.random.default_rng(int(cycle_id or "0", 16))
            weights[learned.bandit.select(learned.context, mask, rng)] = 1.0
        return weights

    def _move(self, learned: Learned, said: Sequence[Opinions], targets: Targets) -> None:
        """Let every opinion, and the ensemble's, move its own positions."""
        exposure, confidence = np.full((2, *learned.held.shape), np.nan)
        rows = {agent: row for row, agent in enumerate(self._agents)}
        for opinions in said:
            row = rows[opinions.agent]
            exposure[row] = opinions.direction * opinions.confidence
            confidence[row] = opinions.confidence
        exposure[-1], confidence[-1] = targets.exposure, targets.confidence
        shadow = self._policy.shadow
        held = next_stance(learned.held, exposure, confidence, shadow.rule)
        learned.cost_frac = np.abs(held - learned.held).mean(axis=1) * (shadow.cost_bps / 1e4)
        learned.held = held
        learned.watched = ((~np.isnan(exposure) | (held != 0)).any(axis=1)[:-1]).astype(np.float64)


def _aside(targets: Targets) -> Targets:
    """Hold nothing: nobody who speaks is trusted to earn anything."""
    nothing = np.zeros(len(targets.exposure))
    return replace(targets, exposure=nothing, confidence=nothing)


def _context(view: RegimeView | None) -> F64:
    if view is None:
        return UNKNOWN.copy()
    chances = np.array([view.probabilities.get(regime.value, 0.0) for regime in REGIMES])
    context: F64 = chances / chances.sum()
    return context
