"""The signal board: what readers read, kept in memory, looked up in the journal by one watcher a process.

The desk writes nothing for it: its journal holds every decision anyway. A thousand readers cost the desk what
one costs, a query a quarter of a second through a connection that cannot write.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from serving.board_view import BoardView
from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Control
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.lock import holder

#: How often the watcher looks for a new event.
LOOK_EVERY_S = 0.25
#: How often it asks itself whether another desk has started.
_FIND_EVERY_LOOKS = 8

_log = logging.getLogger(__name__)

FindDesk = Callable[[], RunFolder]
#: Which version each model's name stands for now, e.g. ``{"rl-aggressive": "rl-aggressive@7"}``.
ReadModels = Callable[[], dict[str, str]]


class NoDesk(UserError):  # noqa: N818 - a state of the desk, not a mistake
    """There is nothing on the board, and the sentence says why."""


class Board:
    """Keeps the newest view of one desk, and wakes those who wait for the next one."""

    def __init__(self, find_desk: FindDesk, models: ReadModels = dict) -> None:
        self._find_desk = find_desk
        self._models = models
        self._newest: BoardView | None = None
        self._why_empty = "the board has not been looked at yet: ask again in a second"
        self._folder: RunFolder | None = None
        self._journal: JournalReader | None = None
        self._looks = 0
        self._file: tuple[int, int] | None = None
        self._running = False
        self._ended = False
        self._news = asyncio.Condition()

    @property
    def newest(self) -> BoardView:
        """Return the newest view.

        Raises:
            NoDesk: no desk has run, it has not decided anything yet, or several run and none was named.
        """
        if self._newest is None:
            raise NoDesk(self._why_empty)
        return self._newest

    @property
    def journal(self) -> JournalReader:
        """Return the journal that the board looks at, for questions that the board does not answer.

        Raises:
            NoDesk: there is none.
        """
        if self._journal is None:
            raise NoDesk(self._why_empty)
        return self._journal

    @property
    def folder(self) -> RunFolder:
        """Return the run that the board shows.

        Raises:
            NoDesk: there is none.
        """
        if self._folder is None:
            raise NoDesk(self._why_empty)
        return self._folder

    @property
    def has_ended(self) -> bool:
        """Whether nobody looks any more: a bug has ended the watcher, or the block is over."""
        return self._ended

    def look(self) -> bool:
        """Look into the journal once; True when there is something new. One thread at a time."""
        try:
            return self._look()
        except (UserError, OutsideError, OSError) as failure:
            self._why_empty = str(failure)
            self._leave()
            return False

    def close(self) -> None:
        """Give the journal back."""
        self._leave()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look again and again for as long as the block lasts; the first look is over when it begins."""
        await self._look_and_tell()
        watcher = asyncio.create_task(self._watch(), name="board watcher")
        try:
            yield
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            await asyncio.to_thread(self.close)

    async def after(self, version: int) -> BoardView:
        """Wait for a view that is newer than ``version``; a reader that was slow gets the newest only.

        Raises:
            NoDesk: the board is no longer watched.
        """

        def has_come() -> bool:
            return self._ended or (self._newest is not None and self._newest.version > version)

        async with self._news:
            await self._news.wait_for(has_come)
        return self.newest

    async def _watch(self) -> None:
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                await self._look_and_tell()
        finally:  # an old view must not pass for the newest
            self._newest, self._ended = None, True
            self._why_empty = "the board is no longer watched: restart the server"
            async with self._news:
                self._news.notify_all()

    async def _look_and_tell(self) -> None:
        if await asyncio.to_thread(self.look):
            async with self._news:
                self._news.notify_all()

    def _look(self) -> bool:
        if self._looks % _FIND_EVERY_LOOKS == 0 or self._journal is None:
            self._follow(self._find_desk())
        self._looks += 1
        if self._journal is None or self._folder is None:
            return False
        # A halt file is no event: the switch is asked for each time.
        seq, control, models = self._journal.last_seq(), self._journal.control(), self._models()
        before, now = self._newest, (seq, control, models, self._running)
        if before is not None and (before.seq, before.control, before.models, before.running) == now:
            return False
        return self._renew(self._journal, self._folder.name, seq, control, models)

    def _renew(
        self, journal: JournalReader, run: str, seq: int, control: Control, models: dict[str, str]
    ) -> bool:
        """Put up the newest cycle; what has not changed since is taken over."""
        cycle = journal.newest_cycle()
        if cycle is None:
            self._why_empty = f"{run} has decided nothing yet: ask again after its first cycle"
            self._newest = None
            return False
        before = self._newest
        version = 1 if before is None else before.version + 1
        if before is not None and before.cycle == cycle:
            self._newest = before.renewed(version, seq, control, models, running=self._running)
            return True
        try:
            event, found = journal.decided(cycle), journal.decision(cycle)
        except ValueError as error:
            why = "another version of us wrote it, or it is damaged"
            raise OutsideError(f"cycle {cycle} of {run} cannot be read: {why}", retryable=False) from error
        if event is None or found is None:  # both were written in one transaction
            raise OutsideError(f"cycle {cycle} of {run} cannot be read", retryable=True)
        self._newest = BoardView(
            run=run,
            running=self._running,
            version=version,
            seq=seq,
            decided_wall_ns=event.wall_ns,
            decision=found[0],
            block=found[1],
            control=control,
            models=models,
        )
        return True

    def _follow(self, folder: RunFolder) -> None:
        self._running = holder(folder.lock) is not None
        found = folder.journal.stat()
        # Another file under the same name is another journal: an open one would tell of the old for ever.
        file = (found.st_dev, found.st_ino)
        same = self._folder is not None and self._folder.path == folder.path and self._file == file
        if same and self._journal is not None:
            return
        self._leave()
        self._journal = JournalReader.read_only(folder.journal)
        self._folder, self._file = folder, file
        _log.info("the board shows %s", folder.name)

    def _leave(self) -> None:
        self._newest = None
        if self._journal is not None:
            self._journal.close()
        self._journal, self._folder = None, None
