"""Every process of a chaos run, found by a mark that children inherit, so that none is left behind."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tg_actors.domain.errors import OutsideError

#: Whatever carries our value of this variable was started by us, however many parents ago.
MARK = "TG_CHAOS"
_END_S_MAX = 20.0


class Household:
    """Starts processes under one mark and ends all that carry it, orphans and paused ones included."""

    def __init__(self, mark: str, environment: Mapping[str, str]) -> None:
        self.environment = {**environment, MARK: mark}
        self._mark = mark
        self._children: list[subprocess.Popen[str]] = []
        self._known: dict[int, psutil.Process] = {}

    def start(self, command: Sequence[str], log: Path, *, talks: bool = False) -> subprocess.Popen[str]:
        """Start a command in a session of its own; its errors go to a log, and its output unless it talks."""
        with log.open("a", encoding="utf-8") as file:
            child = subprocess.Popen(  # noqa: S603 - our own commands
                list(command),
                env=self.environment,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else file,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def everybody(self) -> Iterator[psutil.Process]:
        """Yield every living process of this run but ourselves.

        Ray's agents write their title over their environment: they are known as children of raylets,
        and once known they are remembered when their raylet has gone.
        """
        self._forget_the_dead()  # their numbers may be somebody else's by now
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and self._is_ours(process):
                    self._known[process.pid] = process
        self._forget_the_dead()
        yield from tuple(self._known.values())

    def _forget_the_dead(self) -> None:
        self._known = {pid: process for pid, process in self._known.items() if _lives(process)}

    def _is_ours(self, process: psutil.Process) -> bool:
        # Parents come first: a child's number is the greater one, or it is found the next time.
        return process.environ().get(MARK) == self._mark or process.ppid() in self._known

    def end(self) -> list[int]:
        """Kill everybody, also who is paused, and wait; returns who would not go (an empty list)."""
        survivors: list[psutil.Process] = []
        for _ in range(5):  # somebody may be starting somebody else right now
            survivors = list(self.everybody())
            if not survivors:
                break
            for process in survivors:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(survivors, timeout=_END_S_MAX / 5)
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_END_S_MAX)
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        return [process.pid for process in self.everybody()]


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module with this very Python."""
    return (sys.executable, "-m", module, *arguments)


def send(signal_: signal.Signals, processes: Sequence[psutil.Process]) -> int:
    """Send a signal to all that still live; returns how many got it."""
    got = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal_)  # psutil refuses a pid that has been given to somebody else
            got += 1
    return got


@contextmanager
def one_household(home: Path, extra: Mapping[str, str]) -> Iterator[Household]:
    """Give this process and its children a home, a mark and a Ray token; all end with the block.

    Raises:
        OutsideError: somebody could not be ended.
    """
    mark = secrets.token_hex(8)
    mine = {
        MARK: mark,
        "TG_HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        **extra,
    }
    before = dict(os.environ)
    os.environ.update(mine)
    # Every kill costs the start of a Python: let it find compiled files.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    household = Household(mark, dict(os.environ))
    try:
        yield household
    finally:
        left = household.end()
        os.environ.clear()
        os.environ.update(before)
        if left:
            raise OutsideError(f"processes {left} of the run do not end", retryable=False)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for Ray's sockets: the path of a socket holds 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="tgc", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
