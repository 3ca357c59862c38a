"""Group commit: what is staged goes to disk together, and is told only then."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tg_actors.exchange.server.hub import Hub, Item, Topic
from tg_actors.exchange.server.store import Batch, Store

#: Adds to a batch what has to be as new as the batch itself: states of accounts and of the market.
FillIn = Callable[[Batch], None]


class Committer:
    """The one way to the disk. Whoever needs durability awaits :meth:`settled`; one fsync serves all.

    When the disk refuses, ``broken`` keeps the error for ever: the process must end, since memory knows
    more than the ledger.
    """

    def __init__(self, store: Store, hub: Hub, fill_in: FillIn) -> None:
        self.staged = Batch()
        self.in_flight = Batch()
        self.commits = 0
        self.broken: Exception | None = None
        self._store = store
        self._hub = hub
        self._fill_in = fill_in
        self._news: list[tuple[Topic, Item]] = []
        self._staged_no = 0
        self._durable_no = 0
        self._running: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    def stage(self) -> Batch:
        """The batch to add rows to; whoever takes it changes it."""
        self._staged_no += 1
        return self.staged

    def say(self, topic: Topic, item: Item) -> None:
        """Publish an item once everything staged so far is on disk."""
        self._news.append((topic, item))

    @property
    def dirty(self) -> bool:
        """Whether anything is not on disk yet."""
        return self._durable_no < self._staged_no

    async def settled(self) -> None:
        """Return once everything staged before this call is on disk and was told.

        Raises:
            Exception: the disk refused; nothing may be answered any more.
        """
        goal = self._staged_no
        while self._durable_no < goal:
            if self.broken is not None:
                raise self.broken
            if self._running is None:
                # A task of its own: whoever waits may be cancelled, the commit is not.
                self._running = asyncio.create_task(self._commit())
            await asyncio.shield(self._running)

    def close(self) -> None:
        """End the writing thread."""
        self._thread.shutdown(wait=True)

    async def _commit(self) -> None:
        number, news, self._news = self._staged_no, self._news, []
        batch, self.staged = self.staged, Batch()
        try:
            self._fill_in(batch)
            self.in_flight = batch
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.write, batch)
        except Exception as error:
            self.broken = error
            raise
        finally:
            self._running = None
        self.commits += 1
        self.in_flight = Batch()
        self._durable_no = number
        for topic, item in news:
            self._hub.publish(topic, item)
