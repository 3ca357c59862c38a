"""Checkpoints: everything an exchange remembers, as JSON, and back without a difference."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import Fill
from tg_actors.exchange.accounts import AccountKind, Trade
from tg_actors.exchange.margin import Holding
from tg_actors.exchange.orders import VenueOrder, WorkingOrder

#: Of every checkpoint. Version 1 showed ended orders without their ordinals.
VERSION = 2


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a practice exchange between two steps.

    ``open_orders`` in submit order, ``ended`` and ``fills`` oldest first, ``quotes`` close, bid and
    ask per instrument that ever traded, ``holds`` by pool and currency.
    """

    version: int
    venue: str
    account: str
    cycle: int
    orders_numbered: int
    trades_numbered: int
    balances: dict[str, Decimal]
    holds: dict[str, dict[str, Decimal]]
    quotes: dict[str, tuple[float, float, float]]
    open_orders: list[WorkingOrder]
    ended: list[VenueOrder]
    fills: list[Fill]


@dataclass(frozen=True, slots=True)
class AccountCheckpoint:
    """State of one account of a marketplace between two calls.

    The ordinals are the highest that the account was given. ``funded_at_ns`` is the last funding
    instant that is settled, ``dead_man_at_ns`` when the timer fires, ``called`` the currencies whose
    margin call has been said.
    """

    version: int
    venue: str
    account: str
    kind: AccountKind
    orders_numbered: int
    trades_numbered: int
    balances: dict[str, Decimal]
    holds: dict[str, dict[str, Decimal]]
    positions: dict[str, Holding]
    funded_at_ns: int
    dead_man_at_ns: int | None
    called: list[str]
    open_orders: list[WorkingOrder]
    ended: list[VenueOrder]
    trades: list[Trade]


@dataclass(frozen=True, slots=True)
class ShownMarket:
    """One instrument of a marketplace that is driven by books: levels best first, last best prices."""

    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    bid: Decimal | None
    ask: Decimal | None


@dataclass(frozen=True, slots=True)
class MarketCheckpoint:
    """State of a marketplace without its accounts: clock, ordinals, quotes of bars, shown books.

    ``ranked`` is the newest place in time among the orders of all accounts.
    """

    version: int
    venue: str
    now_ns: int
    cycle: int
    orders_numbered: int
    trades_numbered: int
    ranked: int
    quotes: dict[str, tuple[float, float, float]]
    marks: dict[str, Decimal]
    shown: dict[str, ShownMarket]


_CHECKPOINT = TypeAdapter(Checkpoint)
_ACCOUNT = TypeAdapter(AccountCheckpoint)
_MARKET = TypeAdapter(MarketCheckpoint)
_State = TypeVar("_State", bound=_Versioned)


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return compact UTF-8 JSON with fields in fixed order; equal states give equal bytes."""
    return _CHECKPOINT.dump_json(checkpoint)


def account_bytes(checkpoint: AccountCheckpoint) -> bytes:
    """Return compact UTF-8 JSON with fields in fixed order; equal states give equal bytes."""
    return _ACCOUNT.dump_json(checkpoint)


def market_bytes(checkpoint: MarketCheckpoint) -> bytes:
    """Return compact UTF-8 JSON with fields in fixed order; equal states give equal bytes."""
    return _MARKET.dump_json(checkpoint)


def from_bytes(raw: bytes) -> Checkpoint:
    """Read what :func:`to_bytes` wrote, or wrote at version 1.

    Raises:
        UserError: the bytes are damaged, or of another version of this program.
    """
    checkpoint = _read(_CHECKPOINT, raw, (1, VERSION))
    if checkpoint.version == VERSION:
        return checkpoint
    # Negative ordinals keep what ended at version 1 apart, and before everything numbered since.
    first = -len(checkpoint.ended)
    ended = [o.model_copy(update={"number": first + row}) for row, o in enumerate(checkpoint.ended)]
    return replace(checkpoint, version=VERSION, ended=ended)


def account_from_bytes(raw: bytes) -> AccountCheckpoint:
    """Read what :func:`account_bytes` wrote; raises UserError as :func:`from_bytes` does."""
    return _read(_ACCOUNT, raw, (VERSION,))


def market_from_bytes(raw: bytes) -> MarketCheckpoint:
    """Read what :func:`market_bytes` wrote; raises UserError as :func:`from_bytes` does."""
    return _read(_MARKET, raw, (VERSION,))


def _read(adapter: TypeAdapter[_State], raw: bytes, versions: tuple[int, ...]) -> _State:
    try:
        checkpoint = adapter.validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the text"
        raise UserError(
            f"the practice exchange's checkpoint is damaged at {where} ({first['msg']}): restore the "
            "journal from a backup or start a new desk"
        ) from error
    if checkpoint.version not in versions:
        raise UserError(
            f"the practice exchange's checkpoint has version {checkpoint.version}, this program reads "
            f"version {VERSION}: run the version that wrote it or start a new desk"
        )
    return checkpoint
