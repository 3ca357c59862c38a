"""Schema versions: which one a journal has, and the way up. Alembic is imported only to move."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from tg_actors.domain.errors import UserError
from tg_actors.journal.engine import Place, create_file, locate, patient, read_engine, write_engine
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.records import Durability
from tg_actors.journal.tables import REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy import Connection


def upgrade(url_or_path: str | Path, revision: str = "head") -> None:
    """Bring a journal to a schema version, creating it when there is none; all or nothing.

    Raises:
        UserError: the journal was written by a newer program.
        JournalError: the database failed; nothing was changed.
    """
    place = locate(url_or_path)
    if place.path is not None:
        create_file(place.path)
    with _writing(place) as engine:
        upgrade_engine(engine, place, revision)


def downgrade(url_or_path: str | Path, revision: str) -> None:
    """Take a journal down to an older schema version; ``base`` drops every table and all its rows.

    Raises:
        UserError: there is no such journal, or it was written by a newer program.
        JournalError: the database failed; nothing was changed.
    """
    place = locate(url_or_path)
    require(place)
    with _writing(place) as engine, patient(engine).begin() as connection:
        _refuse_newer(connection, place)
        _alembic(connection, "downgrade", revision)


def current_revision(url_or_path: str | Path) -> str | None:
    """Return the schema version of a journal, None while it has no tables.

    Raises:
        UserError: there is no such journal.
        JournalError: the database failed.
    """
    place = locate(url_or_path)
    require(place)
    engine = read_engine(place)
    try:
        with journal_errors(place.name), engine.connect() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


def require(place: Place) -> None:
    """Refuse a file that is not there.

    Raises:
        UserError: nothing lies at that path.
    """
    if place.path is not None and not place.path.is_file():
        raise UserError(f"there is no journal at {place.path}; start a desk with `tg run` first")


def upgrade_engine(engine: Engine, place: Place, revision: str = "head") -> None:
    """Upgrade under the write lock; a journal that is up to date costs one look.

    Raises:
        UserError: the journal was written by a newer program.
    """
    with patient(engine).begin() as connection:
        if revision == "head" and revision_of(connection) == REVISION:
            return
        _refuse_newer(connection, place)
        _alembic(connection, "upgrade", revision)


def require_current(connection: Connection, place: Place) -> None:
    """Refuse to read a schema that these readers do not know.

    Raises:
        UserError: the journal is older or newer than this program.
    """
    revision = revision_of(connection)
    if revision == REVISION:
        return
    if revision is None:
        raise UserError(f"the journal {place.name} has no tables yet; wait a moment, or run `tg db upgrade`")
    _refuse_newer(connection, place)
    raise UserError(f"the journal {place.name} has an older schema; run `tg db upgrade` first")


def revision_of(connection: Connection) -> str | None:
    """Return what Alembic's own table says, None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def alembic_config() -> Config:
    """Return Alembic's settings; the scripts are found inside the installed package."""
    from alembic.config import Config  # noqa: PLC0415 - 0.2 s that a journal in order does not pay

    config = Config()
    config.set_main_option("script_location", "tg_actors.journal:migrations")
    return config


def _refuse_newer(connection: Connection, place: Place) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    revision = revision_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise UserError(
            f"the journal {place.name} was written by a newer TripleGain (schema {revision}, this program "
            f"knows {REVISION}); install that version or choose another journal"
        )


def _alembic(connection: Connection, verb: str, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - as above

    config = alembic_config()
    config.attributes["connection"] = connection
    {"upgrade": command.upgrade, "downgrade": command.downgrade}[verb](config, revision)


@contextmanager
def _writing(place: Place) -> Iterator[Engine]:
    engine = write_engine(place, Durability.FULL)
    try:
        with journal_errors(place.name):
            yield engine
    finally:
        engine.dispose()
