"""What makes one technical agent differ from another: its conditions, their weights, its patience."""

import difflib
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.technical.conditions import CONDITIONS


class WeighedCondition(Message):
    """A condition by its name in ``CONDITIONS`` and how much it counts among the others."""

    name: str
    weight: float = Field(gt=0)

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in CONDITIONS:
            near = difflib.get_close_matches(name, CONDITIONS, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(CONDITIONS)}"
            raise ValueError(f"there is no condition {name!r}{hint}")
        return name


class TechnicalSpec(Message):
    """Configuration of one technical agent, one file in ``configs/agents``.

    The weighted mean of the conditions' scores must reach ``enter_score`` with an agreement of
    ``agreement_min`` for the agent to take a stance, and fall below ``exit_score`` for it to drop
    it: the wider the gap, the longer it holds. All three are fractions 0..1.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["technical"] = "technical"
    horizon_bars: int = Field(gt=0)
    conditions: tuple[WeighedCondition, ...] = Field(min_length=3, max_length=5)
    enter_score: float = Field(gt=0, lt=1)
    exit_score: float = Field(ge=0, lt=1)
    agreement_min: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        names = [condition.name for condition in self.conditions]
        if len(set(names)) != len(names):
            raise ValueError(f"agent {self.name}: every condition may be named once")
        if self.exit_score >= self.enter_score:
            raise ValueError(f"agent {self.name}: exit_score must be below enter_score")
        return self

    def needs(self) -> MarketNeeds:
        """Nothing but the newest bar and its indicators."""
        return MarketNeeds()
