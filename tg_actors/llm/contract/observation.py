"""What a model is shown: numbers with their quality, versioned, as one canonical JSON text.

What is not known is null and named in ``quality``; it is never zero. Times are ISO texts in UTC, for people
and models read them; numbers have six significant digits.
"""

import hashlib
import json
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field

from tg_actors.domain.message import Message

OBSERVATION_VERSION: Final = "observation/1"

#: Open, high, low, close, volume; null where there is no bar.
Bar = tuple[float | None, float | None, float | None, float | None, float | None]


class Mode(StrEnum):
    """``signal``: the market alone, so that equal markets give equal questions. ``trader``: its books too."""

    SIGNAL = "signal"
    TRADER = "trader"


class Series(Message):
    """Closed bars, oldest first; the newest one closed at ``end_utc``."""

    timeframe: str
    end_utc: str
    columns: tuple[str, ...] = ("open", "high", "low", "close", "volume")
    bars: tuple[Bar, ...]


class BookView(Message):
    """The order book: part of the shown size that bids hold less that of asks (-1..1), sizes, age."""

    imbalance: float | None
    bid_size: float | None
    ask_size: float | None
    levels: int
    age_s: float


class FactView(Message):
    """A number that is not a bar, in ``unit``, and how old it is."""

    value: float
    unit: str
    age_s: float


class InstrumentView(Message):
    """One instrument. ``indicators`` are of the newest bar; ``quality`` names what is missing or old."""

    last: float | None
    bid: float | None
    ask: float | None
    spread_bps: float | None
    indicators: dict[str, float | None]
    series: Series | None
    days: Series | None
    book: BookView | None
    facts: dict[str, FactView | None]
    quality: tuple[str, ...]


class RegimeShown(Message):
    """What kind of market the desk's own filter sees, and how sure it is."""

    label: str
    probabilities: dict[str, float]


class Limits(Message):
    """What risk will enforce whatever is answered: rendered from its own configuration."""

    confidence_frac_min: float
    risk_per_trade_frac: float
    position_frac_max: float
    leverage_max: float
    order_notional_max: float
    allow_short: bool
    trades_per_day_max: int
    cooldown_bars: int
    stop_atr_multiple: float


class PositionView(Message):
    """A position: signed size in base units, its value and part of equity in the reporting currency."""

    quantity: float
    mark: float | None
    weight_frac: float | None
    is_busy: bool


class AccountView(Message):
    """The books, in ``trader`` mode only. ``is_reduce_only``: nothing may be opened now."""

    reporting_currency: str
    equity: float
    gross_exposure_frac: float | None
    cash: dict[str, float]
    positions: dict[str, PositionView]
    is_reduce_only: bool


class Observation(Message):
    """Everything that one question rests on."""

    version: Literal["observation/1"] = OBSERVATION_VERSION
    mode: Mode
    as_of_utc: str
    venue: str
    timeframe: str
    instruments: dict[str, InstrumentView] = Field(min_length=1)
    regime: RegimeShown | None
    limits: Limits
    account: AccountView | None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments, in the order of the desk."""
        return tuple(self.instruments)

    def plain(self) -> dict[str, Any]:
        """The observation as plain JSON values, in the order in which it is shown."""
        content: dict[str, Any] = self.model_dump(mode="json")
        return content

    def text(self) -> str:
        """The canonical text, which the model is shown and the hash is made of."""
        return json.dumps(self.plain(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def digest(self) -> str:
        """Hex SHA-256 of :meth:`text`."""
        return hashlib.sha256(self.text().encode()).hexdigest()
