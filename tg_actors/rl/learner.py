"""PPO of stable-baselines3 with an update of our own. Loads the learning libraries.

The rollouts are its; the update is the same clipped objective (J. Schulman et al., Proximal Policy
Optimization Algorithms, 2017) in one plain loop, plus a divergence from a policy that is to be remembered.
Randomness of the update is a generator of its own, so weights follow from seeds and nothing else.
"""

from collections import deque
from collections.abc import Iterable
from copy import deepcopy

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor, nn

from tg_actors.rl.environment import BatchVecEnv
from tg_actors.rl.plans import TrainingPlan, TrainingProgress


class Learner(PPO):
    """A policy that plays a batch and is improved after every rollout."""

    env: BatchVecEnv

    def __init__(self, plan: TrainingPlan, env: BatchVecEnv) -> None:
        super().__init__(
            "MlpPolicy",
            env,
            learning_rate=plan.learning_rate,
            n_steps=plan.n_steps,
            batch_size=min(plan.batch, plan.rollout_steps),
            n_epochs=plan.epochs,
            gamma=plan.gamma,
            gae_lambda=plan.gae_lambda,
            clip_range=plan.clip,
            ent_coef=plan.entropy,
            vf_coef=plan.value_weight,
            max_grad_norm=plan.gradient_max,
            device=plan.device,
            policy_kwargs={
                "net_arch": {"pi": [plan.hidden, plan.hidden], "vf": [plan.hidden, plan.hidden]},
                "activation_fn": nn.Tanh,
                "optimizer_kwargs": {"eps": 1e-5, "fused": True},
            },
        )
        self.plan = plan
        self._sizes = [int(size) for size in env.batch.actions]
        self._order = np.random.default_rng(plan.seed)
        self._anchor: nn.Module | None = None
        self._told: dict[str, float] = {}
        self._quiet = _Quiet()
        self._quiet.init_callback(self)

    def begin(self, seeds: Iterable[int]) -> None:
        """Begin the batch and all randomness anew, from three seeds."""
        batch, play, order = seeds
        self.env.seed(batch)
        torch.manual_seed(play)
        self._order = np.random.default_rng(order)
        self._last_obs = self.env.reset()
        self._last_episode_starts = np.ones(self.env.num_envs, dtype=np.bool_)
        self.ep_info_buffer, self.ep_success_buffer = deque(), deque()

    def remember(self) -> None:
        """Keep the policy as it is now as what ``anchor`` holds it to."""
        kept = nn.Sequential(self.policy.mlp_extractor.policy_net, self.policy.action_net)
        self._anchor = deepcopy(kept).requires_grad_(False)

    def rollout(self, done_frac: float, *, critic_only: bool = False) -> TrainingProgress:
        """Play ``n_steps`` on every row and learn from them; ``done_frac`` of the training lies behind.

        Returns:
            What is known of the rollout; its ``steps`` are those since the learner was made.
        """
        ended: deque[dict[str, float]] = deque()
        self.ep_info_buffer = ended
        self.collect_rollouts(self.env, self._quiet, self.rollout_buffer, n_rollout_steps=self.n_steps)
        self._update(done_frac, critic_only=critic_only)
        buffer = self.rollout_buffer
        spread = float(buffer.returns.var())
        return TrainingProgress(
            steps=self.num_timesteps,
            steps_total=self.plan.rollouts * self.plan.rollout_steps,
            reward=float(buffer.rewards.mean(dtype=np.float64)),
            episode_reward=float(np.mean([episode["r"] for episode in ended])) if ended else None,
            explained_frac=1.0 - float((buffer.returns - buffer.values).var()) / spread if spread else None,
            **self._told,
        )

    def _update(self, done_frac: float, *, critic_only: bool) -> None:
        plan, policy = self.plan, self.policy
        policy.set_training_mode(True)
        for group in policy.optimizer.param_groups:
            group["lr"] = _between(plan.learning_rate, plan.learning_rate_end, done_frac)
        weights = (
            _between(plan.entropy, plan.entropy_floor, done_frac),
            plan.anchor * max(1.0 - done_frac / plan.anchor_until_frac, 0.0),
            0.0 if critic_only else 1.0,
        )
        data, told = self._data(), np.zeros(3)
        parts = 0
        for _ in range(plan.epochs):
            order = torch.from_numpy(self._order.permutation(len(data[0]))).to(self.device)
            shuffled = [tensor[order] for tensor in data]
            for part in zip(*(torch.split(tensor, self.batch_size) for tensor in shuffled), strict=True):
                loss, said = self._loss(part, weights)
                policy.optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(policy.parameters(), plan.gradient_max)
                policy.optimizer.step()
                told += said.numpy(force=True)
                parts += 1
        names = ("entropy", "approx_kl", "clipped_frac")
        self._told = dict(zip(names, (told / parts).tolist(), strict=True))

    def _data(self) -> tuple[Tensor, ...]:
        """Observations, actions, log chances, advantages and returns of a rollout, a row a step."""
        buffer = self.rollout_buffer
        rows = buffer.buffer_size * buffer.n_envs
        arrays = (buffer.observations, buffer.actions, buffer.log_probs, buffer.advantages, buffer.returns)
        observed, actions, *others = (torch.as_tensor(array, device=self.device) for array in arrays)
        return (
            observed.reshape(rows, -1),
            actions.reshape(rows, -1).long(),
            *(o.reshape(rows) for o in others),
        )

    def _loss(self, part: tuple[Tensor, ...], weights: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
        """Return the loss of a minibatch, and entropy, approximate divergence and clipped part."""
        observed, actions, before, advantages, returns = part
        entropy_weight, anchor_weight, policy_weight = weights
        nets = self.policy.mlp_extractor
        logits = self.policy.action_net(nets.policy_net(observed))
        values = self.policy.value_net(nets.value_net(observed)).flatten()
        heads = [head.log_softmax(1) for head in torch.split(logits, self._sizes, 1)]
        chosen = torch.cat([head.gather(1, actions[:, k : k + 1]) for k, head in enumerate(heads)], 1).sum(1)
        entropy = -torch.stack([(head.exp() * head).sum(1) for head in heads]).sum(0).mean()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = chosen - before
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1.0 - self.plan.clip, 1.0 + self.plan.clip)
        gained = torch.min(advantages * ratio, advantages * clipped).mean()
        loss = nn.functional.mse_loss(values, returns) * self.plan.value_weight
        if policy_weight:
            loss = loss - gained - entropy_weight * entropy
            if anchor_weight and self._anchor is not None:
                loss = loss + anchor_weight * _divergence(self._anchor(observed), heads, self._sizes)
        with torch.no_grad():
            moved = (ratio - 1.0 - log_ratio).mean()
            said = torch.stack((entropy, moved, (ratio != clipped).float().mean()))
        return loss, said


class _Quiet(BaseCallback):
    def _on_step(self) -> bool:
        return True


def _divergence(kept: Tensor, heads: list[Tensor], sizes: list[int]) -> Tensor:
    """Kullback-Leibler divergence of today's choices from the remembered ones, in the mean."""
    old = [head.log_softmax(1) for head in torch.split(kept, sizes, 1)]
    apart = [(was.exp() * (was - head)).sum(1) for was, head in zip(old, heads, strict=True)]
    return torch.stack(apart).sum(0).mean()


def _between(first: float, last: float, part: float) -> float:
    return first + (last - first) * min(part, 1.0)
