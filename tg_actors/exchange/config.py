"""What an owner may change about the practice exchange: fees, slippage, and how much of a bar it gives."""

from decimal import Decimal

from pydantic import Field

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


class ExchangeConfig(Message):
    """The costs and the depth of the practice exchange.

    ``volume_frac_max`` is the part of a bar's volume that all our orders together may take.
    """

    fees: FeeRates
    slippage: SlippageModel
    volume_frac_max: Decimal = Field(gt=0, le=1)
