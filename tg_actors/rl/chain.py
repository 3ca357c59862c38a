"""A record on disk: lines that are only ever added, each chained to the one before."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message

#: What the first line of a record stands on.
GENESIS = "0" * 64

#: Changes whenever the record does: inode, size, time of the last change.
Stamp = tuple[int, int, int]
NO_RECORD: Stamp = (0, 0, 0)
#: A record that cannot be looked at; reading it says why.
_UNREADABLE: Stamp = (-1, 0, 0)


class Linked(Message):
    """A line of a record; ``hash`` chains it to the line before, ``previous``."""

    previous: str = GENESIS
    hash: str = ""

    def chained(self, previous: str) -> Self:
        """Return it as the next line after the one with this hash."""
        bare = self.model_copy(update={"previous": previous, "hash": ""})
        return bare.model_copy(update={"hash": bare.digest()})

    def digest(self) -> str:
        """Hex SHA-256 of everything but the hash itself."""
        return hashlib.sha256(self.model_dump_json(exclude={"hash"}).encode()).hexdigest()


Line = TypeVar("Line", bound=Linked)


class ChainedRecord(Generic[Line]):
    """A file of lines of one kind. A last line that a crash has torn counts as never written."""

    def __init__(self, path: Path, kind: type[Line]) -> None:
        self._path, self._kind = path, kind

    def stamp(self) -> Stamp:
        """Return what shows cheaply whether the record has changed."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return NO_RECORD
        except OSError:
            return _UNREADABLE
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self) -> tuple[Line, ...]:
        """Return all lines, oldest first.

        Raises:
            UserError: a line is damaged, or the chain is broken.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UserError(f"cannot read the record {self._path} ({error.strerror})") from error
        lines: list[Line] = []
        previous = GENESIS
        for number, text in enumerate(_whole(data).splitlines(), start=1):
            lines.append(self._line(text, number, previous))
            previous = lines[-1].hash
        return tuple(lines)

    def append(self, decide: Callable[[tuple[Line, ...]], Line]) -> Line:
        """Add what is decided on the lines so far; nobody else writes meanwhile.

        Raises:
            UserError: the record is damaged or cannot be written, or the decision refuses.
        """
        with self._alone():
            lines = self.read()
            line = decide(lines).chained(lines[-1].hash if lines else GENESIS)
            try:
                with self._path.open("r+b" if self._path.exists() else "x+b") as file:
                    file.truncate(len(_whole(file.read())))
                    file.seek(0, os.SEEK_END)
                    file.write(line.model_dump_json().encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise UserError(f"cannot write the record {self._path} ({error.strerror})") from error
            return line

    def _line(self, text: bytes, number: int, previous: str) -> Line:
        try:
            line = self._kind.model_validate_json(text)
        except ValidationError as error:
            raise self._damaged(number) from error
        if line.previous != previous or line.hash != line.digest():
            raise self._damaged(number)
        return line

    def _damaged(self, number: int) -> UserError:
        return UserError(f"line {number} of the record {self._path} is damaged: put a copy of the file back")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process writes; the operating system ends the wait when one dies."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(f"cannot write to {self._path.parent} ({error.strerror})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _whole(data: bytes) -> bytes:
    """Return the lines that are whole."""
    return data[: data.rfind(b"\n") + 1]
