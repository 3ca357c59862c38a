"""What makes a volume-profile agent: its window, its bins and sessions, the signs it weighs."""

import difflib
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tg_actors.domain.message import Message
from tg_actors.institutional.volume_profile_signs import SIGNS
from tg_actors.market.needs import MarketNeeds


class WeighedSign(Message):
    """A sign by its name in ``SIGNS`` and how much it counts among the others."""

    name: str
    weight: float = Field(gt=0)

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in SIGNS:
            near = difflib.get_close_matches(name, SIGNS, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(SIGNS)}"
            raise ValueError(f"there is no sign {name!r}{hint}")
        return name


class VolumeProfileSpec(Message):
    """Configuration of a volume-profile agent.

    ``window_bars`` bars are profiled in ``bins`` bins; the value area holds ``value_frac`` of the volume. The
    composite profile covers the last ``composite_sessions`` sessions before the present one; points of
    control of up to ``naked_sessions`` whole sessions are watched until they are touched. A high-volume node
    has ``node_high_min`` times the mean volume of a bin, a low-volume node lies ``node_low_min`` (fraction)
    below the hills beside it. The agent speaks where the weighted score reaches ``enter_score`` with an
    agreement of ``agreement_min``, fractions 0..1 both.
    """

    kind: Literal["volume_profile"] = "volume_profile"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    horizon_bars: int = Field(gt=0)
    window_bars: int = Field(ge=120, le=5_000)
    bins: int = Field(ge=16, le=512)
    value_frac: float = Field(gt=0, lt=1)
    composite_sessions: int = Field(ge=1)
    naked_sessions: int = Field(ge=1)
    node_high_min: float = Field(ge=1)
    node_low_min: float = Field(gt=0, lt=1)
    signs: tuple[WeighedSign, ...] = Field(min_length=1)
    enter_score: float = Field(gt=0, lt=1)
    agreement_min: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        names = [sign.name for sign in self.signs]
        if len(set(names)) != len(names):
            raise ValueError(f"agent {self.name}: every sign may be named once")
        return self

    def needs(self) -> MarketNeeds:
        """Bars, nothing else."""
        return MarketNeeds(window_bars=self.window_bars)
