"""Whose opinion counts how much: the policies of a desk file."""

from typing import Annotated, Literal

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.meta.bandits.specs import AlgorithmSpec, LeaderSpec
from tg_actors.portfolio.stances import TargetRule


class EqualWeightPolicy(Message):
    """Every agent that is heard counts the same; nothing is learnt."""

    kind: Literal["equal_weight"] = "equal_weight"

    @property
    def learns(self) -> bool:
        """Whether there is a bandit."""
        return False

    @property
    def named(self) -> tuple[str, ...]:
        """Nobody is spoken of."""
        return ()

    @property
    def disabled(self) -> tuple[str, ...]:
        """Nobody, until a person says so."""
        return ()


class ShadowConfig(Message):
    """How every agent is traded in thought, to be judged.

    Its opinion moves its own sleeve of every instrument by ``rule``, at mid prices; ``cost_bps`` of what is
    moved stand for fee, half spread and slippage. A return of a cycle of plus or minus ``reward_scale_bps``,
    the mean over the instruments, is the reward 1 or 0; nothing is 0.5, and what lies beyond is cut off.
    """

    rule: TargetRule = TargetRule(confidence_frac_min=0.0, band_frac=0.1)
    cost_bps: float = Field(default=12.0, ge=0)
    reward_scale_bps: float = Field(default=200.0, gt=0)


class WarmStart(Message):
    """What is known of an arm beforehand: its mean return a cycle, and in how many cycles it was seen."""

    mean_bps: float
    deviation_bps: float = Field(ge=0)
    pulls: int = Field(ge=1, le=1000)


class _LearningPolicy(Message):
    """What both learning policies have in common; arms are the agents of the desk, by name.

    ``disabled`` arms have no weight, but go on being judged. The reward of a ``costly`` arm is known only for
    a cycle in which it had weight: its answer has to be paid for. ``warm`` arms begin with what is known.
    With ``trust_errors_min`` an arm counts only while the bandit expects it to earn something, by so many
    standard errors; where none does, the target is to hold nothing.
    """

    algorithm: AlgorithmSpec = LeaderSpec()
    shadow: ShadowConfig = ShadowConfig()
    disabled: tuple[str, ...] = ()
    costly: tuple[str, ...] = ()
    warm: dict[str, WarmStart] = Field(default_factory=dict)
    # Not written where everybody counts: plans of desks that began without it stay what they were.
    trust_errors_min: float | None = Field(default=None, ge=0, le=10, exclude_if=lambda said: said is None)

    @property
    def learns(self) -> bool:
        """Whether there is a bandit."""
        return True

    @property
    def named(self) -> tuple[str, ...]:
        """Every arm that is spoken of."""
        return (*self.disabled, *self.costly, *self.warm)


class SelectionPolicy(_LearningPolicy):
    """One arm is chosen in each cycle, and it alone counts."""

    kind: Literal["selection"] = "selection"


class WeightsPolicy(_LearningPolicy):
    """All arms count, the better the more; ``sharpness`` 0 is equal weight, a large one is a selection."""

    kind: Literal["weights"] = "weights"
    sharpness: float = Field(default=1.0, ge=0, le=100)


LearningPolicy = SelectionPolicy | WeightsPolicy
Policy = Annotated[EqualWeightPolicy | SelectionPolicy | WeightsPolicy, Field(discriminator="kind")]
