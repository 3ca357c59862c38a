"""Where the exchange's market begins: fixed at the first start on a state, found again at every other."""

import json
from collections.abc import Mapping

from tg_actors.exchange.server.config import PacedClock, SteppedClock
from tg_actors.market.config import MarketConfig, MarketSpec, VenueSource, begin, open_feed
from tg_actors.market.feed import Feed, RawRows

#: Under this name the ledger keeps by how much times are moved.
SHIFT = "shift_ns"


class ShiftedFeed:
    """A feed whose bars carry other times: ``shift_ns`` later, whole bars of it; nothing else changes."""

    def __init__(self, feed: Feed, shift_ns: int) -> None:
        self._feed = feed
        self._shift_ns = shift_ns
        self.symbols = feed.symbols
        self.bar_ns = feed.bar_ns
        self.start_ns = feed.start_ns + shift_ns
        self.cycles = feed.cycles

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows of instrument ``i`` that arrive in these cycles."""
        return self._shifted(self._feed.rows(i, first_cycle, count))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest ``n_bars`` rows of instrument ``i`` before a cycle."""
        return self._shifted(self._feed.history(i, before_cycle, n_bars))

    def _shifted(self, rows: RawRows) -> RawRows:
        return RawRows(rows.open_ns + self._shift_ns, rows.ohlcv, rows.bid, rows.ask)


def begun(spec: MarketSpec, meta: Mapping[str, str], now_ns: int) -> MarketSpec:
    """Return a live market with its cycle 0 where the ledger has it, or now; any other stays as it is."""
    if not isinstance(spec.source, VenueSource) or spec.source.from_utc is not None:
        return spec
    known = json.loads(meta.get("identity", "{}")).get("source", {}).get("from_utc")
    source = spec.source.model_copy(update={"from_utc": known})
    market = begin(MarketConfig(timeframe=spec.timeframe, source=source), now_ns)
    return spec.model_copy(update={"source": market.source})


def opened(
    spec: MarketSpec, clock: PacedClock | SteppedClock, meta: Mapping[str, str], now_ns: int
) -> tuple[Feed, int]:
    """Open the feed, its times moved where the clock asks for it; returns it with the shift.

    Raises:
        UserError: the market cannot be had.
    """
    feed = open_feed(spec)
    shift_ns = int(meta.get(SHIFT, 0))
    wanted = isinstance(clock, PacedClock) and clock.starts == "now"
    if wanted and "position" not in meta and not isinstance(spec.source, VenueSource):
        shift_ns = (now_ns - feed.start_ns) // feed.bar_ns * feed.bar_ns
    return (ShiftedFeed(feed, shift_ns) if shift_ns else feed), shift_ns
