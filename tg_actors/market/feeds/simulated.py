"""Simulated feed: an endless market whose truth is known, the same for the same seed."""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from tg_actors.domain.blocks import F64, I64, Depth
from tg_actors.market.books.planted import Planted, PlantedBooks
from tg_actors.market.facts import FACT_NAMES
from tg_actors.market.feed import RawRows, concatenate, no_rows
from tg_actors.market.simulation.book import draw_book
from tg_actors.market.simulation.flows import FlowPrinter, Flows
from tg_actors.market.simulation.prehistory import Prehistory
from tg_actors.market.simulation.regimes import PHASES, Regime
from tg_actors.market.simulation.tape import Printer, Tape
from tg_actors.market.simulation.world import (
    BLOCK_BARS,
    PREHISTORY_BLOCKS,
    Motion,
    World,
    blocks_of,
    generator,
)
from tg_actors.market.timeframes import Timeframe

#: Cycle 0 opens at 2024-01-01T00:00Z.
START_NS = 1_704_067_200 * 10**9

_DAY_NS = 86_400 * 10**9
#: Enough for the warm-up of the indicators and the block in use.
_BLOCKS_CACHED = PREHISTORY_BLOCKS + 2
_FLOWS_CACHED = 2
_FIRST_CYCLE = -PREHISTORY_BLOCKS * BLOCK_BARS


class SimulatedFeed:
    """A :class:`~tg_actors.market.feed.Feed` without an end; rows are never dirty.

    Rows of a cycle are the same whatever was asked before, and do not depend on the other symbols.
    Before cycle 0 lie ``PREHISTORY_BLOCKS * BLOCK_BARS`` bars of history.
    """

    def __init__(
        self, seed: int, symbols: tuple[str, ...], timeframe: Timeframe, spread_bps: Mapping[str, float]
    ) -> None:
        """Set a market up.

        Args:
            seed: names the market, from 0 on.
            symbols: instruments in order.
            timeframe: length of a bar.
            spread_bps: typical spread of every symbol, in basis points; it widens in turbulence.

        Raises:
            UserError: a symbol's two sides are the same money.
        """
        self.symbols = symbols
        self.bar_ns = timeframe.bar_ns
        self.start_ns = START_NS
        self.cycles: int | None = None
        self._seed = seed
        spreads = np.array([spread_bps[symbol] for symbol in symbols])
        self._printer = Printer(seed, symbols, spreads, self.bar_ns)
        self._world = World(seed, self._printer.legs, START_NS, self.bar_ns)
        self._cache: OrderedDict[int, tuple[Motion, Tape]] = OrderedDict()
        self._flow_printer = FlowPrinter(seed, symbols, START_NS, self.bar_ns)
        self._flows: OrderedDict[int, Flows] = OrderedDict()
        self.fact_names = FACT_NAMES
        self._prehistory: Prehistory | None = None
        self._books = PlantedBooks(seed, symbols, START_NS, self.bar_ns, lambda block: self._block(block)[1])

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows of instrument ``i`` in ``count`` cycles from ``first_cycle`` on; none before the world."""
        first, end = max(first_cycle, _FIRST_CYCLE), first_cycle + count
        return concatenate(self._rows(i, block, which) for block, which in blocks_of(first, end))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The ``n_bars`` rows before a cycle; fewer at the beginning of the world."""
        first = max(before_cycle - n_bars, _FIRST_CYCLE)
        return self.rows(i, first, before_cycle - first)

    def days_before(self, i: int, end_ns: int, count: int) -> RawRows:
        """Whole days before the world's first bar, see :mod:`tg_actors.market.simulation.prehistory`."""
        first_day = (self.start_ns + _FIRST_CYCLE * self.bar_ns) // _DAY_NS
        if end_ns // _DAY_NS - count >= first_day:
            return no_rows()
        if self._prehistory is None:
            levels = self._block(-PREHISTORY_BLOCKS)[0].levels[0]
            self._prehistory = Prehistory(self._seed, self._printer.legs, levels, first_day)
        return self._prehistory.days(self.symbols[i], end_ns // _DAY_NS, count)

    def truth(self, cycle: int) -> Regime:
        """The regime in which a cycle's bar moved."""
        motion, _ = self._block(cycle // BLOCK_BARS)
        return PHASES[int(motion.phases[cycle % BLOCK_BARS])].regime

    def facts(self, at_ns: I64) -> tuple[F64, I64]:
        """What was known at some closes, see :class:`~tg_actors.market.feed.FactSource`."""
        cycles = (at_ns - self.start_ns) // self.bar_ns - 1
        shape = (len(cycles), len(self.symbols), len(FACT_NAMES))
        values, as_of_ns = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
        for block in np.unique(cycles[cycles >= _FIRST_CYCLE] // BLOCK_BARS).tolist():
            which = cycles // BLOCK_BARS == block
            flows, k = self._flows_of(block), cycles[which] % BLOCK_BARS
            values[which], as_of_ns[which] = flows.values[k], flows.as_of_ns[k]
        return values, as_of_ns

    def whales(self, i: int, cycle: int) -> tuple[int, bool]:
        """The truth about the whales of instrument ``i``: 1 they accumulate, -1 they distribute, 0 neither.

        The second part says whether that is a decoy, after which no turn is planned.
        """
        episodes, k = self._flows_of(cycle // BLOCK_BARS).episodes[i], cycle % BLOCK_BARS
        return int(episodes.direction[k]), bool(episodes.is_decoy[k])

    def depth(self, cycle: int, levels: int) -> Depth:
        """Books of all instruments at the close of a cycle, see :mod:`tg_actors.market.books.planted`."""
        return self._books.depth(cycle, levels)

    def planted(self, i: int, cycle: int) -> tuple[Planted, ...]:
        """The walls and spoofs of instrument ``i`` in a cycle: the truth behind :meth:`depth`."""
        return self._books.planted(i, cycle)

    def book(self, i: int, cycle: int, levels: int) -> tuple[F64, F64]:
        """Order book of instrument ``i`` at the close of a cycle.

        Returns:
            Prices and sizes, each ``(2, levels)``: bids falling, then asks rising, around the cycle's
            bid and ask; sizes in base currency.
        """
        _, tape = self._block(cycle // BLOCK_BARS)
        k = cycle % BLOCK_BARS
        day_volume = float(tape.ohlcv[i, :, 4].mean()) * _DAY_NS / self.bar_ns
        rng = generator(self._seed, f"{self.symbols[i]} book", cycle + PREHISTORY_BLOCKS * BLOCK_BARS)
        return draw_book(rng, float(tape.bid[i, k]), float(tape.ask[i, k]), day_volume, levels)

    def _rows(self, i: int, block: int, which: slice) -> RawRows:
        _, tape = self._block(block)
        cycles: I64 = np.arange(BLOCK_BARS, dtype=np.int64)[which] + block * BLOCK_BARS
        open_ns = self.start_ns + cycles * self.bar_ns
        return RawRows(open_ns, tape.ohlcv[i, which], tape.bid[i, which], tape.ask[i, which])

    def _flows_of(self, block: int) -> Flows:
        if block not in self._flows:
            first = max(block - self._flow_printer.blocks_before, -PREHISTORY_BLOCKS)
            tapes = [self._block(number)[1] for number in range(first, block + 1)]
            self._flows[block] = self._flow_printer.print(block, tapes)
            if len(self._flows) > _FLOWS_CACHED:
                self._flows.popitem(last=False)
        return self._flows[block]

    def _block(self, block: int) -> tuple[Motion, Tape]:
        if block not in self._cache:
            motion = self._world.block(block)
            self._cache[block] = motion, self._printer.print(block, motion)
            if len(self._cache) > _BLOCKS_CACHED:
                self._cache.popitem(last=False)
        return self._cache[block]
