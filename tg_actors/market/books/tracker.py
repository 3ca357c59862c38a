"""What a book did during a bar: order flow, large orders that stand, vanish and come back, absorption. Pure.

``FLOW_NAMES`` are the columns of :attr:`tg_actors.domain.blocks.Depth.flow`, sizes in base units:

* ``ofi_base``: order-flow imbalance, the sum over all changes of the best quote of
  ``[b >= b'] q - [b <= b'] q' - [a <= a'] s + [a >= a'] s'`` (prime: before; R. Cont, A. Kukanov, S. Stoikov,
  The Price Impact of Order Book Events, J. Financial Econometrics 12, 2014); positive when bids grow or
  are raised, or asks are taken or withdrawn. ``ofi_gross_base`` adds up the absolute values.
* ``imbalance_frac``: ``(bids - asks) / (bids + asks)`` resting near the touch, the mean over the bar.
* ``bid_large_base``, ``ask_large_base``: large orders that were there in the bar, at full size; one that was
  moved about counts once. An order is *large* when it alone would make a wall
  (:mod:`tg_actors.market.books.walls`).
* ``bid_pulled_base``, ``ask_pulled_base``: those that vanished for good and were not traded: less than half
  of what vanished was, or, where trades are not known, better prices of its side went on standing.
* ``bid_replaced_base``, ``ask_replaced_base``: what came back in like size nearby right after it was pulled,
  added up over all moves.
* ``bid_spoof_frac``, ``ask_spoof_frac``: the spoof score, the part of the large size that was pulled for good
  after a short life or after it had been moved about; 0 where nothing large was seen.
* ``bid_absorbed_base``: what takers sold in the seconds at whose end the best bid was no lower than at their
  beginning; ``ask_absorbed_base`` likewise; ``taker_sell_base`` and ``taker_buy_base`` are all they sold and
  bought. All four are NaN where trades are not known.
"""

from dataclasses import dataclass, field

import numpy as np
from pydantic import Field

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.market.books import walls
from tg_actors.market.books.local import LocalBook
from tg_actors.market.books.messages import ASK, BID, Level

FLOW_NAMES = (
    "ofi_base",
    "ofi_gross_base",
    "imbalance_frac",
    "bid_large_base",
    "ask_large_base",
    "bid_pulled_base",
    "ask_pulled_base",
    "bid_replaced_base",
    "ask_replaced_base",
    "bid_spoof_frac",
    "ask_spoof_frac",
    "bid_absorbed_base",
    "ask_absorbed_base",
    "taker_sell_base",
    "taker_buy_base",
)

_SECOND_NS = 10**9
#: An order that has shrunk to less than this part is gone; traded for this part it was no pull.
_GONE_FRAC = 0.5
#: Two orders are of like size when the smaller is at least this part of the larger.
_LIKE_FRAC = 0.75


class TrackerSpec(Message):
    """When an order is large, and what looks like a spoof.

    ``levels`` of a side are watched; an order is large from ``large_score`` spreads above the median band on.
    An order pulled within ``fleeting_ns`` of its appearance was not meant to trade; one that comes back
    within ``replace_ns`` and ``replace_bps`` was moved. Every ``sample_ns`` the norm is taken anew.
    """

    levels: int = Field(default=400, ge=2)
    large_score: float = Field(default=6.0, gt=0)
    fleeting_ns: int = Field(default=30 * _SECOND_NS, ge=0)
    replace_ns: int = Field(default=3 * _SECOND_NS, ge=0)
    replace_bps: float = Field(default=10.0, ge=0)
    sample_ns: int = Field(default=_SECOND_NS, gt=0)


@dataclass(slots=True, eq=False)
class LargeOrder:
    """One large order from its appearance to its end; ``fate`` is None while it stands."""

    side: int
    price: float
    size: float
    since_ns: int
    #: Moved here from another price.
    moved: bool = False
    #: It stood before anybody looked: its age is not known.
    found: bool = False
    until_ns: int | None = None
    #: ``pulled`` or ``traded``.
    fate: str | None = None
    #: Pulled, and came back elsewhere.
    returned: bool = False

    def is_spoof(self, fleeting_ns: int) -> bool:
        """Whether it was pulled after a short life, or after it had been moved about."""
        if self.fate != "pulled" or self.until_ns is None:
            return False
        return self.moved or (not self.found and self.until_ns - self.since_ns <= fleeting_ns)


@dataclass(slots=True)
class _Bar:
    """Sums of the bar that is going on."""

    ofi: float = 0.0
    gross: float = 0.0
    imbalances: list[float] = field(default_factory=list)
    absorbed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    takers: list[float] = field(default_factory=lambda: [0.0, 0.0])


class BookTracker:
    """Watches one local book; :meth:`cut` ends a bar. Equal messages give equal numbers."""

    def __init__(self, spec: TrackerSpec | None = None, *, knows_trades: bool = False) -> None:
        self._spec = spec or TrackerSpec()
        self._knows_trades = knows_trades
        self._bar = _Bar()
        self._standing: dict[tuple[int, float], LargeOrder] = {}
        #: Large orders that ended in this bar.
        self._ended: list[LargeOrder] = []
        #: Pulled ones that may still come back.
        self._missing: list[LargeOrder] = []
        self._best: tuple[Level | None, Level | None] = (None, None)
        self._at_sample: tuple[Level | None, Level | None] = (None, None)
        self._sampled_ns = 0
        self._traded: dict[tuple[int, float], float] = {}
        self._since_sample = [0.0, 0.0]
        self._threshold = [np.inf, np.inf]
        self._reach_frac = 0.0

    @property
    def standing(self) -> tuple[LargeOrder, ...]:
        """Large orders that stand now."""
        return tuple(self._standing.values())

    @property
    def ended(self) -> tuple[LargeOrder, ...]:
        """Large orders that ended since the bar began."""
        return tuple(self._ended)

    def trade(self, price: float, size: float, taker_side: int) -> None:
        """Take in a trade before the book's message that shows it; ``taker_side`` is 1 for a buy."""
        side = ASK if taker_side > 0 else BID
        self._traded[side, price] = self._traded.get((side, price), 0.0) + size
        self._bar.takers[side] += size
        self._since_sample[side] += size

    def follow(self, book: LocalBook) -> None:
        """Take in what the book's newest message changed."""
        best = (book.best(BID), book.best(ASK))
        self._count_flow(best)
        self._best = best
        low, high = self._within(best)
        for side, price, before, after in book.changes:
            key = (side, price)
            if key in self._standing:
                self._shrink(key, before, after, book.at_ns)
            elif after >= self._threshold[side] and low <= price <= high:
                self._appear(side, price, after, book.at_ns)
        self._traded.clear()
        if book.at_ns - self._sampled_ns >= self._spec.sample_ns:
            self._sample(book)

    def lose(self) -> None:
        """Forget the book after a break: what stood is not known to have gone."""
        self._standing.clear()
        self._missing.clear()
        self._best = self._at_sample = (None, None)
        self._sampled_ns = 0
        self._threshold = [np.inf, np.inf]

    def cut(self) -> F64:
        """Return the bar's numbers ``(len(FLOW_NAMES),)`` and begin the next bar."""
        bar, spec = self._bar, self._spec
        large, pulled, moved, spoofed = ([0.0, 0.0] for _ in range(4))
        for order in (*self._standing.values(), *self._ended):
            moved[order.side] += order.size * order.moved
            if order.returned:
                continue
            large[order.side] += order.size
            pulled[order.side] += order.size * (order.fate == "pulled")
            spoofed[order.side] += order.size * order.is_spoof(spec.fleeting_ns)
        score = [part / whole if whole else 0.0 for part, whole in zip(spoofed, large, strict=True)]
        imbalance = sum(bar.imbalances) / len(bar.imbalances) if bar.imbalances else np.nan
        trades = [*bar.absorbed, *bar.takers] if self._knows_trades else [np.nan] * 4
        self._bar, self._ended = _Bar(), []
        return np.array(
            [bar.ofi, bar.gross, imbalance, *large, *pulled, *moved, *score, *trades], dtype=np.float64
        )

    def _count_flow(self, best: tuple[Level | None, Level | None]) -> None:
        (bid, ask), (bid_0, ask_0) = best, self._best
        if bid is None or ask is None or bid_0 is None or ask_0 is None:
            return
        flow = (bid[0] >= bid_0[0]) * bid[1] - (bid[0] <= bid_0[0]) * bid_0[1]
        flow += (ask[0] >= ask_0[0]) * ask_0[1] - (ask[0] <= ask_0[0]) * ask[1]
        self._bar.ofi += flow
        self._bar.gross += abs(flow)

    def _within(self, best: tuple[Level | None, Level | None]) -> tuple[float, float]:
        bid, ask = best
        if bid is None or ask is None:
            return np.inf, -np.inf
        return bid[0] * (1.0 - self._reach_frac), ask[0] * (1.0 + self._reach_frac)

    def _appear(self, side: int, price: float, size: float, at_ns: int) -> None:
        order = LargeOrder(side, price, size, at_ns)
        spec = self._spec
        self._missing = [one for one in self._missing if at_ns - (one.until_ns or 0) <= spec.replace_ns]
        for one in self._missing:
            near = abs(one.price - price) <= spec.replace_bps * 1e-4 * price
            if one.side == side and near and min(one.size, size) >= _LIKE_FRAC * max(one.size, size):
                one.returned, order.moved = True, True
                self._missing.remove(one)
                break
        self._standing[side, price] = order

    def _shrink(self, key: tuple[int, float], before: float, after: float, at_ns: int) -> None:
        order = self._standing[key]
        order.size = max(order.size, after)
        if after >= _GONE_FRAC * order.size:
            return
        del self._standing[key]
        order.until_ns = at_ns
        order.fate = "pulled" if self._was_pulled(order, before - after) else "traded"
        self._ended.append(order)
        if order.fate == "pulled":
            self._missing.append(order)

    def _was_pulled(self, order: LargeOrder, gone: float) -> bool:
        if self._knows_trades:
            return self._traded.get((order.side, order.price), 0.0) < _GONE_FRAC * gone
        best = self._best[order.side]
        if best is None:
            return False
        return best[0] > order.price if order.side == BID else best[0] < order.price

    def _sample(self, book: LocalBook) -> None:
        """Once a second: the norm, the imbalance, and whether prices held against the takers."""
        self._sampled_ns = book.at_ns
        for side, held in ((BID, 1.0), (ASK, -1.0)):
            now, then = self._best[side], self._at_sample[side]
            if now is not None and then is not None and held * (now[0] - then[0]) >= 0.0:
                self._bar.absorbed[side] += self._since_sample[side]
        self._since_sample = [0.0, 0.0]
        self._at_sample = self._best
        price, size = book.array(self._spec.levels)[:, np.newaxis]
        reach = walls.reach(price)
        if not np.isfinite(reach[0]):
            return
        self._reach_frac = float(reach[0])
        sizes = walls.bands(price, size, reach)
        middle, spread = walls.norm(sizes[0])
        threshold = np.nan_to_num(middle + self._spec.large_score * spread, nan=np.inf)
        self._threshold = threshold.tolist()
        self._find(price[0], size[0], book.at_ns)
        near = sizes[0, :, : walls.BANDS // 4].sum(axis=1)
        if near.sum() > 0.0:
            self._bar.imbalances.append(float((near[BID] - near[ASK]) / near.sum()))

    def _find(self, price: F64, size: F64, at_ns: int) -> None:
        """Take up large orders that nobody saw appear: they came with a snapshot, or from out of reach."""
        mid = float(price[:, 0].mean())
        large = size >= np.array(self._threshold)[:, np.newaxis]
        large[:, 0] = False
        for side, level in np.argwhere(large & (np.abs(price / mid - 1.0) <= self._reach_frac)).tolist():
            key = (side, float(price[side, level]))
            if key not in self._standing:
                order = LargeOrder(side, key[1], float(size[side, level]), at_ns, found=True)
                self._standing[key] = order
