"""Where a desk keeps its journal, status and tokens: ``TG_HOME``, private to its owner."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tg_actors.domain.errors import UserError

_PRIVATE = 0o700
_LATEST = "latest"
#: What the names of backtests start with, and no desk's does.
BACKTEST = "backtest-"


def home() -> Path:
    """Return the home folder, made if needed with mode 0700.

    Raises:
        UserError: the folder cannot be made or written.
    """
    folder = Path(os.environ.get("TG_HOME") or platformdirs.user_data_dir("triplegain")).expanduser()
    return private_folder(folder)


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner can read, or make it so.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        folder.chmod(_PRIVATE)
    except OSError as error:
        raise UserError(
            f"cannot use {folder} as home folder ({error.strerror}): set TG_HOME elsewhere"
        ) from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write to the home folder {folder}: set TG_HOME elsewhere")
    return folder


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's files. A run is a desk on one market; the same run is resumed, never overwritten."""

    path: Path

    @property
    def name(self) -> str:
        """Name by which ``--run`` finds it."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal, ground truth of everything the desk did."""
        return self.path / "journal.sqlite"

    @property
    def status(self) -> Path:
        """What readers read; rewritten whole, so that no reader ever calls a trading actor."""
        return self.path / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that drives this run."""
        return self.path / "desk.lock"

    @property
    def logs(self) -> Path:
        """Log of the driving process."""
        return self.path / "desk.log"

    def forget_journal(self) -> None:
        """Remove a journal that is about to be computed again, with the files SQLite keeps beside it."""
        for file in self.path.glob("journal.sqlite*"):
            file.unlink()

    def write_status(self, status: object) -> None:
        """Replace the status file atomically."""
        scratch = self.status.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(status, separators=(",", ":"), default=str))
        scratch.replace(self.status)

    def read_status(self) -> dict[str, object]:
        """Return the last status, empty when there is none."""
        try:
            status = json.loads(self.status.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return status if isinstance(status, dict) else {}


def runs_folder() -> Path:
    """The folder that holds all runs."""
    return private_folder(home() / "runs")


def run_folder(name: str) -> RunFolder:
    """Return the folder of a run, made if needed, and remember it as the latest."""
    folder = RunFolder(private_folder(runs_folder() / name))
    scratch = home() / f".{_LATEST}.{os.getpid()}"
    scratch.write_text(name)
    scratch.replace(home() / _LATEST)
    return folder


def existing_run(name: str | None) -> RunFolder:
    """Find a run by name, or the latest one.

    Raises:
        UserError: there is no such run, or none at all.
    """
    known = sorted(path.name for path in runs_folder().iterdir() if (path / "journal.sqlite").exists())
    if not known:
        raise UserError(f"no desk has run yet in {home()}: start one with 'tg run' or 'tg backtest run'")
    if name is None:
        try:
            name = (home() / _LATEST).read_text().strip()
        except FileNotFoundError:
            name = ""
        name = name if name in known else max(known, key=lambda run: (runs_folder() / run).stat().st_mtime)
    if name not in known:
        raise UserError(f"no run is called {name!r}: there are {', '.join(known)}")
    return RunFolder(runs_folder() / name)
