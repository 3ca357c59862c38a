"""What an account of the marketplace shows: its kind, balances, margin positions, executions."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill


class AccountKind(StrEnum):
    """Whether an account trades what it owns only, or may also borrow."""

    SPOT = "spot"
    MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class Balance:
    """One currency: everything owned, and of it what open orders and margin positions hold back."""

    total: Decimal
    held: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        """What may be spent; below zero only on a margin account that owes."""
        return self.total - self.held


@dataclass(frozen=True, slots=True)
class MarginPosition:
    """What one instrument's leveraged orders have opened, netted.

    ``quantity`` is signed, negative when short, in base currency. In quote currency: ``cost`` is what
    it was opened for, with the sign of the quantity; ``margin`` is what it was opened on; ``mark`` the
    price that values it; ``unrealised`` is its profit at the mark.
    """

    symbol: str
    quantity: Decimal
    cost: Decimal
    margin: Decimal
    mark: Decimal
    opened_at_ns: int

    @property
    def entry_price(self) -> Decimal:
        """The average price it was opened at."""
        return self.cost / self.quantity

    @property
    def unrealised(self) -> Decimal:
        """Profit if it were closed at the mark without cost."""
        return self.quantity * self.mark - self.cost


@dataclass(frozen=True, slots=True)
class MarginState:
    """How one quote currency of a margin account stands.

    ``equity`` is its total plus the unrealised profit of the positions that settle in it, ``used``
    the margin of these positions, ``level`` equity over used, None without positions.
    """

    currency: str
    equity: Decimal
    used: Decimal
    unrealised: Decimal

    @property
    def level(self) -> Decimal | None:
        """Equity over used margin; the account is liquidated when it falls too low."""
        return self.equity / self.used if self.used else None

    @property
    def free(self) -> Decimal:
        """Equity that carries no position yet."""
        return self.equity - self.used


@dataclass(frozen=True, slots=True)
class Trade:
    """An execution with the ordinals of its trade and its order.

    ``realised`` is the profit it took home, before fees, when it closed a margin position or a part of
    one. ``number`` is the digits of ``fill.trade_id``.
    """

    number: int
    order_number: int
    fill: Fill
    realised: Decimal = ZERO
