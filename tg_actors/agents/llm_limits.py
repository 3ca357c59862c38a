"""The limits that a model is shown: those of the risk room, so that prompt and gate cannot disagree."""

from tg_actors.llm.contract.observation import Limits
from tg_actors.risk.limits import RiskLimits


def shown_limits(risk: RiskLimits) -> Limits:
    """Return the numbers of a risk configuration as an observation shows them."""
    return Limits(
        confidence_frac_min=float(risk.confidence_frac_min),
        risk_per_trade_frac=float(risk.risk_per_trade_frac),
        position_frac_max=float(risk.position_frac_max),
        leverage_max=float(risk.leverage_max),
        order_notional_max=float(risk.order_notional_max),
        allow_short=risk.allow_short,
        trades_per_day_max=risk.trades_per_day_max,
        cooldown_bars=risk.cooldown_bars,
        stop_atr_multiple=float(risk.stop_atr_multiple),
    )
