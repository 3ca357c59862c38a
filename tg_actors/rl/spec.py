"""What an owner may decide about an agent that asks a learned policy."""

from typing import Literal

from pydantic import Field, field_validator

from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.rl.manifest import check_name
from tg_actors.rl.observation import Observer


class RlSpec(Message):
    """Configuration of one learned agent, one file in ``configs/agents``. Fractions are of what is traded.

    Attributes:
        model: name of the model in the registry; the agent follows its champion.
        fee_frac: fee of a fill in the agent's own account, as in the model's training.
        slippage_frac: how far below the market such a fill lands.
        episode_bars: how long an account goes on, as in the training; then it begins anew once it is flat.
        say_bars: bars for which the wish to be flat is repeated: a late one must not be lost.
        regime_bars: window of the filter that tells the regime, as in the training.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["rl"] = "rl"
    horizon_bars: int = Field(gt=0)
    model: str
    fee_frac: float = Field(default=0.001, ge=0, lt=0.1)
    slippage_frac: float = Field(default=0.0002, ge=0, lt=0.1)
    episode_bars: int = Field(default=512, ge=1)
    say_bars: int = Field(default=3, ge=1)
    regime_bars: int = Field(default=512, ge=64, le=1024)

    @field_validator("model")
    @classmethod
    def _is_a_name(cls, model: str) -> str:
        return check_name(model)

    def needs(self) -> MarketNeeds:
        """What is observed, and two windows of bars for the regime."""
        observed = Observer.needs()
        return observed.model_copy(update={"window_bars": max(observed.window_bars, 2 * self.regime_bars)})
