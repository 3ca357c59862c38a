"""What an owner may decide about the rebalancing agent."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds

#: Returns that a covariance is made of when weights are computed; one close more is needed.
COVARIANCE_DAYS = 90


class RebalancingSpec(Message):
    """Configuration of one rebalancing agent, one file in ``configs/agents``. Fractions are of equity.

    Attributes:
        target: ``fixed`` weights, or weights by their name in ``portfolio/weights.py``.
        weights: target of each instrument for ``fixed``; who is not named is left alone.
        invested_frac: sum of the targets that are computed; the rest stays cash.
        cap_frac: largest target of one instrument.
        position_frac: largest position of the desk (its ``risk.position_frac_max``): a target of this
            size is a direction of 1.
        cost_frac: cost of a trade as a fraction of what is traded: fee, half the spread, slippage.
        risk_aversion: of the owner; the higher, the narrower the band.
        band_frac: half the width of the band; null works it out from cost, target and risk aversion.
        inner_frac: where a trade ends: 1 at the band's edge, 0 at the target. The edge is cheapest where
            costs are in proportion to the trade; fixed costs (small orders) want to go further.
        every_days: besides, all go back to their targets every so many days; null: bands alone.
        say_bars: bars for which a wish is repeated: one that cannot be traded must not lose it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["rebalancing"] = "rebalancing"
    horizon_bars: int = Field(gt=0)
    target: Literal["fixed", "equal", "inverse_volatility", "erc", "hrp"] = "erc"
    weights: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    invested_frac: float = Field(default=0.5, gt=0, le=1)
    cap_frac: float = Field(default=0.1, gt=0, le=1)
    position_frac: float = Field(default=0.1, gt=0, le=1)
    cost_frac: float = Field(default=0.001, ge=0, lt=0.1)
    risk_aversion: float = Field(default=2.0, gt=0)
    band_frac: float | None = Field(default=None, gt=0, lt=1)
    inner_frac: float = Field(default=1.0, ge=0, le=1)
    every_days: int | None = Field(default=None, ge=1)
    say_bars: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if (self.target == "fixed") != bool(self.weights):
            raise ValueError(f"agent {self.name}: weights belong to target: fixed, and it to them")
        if sum(self.weights.values()) > 1:
            raise ValueError(f"agent {self.name}: weights sum to more than 1: it does not borrow")
        if self.cap_frac > self.position_frac:
            raise ValueError(f"agent {self.name}: cap_frac is above position_frac, the largest position")
        if any(weight > self.position_frac for weight in self.weights.values()):
            raise ValueError(f"agent {self.name}: a weight is above position_frac, the largest position")
        return self

    def needs(self) -> MarketNeeds:
        """Days for a covariance, unless the weights are written down."""
        return MarketNeeds() if self.target in {"fixed", "equal"} else MarketNeeds(days=COVARIANCE_DAYS + 1)
