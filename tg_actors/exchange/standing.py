"""The open orders of all accounts in one instrument, in the order in which they are served."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Side
from tg_actors.exchange.clearing import Clearing
from tg_actors.exchange.orders import Stance, WorkingOrder


@dataclass(slots=True)
class Turns:
    """Places in time given so far, over all instruments and accounts."""

    given: int = 0

    def next(self) -> int:
        """Give the next place."""
        self.given += 1
        return self.given


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """An order and the clearing of its account."""

    order: WorkingOrder
    clearing: Clearing


#: Sort key, place in time, order; places are unique, so parties are never compared.
Entry = tuple[Decimal, int, Party]


class Standing:
    """Price-time priority over sorted lists: the best price first, among equals the earliest.

    An order comes to the back of its price when it opens and again when it is triggered.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._resting: dict[Side, list[Entry]] = {Side.BUY: [], Side.SELL: []}
        self._falls: list[Entry] = []
        self._rises: list[Entry] = []
        self._trailing: dict[int, Party] = {}
        self._places: dict[int, tuple[list[Entry], tuple[Decimal, int]]] = {}

    def add(self, party: Party) -> None:
        """Note an open order; one that takes the next price stands nowhere."""
        order = party.order
        if order.rank == 0:
            order.rank = self._turns.next()
        self._turns.given = max(self._turns.given, order.rank)
        if order.stance is Stance.TAKING:
            return
        if order.watermark is not None and order.stance is Stance.WAITING:
            self._trailing[order.number] = party
            return
        falling = order.falls_to_level
        key = -order.level if falling else order.level
        waits = self._falls if falling else self._rises
        line = self._resting[order.spec.side] if order.stance is Stance.RESTING else waits
        bisect.insort(line, (key, order.rank, party))
        self._places[order.number] = (line, (key, order.rank))

    def remove(self, order: WorkingOrder) -> None:
        """Forget an order, wherever it stands."""
        self._trailing.pop(order.number, None)
        place = self._places.pop(order.number, None)
        if place is not None:
            line, key = place
            del line[bisect.bisect_left(line, key)]

    def best(self, side: Side) -> Party | None:
        """Return the resting order of a side that is served first."""
        line = self._resting[side]
        return line[0][2] if line else None

    def resting(self, side: Side) -> Iterator[Party]:
        """Yield resting orders in the order they are served; the line must not change meanwhile."""
        return (party for _, _, party in self._resting[side])

    def served_at(self, side: Side, price: Decimal) -> list[Party]:
        """Return resting orders of a side at a price or better, in the order they are served."""
        key = -price if side is Side.BUY else price
        end = bisect.bisect_right(self._resting[side], key, key=lambda entry: entry[0])
        return [party for _, _, party in self._resting[side][:end]]

    def trail(self, mark: Decimal) -> None:
        """Let trailing stops follow the mark."""
        for party in self._trailing.values():
            party.order.trail(mark)

    def triggered(self, mark: Decimal) -> Party | None:
        """Return the first waiting order that the mark sets off, None when there is none."""
        if self._falls and mark <= -self._falls[0][0]:
            return self._falls[0][2]
        if self._rises and mark >= self._rises[0][0]:
            return self._rises[0][2]
        passed = [party for party in self._trailing.values() if _is_passed(party.order, mark)]
        return min(passed, key=lambda party: party.order.rank, default=None)


def _is_passed(order: WorkingOrder, mark: Decimal) -> bool:
    return mark <= order.level if order.falls_to_level else mark >= order.level
