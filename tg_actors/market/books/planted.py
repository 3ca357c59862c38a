"""Books of the simulated market, with walls and spoofs whose truth is known. No bar depends on them.

Everything is drawn from streams of its own, so that the bars of a seed are what they are without books.
At the close of every cycle stands a ladder of ``LEVELS`` prices a side that reaches about as far as a bar
moves; sizes are log-normal, the best level is ten times the next (``facts/data``: 6 to 19 times for BTC).
Some thirty times a block of 256 bars an *episode* begins:

* a **wall** (60 %) is put at a price and stays there until its time is over or the market trades through
  it. It stands on the side that the next ``LEAD_BARS`` bars will bear out (a bid wall before a rise) in
  ``TRUTH_FRAC`` of all cases: walls of patient money know a little.
* a **spoof** (40 %) keeps its distance from the price, is pulled and put back several times a bar, and
  stands on the *wrong* side in ``TRUTH_FRAC`` of all cases: it is there to be believed.

Order-flow imbalance goes with the return of its own bar (correlation ``OFI_CORRELATION``, ``facts/data``) and
says nothing of the next one; depth imbalance is noise. Trades are not simulated: their columns are NaN.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tg_actors.domain.blocks import F64, Depth
from tg_actors.market.books.tracker import FLOW_NAMES
from tg_actors.market.simulation.tape import Tape
from tg_actors.market.simulation.world import BLOCK_BARS, PREHISTORY_BLOCKS, generator

LEVELS = 32
LEAD_BARS = 12
TRUTH_FRAC = 0.7
OFI_CORRELATION = 0.47

_EPISODES = 30
_SPOOF_FRAC = 0.4
_BARS_MIN, _BARS_MAX = 3, 16
#: What rests on a side within reach, as a part of a day's volume.
_SIDE_FRAC = 4e-3
_BEST_TIMES = 10.0
_SIZE_SPREAD = 0.5
#: A wall is so many times an ordinary level.
_WALL_TIMES = 15.0
#: Order flow of a bar, in traded volumes: quotes change far more than is traded.
_GROSS_TIMES = 20.0
_BLOCKS_CACHED = 3


@dataclass(frozen=True, slots=True)
class Planted:
    """A large order of the simulation: first and one-past-last cycle, where it stands and what it is.

    ``offset_frac`` is its distance from the mid price when it was put there, ``times`` its size in ordinary
    levels, ``price`` 0 for a spoof, which keeps its distance.
    """

    first_cycle: int
    end_cycle: int
    side: int
    is_spoof: bool
    offset_frac: float
    times: float
    price: float


@dataclass(slots=True, eq=False)
class _Books:
    """One block: ``price``/``size (n, m, 2, LEVELS)``, ``flow (n, m, k)``."""

    price: F64
    size: F64
    flow: F64


class PlantedBooks:
    """A :class:`~tg_actors.market.feed.DepthSource` over the tape of a simulated market.

    ``tape`` gives the rows of a block; equal seeds and tapes give equal books, whatever was asked before.
    """

    def __init__(
        self, seed: int, symbols: tuple[str, ...], start_ns: int, bar_ns: int, tape: Callable[[int], Tape]
    ) -> None:
        self._seed = seed
        self._symbols = symbols
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._tape = tape
        self._blocks: OrderedDict[int, _Books] = OrderedDict()
        self._episodes: OrderedDict[int, list[list[Planted]]] = OrderedDict()

    def depth(self, cycle: int, levels: int) -> Depth:
        """Books at the close of a cycle; beyond ``LEVELS`` nothing is known."""
        block, k = divmod(cycle, BLOCK_BARS)
        books = self._block(block)
        shown = min(levels, LEVELS)
        n = len(self._symbols)
        price, size = (np.full((n, 2, levels), np.nan) for _ in range(2))
        price[:, :, :shown] = books.price[:, k, :, :shown]
        size[:, :, :shown] = books.size[:, k, :, :shown]
        close_ns = self._start_ns + (cycle + 1) * self._bar_ns
        return Depth(price, size, np.full(n, close_ns), FLOW_NAMES, books.flow[:, k].copy())

    def planted(self, i: int, cycle: int) -> tuple[Planted, ...]:
        """The truth: walls and spoofs of instrument ``i`` that are there in a cycle."""
        block = cycle // BLOCK_BARS
        both = (*self._of_block(block - 1)[i], *self._of_block(block)[i])
        return tuple(one for one in both if one.first_cycle <= cycle < one.end_cycle)

    def _block(self, block: int) -> _Books:
        if block not in self._blocks:
            self._blocks[block] = self._draw(block)
            if len(self._blocks) > _BLOCKS_CACHED:
                self._blocks.popitem(last=False)
        return self._blocks[block]

    def _draw(self, block: int) -> _Books:
        tape, n = self._tape(block), len(self._symbols)
        shape = (n, BLOCK_BARS, 2, LEVELS)
        books = _Books(np.empty(shape), np.empty(shape), np.zeros((n, BLOCK_BARS, len(FLOW_NAMES))))
        reach = self._reach(tape)
        ordinary = tape.ohlcv[:, :, 4].mean(axis=1) * (_DAY_NS / self._bar_ns) * _SIDE_FRAC / LEVELS
        for i, symbol in enumerate(self._symbols):
            rng = generator(self._seed, f"{symbol} ladder", block + PREHISTORY_BLOCKS)
            price, size = _ladders(rng, tape.bid[i], tape.ask[i], reach[i], ordinary[i])
            flow = _flow(rng, tape.ohlcv[i])
            for one in (*self._of_block(block - 1)[i], *self._of_block(block)[i]):
                _place(one, block, price, size, flow, ordinary[i], rng)
            _score(flow)
            books.price[i], books.size[i], books.flow[i] = price, size, flow
        return books

    def _of_block(self, block: int) -> list[list[Planted]]:
        """The episodes that begin in a block, per instrument; none before the beginning of the world."""
        if block < -PREHISTORY_BLOCKS:
            return [[] for _ in self._symbols]
        if block not in self._episodes:
            now, later = self._tape(block), self._tape(block + 1)
            reach = self._reach(now)
            ohlcv = np.concatenate((now.ohlcv, later.ohlcv), axis=1)
            self._episodes[block] = [
                _episodes(
                    generator(self._seed, f"{symbol} walls", block + PREHISTORY_BLOCKS),
                    block * BLOCK_BARS,
                    ohlcv[i],
                    reach[i],
                )
                for i, symbol in enumerate(self._symbols)
            ]
            if len(self._episodes) > _BLOCKS_CACHED + 1:
                self._episodes.popitem(last=False)
        return self._episodes[block]

    @staticmethod
    def _reach(tape: Tape) -> F64:
        """How far a ladder goes, as a part of the price ``(n,)``: twice the mean range of a bar."""
        reach: F64 = 2.0 * (tape.ohlcv[:, :, 1] / tape.ohlcv[:, :, 2] - 1.0).mean(axis=1)
        return reach


_DAY_NS = 86_400 * 10**9


def _ladders(rng: Generator, bid: F64, ask: F64, reach_frac: float, ordinary: float) -> tuple[F64, F64]:
    """Prices and sizes ``(m, 2, LEVELS)`` without any wall."""
    gaps = rng.uniform(0.5, 1.5, (len(bid), 2, LEVELS)) * (reach_frac / LEVELS)
    gaps[:, :, 0] = 0.0
    away = np.cumsum(gaps, axis=2)
    price = np.stack(
        (bid[:, np.newaxis] * (1.0 - away[:, 0]), ask[:, np.newaxis] * (1.0 + away[:, 1])), axis=1
    )
    size = ordinary * np.exp(_SIZE_SPREAD * rng.standard_normal((len(bid), 2, LEVELS)))
    size[:, :, 0] *= _BEST_TIMES
    return price, size


def _episodes(rng: Generator, first_cycle: int, ohlcv: F64, reach_frac: float) -> list[Planted]:
    """Draw what begins in a block; ``ohlcv (2 m, 5)`` of it and the next."""
    count = int(rng.poisson(_EPISODES))
    starts = rng.integers(0, BLOCK_BARS, count)
    bars = rng.integers(_BARS_MIN, _BARS_MAX + 1, count)
    spoofs = rng.random(count) < _SPOOF_FRAC
    truths = rng.random(count) < TRUTH_FRAC
    offsets = reach_frac * rng.uniform(0.2, 0.7, count)
    times = _WALL_TIMES * np.exp(0.3 * rng.standard_normal(count))
    close = ohlcv[:, 3]
    found = []
    for k, is_spoof, is_true, length, offset, size in zip(
        starts.tolist(),
        spoofs.tolist(),
        truths.tolist(),
        bars.tolist(),
        offsets.tolist(),
        times.tolist(),
        strict=True,
    ):
        rises = close[k + LEAD_BARS] > close[k]
        side = 0 if rises == (is_true != is_spoof) else 1
        price = 0.0 if is_spoof else float(close[k]) * (1.0 - offset if side == 0 else 1.0 + offset)
        end = k + length if is_spoof else _traded_through(ohlcv, k, length, side, price)
        found.append(Planted(first_cycle + k, first_cycle + end, side, is_spoof, offset, size, price))
    return found


def _traded_through(ohlcv: F64, start: int, length: int, side: int, price: float) -> int:
    """The bar in which the market trades through a wall, else the one in which its time is over."""
    after = ohlcv[start + 1 : start + length]
    through = after[:, 2] <= price if side == 0 else after[:, 1] >= price
    hit = np.flatnonzero(through)
    return start + length if not len(hit) else start + 1 + int(hit[0])


def _flow(rng: Generator, ohlcv: F64) -> F64:
    """Flow of a block ``(m, k)`` without large orders."""
    m = len(ohlcv)
    flow = np.zeros((m, len(FLOW_NAMES)))
    returns = np.log(ohlcv[:, 3] / ohlcv[:, 0])
    scaled = returns / max(float(returns.std()), 1e-12)
    noise = rng.standard_normal((2, m))
    pressure = OFI_CORRELATION * scaled + np.sqrt(1.0 - OFI_CORRELATION**2) * noise[0]
    flow[:, _GROSS] = _GROSS_TIMES * ohlcv[:, 4]
    flow[:, _OFI] = flow[:, _GROSS] * 0.3 * np.tanh(pressure)
    flow[:, _IMBALANCE] = 0.5 * np.tanh(0.4 * noise[1])
    flow[:, _TRADES] = np.nan
    return flow


def _place(
    one: Planted, block: int, price: F64, size: F64, flow: F64, ordinary: float, rng: Generator
) -> None:
    """Enter an episode into the bars of a block that it covers."""
    begin, end = (
        max(0, min(cycle - block * BLOCK_BARS, BLOCK_BARS)) for cycle in (one.first_cycle, one.end_cycle)
    )
    if begin == end:
        return
    base, bars = one.times * ordinary, np.arange(begin, end)
    flow[bars, _LARGE + one.side] += base
    if one.is_spoof:
        flow[bars, _PULLED + one.side] += base
        flow[bars, _MOVED + one.side] += base * rng.integers(1, 5, len(bars))
        # At the close it is as likely pulled as not.
        bars = bars[rng.random(len(bars)) < 0.5]  # noqa: PLR2004 - an even chance
    ladder = price[bars, one.side]
    near = ladder[:, 0] * (1.0 + (one.side * 2 - 1) * one.offset_frac)
    wall = np.full(len(bars), one.price) if one.price else near
    level = np.abs(ladder[:, 1:-1] - wall[:, np.newaxis]).argmin(axis=1) + 1
    inside = (ladder[:, 0] - wall) * (ladder[:, -1] - wall) < 0.0
    stands = inside & (size[bars, one.side, level] < base)
    where = (bars[stands], one.side, level[stands])
    price[where], size[where] = wall[stands], base


def _score(flow: F64) -> None:
    """The spoof score from what is large and what was pulled."""
    large, pulled = flow[:, _LARGE : _LARGE + 2], flow[:, _PULLED : _PULLED + 2]
    flow[:, _SPOOF : _SPOOF + 2] = np.divide(pulled, large, out=np.zeros_like(large), where=large > 0.0)


_OFI = FLOW_NAMES.index("ofi_base")
_GROSS = FLOW_NAMES.index("ofi_gross_base")
_IMBALANCE = FLOW_NAMES.index("imbalance_frac")
_LARGE = FLOW_NAMES.index("bid_large_base")
_PULLED = FLOW_NAMES.index("bid_pulled_base")
_MOVED = FLOW_NAMES.index("bid_replaced_base")
_SPOOF = FLOW_NAMES.index("bid_spoof_frac")
_TRADES = slice(FLOW_NAMES.index("bid_absorbed_base"), None)
