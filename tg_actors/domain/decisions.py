"""Words of one decision cycle: account, targets, verdicts, the decision itself."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Fill, Intent, TradingState
from tg_actors.domain.stages import StageChange, StageState


class Account(Message):
    """The books at one instant, marked at mid prices.

    Units: ``cash`` per quote currency; ``positions`` signed, in base units, non-zero only;
    ``marks`` mid price per instrument in its quote currency; ``rates`` value of one unit of a
    quote currency in the reporting currency; ``equity``, ``gross_exposure`` and
    ``open_notional`` (worst case of everything permitted, open, unknown or waiting for a person that adds
    exposure, by instrument) in the reporting currency. ``busy`` are instruments with a live entry or exit
    order, ``blocked`` those with an order of unknown fate. ``unvalued`` names what is held and has no
    price: unless it is empty, equity is only the known part and nothing may be decided from it.
    """

    at_ns: int
    cash: dict[str, Decimal]
    positions: dict[str, Decimal]
    marks: dict[str, Decimal]
    rates: dict[str, Decimal]
    equity: Decimal
    gross_exposure: Decimal = Field(ge=0)
    open_notional: dict[str, Decimal]
    busy: tuple[str, ...]
    blocked: tuple[str, ...]
    trading_state: TradingState
    unvalued: tuple[str, ...] = ()


class Settlement(Message):
    """What happened at the venue up to this cycle, and the books after it.

    ``exits`` are the instruments whose position was reduced or closed: they cool down. ``protective``
    counts the stops and takes that were permitted.
    """

    cycle: int
    fills: tuple[Fill, ...]
    exits: tuple[str, ...]
    account: Account
    alerts: tuple[str, ...] = ()
    protective: int = 0


class RegimeView(Message):
    """What kind of market it is: the regime that is held to be true, its probability, and all of them.

    ``since_ns`` is the close of the bar that changed the label, or of the first bar that was looked at.
    """

    regime: str
    probability: float = Field(ge=0, le=1)
    probabilities: dict[str, float]
    since_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the ensemble wants to hold.

    Shapes: ``exposure (n,)`` in -1..1 as a fraction of the largest allowed position, NaN = no view
    (leave the position alone); ``confidence (n,)`` likewise NaN; ``shares (n, n_agents)`` each
    agent's part in the target, rows sum to 1 or are all 0. ``weights`` per agent, summing to 1.
    ``regime`` is the label of ``regime_view``, which is None while the regime is unknown; the block of a
    decision keeps the label, the decision itself the view. ``memory`` is what the meta agent must be handed
    back in the next cycle, None where it learns nothing; it is journaled beside the agents' memories.
    """

    cycle: int
    regime: str
    agents: tuple[str, ...]
    weights: tuple[float, ...]
    exposure: F64
    confidence: F64
    shares: F64
    regime_view: RegimeView | None = None
    memory: F64 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """The part of a snapshot that risk needs; shapes ``(n,)``, prices in quote currency.

    ``closes (d, n)`` of whole UTC days, oldest first, NaN where there was none; None without any.
    """

    symbols: tuple[str, ...]
    bid: F64
    ask: F64
    atr: F64
    fresh: F64
    closes: F64 | None = None

    @property
    def mid(self) -> F64:
        """Mid price per instrument."""
        return (self.bid + self.ask) / 2.0


class DenialCode(StrEnum):
    """Public codes of every refusal of ours. What the venue refuses is *rejected*, not denied."""

    CONFIDENCE_TOO_LOW = "CONFIDENCE_TOO_LOW"
    MARKET_STALE = "MARKET_STALE"
    PRICE_NOT_FINITE = "PRICE_NOT_FINITE"
    VOLATILITY_UNKNOWN = "VOLATILITY_UNKNOWN"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    BALANCE_MISSING = "BALANCE_MISSING"
    CASH_INSUFFICIENT = "CASH_INSUFFICIENT"
    ORDER_PENDING = "ORDER_PENDING"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    POSITION_LIMIT = "POSITION_LIMIT"
    LEVERAGE_LIMIT = "LEVERAGE_LIMIT"
    CLUSTER_LIMIT = "CLUSTER_LIMIT"
    ORDER_NOTIONAL_LIMIT = "ORDER_NOTIONAL_LIMIT"
    TRADES_PER_DAY_LIMIT = "TRADES_PER_DAY_LIMIT"
    COOLDOWN = "COOLDOWN"
    DAILY_LOSS_LIMIT = "DAILY_LOSS_LIMIT"
    DRAWDOWN_LIMIT = "DRAWDOWN_LIMIT"
    TRADING_REDUCE_ONLY = "TRADING_REDUCE_ONLY"
    TRADING_HALTED = "TRADING_HALTED"
    INTENT_EXPIRED = "INTENT_EXPIRED"
    PRICE_OUTSIDE_BAND = "PRICE_OUTSIDE_BAND"
    RISK_UNAVAILABLE = "RISK_UNAVAILABLE"
    STAGE_PAIR = "STAGE_PAIR"
    STAGE_PAUSED = "STAGE_PAUSED"
    STAGE_NO_REBALANCE = "STAGE_NO_REBALANCE"
    VENUE_UNKNOWN = "VENUE_UNKNOWN"
    CLOCK_OFFSET = "CLOCK_OFFSET"
    ORDER_TYPE_UNSUPPORTED = "ORDER_TYPE_UNSUPPORTED"
    EXIT_WAITS = "EXIT_WAITS"


class Denied(Message):
    """Our own refusal of a wish, with its public code and the numbers behind it."""

    symbol: str
    code: DenialCode
    detail: str


class RiskState(Message):
    """What the risk room must remember; journaled with every decision, handed back after a crash.

    ``cooldowns`` maps an instrument to the first instant at which it may be entered again.
    ``day`` counts UTC days since the epoch. ``stage`` is None for a desk without stages, and is then
    not written: such a desk's record is the one it always was.
    """

    equity_peak: Decimal = Decimal(0)
    day: int = -1
    day_equity_open: Decimal = Decimal(0)
    trades_today: int = 0
    cooldowns: dict[str, int] = Field(default_factory=dict)
    drawdown_tripped: bool = False
    daily_loss_tripped: bool = False
    stage: StageState | None = Field(default=None, exclude_if=lambda stage: stage is None)


class TradingHalted(Message):
    """A breaker tripped: the trading state it demands, why, and the numbers."""

    code: DenialCode
    state: TradingState
    detail: str
    at_ns: int


class Judgement(Message):
    """Risk's answer to one set of targets: sized intents, denials, and what it remembers.

    ``stage_changes`` are the rollback rules that this cycle's mark has fired, in order.
    """

    cycle: int
    approved: tuple[Intent, ...]
    denied: tuple[Denied, ...]
    halt: TradingHalted | None
    state: RiskState
    stage_changes: tuple[StageChange, ...] = Field(default=(), exclude_if=lambda changes: not changes)


class Decision(Message):
    """One cycle's decision as journaled before any of it is acted on.

    ``block_hash`` is the SHA-256 of the binary block that holds every opinion, its evidence and
    the targets; ``absent`` the agents without an opinion and why; ``bars`` counts the instruments
    with a new bar.
    """

    cycle: int
    cycle_id: str
    at_ns: int
    snapshot_hash: str
    bars: int
    block_hash: str
    regime: str
    weights: dict[str, float]
    absent: dict[str, str]
    equity: Decimal
    judgement: Judgement
    regime_view: RegimeView | None = Field(default=None, exclude_if=lambda view: view is None)
