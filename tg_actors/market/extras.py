"""What a snapshot holds beyond the newest bar, as far as it is asked for: the past, facts and depth."""

from typing import TypedDict

import numpy as np

from tg_actors.domain.blocks import F64, I64, Depth, Facts, Window
from tg_actors.market.border import Admission
from tg_actors.market.feed import Archive, DepthSource, FactSource, Feed, ReferenceSource
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.recall import end_days, recall
from tg_actors.market.windows import DAY_NS, Windows


class Parts(TypedDict, total=False):
    """The optional fields of a snapshot, by their names; what nobody asked for is left out."""

    window: Window | None
    days: Window | None
    references: Window | None
    facts: Facts | None
    depth: Depth | None


class Extras:
    """The optional parts of the snapshots of a block; costs nothing where nothing is asked for."""

    def __init__(self, feed: Feed, needs: MarketNeeds, facts: FactSource | None) -> None:
        self._feed = feed
        self._needs = needs
        self._windows = (
            Windows(feed.symbols, feed.start_ns, feed.bar_ns, needs.window_bars, needs.days)
            if needs.window_bars or needs.days
            else None
        )
        self._facts = _facts_of(feed, facts) if needs.facts else None
        self._references = feed if isinstance(feed, ReferenceSource) and needs.references else None
        self._depths = feed if isinstance(feed, DepthSource) and needs.depth_levels else None
        self._block_facts: tuple[F64, I64] | None = None
        self._first_cycle = 0
        #: Instruments whose running day began before anything we know of it, and that day.
        self._beheaded: frozenset[int] = frozenset()
        self._beheaded_day = 0
        #: The newest references and the midnight at which they end.
        self._watched: tuple[int, Window | None] = (-1, None)

    def recall(self, cycle: int) -> None:
        """Know what had come before a cycle, and nothing else."""
        if self._windows is not None:
            self._windows.forget()
        self._beheaded = frozenset()
        self.cover(cycle - 1, 1)
        if self._windows is not None:
            self._beheaded = recall(self._windows, self._feed, cycle)
            self._beheaded_day = self._windows.running_day
        self.seal()

    def cover(self, first_cycle: int, count: int) -> None:
        """Begin a block of cycles."""
        self._first_cycle = first_cycle
        if self._windows is not None:
            self._windows.cover(first_cycle, count)
        if self._facts is not None:
            closes = self._at_ns(first_cycle) + np.arange(count, dtype=np.int64) * self._feed.bar_ns
            self._block_facts = self._facts.facts(closes)

    def fill(self, i: int, admission: Admission) -> None:
        """Enter what the border accepted of instrument ``i`` in the block."""
        if self._windows is not None and len(admission.accepted):
            self._windows.fill(i, admission.accepted, admission.accepted_cycle)

    def seal(self) -> None:
        """Say that the block is complete."""
        if self._windows is not None:
            self._end_day(self._windows)
            self._windows.seal()
        for array in self._block_facts or ():
            array.flags.writeable = False

    def of(self, cycle: int) -> Parts:
        """The parts of the snapshot of a cycle of the block."""
        parts: Parts = {}
        if self._windows is not None:
            parts["window"], parts["days"] = self._windows.window(cycle), self._windows.days(cycle)
        if self._facts is not None and self._block_facts is not None:
            values, as_of_ns = self._block_facts
            k = cycle - self._first_cycle
            parts["facts"] = Facts(self._facts.fact_names, values[k], as_of_ns[k])
        if self._references is not None:
            parts["references"] = self._references_at(self._at_ns(cycle) // DAY_NS * DAY_NS)
        if self._depths is not None:
            parts["depth"] = self._depths.depth(cycle, self._needs.depth_levels)
        return parts

    def _end_day(self, windows: Windows) -> None:
        over = windows.running_day > self._beheaded_day
        if over and self._beheaded and isinstance(self._feed, Archive):
            end_days(windows, self._feed, self._beheaded_day, self._beheaded)
            self._beheaded = frozenset()

    def _references_at(self, midnight_ns: int) -> Window | None:
        if self._references is None:
            return None
        if self._watched[0] != midnight_ns:
            days = max(self._needs.days, 1)
            window = self._references.references(self._needs.references, midnight_ns, days)
            self._watched = midnight_ns, window
        return self._watched[1]

    def _at_ns(self, cycle: int) -> int:
        return self._feed.start_ns + (cycle + 1) * self._feed.bar_ns


def _facts_of(feed: Feed, given: FactSource | None) -> FactSource | None:
    """Who knows facts about this market, None where nobody does."""
    source = given if given is not None else feed if isinstance(feed, FactSource) else None
    return source if source is not None and source.fact_names else None
