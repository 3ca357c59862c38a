"""What makes a smart-money agent: the sources it listens to, how long it remembers, when it speaks."""

import difflib
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tg_actors.domain.message import Message
from tg_actors.institutional.smart_money_sources import SOURCES
from tg_actors.market.needs import MarketNeeds


class HeardSource(Message):
    """A source by its name in ``SOURCES``, how much it counts, and how much of it is remembered.

    ``fast`` is the span of the exponential mean that says what is measured now, ``slow`` of the one that
    says what is normal; both count observations, not bars: funding has one in eight hours. ``history_min``
    observations must have been seen before the source counts, one older than ``age_s_max`` seconds does not.
    """

    name: str
    weight: float = Field(gt=0)
    fast: float = Field(ge=1)
    slow: float = Field(ge=1)
    history_min: int = Field(ge=2)
    age_s_max: int = Field(gt=0)

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in SOURCES:
            near = difflib.get_close_matches(name, SOURCES, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(SOURCES)}"
            raise ValueError(f"there is no source {name!r}{hint}")
        return name

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"source {self.name}: fast must be shorter than slow")
        return self


class SmartMoneySpec(Message):
    """Configuration of a smart-money agent.

    It speaks where the weighted score of at least ``sources_min`` sources reaches ``enter_score`` (fraction
    0..1); the price's own move is measured over ``trend_bars``. ``crowd_sigma`` is how unusual funding must
    be, in standard deviations, before it counts as a crowd.
    """

    kind: Literal["smart_money"] = "smart_money"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    horizon_bars: int = Field(gt=0)
    sources: tuple[HeardSource, ...] = Field(min_length=1)
    trend_bars: int = Field(ge=2)
    crowd_sigma: float = Field(ge=0)
    enter_score: float = Field(gt=0, lt=1)
    sources_min: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"agent {self.name}: every source may be named once")
        if self.sources_min > len(names):
            raise ValueError(f"agent {self.name}: sources_min must not exceed the number of sources")
        return self

    def needs(self) -> MarketNeeds:
        """Facts, and bars enough to tell what the price did meanwhile and how much it usually moves."""
        return MarketNeeds(window_bars=4 * self.trend_bars + 1, facts=True)
