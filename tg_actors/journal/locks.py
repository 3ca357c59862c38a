"""Who may open a journal for writing: many durable writers, or one batch writer alone.

A batch writer keeps uncommitted transactions and cached answers in memory; they are only true while
nobody else writes. The lock dies with its process, so a crash never leaves one behind.
"""

import fcntl
import os
from collections.abc import Callable

from sqlalchemy import Connection, text

from tg_actors.domain.errors import JournalError
from tg_actors.journal.engine import Place, lock_connection
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.records import Durability

_FLOCK = {Durability.FULL: fcntl.LOCK_SH, Durability.BATCH: fcntl.LOCK_EX}
_ADVISORY = {Durability.FULL: "pg_try_advisory_lock_shared", Durability.BATCH: "pg_try_advisory_lock"}
_OPEN_LOCK = 0x7467_0002

Release = Callable[[], object]


def lock_for_writing(place: Place, durability: Durability) -> Release:
    """Take the open lock; call what is returned to give it back.

    Raises:
        JournalError: another process holds it in a way that excludes us.
    """
    if place.path is None:
        return _advisory_lock(place, durability)
    # A file beside the journal: closing any descriptor of the journal itself would drop SQLite's locks.
    try:
        handle = os.open(f"{place.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        sentence = (
            f"the journal {place.name} cannot be locked: {error.strerror}; check its folder's permissions"
        )
        raise JournalError(sentence, retryable=False) from error
    try:
        fcntl.flock(handle, _FLOCK[durability] | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise _in_use(place, durability) from error
    return lambda: os.close(handle)


def _advisory_lock(place: Place, durability: Durability) -> Release:
    with journal_errors(place.name):
        session = lock_connection(place)
        if session.scalar(text(f"SELECT {_ADVISORY[durability]}({_OPEN_LOCK})")):
            return lambda: _end(session)
    _end(session)
    raise _in_use(place, durability)


def _end(session: Connection) -> None:
    session.close()
    session.engine.dispose()


def _in_use(place: Place, durability: Durability) -> JournalError:
    holder = "a backtest that owns it alone" if durability is Durability.FULL else "another process"
    sentence = f"the journal {place.name} is being written by {holder}; wait for it or choose another journal"
    return JournalError(sentence, retryable=True)
