"""One position, kept at average cost, exact to the last decimal."""

import decimal
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO, to_step
from tg_actors.portfolio.postings import RESOLUTION, Posting
from tg_actors.portfolio.trades import ClosedTrade, OpenTrade


@dataclass(slots=True)
class Position:
    """What is held of one instrument and what it has earned.

    ``quantity`` signed, in base units; ``cost`` signed, what the open quantity was bought (or sold
    short) for; ``realised`` before fees, ``fees`` since the start; ``bought`` and ``sold`` in base
    units. Amounts in quote currency.

    Invariant: ``realised - cost - fees`` is the cash this position has moved. The cost is kept
    rather than the average price, because an average is a rounded division and a sum is not.
    """

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    trade: OpenTrade | None = None

    @property
    def average_price(self) -> Decimal | None:
        """Average price of the open quantity, None when flat."""
        return None if self.quantity == ZERO else self.cost / self.quantity

    def unrealised(self, mid: Decimal) -> Decimal:
        """Profit that closing at ``mid`` would realise, before fees, in quote currency."""
        return self.quantity * mid - self.cost

    def move(self, posting: Posting, rate: Decimal | None) -> ClosedTrade | None:
        """Take in one movement; a flip closes the old round trip and opens the next one.

        Args:
            posting: the movement.
            rate: reporting currency per quote currency now, None when unknown.

        Returns:
            The round trip that ended with it, if one did.
        """
        closing, opening = posting.split(self.quantity)
        closed = None if closing is None else self._close(closing, rate)
        if opening is not None:
            self._open(opening)
        return closed

    def _open(self, posting: Posting) -> None:
        if self.trade is None:
            self.trade = OpenTrade(posting.at_ns, Side.BUY if posting.quantity > ZERO else Side.SELL)
        self.trade.enter(posting)
        self.cost += posting.quantity * posting.price
        self._count(posting)

    def _close(self, posting: Posting, rate: Decimal | None) -> ClosedTrade | None:
        relieved = self._relieved_cost(posting.quantity)
        self.realised += -posting.quantity * posting.price - relieved
        self.cost -= relieved
        self._count(posting)
        if self.trade is None:
            return None
        self.trade.leave(posting)
        if self.quantity != ZERO:
            return None
        finished, self.trade = self.trade, None
        return finished.close(self.symbol, posting.at_ns, rate)

    def _relieved_cost(self, quantity: Decimal) -> Decimal:
        if quantity == -self.quantity:
            return self.cost
        return to_step(self.cost * -quantity / self.quantity, RESOLUTION, decimal.ROUND_HALF_EVEN)

    def _count(self, posting: Posting) -> None:
        self.quantity += posting.quantity
        self.fees += posting.fee
        self.bought += max(posting.quantity, ZERO)
        self.sold += max(-posting.quantity, ZERO)
