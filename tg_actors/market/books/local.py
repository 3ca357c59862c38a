"""A copy of a venue's order book that is right or empty, never a guess. Pure."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from math import inf

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.market.books.checksum import Decimals, crc32, decimals_of
from tg_actors.market.books.messages import (
    ASK,
    BID,
    BookMessage,
    Break,
    Heard,
    Level,
    LevelChange,
    OutOfSync,
)
from tg_actors.market.books.rules import SequenceRule

#: Deltas kept while waiting for a snapshot. What falls out is missed by its numbers, not by us.
BUFFER_MAX = 10_000
_CHECKED_LEVELS = 10


class LocalBook:
    """Both sides of one book, from snapshots and deltas in the order they were received.

    WAITING -> IN SYNC with a snapshot: deltas heard before are applied to it but for those that it covers;
    the delta that *straddles* the snapshot is among the former, without it a level that is long gone
    stays for ever. IN SYNC -> WAITING with every break (:class:`Break`): the book is empty then.
    """

    def __init__(self, rule: SequenceRule, decimals: Decimals | None = None) -> None:
        self._rule = rule
        self._decimals = decimals
        self._buffer: deque[BookMessage] = deque(maxlen=BUFFER_MAX)
        self._sizes: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self._prices: tuple[list[float], list[float]] = ([], [])
        self._id = 0
        self._joining = False
        #: Whether the book is the venue's.
        self.in_sync = False
        #: Time of the newest message applied.
        self.at_ns = 0
        #: What the newest call of :meth:`hear` changed; a snapshot is no change.
        self.changes: list[LevelChange] = []
        #: Deltas whose link to the one before the record has lost: their order alone was checked.
        self.unlinked = 0
        #: Checksums that were verified.
        self.verified = 0

    def hear(self, message: BookMessage) -> Heard | OutOfSync:
        """Take a message in; a break leaves the book empty and waiting for the next snapshot."""
        self.changes = []
        if not _is_possible(message):
            return self._break(Break.IMPOSSIBLE, message)
        if message.is_snapshot:
            return self._hear_snapshot(message)
        if not self.in_sync:
            self._buffer.append(message)
            return Heard.BUFFERED
        return self._hear_delta(message)

    def best(self, side: int) -> Level | None:
        """Best price and size of a side, None where it is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        price = prices[-1] if side == BID else prices[0]
        return price, self._sizes[side][price]

    def size(self, side: int, price: float) -> float:
        """What rests at a price, 0 where nothing does."""
        return self._sizes[side].get(price, 0.0)

    def levels(self, side: int, count: int) -> list[Level]:
        """The best levels of a side, best first, at most ``count``."""
        prices, sizes = self._prices[side], self._sizes[side]
        chosen = prices[: -count - 1 : -1] if side == BID else prices[:count]
        return [(price, sizes[price]) for price in chosen]

    def array(self, count: int) -> F64:
        """``(2, 2, count)``: [price or size, bid or ask, level], best first, NaN beyond what is known."""
        out: F64 = np.full((2, 2, count), np.nan)
        for side in (BID, ASK):
            levels = self.levels(side, count)
            if levels:
                out[:, side, : len(levels)] = np.array(levels).T
        return out

    def __len__(self) -> int:
        return len(self._prices[BID]) + len(self._prices[ASK])

    def _hear_snapshot(self, message: BookMessage) -> Heard | OutOfSync:
        if self.in_sync and not self._rule.restarts and message.final_id < self._id:
            return Heard.OLD
        self._empty()
        for side, levels in enumerate((message.bids, message.asks)):
            self._sizes[side].update((price, size) for price, size in levels if size > 0.0)
            self._prices[side].extend(sorted(self._sizes[side]))
        self._id, self.at_ns, self.in_sync, self._joining = message.final_id, message.at_ns, True, True
        waiting = [] if self._rule.restarts else [*self._buffer]
        self._buffer.clear()
        broken = self._broken(message)
        if broken is not None:
            return self._break(broken, message)
        return self._catch_up(waiting)

    def _catch_up(self, waiting: Sequence[BookMessage]) -> Heard | OutOfSync:
        """Apply what was heard before the snapshot; it changes no level that anybody has seen."""
        for delta in waiting:
            answer = self._hear_delta(delta)
            if isinstance(answer, OutOfSync):
                return answer
        self.changes = []
        return Heard.APPLIED

    def _hear_delta(self, message: BookMessage) -> Heard | OutOfSync:
        if self._rule.has_ids:
            if message.final_id <= self._id:
                return Heard.OLD
            broken = self._misfit(message)
            if broken is not None:
                return self._break(broken, message)
            self._id, self._joining = message.final_id, False
        self.at_ns = message.at_ns
        self._apply(BID, message.bids)
        self._apply(ASK, message.asks)
        broken = self._broken(message)
        return Heard.APPLIED if broken is None else self._break(broken, message)

    def _misfit(self, message: BookMessage) -> Break | None:
        """Say why a delta does not follow the book, None when it does."""
        previous = message.previous_id
        if previous is None and (self._rule.counts or self._joining):
            # Joining, only a delta that straddles the snapshot is known to leave nothing out.
            previous = message.first_id - 1
        if previous is None:
            self.unlinked += 1
            return Break.BACKWARDS if message.first_id <= self._id else None
        if previous > self._id:
            return Break.GAP
        return Break.BACKWARDS if previous < self._id and not self._joining else None

    def _apply(self, side: int, levels: Sequence[Level]) -> None:
        sizes, prices, changes = self._sizes[side], self._prices[side], self.changes
        for price, size in levels:
            before = sizes.get(price, 0.0)
            if size > 0.0:
                if before == 0.0:
                    insort(prices, price)
                sizes[price] = size
            elif before:
                del sizes[price]
                del prices[bisect_left(prices, price)]
            if size != before:
                changes.append((side, price, before, size))
        if self._rule.levels_max is not None:
            self._forget_beyond(side, self._rule.levels_max)

    def _forget_beyond(self, side: int, levels_max: int) -> None:
        prices, sizes = self._prices[side], self._sizes[side]
        while len(prices) > levels_max:
            del sizes[prices.pop(0 if side == BID else -1)]

    def _broken(self, message: BookMessage) -> Break | None:
        bids, asks = self._prices
        if bids and asks and bids[-1] >= asks[0]:
            return Break.CROSSED
        if message.checksum is None:
            return None
        return None if self._verify(message.checksum) else Break.CHECKSUM

    def _verify(self, checksum: int) -> bool:
        asks, bids = self.levels(ASK, _CHECKED_LEVELS), self.levels(BID, _CHECKED_LEVELS)
        if self._decimals is None:
            self._decimals = decimals_of(asks, bids, checksum)
        matches = self._decimals is not None and crc32(asks, bids, self._decimals) == checksum
        self.verified += matches
        return matches

    def _break(self, reason: Break, message: BookMessage) -> OutOfSync:
        answer = OutOfSync(reason, self._id, message.first_id, message.final_id)
        self._empty()
        self.in_sync = False
        self.changes = []
        return answer

    def _empty(self) -> None:
        for part in (*self._sizes, *self._prices):
            part.clear()


def _is_possible(message: BookMessage) -> bool:
    """Whether every level is one; NaN fails every comparison."""
    return all(
        0.0 < price < inf and 0.0 <= size < inf
        for side in (message.bids, message.asks)
        for price, size in side
    )
