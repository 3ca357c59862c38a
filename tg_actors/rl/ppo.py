"""Training: a plan and a batch in, weights out. Loads the learning libraries; takes no time from a clock.

A training is cut into chunks. Each begins the batch and all randomness anew from seeds of its own, so that a
checkpoint is weights and the optimizer's memory alone, and a training that was killed and goes on from its
checkpoint ends with the very weights of one that never stopped.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tg_actors.rl import checkpoints
from tg_actors.rl.checkpoints import Standing
from tg_actors.rl.environment import Batch, BatchVecEnv
from tg_actors.rl.export import arrays_of, critic_of, load
from tg_actors.rl.learner import Learner
from tg_actors.rl.market import F32
from tg_actors.rl.plans import TrainingPlan, TrainingProgress
from tg_actors.rl.policy import ARRAYS, NumpyPolicy
from tg_actors.rl.weights import digest

Arrays = Mapping[str, F32]
#: What a policy is worth on data that it is not trained on; more is better.
Evaluate = Callable[[NumpyPolicy], float]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a training ended with: the last weights, or the best where they were evaluated.

    ``arrays`` are the policy, ``critic`` what a further training may begin with beside them; ``steps`` those
    that were played, ``best_steps`` those after which these weights stood.
    """

    arrays: dict[str, F32]
    critic: dict[str, F32]
    curve: tuple[TrainingProgress, ...]
    steps: int
    best_steps: int
    sha256: str
    value: float | None = None
    is_stopped_early: bool = False

    @property
    def weights(self) -> dict[str, F32]:
        """Policy and critic, as ``start_from`` of a further training."""
        return {**self.arrays, **self.critic}


def train(
    plan: TrainingPlan,
    batch: Batch,
    *,
    start_from: Arrays | None = None,
    checkpoint: Path | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    evaluate: Evaluate | None = None,
    clock_ns: Callable[[], int] | None = None,
) -> Trained:
    """Train a policy on a batch. Torch has one thread in this process from here on.

    Args:
        plan: how.
        batch: ``plan.rows`` rows; it is begun anew, whatever state it is in.
        start_from: a policy to go on from, with or without its critic.
        checkpoint: a file to go on from, where it is there, and to write after every chunk.
        on_progress: is told of every rollout that is played; not again of those before a checkpoint.
        evaluate: is asked after every chunk; the best weights are kept.
        clock_ns: a monotonic clock, for the speed that progress tells.

    Raises:
        ValueError: the batch has another number of rows, or the arrays to start from do not fit.
        UserError: the checkpoint is damaged or of another training.
    """
    if batch.n != plan.rows:
        raise ValueError(f"the batch has {batch.n} rows, the plan {plan.rows}")
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        training = _Training(plan, batch, start_from or {}, evaluate)
        training.resume(checkpoint)
        speed = _Speed(clock_ns, plan.rollout_steps)
        while not training.is_over:
            training.chunk(lambda told: _tell(on_progress, speed.measured(told)))
            if checkpoint is not None:
                checkpoints.save(checkpoint, training.standing, training.state())
        return training.trained()


class _Training:
    """A training between two chunks: the learner, the best weights, and how far it is."""

    def __init__(self, plan: TrainingPlan, batch: Batch, start: Arrays, evaluate: Evaluate | None) -> None:
        self.plan, self.evaluate = plan, evaluate
        self.learner = Learner(plan, BatchVecEnv(batch))
        self.critic_rollouts = 0
        if start:
            load(self.learner.policy, start)
            self.learner.remember()
            self.critic_rollouts = plan.critic_rollouts if set(start) == set(ARRAYS) else 0
        self.standing = Standing(identity=_identity(plan, batch, start))
        self.best: dict[str, F32] = {}

    @property
    def is_over(self) -> bool:
        return self._begun >= self.plan.rollouts or self.is_stopped

    @property
    def is_stopped(self) -> bool:
        return 0 < self.plan.patience_chunks <= self.standing.idle_chunks

    @property
    def _begun(self) -> int:
        return self.standing.chunk * self.plan.chunk_rollouts

    def chunk(self, tell: Callable[[TrainingProgress], TrainingProgress]) -> None:
        """Play and learn one chunk."""
        plan, learner, first = self.plan, self.learner, self._begun
        learner.begin(np.random.SeedSequence((plan.seed, self.standing.chunk)).generate_state(3).tolist())
        curve = list(self.standing.curve)
        last = min(first + plan.chunk_rollouts, plan.rollouts)
        for k in range(first, last):
            told = learner.rollout(k / plan.rollouts, critic_only=k < self.critic_rollouts)
            told = told.model_copy(update={"steps": (k + 1) * plan.rollout_steps})
            if k + 1 == last and self.evaluate is not None:
                told = told.model_copy(update={"value": self.evaluate(self._policy())})
            curve.append(tell(told))
        update: dict[str, Any] = {"chunk": self.standing.chunk + 1, "curve": tuple(curve)}
        self.standing = self.standing.model_copy(update=update | self._judged(curve[-1]))

    def _judged(self, told: TrainingProgress) -> dict[str, Any]:
        """Keep the weights where they are better than the best."""
        best = self.standing.best_value
        is_better = told.value is None or best is None or told.value > best + self.plan.improvement_min
        if not is_better:
            return {"idle_chunks": self.standing.idle_chunks + 1}
        self.best = {**arrays_of(self.learner.policy), **critic_of(self.learner.policy)}
        return {"idle_chunks": 0, "best_value": told.value, "best_steps": told.steps}

    def _policy(self) -> NumpyPolicy:
        return NumpyPolicy(arrays_of(self.learner.policy))

    def trained(self) -> Trained:
        arrays = {name: self.best[name] for name in ARRAYS}
        return Trained(
            arrays=arrays,
            critic={name: array for name, array in self.best.items() if name not in ARRAYS},
            curve=self.standing.curve,
            steps=self.standing.curve[-1].steps,
            best_steps=self.standing.best_steps,
            sha256=digest(arrays),
            value=self.standing.best_value,
            is_stopped_early=self._begun < self.plan.rollouts,
        )

    def state(self) -> dict[str, Any]:
        """All numbers that the next chunk needs."""
        policy, memory = self.learner.policy, self.learner.policy.optimizer.state_dict()["state"]
        state = {f"best/{name}": array for name, array in self.best.items()}
        state |= {f"policy/{name}": tensor.numpy(force=True) for name, tensor in policy.state_dict().items()}
        for k, parts in memory.items():
            state |= {f"optimizer/{k}/{name}": tensor.numpy(force=True) for name, tensor in parts.items()}
        return state

    def resume(self, path: Path | None) -> None:
        """Go on where a checkpoint stands, if there is one."""
        found = None if path is None else checkpoints.resume(path, self.standing.identity)
        if found is None:
            return
        self.standing, arrays = found
        self.best = {name[5:]: array for name, array in arrays.items() if name.startswith("best/")}
        policy = self.learner.policy
        policy.load_state_dict(
            {name: torch.from_numpy(arrays[f"policy/{name}"]) for name in policy.state_dict()}
        )
        memory: dict[int, dict[str, Any]] = {}
        for name, array in arrays.items():
            kind, *rest = name.split("/")
            if kind == "optimizer":
                memory.setdefault(int(rest[0]), {})[rest[1]] = torch.from_numpy(array)
        optimizer = policy.optimizer
        optimizer.load_state_dict({**optimizer.state_dict(), "state": memory})


class _Speed:
    """Steps a second from one rollout to the next."""

    def __init__(self, clock_ns: Callable[[], int] | None, steps: int) -> None:
        self._clock_ns, self._steps = clock_ns, steps
        self._before_ns = 0 if clock_ns is None else clock_ns()

    def measured(self, told: TrainingProgress) -> TrainingProgress:
        if self._clock_ns is None:
            return told
        before_ns, self._before_ns = self._before_ns, self._clock_ns()
        return told.model_copy(update={"fps": self._steps * 1e9 / max(self._before_ns - before_ns, 1)})


def _tell(on_progress: Callable[[TrainingProgress], None] | None, told: TrainingProgress) -> TrainingProgress:
    if on_progress is not None:
        on_progress(told)
    return told


def _identity(plan: TrainingPlan, batch: Batch, start: Arrays) -> str:
    """What makes a training the same one: plan, columns, rows and the weights it begins with."""
    sha = hashlib.sha256(plan.model_dump_json().encode())
    sha.update(repr((batch.names, batch.actions, batch.n)).encode())
    for name in sorted(start):
        sha.update(name.encode() + np.ascontiguousarray(start[name], dtype="<f4").tobytes())
    return sha.hexdigest()
