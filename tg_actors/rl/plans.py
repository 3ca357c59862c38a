"""What a training is told and what it tells, without a learning library."""

from typing import Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message


class TrainingPlan(Message):
    """How a policy plays and learns; the same plan, batch and beginning give the same weights.

    ``steps`` of all ``rows`` together, rounded up to whole rollouts of ``n_steps`` a row. Every
    ``chunk_rollouts`` the batch begins anew from a seed of its own: there a checkpoint is written, the
    policy is evaluated, and training may end.

    ``entropy`` falls to ``entropy_floor`` and ``learning_rate`` to ``learning_rate_end``, both in a straight
    line. ``anchor`` is the weight of the divergence from the policy that training starts from; it falls to 0
    at ``anchor_until_frac`` of the steps. ``critic_rollouts`` teach the critic alone where only a policy is
    given to start from. Training ends when ``patience_chunks`` evaluations in a row were not better than the
    best by ``improvement_min``; 0 never ends it. ``device`` ``auto`` takes a GPU where there is one.
    """

    steps: int = Field(default=1_000_000, ge=1)
    rows: int = Field(default=256, ge=1)
    n_steps: int = Field(default=64, ge=2)
    batch: int = Field(default=2_048, ge=2)
    epochs: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    learning_rate_end: float = Field(default=1e-4, gt=0)
    gamma: float = Field(default=0.99, gt=0, lt=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    entropy: float = Field(default=0.01, ge=0)
    entropy_floor: float = Field(default=0.001, ge=0)
    clip: float = Field(default=0.2, gt=0)
    value_weight: float = Field(default=0.5, ge=0)
    gradient_max: float = Field(default=0.5, gt=0)
    anchor: float = Field(default=0.0, ge=0)
    anchor_until_frac: float = Field(default=0.5, gt=0, le=1)
    critic_rollouts: int = Field(default=2, ge=0)
    hidden: int = Field(default=64, ge=1)
    seed: int = Field(default=1, ge=0)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda)$")
    chunk_rollouts: int = Field(default=8, ge=1)
    patience_chunks: int = Field(default=0, ge=0)
    improvement_min: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _rollouts_are_whole_batches(self) -> Self:
        if self.rollout_steps % self.batch and self.batch < self.rollout_steps:
            raise ValueError(f"a rollout of {self.rollout_steps} steps is no multiple of batch {self.batch}")
        if self.entropy_floor > self.entropy or self.learning_rate_end > self.learning_rate:
            raise ValueError("entropy and learning_rate fall: their ends are not above their beginnings")
        return self

    @property
    def rollout_steps(self) -> int:
        """Steps of all rows between two updates."""
        return self.rows * self.n_steps

    @property
    def rollouts(self) -> int:
        """How many rollouts the steps are."""
        return -(-self.steps // self.rollout_steps)


class CloningPlan(Message):
    """How a policy is taught from demonstrations; the same plan and demonstrations give the same weights.

    ``soften``: the part of each target that goes to all choices alike, so that what is cloned still
    explores. A part ``held_out`` of the demonstrations is not learned from: cloning ends when
    ``patience`` epochs in a row did not lower its loss, and the best weights are kept.
    """

    epochs: int = Field(default=40, ge=1)
    batch: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    soften: float = Field(default=0.3, ge=0, lt=1)
    held_out_frac: float = Field(default=0.1, gt=0, lt=1)
    patience: int = Field(default=5, ge=1)
    hidden: int = Field(default=64, ge=1)
    seed: int = Field(default=1, ge=0)


class TrainingProgress(Message):
    """Where a training stands after a rollout.

    ``reward`` is the mean of a step, ``episode_reward`` that of the episodes that ended in the rollout, None
    where none did; ``entropy`` of the choices in nats; ``approx_kl`` from the policy that played;
    ``explained_frac`` of the returns' variance by the critic, None where returns do not vary; ``value`` what
    the evaluation found, None between evaluations; ``fps`` steps a second since the last one, None without
    a clock.
    """

    steps: int
    steps_total: int
    reward: float
    episode_reward: float | None
    entropy: float
    approx_kl: float
    clipped_frac: float
    explained_frac: float | None
    value: float | None = None
    fps: float | None = None
