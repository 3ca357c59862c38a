"""Which desk readers read of, and people speak to: the named one, the one that runs, or the latest."""

from collections.abc import Iterator
from pathlib import Path

from tg_actors.domain.errors import JournalError, UserError
from tg_actors.journal.readers import JournalReader
from tg_actors.runtime.home import BACKTEST, RunFolder
from tg_actors.runtime.lock import holder


class Desks:
    """The desks of one home; backtests are none, whatever they are called."""

    def __init__(self, home: Path, run: str | None = None) -> None:
        """Take the home folder, and the one run to show if there is to be no other."""
        self._runs = home / "runs"
        self._run = run
        self._known: dict[Path, bool] = {}

    def find(self) -> RunFolder:
        """Return the desk.

        Raises:
            UserError: there is none, or several run and none was named.
        """
        if self._run is not None:
            return self._named(self._run)
        desks = list(self._desks())
        running = [desk for desk in desks if holder(desk.lock) is not None]
        if len(running) > 1:
            names = ", ".join(sorted(desk.name for desk in running))
            raise UserError(f"several desks are running ({names}): name one as run in configs/serve.yaml")
        if not desks:
            raise UserError(f"no desk has run yet in {self._runs.parent}: start one with 'tg run'")
        return running[0] if running else max(desks, key=lambda desk: desk.journal.stat().st_mtime_ns)

    def _named(self, name: str) -> RunFolder:
        for desk in self._desks():
            if desk.name == name:
                return desk
        raise UserError(f"no desk is called {name!r}: 'tg run --name {name}' would start one")

    def _desks(self) -> Iterator[RunFolder]:
        if not self._runs.is_dir():
            return
        for path in self._runs.iterdir():
            folder = RunFolder(path)
            if not path.name.startswith(BACKTEST) and folder.journal.exists() and self._is_desk(folder):
                yield folder

    def _is_desk(self, folder: RunFolder) -> bool:
        """Ask a journal once who writes it; one that has not said so yet is asked again."""
        if folder.path not in self._known:
            try:
                with JournalReader.read_only(folder.journal) as journal:
                    identity = journal.identity()
            except (UserError, JournalError):
                return False
            if identity is None:
                return False
            self._known[folder.path] = identity.get("kind") != "backtest"
        return self._known[folder.path]
