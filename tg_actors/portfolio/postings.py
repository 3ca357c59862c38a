"""What a fill does to a position and to cash, whatever currency its fee was paid in."""

import decimal
from dataclasses import dataclass, replace
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.money import ZERO, to_step
from tg_actors.domain.orders import Fill

#: Resolution of amounts that come out of a division: sums of them stay exact within the 38 digits
#: of :data:`tg_actors.domain.money.MONEY` up to 10^20.
RESOLUTION = Decimal("1e-18")


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of a position at one price.

    ``quantity`` is signed, in base units, net of a fee paid in base; ``fee`` is in quote currency.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at_ns: int

    @property
    def cash(self) -> Decimal:
        """What the movement adds to the cash in quote currency."""
        return -self.quantity * self.price - self.fee

    def split(self, held: Decimal) -> tuple["Posting | None", "Posting | None"]:
        """Divide into what closes the quantity ``held`` (signed) and what opens or adds.

        The fee is divided by quantity; both parts together are this posting, exactly.
        """
        if held * self.quantity >= ZERO:
            return None, self
        if abs(self.quantity) <= abs(held):
            return self, None
        fee = to_step(self.fee * held / -self.quantity, RESOLUTION, decimal.ROUND_HALF_EVEN)
        closing = replace(self, quantity=-held, fee=fee)
        return closing, replace(self, quantity=self.quantity + held, fee=self.fee - fee)


def post(fill: Fill) -> Posting:
    """Translate a fill.

    A fee in base currency leaves the position and counts as sold at the price of the fill, so that
    cash moves by exactly what the venue moved: ``-side * quantity * price``.

    Raises:
        UserError: the fee was paid in a third currency, which these books do not keep.
    """
    base, quote = fill.symbol.split("/")
    if fill.fee_currency not in {base, quote}:
        raise UserError(
            f"trade {fill.trade_id} of {fill.symbol} paid its fee in {fill.fee_currency}: tell the venue "
            f"{fill.venue} to charge fees in {base} or {quote}"
        )
    fee_base = fill.fee if fill.fee_currency == base else ZERO
    return Posting(
        symbol=fill.symbol,
        quantity=fill.side.sign * fill.quantity - fee_base,
        price=fill.price,
        fee=fill.fee if fill.fee_currency == quote else fee_base * fill.price,
        at_ns=fill.at_ns,
    )
