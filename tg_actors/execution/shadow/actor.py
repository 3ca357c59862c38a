"""Ray shell of the shadow: looks on a timer, and dies when it cannot, to be started again."""

import ray
from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.execution.shadow.reader import Difference
from tg_actors.execution.shadow.watch import ShadowWatch
from tg_actors.execution.start import AccountSpec, OpenVenue
from tg_actors.journal.repository import Journal
from tg_actors.runtime.actors import Watchdog
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.threads import OneAtATime, Ticker


class ShadowActorSpec(Message):
    """Which account to watch, in which journal, and how often."""

    journal: str
    account: AccountSpec
    every_s: float = Field(default=60.0, gt=0)


class ShadowActor:
    """Mailbox around :class:`~tg_actors.execution.shadow.watch.ShadowWatch`; remembers nothing worth keeping.

    ``open_venue`` connects with the read-only key: this process never holds one that can trade.
    """

    def __init__(self, spec: ShadowActorSpec, open_venue: OpenVenue) -> None:
        journal = Journal.open(spec.journal, clock_ns=wall_ns)
        venue, _ = open_venue(spec.account, journal, wall_ns())
        self._watch = ShadowWatch(spec.account.executor, venue, journal)
        self._newest: tuple[Difference, ...] = ()
        self._looks = 0
        self._turn = OneAtATime()
        Watchdog()
        Ticker("shadow", spec.every_s, self._turn, self._look)

    @ray.method
    def report(self) -> tuple[int, tuple[Difference, ...]]:
        """Return how many looks were taken since this process started, and what the newest one found."""
        return self._looks, self._newest

    def __repr__(self) -> str:
        return "ShadowActor"

    def _look(self) -> None:
        self._newest = self._watch.look(wall_ns())
        self._looks += 1
