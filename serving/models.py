"""The board of models: watches the registry's record and tells all replicas which versions are in force."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from serving.swap import Orders, Report, Switchboard
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Roles

_log = logging.getLogger(__name__)


class Record(Protocol):
    """The registry's record of roles."""

    def stamp(self) -> tuple[int, int, int]:
        """Return what changes whenever a role does."""
        ...

    def all_roles(self) -> dict[str, Roles]:
        """Return the roles of every model."""
        ...


class ModelBoard:
    """The shell of one :class:`Switchboard`: replicas call :meth:`sync` and are held until there is news."""

    def __init__(
        self, switchboard: Switchboard, record: Record, clock_ns: Callable[[], int], hold_s: float
    ) -> None:
        self._switchboard, self._record = switchboard, record
        self._clock_ns, self._hold_s = clock_ns, hold_s
        self._stamp: tuple[int, int, int] | None = None
        self._trouble: str | None = None
        self._news = asyncio.Condition()

    async def look(self) -> None:
        """Read the record if it has changed; a damaged one changes nothing and is shown in the status."""
        stamp = self._record.stamp()
        if stamp == self._stamp:
            return
        try:
            self._switchboard.wish(await asyncio.to_thread(self._record.all_roles))
        except UserError as error:
            if self._trouble != str(error):
                _log.warning("the record cannot be read, what is in force stays: %s", error)
            self._trouble = str(error)
            return
        self._trouble, self._stamp = None, stamp
        await self._tell()

    async def watch(self, every_s: float) -> None:
        """Look at the record for as long as this process lives; a look costs one ``stat``."""
        while True:
            await self.look()
            await asyncio.sleep(every_s)

    async def sync(self, report: Report, seen: Orders | None) -> Orders:
        """Take in what a replica says; return its orders once they differ from those that it has seen."""
        before = self._switchboard.table.generation
        orders = self._switchboard.heard(report, self._clock_ns())
        if self._switchboard.table.generation != before or orders != seen:
            await self._tell()
            return orders
        try:
            async with asyncio.timeout(self._hold_s), self._news:
                await self._news.wait()
        except TimeoutError:
            pass
        return self._switchboard.heard(report, self._clock_ns())

    async def status(self) -> Mapping[str, Any]:
        """Return what is in force, wanted and refused, and what the replicas have counted."""
        return {**self._switchboard.status(), "record": self._trouble or "read"}

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
