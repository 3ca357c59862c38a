"""What an owner may decide about the correlation agent."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.portfolio.correlation import WINDOWS_DAYS


class CorrelationConditions(Message):
    """How much each of the agent's conditions counts; 0 switches one off."""

    leader: float = Field(default=1.0, ge=0)
    stress: float = Field(default=1.0, ge=0)
    references: float = Field(default=1.0, ge=0)
    diversifier: float = Field(default=1.0, ge=0)
    lead_lag: float = Field(default=1.0, ge=0)


class CorrelationSpec(Message):
    """Configuration of one correlation agent, one file in ``configs/agents``.

    Attributes:
        leader: base asset of the market's leader; on a desk without it, whoever correlates most.
        references: daily series that are watched, as the market's source names them; may be empty.
        trend_days: calendar days over which something is said to fall or to rise.
        lags_days: how far behind a leader a follower may be.
        alpha_frac: chance that a find of leader and follower among all pairs is none.
        target: weights that are shown in the evidence, by their name in ``portfolio/weights.py``.
        target_cap_frac: largest of these weights.
        conditions: how much each condition counts.
        enter_score: the agent speaks from this weighted score on.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["correlation"] = "correlation"
    horizon_bars: int = Field(gt=0)
    leader: str = "BTC"
    references: tuple[str, ...] = ()
    trend_days: int = Field(default=5, ge=1, le=30)
    lags_days: tuple[int, ...] = (1, 2, 3)
    alpha_frac: float = Field(default=0.05, gt=0, lt=1)
    target: Literal["equal", "inverse_volatility", "erc", "hrp"] = "hrp"
    target_cap_frac: float = Field(default=0.25, gt=0, le=1)
    conditions: CorrelationConditions = Field(default_factory=CorrelationConditions)
    enter_score: float = Field(default=0.3, gt=0, lt=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if not any(self.conditions.model_dump().values()):
            raise ValueError(f"agent {self.name}: at least one condition must count")
        if any(lag < 1 for lag in self.lags_days) or len(set(self.lags_days)) < len(self.lags_days):
            raise ValueError(f"agent {self.name}: lags_days are whole days from 1 on, each once")
        return self

    def needs(self) -> MarketNeeds:
        """The longest window, the close before it, and the day before: yesterday's view is asked as well."""
        return MarketNeeds(days=max(WINDOWS_DAYS) + 2, references=self.references)
