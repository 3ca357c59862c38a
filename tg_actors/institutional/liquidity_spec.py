"""What an owner may choose about the agent that hunts liquidity."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds


class LiquidityWeights(Message):
    """How much each kind of evidence adds to the sum of votes; 1 alone makes a score of 0.71."""

    sweep: float = Field(default=1.0, ge=0)
    pools: float = Field(default=0.5, ge=0)
    zone: float = Field(default=0.5, ge=0)
    effort: float = Field(default=0.5, ge=0)
    walls: float = Field(default=1.0, ge=0)
    spoofs: float = Field(default=0.4, ge=0)
    flow: float = Field(default=0.2, ge=0)
    imbalance: float = Field(default=0.3, ge=0)
    absorption: float = Field(default=0.5, ge=0)


class LiquiditySpec(Message):
    """Configuration of one liquidity agent, one file in ``configs/agents``.

    A swing stands out from ``swing_bars`` bars on both sides; a sweep counts for ``sweep_bars`` bars, halved
    with each. A zone is judged over ``zone_bars``. Bands of the book count as walls from ``wall_score_min``
    spreads above the median on; a book older than ``depth_age_bars_max`` bars is none. The agent speaks
    where the score reaches ``enter_score`` with an agreement of ``agreement_min``. Without a book its
    confidence is multiplied by ``bars_only_confidence_frac``.
    """

    kind: Literal["liquidity"] = "liquidity"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    horizon_bars: int = Field(gt=0)
    window_bars: int = Field(default=168, ge=48, le=5_000)
    depth_levels: int = Field(default=64, ge=16, le=400)
    swing_bars: int = Field(default=4, ge=1, le=20)
    sweep_bars: int = Field(default=3, ge=1, le=10)
    zone_bars: int = Field(default=36, ge=12)
    wall_score_min: float = Field(default=6.0, gt=0)
    depth_age_bars_max: float = Field(default=1.0, gt=0)
    enter_score: float = Field(default=0.35, gt=0, lt=1)
    agreement_min: float = Field(default=0.5, ge=0, le=1)
    bars_only_confidence_frac: float = Field(default=0.6, gt=0, le=1)
    weights: LiquidityWeights = LiquidityWeights()

    @model_validator(mode="after")
    def _fits_its_window(self) -> Self:
        if self.zone_bars >= self.window_bars:
            raise ValueError(f"agent {self.name}: zone_bars must be below window_bars, a zone lies inside")
        return self

    def needs(self) -> MarketNeeds:
        """What its snapshots must hold."""
        return MarketNeeds(window_bars=self.window_bars, depth_levels=self.depth_levels)
