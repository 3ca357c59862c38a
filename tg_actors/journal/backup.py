"""Copies of a journal while it is in use, and the way back."""

import os
import sqlite3
from pathlib import Path

from tg_actors.domain.errors import JournalError, UserError
from tg_actors.journal.engine import locate
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.locks import lock_for_writing
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.schema import require, upgrade
from tg_actors.journal.verify import verify

#: SQLite keeps a journal in up to three files; they only mean something together.
_PARTS = ("", "-wal", "-shm")


def backup(journal: JournalReader, target: Path) -> None:
    """Write one consistent copy of a journal to a new file of mode 0600; writers go on meanwhile.

    Raises:
        UserError: the target exists, or the journal lives in PostgreSQL.
        JournalError: the copy failed; no target is left.
    """
    if journal.place.path is None:
        raise UserError("a journal in PostgreSQL is backed up with pg_dump, which knows its server")
    if target.exists():
        raise UserError(f"{target} exists already; choose another name for the backup")
    journal.settle()
    draft = _draft(target)
    try:
        _copy(journal.place.path, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def restore(source: Path, target: Path) -> None:
    """Put a backup in the place of a journal that nobody is using; the old one is kept as ``.bak``.

    The backup is copied, upgraded to this program's schema and verified before anything is moved.

    Raises:
        UserError: there is no backup, or it does not verify, or the target is in PostgreSQL.
        JournalError: the target is in use, or a copy failed; the target is as it was.
    """
    require(locate(source))
    place = locate(target)
    if place.path is None:
        raise UserError("a journal in PostgreSQL is restored with pg_restore, which knows its server")
    place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    release = lock_for_writing(place, Durability.BATCH)
    draft = _draft(place.path)
    try:
        _copy(source, draft)
        upgrade(draft)
        _require_whole(draft, source)
        _move_aside(place.path)
        draft.replace(place.path)
    finally:
        for part in _PARTS:
            Path(f"{draft}{part}").unlink(missing_ok=True)
        release()


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.draft")


def _copy(source: Path, target: Path) -> None:
    try:
        target.unlink(missing_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        sentence = f"the backup {target} cannot be written: {error.strerror}; choose another folder"
        raise JournalError(sentence, retryable=False) from error
    with journal_errors(f"{source}, while it was copied to {target},"):
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        writing = sqlite3.connect(target)
        try:
            reading.backup(writing)
        finally:
            writing.close()
            reading.close()


def _require_whole(draft: Path, source: Path) -> None:
    with JournalReader.read_only(draft) as reader:
        report = verify(reader)
    if not report.ok:
        raise UserError(f"{source} was not restored, it does not verify: {report.problems[0]}")


def _move_aside(path: Path) -> None:
    for part in _PARTS:
        kept, old = Path(f"{path}.bak{part}"), Path(f"{path}{part}")
        kept.unlink(missing_ok=True)
        if old.exists():
            old.replace(kept)
