"""The numbers an owner may change: how much may be risked, on what, and when to stop."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.message import Message
from tg_actors.market.needs import MarketNeeds
from tg_actors.portfolio.correlation import WINDOWS_DAYS
from tg_actors.risk.stages_plan import StageSpec

_Frac = Annotated[Decimal, Field(gt=0, le=1)]


class RiskLimits(Message):
    """Limits of one account. Fractions are of equity unless said otherwise; decimals as strings in YAML.

    Attributes:
        confidence_frac_min: entries need at least this confidence of the ensemble.
        risk_per_trade_frac: lost when an entry of full exposure runs into its stop.
        position_frac_max: largest position of one instrument; the roadmap says 5-10 %.
        leverage_max: largest sum of all positions and open orders over equity.
        cluster_exposure_frac_max: largest sum of the positions and open orders of one cluster of
            correlated instruments, None for no such limit; the roadmap says 10 %. Too few days known
            means correlated.
        cluster_correlation_min: instruments that correlate less are never of one cluster.
        cluster_correlation_max: instruments that correlate this much always are; between the two it
            takes one standard deviation above the mean of the desk's own pairs.
        drawdown_frac_max: fall from the highest marked equity that ends trading until a person resumes it.
        drawdown_action: what happens then. ``halt`` freezes the desk and leaves positions to their protective
            stops; ``flatten`` closes every position, cycle by cycle, and enters nothing.
        daily_loss_frac_max: fall since the first mark of the UTC day that stops entries for the day.
        trades_per_day_max: entries approved in one UTC day.
        order_notional_max: largest single entry, reporting currency.
        cooldown_bars: bars without an entry after any fill that reduced the position.
        cash_buffer_frac: part of the cash left for fees and slippage of market orders.
        stop_atr_multiple: distance of the protective stop in average true ranges.
        take_atr_multiple: distance of the profit target likewise, None for no target.
        stop_trailing: whether the stop follows the market.
        rebalance_band_frac: no order while target and position differ by less than this part of the
            largest position; keeps costs of small corrections away.
        allow_short: whether positions may be negative.
        order_ttl_bars: bars until an intent that was not permitted expires.
    """

    confidence_frac_min: Decimal = Field(default=Decimal("0.55"), ge=0, le=1)
    risk_per_trade_frac: _Frac = Decimal("0.01")
    position_frac_max: Decimal = Field(default=Decimal("0.10"), gt=0, le=Decimal("0.5"))
    leverage_max: Decimal = Field(default=Decimal(1), gt=0, le=10)
    cluster_exposure_frac_max: Decimal | None = Field(default=None, gt=0, le=1)
    cluster_correlation_min: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)
    cluster_correlation_max: Decimal = Field(default=Decimal("0.8"), ge=0, le=1)
    drawdown_frac_max: _Frac = Decimal("0.15")
    drawdown_action: Literal["halt", "flatten"] = "halt"
    daily_loss_frac_max: _Frac = Decimal("0.05")
    trades_per_day_max: int = Field(default=50, ge=1)
    order_notional_max: Decimal = Field(default=Decimal(10_000), gt=0)
    cooldown_bars: int = Field(default=3, ge=0)
    cash_buffer_frac: Decimal = Field(default=Decimal("0.01"), ge=0, lt=1)
    stop_atr_multiple: Decimal = Field(default=Decimal(3), gt=0)
    take_atr_multiple: Decimal | None = Field(default=None, gt=0)
    stop_trailing: bool = False
    rebalance_band_frac: Decimal = Field(default=Decimal("0.25"), ge=0, lt=1)
    allow_short: bool = False
    order_ttl_bars: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.cluster_correlation_min > self.cluster_correlation_max:
            raise ValueError("cluster_correlation_min must not be above cluster_correlation_max")
        return self

    def needs(self) -> MarketNeeds:
        """Days for clusters, where they are limited."""
        limited = self.cluster_exposure_frac_max is not None
        return MarketNeeds(days=max(WINDOWS_DAYS) + 1 if limited else 0)


class RiskSpec(Message):
    """All that the risk room must know to start; picklable, for its actor. ``stages`` None: no stages."""

    limits: RiskLimits
    instruments: tuple[Instrument, ...]
    desk: str
    account: str
    bar_ns: int = Field(gt=0)
    stages: StageSpec | None = None
