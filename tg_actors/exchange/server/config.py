"""What an owner decides about the exchange process: market, clock, accounts, limits, latency."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tg_actors.domain.message import Message
from tg_actors.exchange.config import FundingRules, MarginRules
from tg_actors.exchange.marketplace import AccountKind
from tg_actors.market.config import MarketConfig

NAME = r"^[a-z0-9][a-z0-9_-]*$"
CURRENCY = r"^[A-Z0-9]{2,12}$"
_DIALECTS = ("kraken", "binance", "alpaca")


class PacedClock(Message):
    """The market runs by itself, ``speed`` times as fast as real time.

    Every ``tick_ms`` of real time prices move, ``levels`` per side are shown and trades are printed.
    ``starts: now`` stamps a simulated or recorded market as if it began at the first start on a state,
    as bots want it that compare candles with their clock; ``market`` keeps its own times.
    """

    kind: Literal["paced"] = "paced"
    starts: Literal["market", "now"] = "market"
    speed: float = Field(default=1.0, gt=0)
    tick_ms: int = Field(default=250, ge=10, le=10_000)
    levels: int = Field(default=25, ge=1, le=500)


class SteppedClock(Message):
    """The market stands still until the operator says ``POST /practice/advance``: one whole bar a step."""

    kind: Literal["stepped"] = "stepped"
    levels: int = Field(default=25, ge=1, le=500)


class AccountConfig(Message):
    """One account at its opening. ``margin`` may sell short and borrow."""

    kind: Literal["spot", "margin"] = "spot"
    balances: dict[Annotated[str, Field(pattern=CURRENCY)], Annotated[Decimal, Field(ge=0)]]

    @property
    def account_kind(self) -> AccountKind:
        """The kind in the exchange's word."""
        return AccountKind(self.kind)


class RequestLimit(Message):
    """A token bucket per key: ``capacity`` at most, ``refill_per_s`` given back every second."""

    capacity: int = Field(gt=0)
    refill_per_s: float = Field(gt=0)


class Latency(Message):
    """How long a request travels, drawn evenly from the seed. Half before it is read, half after."""

    min_ms: int = Field(default=0, ge=0, le=60_000)
    max_ms: int = Field(default=0, ge=0, le=60_000)

    @model_validator(mode="after")
    def _min_is_not_above_max(self) -> "Latency":
        if self.min_ms > self.max_ms:
            raise ValueError("min_ms must not be above max_ms")
        return self


class ServerConfig(Message):
    """A file such as ``configs/exchange.yaml``: one exchange process.

    ``venue`` names the file in ``configs/venues`` with filters and costs. ``limits`` are by dialect;
    a dialect without a row is not limited. ``margin`` and ``funding`` take the place of the venue
    file's; margin accounts need them. ``seed`` draws order books and latency.
    """

    venue: str
    instruments: tuple[str, ...] = Field(min_length=1)
    market: MarketConfig
    clock: PacedClock | SteppedClock = Field(discriminator="kind")
    accounts: dict[Annotated[str, Field(pattern=NAME)], AccountConfig] = Field(min_length=1)
    limits: dict[str, RequestLimit] = Field(default_factory=dict)
    latency: Latency = Field(default_factory=Latency)
    margin: MarginRules | None = None
    funding: FundingRules | None = None
    seed: int = Field(default=1, ge=0)

    @field_validator("limits")
    @classmethod
    def _limits_are_of_dialects(cls, limits: dict[str, RequestLimit]) -> dict[str, RequestLimit]:
        for name in limits:
            if name not in _DIALECTS:
                raise ValueError(f"there is no dialect {name!r}: known are {', '.join(_DIALECTS)}")
        return limits

    @model_validator(mode="after")
    def _margin_accounts_have_rules(self) -> "ServerConfig":
        if self.margin is None and any(account.kind == "margin" for account in self.accounts.values()):
            raise ValueError("an account of kind margin needs the section margin")
        return self
