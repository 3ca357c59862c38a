"""What every wish must pass, as two tables. The first refusal is the answer; unknown is refused."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from tg_actors.domain.decisions import Account, DenialCode, RiskState
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg, TradingState
from tg_actors.risk.clusters import Clusters
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.stages import StageLimits
from tg_actors.risk.wishes import Wish

Refusal = tuple[DenialCode, str]


@dataclass(slots=True)
class Committed:
    """What this judgement has approved so far; amounts in the reporting currency."""

    trades: int = 0
    notional: Decimal = ZERO
    cash: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """The world in which a wish is judged.

    ``account_gap`` says what is not known of the books. ``stage`` is what the desk's stage allows, None
    for a desk without stages; ``limits`` and the equity of ``account`` are already cut down to it.
    ``clusters`` is None where they are not limited, or the books are not known.
    """

    limits: RiskLimits
    account: Account
    account_gap: str | None
    state: RiskState
    at_ns: int
    committed: Committed
    quote_of: Mapping[str, str]
    stage: StageLimits | None = None
    clusters: Clusters | None = None


def find_account_gap(account: Account, quote_of: Mapping[str, str], at_ns: int, bar_ns: int) -> str | None:
    """Say what keeps the books from being known as a whole at ``at_ns``, None when they are.

    Args:
        account: the books as the executor last knew them.
        quote_of: quote currency of every instrument of the desk.
        at_ns: now.
        bar_ns: books may be younger than one bar, not older, and not from the future.
    """
    if not at_ns - bar_ns < account.at_ns <= at_ns:
        return f"the books are of {account.at_ns}, now is {at_ns}"
    if account.unvalued:
        return f"{', '.join(account.unvalued)} held and not valued"
    for currency, amount in account.cash.items():
        if amount != ZERO and currency not in account.rates:
            return f"{currency} is held and has no rate"
    for symbol in account.positions:
        if not _is_valued(symbol, account.marks, quote_of.get(symbol), account.rates):
            return f"{symbol} is held and cannot be valued"
    return None


def _is_valued(symbol: str, marks: Collection[str], quote: str | None, rates: Mapping[str, Decimal]) -> bool:
    return symbol in marks and quote is not None and quote in rates


def _not_halted(_: Wish, context: Context) -> Refusal | None:
    if context.account.trading_state is TradingState.HALTED:
        return DenialCode.TRADING_HALTED, "trading is halted until a person resumes it"
    return None


def _account_known(wish: Wish, context: Context) -> Refusal | None:
    if context.account_gap is not None:
        return DenialCode.ACCOUNT_UNKNOWN, context.account_gap
    if context.account.equity <= ZERO:
        return DenialCode.ACCOUNT_UNKNOWN, f"equity {context.account.equity} is not positive"
    if wish.rate is None:
        return DenialCode.ACCOUNT_UNKNOWN, f"{wish.instrument.quote} has no rate"
    return None


def _market_fresh(wish: Wish, _: Context) -> Refusal | None:
    # NaN is neither: only an explicit yes counts.
    if wish.fresh == 1.0:
        return None
    return DenialCode.MARKET_STALE, "the newest bar is not of this cycle"


def _price_finite(wish: Wish, _: Context) -> Refusal | None:
    if isfinite(wish.ask) and 0 < wish.bid <= wish.ask:
        return None
    return DenialCode.PRICE_NOT_FINITE, f"bid {wish.bid}, ask {wish.ask}"


def _fate_known(wish: Wish, context: Context) -> Refusal | None:
    if wish.instrument.symbol in context.account.blocked:
        return DenialCode.ORDER_UNKNOWN, "an order of this instrument is unresolved"
    return None


def _nothing_pending(wish: Wish, context: Context) -> Refusal | None:
    if wish.instrument.symbol in context.account.busy:
        return DenialCode.ORDER_PENDING, "an order of this instrument is still live"
    return None


def _stage_rebalances(wish: Wish, context: Context) -> Refusal | None:
    if context.stage is None or context.stage.rebalancing or wish.held == ZERO or wish.closes:
        return None
    detail = f"at stage {context.stage.stage} a position is opened and closed, not changed"
    return DenialCode.STAGE_NO_REBALANCE, detail


def _stage_open(_: Wish, context: Context) -> Refusal | None:
    if context.stage is None or not context.stage.closed:
        return None
    return DenialCode.STAGE_PAUSED, context.stage.closed


def _stage_pair(wish: Wish, context: Context) -> Refusal | None:
    stage = context.stage
    if stage is None or stage.pairs is None or wish.instrument.symbol in stage.pairs:
        return None
    return DenialCode.STAGE_PAIR, f"{wish.instrument.symbol} is not traded at stage {stage.stage}"


def _not_reduce_only(_: Wish, context: Context) -> Refusal | None:
    if context.account.trading_state is TradingState.REDUCE_ONLY:
        return DenialCode.TRADING_REDUCE_ONLY, "only orders that shrink a position may leave"
    return None


def _no_drawdown(_: Wish, context: Context) -> Refusal | None:
    if context.state.drawdown_tripped:
        return DenialCode.DRAWDOWN_LIMIT, f"equity fell too far below its peak {context.state.equity_peak}"
    return None


def _no_daily_loss(_: Wish, context: Context) -> Refusal | None:
    if context.state.daily_loss_tripped:
        opened = context.state.day_equity_open
        return DenialCode.DAILY_LOSS_LIMIT, f"equity fell too far below the day's opening {opened}"
    return None


def _short_allowed(wish: Wish, context: Context) -> Refusal | None:
    if wish.side is Side.SELL and not context.limits.allow_short:
        return DenialCode.SHORT_NOT_ALLOWED, "positions may not be negative"
    return None


def _volatility_known(wish: Wish, _: Context) -> Refusal | None:
    if isfinite(wish.atr) and wish.atr > 0:
        return None
    return DenialCode.VOLATILITY_UNKNOWN, f"average true range {wish.atr}"


def _confident(wish: Wish, context: Context) -> Refusal | None:
    if wish.confidence >= float(context.limits.confidence_frac_min):
        return None
    return DenialCode.CONFIDENCE_TOO_LOW, f"{wish.confidence:.4f} below {context.limits.confidence_frac_min}"


def _cooled_down(wish: Wish, context: Context) -> Refusal | None:
    until_ns = context.state.cooldowns.get(wish.instrument.symbol, 0)
    if context.at_ns >= until_ns:
        return None
    return DenialCode.COOLDOWN, f"may be entered again at {until_ns}"


def _trades_left(_: Wish, context: Context) -> Refusal | None:
    used = context.state.trades_today + context.committed.trades
    if used < context.limits.trades_per_day_max:
        return None
    return DenialCode.TRADES_PER_DAY_LIMIT, f"{used} entries today"


def _balance_known(wish: Wish, context: Context) -> Refusal | None:
    if wish.side is Side.SELL or wish.instrument.quote in context.account.cash:
        return None
    return DenialCode.BALANCE_MISSING, f"no balance of {wish.instrument.quote}"


Rule = Callable[[Wish, Context], Refusal | None]

#: Nothing leaves without these, not even what closes a position.
RULES: tuple[Rule, ...] = (
    _not_halted,
    _account_known,
    _market_fresh,
    _price_finite,
    _fate_known,
    _nothing_pending,
    _stage_rebalances,
)
#: What adds to a position must pass these as well.
ENTRY_RULES: tuple[Rule, ...] = (
    *RULES,
    _stage_open,
    _stage_pair,
    _not_reduce_only,
    _no_drawdown,
    _no_daily_loss,
    _short_allowed,
    _volatility_known,
    _confident,
    _cooled_down,
    _trades_left,
    _balance_known,
)


def refuse(wish: Wish, context: Context) -> Refusal | None:
    """Return the first refusal of a wish, None when it may be sized. Never raises."""
    for rule in RULES if wish.leg is Leg.EXIT else ENTRY_RULES:
        if (refusal := rule(wish, context)) is not None:
            return refusal
    return None
