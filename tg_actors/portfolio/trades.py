"""Round trips: a position from flat to flat."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from tg_actors.domain.instruments import Side
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO
from tg_actors.portfolio.postings import Posting


class ClosedTrade(Message):
    """One round trip of an instrument, from the first fill that opened it to the one that closed it.

    ``side`` is the side of the entry, ``quantity`` everything that was entered, ``entry`` and
    ``exit`` average prices. ``pnl`` and ``fees`` are in quote currency, ``pnl`` after fees;
    ``pnl_reporting`` is ``pnl`` at the rate of the closing fill, None when that was unknown.
    """

    symbol: str
    side: Side
    opened_ns: int
    closed_ns: int
    quantity: Decimal = Field(gt=0)
    entry: Decimal = Field(gt=0)
    exit: Decimal = Field(gt=0)
    fees: Decimal
    pnl: Decimal
    pnl_reporting: Decimal | None

    def bars_held(self, bar_ns: int) -> int:
        """Return how many bars of length ``bar_ns`` the trade lasted, rounded down."""
        return (self.closed_ns - self.opened_ns) // bar_ns


@dataclass(slots=True)
class OpenTrade:
    """A round trip under way. Notionals and fees in quote currency, unsigned save ``fees``."""

    opened_ns: int
    side: Side
    entered: Decimal = ZERO
    entry_notional: Decimal = ZERO
    exit_notional: Decimal = ZERO
    fees: Decimal = ZERO

    def enter(self, posting: Posting) -> None:
        """Take in what opens or adds."""
        self.entered += abs(posting.quantity)
        self.entry_notional += abs(posting.quantity) * posting.price
        self.fees += posting.fee

    def leave(self, posting: Posting) -> None:
        """Take in what closes."""
        self.exit_notional += abs(posting.quantity) * posting.price
        self.fees += posting.fee

    def close(self, symbol: str, closed_ns: int, rate: Decimal | None) -> ClosedTrade:
        """Return the finished round trip; ``rate`` converts quote to reporting currency."""
        pnl = (self.exit_notional - self.entry_notional) * self.side.sign - self.fees
        return ClosedTrade(
            symbol=symbol,
            side=self.side,
            opened_ns=self.opened_ns,
            closed_ns=closed_ns,
            quantity=self.entered,
            entry=self.entry_notional / self.entered,
            exit=self.exit_notional / self.entered,
            fees=self.fees,
            pnl=pnl,
            pnl_reporting=None if rate is None else pnl * rate,
        )
