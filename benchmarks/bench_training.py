"""Frames a second of training, beside a plain torch PPO loop on the same batch; one thread, processor time.

Pairs are interleaved and the order within a pair alternates, so that what else the machine does meets both.
The plain loop is the shortest one that does the same work: same network, rollout, minibatches and epochs, no
library above torch.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.ground import machine, show, spread
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.plans import TrainingPlan

_BARS, _ASSETS, _FEATURES = 10_000, 4, 26
RULES = EpisodeRules(bars=512)


def main() -> None:
    """Measure the pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=131_072)
    args = parser.parse_args()
    before = machine()
    plan = TrainingPlan(steps=args.steps, device="cpu")
    market = made_up_market()
    runs: dict[str, Callable[[], None]] = {
        "ours": lambda: _ours(plan, market),
        "stable_baselines3": lambda: _theirs(plan, market),
        "plain_torch": lambda: _plain(plan, market),
    }
    fps: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    steps = plan.rollouts * plan.rollout_steps
    for pair in range(args.pairs):
        for name in list(runs)[:: 1 if pair % 2 else -1]:
            began_ns = time.process_time_ns()
            runs[name]()
            fps[name].append(steps * 1e9 / (time.process_time_ns() - began_ns))
    ratios = {
        name: [own / plain for own, plain in zip(fps[name], fps["plain_torch"], strict=True)]
        for name in ("ours", "stable_baselines3")
    }
    show(
        "training",
        before,
        {
            "rows": plan.rows,
            "features": _FEATURES + 4,
            "batch": plan.batch,
            "epochs": plan.epochs,
            "frames_per_cpu_s": {name: spread(rates) for name, rates in fps.items()},
            "over_plain_torch": {name: spread(ratio) for name, ratio in ratios.items()},
            "goal_over_plain_torch": 0.80,
            "goal_frames_per_s": 40_000,
        },
    )


def made_up_market() -> LearningMarket:
    """Return random walks of four instruments."""
    rng = np.random.default_rng(1)
    shape = (_BARS, _ASSETS)
    close = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(shape), axis=0))
    return LearningMarket(
        open_=np.concatenate((close[:1], close[:-1])),
        close=close,
        observed=rng.standard_normal((*shape, _FEATURES)).astype(np.float32),
        names=tuple(f"f{k}" for k in range(_FEATURES)),
        worse=np.full(shape, 5e-4),
        move_frac=np.full(_ASSETS, 0.01),
    )


def _ours(plan: TrainingPlan, market: LearningMarket) -> None:
    # Loaded here, so that --help does not wait for it.
    from tg_actors.rl.ppo import train

    train(plan, Episodes(market, RULES, plan.rows, seed=1))


def _theirs(plan: TrainingPlan, market: LearningMarket) -> None:
    """Stable-baselines3 as it comes, with the same sizes."""
    import torch
    from stable_baselines3 import PPO

    from tg_actors.rl.environment import BatchVecEnv

    torch.set_num_threads(1)
    PPO(
        "MlpPolicy",
        BatchVecEnv(Episodes(market, RULES, plan.rows, seed=1)),
        learning_rate=plan.learning_rate,
        n_steps=plan.n_steps,
        batch_size=plan.batch,
        n_epochs=plan.epochs,
        gae_lambda=plan.gae_lambda,
        ent_coef=plan.entropy,
        device="cpu",
        seed=1,
    ).learn(plan.steps)


def _plain(plan: TrainingPlan, market: LearningMarket) -> None:
    """Clipped PPO in one function, distributions and optimizer as torch has them."""
    import torch
    from torch import nn
    from torch.distributions import Categorical

    torch.set_num_threads(1)
    torch.manual_seed(1)
    episodes = Episodes(market, RULES, plan.rows, seed=1)
    seen = torch.from_numpy(episodes.reset())
    sizes = list(episodes.actions)

    def net(out: int) -> nn.Sequential:
        h = plan.hidden
        return nn.Sequential(
            nn.Linear(seen.shape[1], h), nn.Tanh(), nn.Linear(h, h), nn.Tanh(), nn.Linear(h, out)
        )

    actor, critic = net(sum(sizes)), net(1)
    weights = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(weights, lr=plan.learning_rate, eps=1e-5)

    def heads(observed: Any) -> list[Any]:
        return [
            Categorical(logits=part, validate_args=False) for part in torch.split(actor(observed), sizes, 1)
        ]

    shape = (plan.n_steps, plan.rows)
    for _ in range(plan.rollouts):
        observed, acts = torch.zeros(*shape, seen.shape[1]), torch.zeros(*shape, 2, dtype=torch.long)
        chances, values, rewards, dones = (torch.zeros(*shape) for _ in range(4))
        for t in range(plan.n_steps):
            with torch.no_grad():
                choices = heads(seen)
                act = torch.stack([choice.sample() for choice in choices], 1)
                chances[t] = sum(choice.log_prob(act[:, k]) for k, choice in enumerate(choices))
                values[t] = critic(seen).flatten()
            observed[t], acts[t] = seen, act
            stepped = episodes.step(act.numpy())
            rewards[t] = torch.from_numpy(stepped.reward.astype(np.float32))
            dones[t] = torch.from_numpy((stepped.terminated | stepped.truncated).astype(np.float32))
            seen = torch.from_numpy(stepped.observed)
        gains = _gains(plan, rewards, values, dones, critic(seen).flatten().detach())
        rows = [x.flatten(0, 1) for x in (observed, acts, chances, gains, gains + values)]
        for _ in range(plan.epochs):
            for part in torch.split(torch.randperm(plan.rollout_steps), plan.batch):
                o, a, old, g, target = (x[part] for x in rows)
                choices = heads(o)
                log_ratio = sum(choice.log_prob(a[:, k]) for k, choice in enumerate(choices)) - old
                ratio, g = log_ratio.exp(), (g - g.mean()) / (g.std() + 1e-8)
                gained = torch.min(g * ratio, g * ratio.clamp(1 - plan.clip, 1 + plan.clip)).mean()
                entropy = sum(choice.entropy().mean() for choice in choices)
                lost = nn.functional.mse_loss(critic(o).flatten(), target)
                optimizer.zero_grad()
                (plan.value_weight * lost - gained - plan.entropy * entropy).backward()
                nn.utils.clip_grad_norm_(weights, plan.gradient_max)
                optimizer.step()


def _gains(plan: TrainingPlan, rewards: Any, values: Any, dones: Any, after: Any) -> Any:
    """Advantages of every step, from the last one back."""
    gains, gain = rewards.clone(), 0.0
    for t in reversed(range(plan.n_steps)):
        error = rewards[t] + plan.gamma * after * (1 - dones[t]) - values[t]
        gain = error + plan.gamma * plan.gae_lambda * (1 - dones[t]) * gain
        gains[t], after = gain, values[t]
    return gains


if __name__ == "__main__":
    main()
