"""What an owner may change about the practice exchange: fees, slippage, depth, margin and funding."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from tg_actors.domain.message import Message


class FillRule(StrEnum):
    """Where a market order that was decided on the close of a bar meets its price.

    ``next_open``: the open of the next bar of the instrument. ``signal_close``: the very close that it was
    decided on, which nobody can trade: optimistic. ``book_walk``: level by level through the book that was
    shown with that close.
    """

    NEXT_OPEN = "next_open"
    SIGNAL_CLOSE = "signal_close"
    BOOK_WALK = "book_walk"


class Intrabar(StrEnum):
    """The path of prices inside a bar, which decides whether a stop or a take goes off first.

    ``ohlc_path``: low before high in a bar that closed at or above its open, high before low in any other.
    ``low_first``: always low before high, the worst case of whoever owns and never owes.
    """

    OHLC_PATH = "ohlc_path"
    LOW_FIRST = "low_first"


class Funds(StrEnum):
    """When a market buy must be covered.

    ``held``: in full and in the worst case as it is sent, as venues ask it. ``at_fill``: as it fills, cut
    to what the cash covers.
    """

    HELD = "held"
    AT_FILL = "at_fill"


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

    ``volume_frac_max`` is the part of a bar's volume that all our orders together may take, null for a
    market that fills any size. Fees are rounded up to ``fee_step``. Without ``margin`` there are spot
    accounts only. ``fill_rule`` other than ``next_open`` is for backtests on one account. In a market of bars
    an order meets the path of prices ``latency_ms`` after it was sent.
    """

    fees: FeeRates
    slippage: SlippageModel
    volume_frac_max: Decimal | None = Field(gt=0, le=1)
    fill_rule: FillRule = FillRule.NEXT_OPEN
    intrabar: Intrabar = Intrabar.OHLC_PATH
    funds: Funds = Funds.HELD
    latency_ms: int = Field(default=0, ge=0)
    fee_step: Decimal = Field(default=Decimal("1E-8"), gt=0)
    margin: MarginRules | None = None
    funding: FundingRules | None = None

    @model_validator(mode="after")
    def _funds_what_can_be_held(self) -> "ExchangeConfig":
        if self.funding is not None and self.margin is None:
            raise ValueError("funding is paid on margin positions: it needs a margin section")
        if self.latency_ms and self.fill_rule is not FillRule.NEXT_OPEN:
            raise ValueError(f"fill_rule: {self.fill_rule} fills at once: leave latency_ms out")
        if self.funds is Funds.AT_FILL and self.margin is not None:
            raise ValueError("funds: at_fill is for spot accounts: leave the margin section out")
        return self
