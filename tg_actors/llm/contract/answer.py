"""What a model may say: one closed object a question, one decision an instrument. A view, never an order.

Prices are floats in quote currency: they become money only where a view becomes an intent.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from tg_actors.domain.message import Message

ANSWER_VERSION: Final = "answer/1"

Price = Annotated[float, Field(gt=0)]
#: Longest texts, in characters; longer ones are cut, for nothing follows from them.
NOTE_CHARS = 400
REASONING_CHARS = 800


class Action(StrEnum):
    """What to do with one instrument."""

    OPEN_LONG = "open_long"
    OPEN_SHORT = "open_short"
    INCREASE = "increase"
    REDUCE = "reduce"
    CLOSE = "close"
    HOLD = "hold"
    SET_EXITS = "set_exits"


#: Without an account there is nothing to increase, reduce or close.
SIGNAL_ACTIONS = (Action.OPEN_LONG, Action.OPEN_SHORT, Action.HOLD)
OPENING = (Action.OPEN_LONG, Action.OPEN_SHORT)


class SizeKind(StrEnum):
    """What a size is: part of equity lost at the stop, part of equity held, or quote currency."""

    RISK_FRAC = "risk_frac"
    TARGET_FRAC = "target_frac"
    NOTIONAL = "notional"


class Size(Message):
    """A wish for size; quantities are computed by code, and risk has the last word."""

    kind: SizeKind
    value: float = Field(gt=0)


class EntryKind(StrEnum):
    """How to get in."""

    MARKET = "market"
    LIMIT = "limit"


class Entry(Message):
    """How to get in; ``limit_price`` belongs to ``limit`` only."""

    kind: EntryKind
    limit_price: Price | None = None
    slippage_bps_max: float | None = Field(default=None, ge=0, le=1000)


class Comparison(StrEnum):
    """How two numbers lie."""

    ABOVE = "above"
    BELOW = "below"


class Invalidation(Message):
    """When the view is wrong, for code to check at every close: ``left`` above or below ``right``.

    ``left`` names ``close`` or an indicator; ``right`` likewise, or ``level`` is a number: one of the two.
    """

    left: str = Field(max_length=40)
    op: Comparison
    right: str | None = Field(default=None, max_length=40)
    level: float | None = None


class Exits(Message):
    """How to get out. ``text`` is for people; nothing follows from it."""

    stop_loss: Price | None = None
    take_profits: tuple[Price, ...] = Field(default=(), max_length=3)
    invalidations: tuple[Invalidation, ...] = Field(default=(), max_length=3)
    time_stop_bars: int | None = Field(default=None, ge=1, le=10_000)
    text: str = Field(default="", max_length=NOTE_CHARS)


class Evidence(Message):
    """A number that the view rests on, and where it stands in the observation."""

    path: str = Field(min_length=1, max_length=120)
    value: float


class SymbolDecision(Message):
    """The view of one instrument. ``conviction`` 0..1; ``horizon_bars`` how far ahead it looks."""

    symbol: str
    action: Action
    conviction: float = Field(ge=0, le=1)
    size: Size | None = None
    entry: Entry | None = None
    exits: Exits | None = None
    leverage: float | None = Field(default=None, ge=1, le=100)
    horizon_bars: int = Field(ge=1, le=10_000)
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=8)
    reasoning: str = Field(default="", max_length=REASONING_CHARS)


class Abstain(Message):
    """Whether the model declines to judge at all, and why."""

    is_abstaining: bool
    why: str = Field(default="", max_length=NOTE_CHARS)


class Answer(Message):
    """The whole answer: every instrument of the observation once, unless it abstains."""

    version: Literal["answer/1"] = ANSWER_VERSION
    decisions: tuple[SymbolDecision, ...] = ()
    note: str = Field(default="", max_length=NOTE_CHARS)
    abstain: Abstain | None = None
