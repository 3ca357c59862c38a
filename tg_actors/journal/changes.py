"""What a transaction will write, and the prebuilt statements that write it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from tg_actors.domain.approvals import Approval
from tg_actors.journal import tables

Row = dict[str, object]
Key = tuple[object, ...]


class Unique(StrEnum):
    """What may be written once only."""

    INTENT = "intent"
    CLIENT_ORDER = "client_order"
    FILL = "fill"
    CYCLE = "cycle"
    REQUEST = "request"
    OUTCOME = "outcome"


class Approved(NamedTuple):
    """An approval, and the number of the event that asked for it."""

    seq: int
    approval: Approval


@dataclass(slots=True)
class Changes:
    """Rows to add, rows of which only the newest counts, and the keys they make known.

    ``upserts`` hold one row per primary key: of a hundred venue states in a batch, one is written.
    """

    inserts: dict[str, list[Row]] = field(default_factory=dict)
    upserts: dict[str, dict[Key, Row]] = field(default_factory=dict)
    keys: dict[Unique, set[Key]] = field(default_factory=dict)
    #: Approvals as these changes leave them; their rows are among the upserts.
    approvals: dict[Key, Approved] = field(default_factory=dict)

    def insert(self, table: Table, row: Row) -> None:
        """Add a row to an append-only table."""
        self.inserts.setdefault(table.name, []).append(row)

    def upsert(self, table: Table, key: Key, row: Row) -> None:
        """Replace the row of that primary key, whole."""
        self.upserts.setdefault(table.name, {})[key] = row

    def learn(self, unique: Unique, key: Key) -> None:
        """Remember a key that exists from here on."""
        self.keys.setdefault(unique, set()).add(key)

    def knows(self, unique: Unique, key: Key) -> bool:
        """Whether these changes make the key exist."""
        return key in self.keys.get(unique, ())

    def merge(self, later: "Changes") -> None:
        """Take over the changes of a later transaction."""
        for table, rows in later.inserts.items():
            self.inserts.setdefault(table, []).extend(rows)
        for table, newest in later.upserts.items():
            self.upserts.setdefault(table, {}).update(newest)


class Writer:
    """Writes changes through statements built once per dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._inserts = {table.name: table.insert() for table in tables.metadata.sorted_tables}
        self._upserts = {table.name: _UPSERTS[dialect.name](table) for table in tables.metadata.sorted_tables}

    def write(self, connection: Connection, changes: Changes) -> None:
        """Execute the changes inside the connection's transaction."""
        for table, rows in changes.inserts.items():
            connection.execute(self._inserts[table], rows)
        for table, newest in changes.upserts.items():
            connection.execute(self._upserts[table], list(newest.values()))


def _sqlite_upsert(table: Table) -> Insert:
    statement = sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


def _postgres_upsert(table: Table) -> Insert:
    statement = postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


_UPSERTS: dict[str, Callable[[Table], Insert]] = {"sqlite": _sqlite_upsert, "postgresql": _postgres_upsert}
