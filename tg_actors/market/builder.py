"""Build snapshots: rows from the feed, through the border, into indicators, one snapshot a cycle.

Work is done for many cycles at once (``prefetch``), which is what makes a replay of years fast; what
comes out does not depend on it. The feed's rows are admitted in order of arrival and indicators look
back only, so a snapshot of cycle ``k`` never knows a bar that closed later.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tg_actors.domain.blocks import F64, I64, MarketSnapshot
from tg_actors.indicators.bank import ANCHOR_BARS, FEATURES, WARMUP_BARS, IndicatorBank
from tg_actors.market.block import Block, Newest
from tg_actors.market.border import REJECTIONS, Admission, Border
from tg_actors.market.extras import Extras
from tg_actors.market.feed import FactSource, Feed
from tg_actors.market.health import InstrumentHealth, MarketHealth
from tg_actors.market.needs import MarketNeeds

#: Accepted bars that determine every feature; ``bars_seen`` counts up to here.
HISTORY_BARS = WARMUP_BARS + ANCHOR_BARS
#: Rows asked for beyond that, so that few dirty ones do not make a second query necessary, and a late
#: row at the very edge of the history is told from one in order.
_MARGIN_ROWS = 64

BankFactory = Callable[[int, int], IndicatorBank]


class SnapshotBuilder:
    """The market as the desk sees it, cycle by cycle.

    Going on, starting again and starting in the middle give bit-identical snapshots: a seek feeds the
    indicators and the windows the history that determines them.
    """

    def __init__(
        self,
        feed: Feed,
        bank: BankFactory = IndicatorBank,
        prefetch: int = ANCHOR_BARS,
        needs: MarketNeeds | None = None,
        facts: FactSource | None = None,
    ) -> None:
        """Set the market up; nothing is read before the first cycle is asked for.

        Args:
            feed: where bars, and whatever else the feed offers, come from.
            bank: opens the indicators.
            prefetch: cycles worked out at once.
            needs: what snapshots must hold beyond the newest bar and its indicators.
            facts: who knows the facts, None for the feed itself.
        """
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, got {prefetch}")
        self._feed = feed
        self._extras = Extras(feed, needs or MarketNeeds(), facts)
        self._open_bank = bank
        self._prefetch = prefetch
        self._n = len(feed.symbols)
        # Next to no cycle that can be asked for: the first one is a seek.
        self._reset(-2)

    def seek(self, cycle: int) -> None:
        """Make ``cycle`` the next one: load its history and warm the indicators up on it.

        Raises:
            ValueError: the cycle is negative.
        """
        if cycle < 0:
            raise ValueError(f"cycles start at 0, got {cycle}")
        self._reset(cycle - 1)
        for i in range(self._n):
            self._fill(self._block, i, self._admitted_history(i, cycle))
        self._block.seal()
        self._extras.recall(cycle)

    def advance(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a cycle, None once the feed has ended.

        The same cycle may be asked for again and gives the same numbers. Cycles come in order; any
        other cycle is a seek.

        Raises:
            ValueError: the cycle is negative.
        """
        if self._feed.cycles is not None and cycle >= self._feed.cycles:
            return None
        if cycle < 0 or not self._block.first_cycle <= cycle <= self._block.end_cycle:
            self.seek(cycle)
        if cycle == self._block.end_cycle:
            self._load(cycle)
        self._cycle = cycle
        return self._snapshot(cycle)

    def health(self) -> MarketHealth:
        """Data quality up to the cycle of the newest snapshot."""
        at_ns = self._at_ns(self._cycle)
        newest = self._block.newest(self._cycle)
        rejected = self._rejected_before + self._block.rejections(self._cycle)
        missing = newest.missing(self._feed.bar_ns)
        rows = zip(
            self._feed.symbols,
            newest.accepted.tolist(),
            missing.tolist(),
            newest.close_ns.tolist(),
            rejected.tolist(),
            strict=True,
        )
        instruments = tuple(
            InstrumentHealth(
                symbol=symbol,
                bars_accepted=accepted,
                bars_missing=holes,
                age_ns=at_ns - close_ns if close_ns else None,
                rejected={reason: n for reason, n in zip(REJECTIONS, counts, strict=True) if n},
            )
            for symbol, accepted, holes, close_ns, counts in rows
        )
        return MarketHealth(cycle=self._cycle, at_ns=at_ns, instruments=instruments)

    def _reset(self, cycle: int) -> None:
        """Forget everything; ``cycle`` becomes the last one, a block of its own without any bar."""
        self._cycle = cycle
        self._border = Border(self._n, self._feed.start_ns, self._feed.bar_ns)
        self._bank = self._open_bank(self._n, self._feed.bar_ns)
        self._block: Block = Block(cycle, 1, Newest.nothing(self._n, len(FEATURES)))
        self._rejected_before: I64 = np.zeros((self._n, len(REJECTIONS)), dtype=np.int64)

    def _load(self, cycle: int) -> None:
        """Replace the block by the next one, which ends where a segment of the indicators may end."""
        feed, old = self._feed, self._block
        count = self._prefetch - (self._at_ns(cycle) // feed.bar_ns) % self._prefetch
        if feed.cycles is not None:
            count = min(count, feed.cycles - cycle)
        self._rejected_before += old.rejections(old.end_cycle)
        block = Block(cycle, count, old.newest(old.end_cycle - 1))
        self._extras.cover(cycle, count)
        for i in range(self._n):
            rows = feed.rows(i, cycle, count)
            admission = self._border.admit(i, rows, cycle, cycle + count)
            self._fill(block, i, admission)
            self._extras.fill(i, admission)
        block.seal()
        self._extras.seal()
        self._block = block

    def _fill(self, block: Block, i: int, admission: Admission) -> None:
        """Advance the indicators by what was accepted and enter both into the block."""
        feed, rows = self._feed, admission.accepted
        close_ns = rows.open_ns + feed.bar_ns
        features: F64 = (
            self._bank.block(i, close_ns, rows.ohlcv) if len(rows) else np.empty((0, len(FEATURES)))
        )
        block.fill(i, admission, close_ns, features)

    def _admitted_history(self, i: int, cycle: int) -> Admission:
        """The newest ``HISTORY_BARS`` accepted bars before a cycle, or all there are."""
        asked = HISTORY_BARS + _MARGIN_ROWS
        while True:
            rows = self._feed.history(i, cycle, asked)
            admission = self._border.admit(i, rows, cycle - 1, cycle)
            if len(admission.accepted) >= HISTORY_BARS or len(rows) < asked:
                break
            self._border.forget(i)
            asked *= 2
        last = slice(-HISTORY_BARS, None)
        return replace(
            admission,
            accepted=admission.accepted.pick(last),
            accepted_cycle=admission.accepted_cycle[last],
        )

    def _snapshot(self, cycle: int) -> MarketSnapshot:
        newest = self._block.newest(cycle)
        return MarketSnapshot(
            cycle=cycle,
            at_ns=self._at_ns(cycle),
            bar_ns=self._feed.bar_ns,
            symbols=self._feed.symbols,
            ohlcv=newest.ohlcv,
            bid=newest.bid,
            ask=newest.ask,
            close_ns=newest.close_ns,
            bars_seen=np.minimum(newest.accepted, HISTORY_BARS),
            feature_names=FEATURES,
            features=newest.features,
            refused=tuple(
                (self._feed.symbols[i], REJECTIONS[reason].value, count)
                for i, reason, count in self._block.refused_in(cycle)
            ),
            **self._extras.of(cycle),
        )

    def _at_ns(self, cycle: int) -> int:
        return self._feed.start_ns + (cycle + 1) * self._feed.bar_ns
