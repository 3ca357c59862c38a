"""What the meta agent has learnt in a run: standing of the arms, and their weights over time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tg_actors.desk.arms import disabled_arms, switched_now
from tg_actors.desk.block import decode
from tg_actors.desk.replay import plan_of
from tg_actors.domain.decisions import Decision
from tg_actors.domain.errors import UserError
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType
from tg_actors.meta.ensemble import MetaSpec
from tg_actors.meta.learned import META, Learned, recalled
from tg_actors.meta.policies import EqualWeightPolicy, LearningPolicy
from tg_actors.meta.regime_shapes import REGIMES

#: Half of a 95 % interval of a mean, in standard errors.
_WIDE = 1.96
_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The newest memory of a run, with the policy that it belongs to."""

    agents: tuple[str, ...]
    policy: LearningPolicy
    decision: Decision
    learned: Learned
    disabled: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The ensemble against the best arm in hindsight; ``regret_frac`` is negative where it was better."""
        earned = self.learned.earned_frac
        best = int(np.argmax(earned[:-1]))
        return {
            "policy": self.policy.kind,
            "algorithm": self.policy.algorithm.kind,
            "cycle": self.decision.cycle,
            "cycles_rewarded": int(self.learned.cycles[0]),
            "regime": self.decision.regime,
            "earned_frac": _rounded(earned[-1]),
            "best_arm": self.agents[best],
            "best_earned_frac": _rounded(earned[best]),
            "regret_frac": _rounded(earned[best] - earned[-1]),
        }

    def arms(self) -> list[dict[str, Any]]:
        """Every arm: its weight now and in sum, what the bandit expects of it, and what it earned by regime.

        ``low_bps`` and ``high_bps`` are the ends of a 95 % interval round the mean that the bandit expects a
        cycle; ``pulls`` the rewards that it still rests on.
        """
        learned, context = self.learned, self.learned.context
        bandit, scale = learned.bandit, 2.0 * self.policy.shadow.reward_scale_bps
        means, pulls = bandit.means(context), bandit.pulls(context)
        error = _WIDE * bandit.deviation(context) / np.sqrt(np.maximum(pulls, 1.0))
        return [
            {
                "arm": agent,
                "weight": _rounded(learned.weights[k]),
                "disabled": agent in self.disabled,
                "costly": agent in self.policy.costly,
                "given": _rounded(learned.given[k]),
                "pulls": _rounded(pulls[k]),
                "mean_bps": _rounded((means[k] - 0.5) * scale),
                "low_bps": _rounded((means[k] - error[k] - 0.5) * scale),
                "high_bps": _rounded((means[k] + error[k] - 0.5) * scale),
                "earned_frac": _rounded(learned.earned_frac[k]),
                "regret_frac": _rounded(learned.earned_frac[:-1].max() - learned.earned_frac[k]),
                "by_regime_bps": self._by_regime(k),
            }
            for k, agent in enumerate(self.agents)
        ]

    def _by_regime(self, arm: int) -> dict[str, float | None]:
        """Mean return a cycle in each regime, None where it was hardly ever so."""
        cycles, earned = self.learned.regime_cycles, self.learned.earned_by_regime[:, arm]
        return {
            regime.value: _rounded(earned[r] / cycles[r] * 1e4) if cycles[r] >= 1.0 else None
            for r, regime in enumerate(REGIMES)
        }


def standing(journal: JournalReader) -> Standing:
    """Return what the meta agent of a run has learnt so far.

    Raises:
        UserError: it learns nothing, or has not decided anything yet.
    """
    spec = plan_of(journal).meta
    policy = spec.config.policy
    if isinstance(policy, EqualWeightPolicy):
        raise UserError(
            "this desk weighs all agents alike and learns nothing: write meta.policy in its file "
            "(docs/bandits.md)"
        )
    last = journal.last_decision()
    found = None if last is None else journal.decision(last.cycle)
    if found is None:
        raise UserError("this run has no cycle yet: ask again after its first")
    block = decode(found[1])
    agents = block.targets.agents
    learned = recalled(block.memories[META], agents, agents, len(block.symbols), policy)
    disabled = disabled_arms(spec.model_copy(update={"agents": agents}), switched_now(journal))
    return Standing(agents, policy, found[0], learned, disabled)


def check_memory(journal: JournalReader, meta: MetaSpec) -> None:
    """Make sure that a desk can go on with what its meta agent has learnt so far.

    Raises:
        UserError: its file asks for another algorithm than the one that has learnt.
    """
    policy, last = meta.config.policy, journal.last_decision()
    found = None if last is None else journal.decision(last.cycle)
    if found is None or isinstance(policy, EqualWeightPolicy):
        return
    block = decode(found[1])
    if META not in block.memories:
        return
    try:
        recalled(block.memories[META], block.targets.agents, meta.agents, len(block.symbols), policy)
    except ValueError:
        raise UserError(
            f"this run has learnt with another algorithm than meta.policy's {policy.algorithm.kind}: change "
            "the desk file back, or give this run another --name"
        ) from None


def weights_over_time(journal: JournalReader) -> Iterator[dict[str, Any]]:
    """Yield cycle, time, regime and the weight of every agent, cycle by cycle; of any desk."""
    for event in journal.events({EventType.CYCLE_DECIDED}):
        decision = Decision.model_validate_json(event.payload)
        yield {
            "cycle": decision.cycle,
            "at_ns": decision.at_ns,
            "regime": decision.regime,
            "weights": {agent: _rounded(weight) for agent, weight in decision.weights.items()},
        }


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)
