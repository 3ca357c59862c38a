"""What a database failure means, in one sentence, and whether trying again may help."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from tg_actors.domain.errors import JournalError


class _Meaning(NamedTuple):
    sentence: str
    retryable: bool


_LOCKED = _Meaning("is held by another writer; try again, or find the process that holds it", retryable=True)
_DISK_FULL = _Meaning("cannot grow: the disk is full; free some space and start again", retryable=False)
_READ_ONLY = _Meaning("is read-only; give its owner write permission", retryable=False)
_CORRUPT = _Meaning("is damaged; restore a backup with `tg db restore`", retryable=False)
_UNREADABLE = _Meaning("cannot be opened; check the path and its permissions", retryable=False)
_DISK = _Meaning("cannot be read or written: the disk reports an error", retryable=False)
_NO_SCHEMA = _Meaning("does not hold the expected tables; run `tg db upgrade`", retryable=False)
_UNREACHABLE = _Meaning("cannot be reached: the database server does not answer", retryable=True)
_LOGIN = _Meaning("cannot be opened: the database server refuses the user or password", retryable=False)

#: Primary result codes of https://www.sqlite.org/rescode.html.
_SQLITE: dict[int, _Meaning] = {
    sqlite3.SQLITE_PERM: _UNREADABLE,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_FULL: _DISK_FULL,
    sqlite3.SQLITE_CANTOPEN: _UNREADABLE,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
}

#: SQLSTATEs of PostgreSQL, appendix A; a failure without one never reached a server.
_POSTGRES: dict[str, _Meaning] = {
    "25006": _READ_ONLY,
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _UNREADABLE,
    "42P01": _NO_SCHEMA,
    "53100": _DISK_FULL,
    "55P03": _LOCKED,
    "57P01": _UNREACHABLE,
    "57P02": _UNREACHABLE,
    "57P03": _UNREACHABLE,
    "XX001": _CORRUPT,
    "XX002": _CORRUPT,
}


def _meaning(error: BaseException | None) -> _Meaning:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        known = None if code is None else _SQLITE.get(code & 0xFF)
    else:
        state = getattr(error, "sqlstate", None)
        known = _UNREACHABLE if state is None else _POSTGRES.get(state)
    if known is not None:
        return known
    first_line = str(error).partition("\n")[0]
    return _Meaning(f"refused the operation: {first_line}", retryable=False)


@contextmanager
def journal_errors(name: str) -> Iterator[None]:
    """Turn every database failure inside the block into a :class:`JournalError` about ``name``."""
    try:
        yield
    except DBAPIError as error:
        meaning = _meaning(error.orig)
        raise JournalError(f"the journal {name} {meaning.sentence}", retryable=meaning.retryable) from error
    except sqlite3.Error as error:
        meaning = _meaning(error)
        raise JournalError(f"the journal {name} {meaning.sentence}", retryable=meaning.retryable) from error
