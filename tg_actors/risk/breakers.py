"""Circuit breakers on marked equity. Pure: one mark in, the new memory and at most one halt out."""

from decimal import Decimal

from tg_actors.domain.decisions import DenialCode, RiskState, TradingHalted
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import TradingState
from tg_actors.risk.limits import RiskLimits

DAY_NS = 86_400_000_000_000


def on_mark(
    state: RiskState, limits: RiskLimits, equity: Decimal, at_ns: int
) -> tuple[RiskState, TradingHalted | None]:
    """Take in one mark of the whole account and say whether a breaker trips with it.

    *Drawdown* trips at the first mark with ``1 - equity / peak >= drawdown_frac_max`` and demands
    HALTED, or REDUCE_ONLY where the desk flattens; only :func:`rearm`, a person's act, leads back.
    *Daily loss* trips at the first mark with ``1 - equity / day_equity_open >= daily_loss_frac_max``,
    demands REDUCE_ONLY, and resets with the next UTC day, which opens at its first mark. A mark that is
    repeated changes nothing. Never raises; a peak of zero (nothing was ever there) trips nothing.
    """
    marked = _new_day(state, equity, at_ns // DAY_NS)
    peak = max(marked.equity_peak, equity)
    drawdown = _loss_frac(peak, equity)
    daily_loss = _loss_frac(marked.day_equity_open, equity)
    tripped = marked.model_copy(
        update={
            "equity_peak": peak,
            "drawdown_tripped": marked.drawdown_tripped or drawdown >= limits.drawdown_frac_max,
            "daily_loss_tripped": marked.daily_loss_tripped or daily_loss >= limits.daily_loss_frac_max,
        }
    )
    if tripped.drawdown_tripped and not marked.drawdown_tripped:
        detail = f"equity {equity:.8g} is {drawdown:.4f} below its peak {peak:.8g}"
        demanded = _DRAWDOWN_STATE[limits.drawdown_action]
        return tripped, _halt(DenialCode.DRAWDOWN_LIMIT, demanded, detail, at_ns)
    if tripped.daily_loss_tripped and not marked.daily_loss_tripped and not tripped.drawdown_tripped:
        opening = tripped.day_equity_open
        detail = f"equity {equity:.8g} is {daily_loss:.4f} below the day's opening {opening:.8g}"
        return tripped, _halt(DenialCode.DAILY_LOSS_LIMIT, TradingState.REDUCE_ONLY, detail, at_ns)
    return tripped, None


#: A halted desk sends nothing, not even an exit.
_DRAWDOWN_STATE = {"halt": TradingState.HALTED, "flatten": TradingState.REDUCE_ONLY}


def rearm(state: RiskState, equity: Decimal) -> RiskState:
    """Start both breakers again from ``equity``; everything else is remembered."""
    return state.model_copy(
        update={
            "equity_peak": equity,
            "day_equity_open": equity,
            "drawdown_tripped": False,
            "daily_loss_tripped": False,
        }
    )


def _new_day(state: RiskState, equity: Decimal, day: int) -> RiskState:
    if day <= state.day:
        return state
    return state.model_copy(
        update={"day": day, "day_equity_open": equity, "trades_today": 0, "daily_loss_tripped": False}
    )


def _loss_frac(reference: Decimal, equity: Decimal) -> Decimal:
    return 1 - equity / reference if reference > ZERO else ZERO


def _halt(code: DenialCode, state: TradingState, detail: str, at_ns: int) -> TradingHalted:
    return TradingHalted(code=code, state=state, detail=detail, at_ns=at_ns)
