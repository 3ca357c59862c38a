"""Ray shell of the market room: one snapshot a cycle, put into the object store once by returning it."""

import ray

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.market.config import MarketSpec, open_market
from tg_actors.market.health import MarketHealth
from tg_actors.runtime.actors import Watchdog


class MarketActor:
    """Mailbox around :class:`~tg_actors.market.builder.SnapshotBuilder`.

    It remembers nothing that the feed does not give again: a restarted process answers the next cycle
    with the snapshot that the dead one would have given.
    """

    def __init__(self, spec: MarketSpec) -> None:
        self._market = open_market(spec)
        Watchdog()

    @ray.method
    def observe(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a cycle, None after the last one. May be repeated."""
        return self._market.advance(cycle)

    @ray.method
    def health(self) -> MarketHealth:
        """Report refused rows, holes and ages up to the newest snapshot."""
        return self._market.health()

    def __repr__(self) -> str:
        return "MarketActor"
