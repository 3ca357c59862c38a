"""Instruments and the quantiser, the one place where a float signal becomes an order's numbers."""

import decimal
from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO, to_step


class Side(StrEnum):
    """Direction of an order. Quantities of orders are unsigned; positions are signed."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Instrument(Message):
    """A tradable pair at a venue and the filters its orders must pass.

    ``tick`` is the price increment, ``lot`` the quantity increment; both in quote and base units.
    """

    symbol: str = Field(pattern=r"^[A-Z0-9]+/[A-Z0-9]+$")
    tick: Decimal = Field(gt=0)
    lot: Decimal = Field(gt=0)
    quantity_min: Decimal = Field(gt=0)
    notional_min: Decimal = Field(ge=0)

    @property
    def base(self) -> str:
        """The currency that is bought and sold."""
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        """The currency that pays."""
        return self.symbol.split("/")[1]

    @model_validator(mode="after")
    def _quantity_min_is_whole_lots(self) -> "Instrument":
        if self.quantity_min % self.lot != ZERO:
            raise ValueError(f"{self.symbol}: quantity_min must be a multiple of lot")
        return self

    def quantise_quantity(self, quantity: Decimal) -> Decimal:
        """Round an unsigned quantity down to whole lots: never more than was asked for."""
        return to_step(quantity, self.lot, decimal.ROUND_FLOOR)

    def quantise_price(self, price: Decimal, side: Side) -> Decimal:
        """Round a limit price to the tick, never worse for us: buys down, sells up."""
        rounding = decimal.ROUND_FLOOR if side is Side.BUY else decimal.ROUND_CEILING
        return to_step(price, self.tick, rounding)

    def is_sendable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether a quantised order passes the venue's minimum quantity and minimum notional."""
        return quantity >= self.quantity_min and quantity * price >= self.notional_min
