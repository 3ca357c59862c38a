"""What an owner may change about the practice exchange: fees, slippage, depth, margin and funding."""

from decimal import Decimal

from pydantic import Field, model_validator

from tg_actors.domain.message import Message


class FeeRates(Message):
    """Fees as fractions of the notional, charged in the quote currency on buys and sells alike."""

    maker_frac: Decimal = Field(ge=0, lt=1)
    taker_frac: Decimal = Field(ge=0, lt=1)


class SlippageModel(Message):
    """Linear impact: ``slippage_bps = base_bps + impact_bps * participation``.

    Participation is the quantity filled over the volume of the bar, 0 to 1. A linear law is the
    simplest that makes size cost money; ``base_bps`` covers what latency costs the smallest order.
    """

    base_bps: Decimal = Field(ge=0, lt=1000)
    impact_bps: Decimal = Field(ge=0, lt=1000)


class MarginRules(Message):
    """How far margin accounts may borrow, and when that ends.

    Levels are equity over used margin. Below ``call_level`` the account is warned, below
    ``liquidation_level`` its positions are closed at market.
    """

    leverage_max: Decimal = Field(gt=1, le=100)
    call_level: Decimal = Field(gt=0)
    liquidation_level: Decimal = Field(gt=0)

    @model_validator(mode="after")
    def _warns_before_it_acts(self) -> "MarginRules":
        if self.liquidation_level >= self.call_level:
            raise ValueError("liquidation_level must be below call_level")
        return self


class FundingRules(Message):
    """What holding a margin position costs, as perpetual futures charge it.

    At every whole multiple of ``interval_s`` since 1970 a long position pays ``frac`` of its value at
    the mark and a short one receives it; a negative ``frac`` turns it round.
    """

    interval_s: int = Field(gt=0)
    frac: Decimal = Field(gt=-1, lt=1)


class ExchangeConfig(Message):
    """The costs and the depth of the practice exchange.

    ``volume_frac_max`` is the part of a bar's volume that all our orders together may take. Without
    ``margin`` there are spot accounts only.
    """

    fees: FeeRates
    slippage: SlippageModel
    volume_frac_max: Decimal = Field(gt=0, le=1)
    margin: MarginRules | None = None
    funding: FundingRules | None = None

    @model_validator(mode="after")
    def _funds_what_can_be_held(self) -> "ExchangeConfig":
        if self.funding is not None and self.margin is None:
            raise ValueError("funding is paid on margin positions: it needs a margin section")
        return self
