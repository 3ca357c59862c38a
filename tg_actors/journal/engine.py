"""Connections: where a journal lies, how it is opened for writing and for reading.

A writing transaction holds the one write lock of the database from its first statement
(``BEGIN IMMEDIATE``, an advisory lock on PostgreSQL): whatever it reads stays true until it commits.
"""

import contextlib
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tg_actors.domain.errors import JournalError, UserError
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.records import Durability

#: A permit that cannot get the lock in this time is not given; the market has moved on.
LOCK_WAIT_MS = 250
#: A person at the kill switch waits longer rather than being refused.
LOCK_WAIT_PATIENT_MS = 5_000
#: Advisory lock number of writing transactions on PostgreSQL; any constant of ours will do.
_WRITE_LOCK = 0x7467_0001

_SYNCHRONOUS = {Durability.FULL: "FULL", Durability.BATCH: "NORMAL"}
_SYNCHRONOUS_COMMIT = {Durability.FULL: "on", Durability.BATCH: "off"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a journal lies: a file, or else a PostgreSQL database."""

    path: Path | None
    url: URL | None

    @property
    def name(self) -> str:
        """How errors call it; never with a password."""
        return str(self.path) if self.url is None else self.url.render_as_string(hide_password=True)


def locate(url_or_path: str | Path) -> Place:
    """Read a path, ``sqlite:///path`` or ``postgresql://…``.

    Raises:
        UserError: it is neither.
    """
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return Place(Path(url_or_path).expanduser().absolute(), None)
    try:
        url = make_url(url_or_path)
    except ArgumentError as error:
        raise UserError(
            "the journal address is not a URL; give a path or postgresql://host/database"
        ) from error
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database:
        return Place(Path(url.database).absolute(), None)
    if kind == "postgresql":
        return Place(None, url.set(drivername="postgresql+psycopg"))
    raise UserError(f"a journal cannot live in {kind!r}; give a path or postgresql://host/database")


def create_file(path: Path) -> None:
    """Put an empty WAL database of mode 0600 at ``path`` in one step; an existing file is left alone.

    Raises:
        JournalError: the folder cannot be written.
    """
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link_new_file(path)
    except OSError as error:
        sentence = f"the journal {path} cannot be created: {error.strerror}; choose another folder"
        raise JournalError(sentence, retryable=False) from error


def _link_new_file(path: Path) -> None:
    # Made under another name and linked, so that nobody ever opens a file that is not WAL yet.
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        with journal_errors(str(path)):
            connection = sqlite3.connect(draft)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        # When another process was quicker, its file is as good.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def write_engine(place: Place, durability: Durability) -> Engine:
    """Return the engine whose transactions hold the write lock from the start."""
    if place.path is not None:
        return _sqlite(place.path, "rw", "BEGIN IMMEDIATE", f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
    engine = _postgres(place, f"-c synchronous_commit={_SYNCHRONOUS_COMMIT[durability]}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_lock_wait_ms(connection)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")

    return engine


def read_engine(place: Place) -> Engine:
    """Return an engine that cannot write; each of its transactions sees one instant."""
    if place.path is not None:
        return _sqlite(place.path, "ro", "BEGIN", "PRAGMA query_only=ON")
    engine = _postgres(place, "-c default_transaction_read_only=on")
    return engine.execution_options(isolation_level="REPEATABLE READ")


def lock_connection(place: Place) -> Connection:
    """Return a PostgreSQL session of its own, outside any transaction, for locks that outlive one."""
    return _postgres(place, "").execution_options(isolation_level="AUTOCOMMIT").connect()


def patient(engine: Engine) -> Engine:
    """Return the same engine with the longer wait for the write lock."""
    return engine.execution_options(lock_wait_ms=LOCK_WAIT_PATIENT_MS)


def _lock_wait_ms(connection: Connection) -> int:
    wait_ms = connection.get_execution_options().get("lock_wait_ms", LOCK_WAIT_MS)
    return int(wait_ms)


def _sqlite(path: Path, mode: str, begin_statement: str, pragma: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver begins nothing by itself, we do.
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=LOCK_WAIT_PATIENT_MS / 1000,
        )
        connection.execute(pragma)
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        _begin(connection.connection.driver_connection, begin_statement, _lock_wait_ms(connection))

    return engine


def _begin(connection: Any, statement: str, wait_ms: int) -> None:
    """Begin, asking for the write lock every millisecond.

    SQLite's own patience asks less and less often, in the end every 100 ms: beside an executor that
    permits without a pause, a kill switch then waited for seconds (measured by ``tg drill``).
    """
    connection.execute("PRAGMA busy_timeout=1")
    for _ in range(wait_ms):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        else:
            return
    connection.execute(statement)


def _postgres(place: Place, options: str) -> Engine:
    if place.url is None:
        raise ValueError(f"{place.name} is not a PostgreSQL address")
    # pre_ping: a server that was restarted must not cost the first permit after it.
    return create_engine(place.url, connect_args={"options": options}, pool_pre_ping=True)
