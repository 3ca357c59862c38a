"""Behaviour cloning: a policy that does what demonstrations did. Loads the learning libraries."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.episodes import ACTIONS, HOLD, OBSERVED_MAX
from tg_actors.rl.export import arrays_of
from tg_actors.rl.market import F32
from tg_actors.rl.plans import CloningPlan


@dataclass(frozen=True, slots=True, eq=False)
class Demonstrations:
    """What somebody saw and did: ``observed (m, F)``, ``actions (m, 2)`` and how much each counts ``(m,)``.

    Without weights all count the same; what counts 0 is not looked at. The size of a hold means nothing.

    Raises:
        ValueError: lengths differ, a number is missing or a weight is negative.
    """

    observed: F32
    actions: I64
    weights: F64 = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not self.weights.size:
            object.__setattr__(self, "weights", np.ones(len(self.observed)))
        if {len(self.actions), len(self.weights)} != {len(self.observed)}:
            raise ValueError("demonstrations have one action and one weight for every observation")
        if not (np.isfinite(self.observed).all() and np.isfinite(self.weights).all()):
            raise ValueError("an observation or a weight is not a number")
        if self.weights.min(initial=0.0) < 0.0 or not self.weights.sum() > 0.0:
            raise ValueError("weights are not negative and not all 0")


@dataclass(frozen=True, slots=True, eq=False)
class Cloned:
    """A cloned policy: its arrays, the loss on what was held out after every epoch, where the best was."""

    arrays: dict[str, F32]
    losses: tuple[float, ...]
    best_epoch: int


def clone(plan: CloningPlan, shown: Demonstrations) -> Cloned:
    """Teach a policy what was shown. Torch has one thread in this process from here on.

    The critic learns nothing here: training warms it up on what the cloned policy earns.

    Raises:
        ValueError: there are too few demonstrations to hold some out.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(plan.seed)
    learned, held_out = _parted(shown, plan.held_out_frac, rng)
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        policy = _policy(shown.observed.shape[1], plan.hidden)
    optimizer = torch.optim.Adam(policy.parameters(), lr=plan.learning_rate, fused=True)
    losses: list[float] = []
    best, best_epoch = deepcopy(policy.state_dict()), 0
    for epoch in range(plan.epochs):
        order = torch.from_numpy(rng.permutation(len(learned[0])))
        for part in torch.split(order, plan.batch):
            loss = _loss(policy, tuple(tensor[part] for tensor in learned), plan.soften)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        with torch.no_grad():
            losses.append(float(_loss(policy, held_out, plan.soften)))
        if losses[-1] <= min(losses):
            best, best_epoch = deepcopy(policy.state_dict()), epoch
        if epoch - best_epoch >= plan.patience:
            break
    policy.load_state_dict(best)
    return Cloned(arrays_of(policy), tuple(losses), best_epoch)


def _policy(features: int, hidden: int) -> ActorCriticPolicy:
    return ActorCriticPolicy(
        spaces.Box(-OBSERVED_MAX, OBSERVED_MAX, (features,), np.float32),
        spaces.MultiDiscrete(list(ACTIONS)),
        _never,
        net_arch={"pi": [hidden, hidden], "vf": [hidden, hidden]},
        activation_fn=nn.Tanh,
    )


def _never(_: float) -> float:
    """The rate of the policy's own optimizer, which cloning does not use."""
    return 0.0


_Rows = tuple[Tensor, ...]


def _parted(shown: Demonstrations, frac: float, rng: np.random.Generator) -> tuple[_Rows, _Rows]:
    order = rng.permutation(np.flatnonzero(shown.weights > 0.0))
    held = round(frac * len(order))
    if not 0 < held < len(order):
        raise ValueError(f"{len(order)} demonstrations are too few to hold a part {frac} of them out")
    return _tensors(shown, order[held:]), _tensors(shown, order[:held])


def _tensors(shown: Demonstrations, rows: I64) -> _Rows:
    weights = shown.weights[rows]
    return (
        torch.from_numpy(np.ascontiguousarray(shown.observed[rows])),
        torch.from_numpy(shown.actions[rows].astype(np.int64)),
        torch.from_numpy((weights / weights.mean()).astype(np.float32)),
    )


def _loss(policy: ActorCriticPolicy, rows: _Rows, soften: float) -> Tensor:
    """Cross entropy with softened targets, in the weighted mean; a hold teaches no size."""
    observed, actions, weights = rows
    logits = policy.action_net(policy.mlp_extractor.policy_net(observed))
    verb, size = torch.split(logits, list(ACTIONS), 1)
    entropy: Callable[..., Tensor] = nn.functional.cross_entropy
    told = entropy(verb, actions[:, 0], reduction="none", label_smoothing=soften)
    sized = entropy(size, actions[:, 1], reduction="none", label_smoothing=soften)
    told = told + sized * (actions[:, 0] != HOLD)
    return (told * weights).mean()
