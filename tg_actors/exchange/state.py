"""The exchange's checkpoint: everything it remembers, as JSON, and back without a difference."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import Fill
from tg_actors.exchange.orders import VenueOrder, WorkingOrder

VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State between two steps.

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


_CHECKPOINT = TypeAdapter(Checkpoint)


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return compact UTF-8 JSON with fields in fixed order; equal states give equal bytes."""
    return _CHECKPOINT.dump_json(checkpoint)


def from_bytes(raw: bytes) -> Checkpoint:
    """Read what :func:`to_bytes` wrote.

    Raises:
        UserError: the bytes are damaged, or of another version of this program.
    """
    try:
        checkpoint = _CHECKPOINT.validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the text"
        raise UserError(
            f"the practice exchange's checkpoint is damaged at {where} ({first['msg']}): restore the "
            "journal from a backup or start a new desk"
        ) from error
    if checkpoint.version != VERSION:
        raise UserError(
            f"the practice exchange's checkpoint has version {checkpoint.version}, this program reads "
            f"version {VERSION}: run the version that wrote it or start a new desk"
        )
    return checkpoint
