"""One look of the shadow: read journal and venue, compare, and act on what has lasted."""

from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.message import Message
from tg_actors.domain.orders import TradingState
from tg_actors.execution.shadow.reader import Difference, Severity, ShadowReader, Sighting
from tg_actors.execution.start import begun_ns
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.repository import Journal

#: Who is named in the control row when the shadow halts the desk.
ACTOR = "shadow"
#: The event by which the shadow tells what a person must look at.
DIFFERED = "ShadowDiffered"
_NS = 1_000_000_000
_OVERLAP_NS = 600 * _NS


class ShadowDiffered(Message):
    """What the shadow found and could not wait out."""

    differences: tuple[Difference, ...]


class ShadowWatch:
    """Reads the venue with a key that cannot trade; writes nothing but its findings and a halt."""

    def __init__(self, spec: ExecutorSpec, venue: Venue, journal: Journal) -> None:
        self._reader = ShadowReader(spec)
        self._venue = venue
        self._journal = journal
        self._told: frozenset[str] = frozenset()

    def look(self, wall_ns: int) -> tuple[Difference, ...]:
        """Compare once; a venue that does not answer says nothing. Returns what differs.

        Raises:
            JournalError: the journal cannot be read or written.
        """
        try:
            found = self._reader.compare(self._read(), wall_ns)
        except AccountSuspect as suspect:
            found = (Difference(severity=Severity.HALT, text=str(suspect)),)
        except VenueError:
            return ()
        self._tell(tuple(d for d in found if d.severity is not Severity.HEALS))
        halts = [d.text for d in found if d.severity is Severity.HALT]
        if halts and self._journal.trading_state() is not TradingState.HALTED:
            self._journal.set_trading_state(TradingState.HALTED, "; ".join(halts), ACTOR, 0)
        return found

    def _read(self) -> Sighting:
        fills = self._journal.fills()
        permits = self._journal.permits()
        # What was traded before the first permit is not this desk's, and is part of its opening balances.
        began_ns = begun_ns(self._journal)
        since_ns = max(permits[0].permitted_at_ns - _OVERLAP_NS, began_ns) if permits else None
        trades = () if since_ns is None else tuple(self._venue.trades(since_ns))
        return Sighting(fills, trades, self._venue.balances())

    def _tell(self, found: tuple[Difference, ...]) -> None:
        """Write each lasting difference once, and again when it comes back."""
        texts = frozenset(difference.text for difference in found)
        if not texts <= self._told:
            self._journal.append(DIFFERED, ShadowDiffered(differences=found))
        self._told = texts
