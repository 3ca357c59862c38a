"""The exchange's own ledger: one SQLite file, one writer, every commit on disk before anybody is told.

Tables: ``posts`` every request for a new order that reached the floor, taken or refused; ``orders``
every order ever taken; ``fills``; ``postings`` every movement of money; ``accounts`` the newest state
of each account; ``nonces`` the last one of every key; ``position`` where the market stands.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.domain.money import money_text
from tg_actors.domain.orders import Fill
from tg_actors.exchange.orders import VenueOrder
from tg_actors.exchange.server.records import FillRecord, OrderRecord, Post, Posting, Ticket

#: Version of the tables; another one is refused.
SCHEMA = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS nonces (api_key TEXT PRIMARY KEY, nonce TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS posts (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, dialect TEXT NOT NULL,
    client_order_id TEXT, number INTEGER, code TEXT NOT NULL, detail TEXT NOT NULL, wall_ns INTEGER NOT NULL,
    market_ns INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, account TEXT NOT NULL, handle TEXT NOT NULL, client_order_id TEXT,
    dialect TEXT NOT NULL, memo TEXT NOT NULL, symbol TEXT NOT NULL, wall_ns INTEGER NOT NULL,
    ended_ns INTEGER, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS orders_by_id ON orders (account, client_order_id);
CREATE INDEX IF NOT EXISTS orders_by_end ON orders (account, ended_ns);
CREATE INDEX IF NOT EXISTS orders_by_origin ON orders (account, json_extract(memo, '$.origin'));
CREATE TABLE IF NOT EXISTS fills (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, number INTEGER NOT NULL, symbol TEXT NOT NULL,
    at_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS fills_by_time ON fills (account, at_ns);
CREATE INDEX IF NOT EXISTS fills_by_order ON fills (number);
CREATE TABLE IF NOT EXISTS postings (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, currency TEXT NOT NULL,
    amount TEXT NOT NULL, balance TEXT NOT NULL, at_ns INTEGER NOT NULL, ref TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS postings_by_time ON postings (account, at_ns);
"""

_ORDER_COLUMNS = "number, account, handle, client_order_id, dialect, memo, wall_ns, body"


@dataclass(slots=True)
class Batch:
    """What one commit writes: new rows, orders whose row changes, whole accounts."""

    posts: list[Post] = field(default_factory=list)
    orders: dict[int, OrderRecord] = field(default_factory=dict)
    fills: list[FillRecord] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    nonces: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, bytes] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        tables = (self.posts, self.orders, self.fills, self.postings, self.nonces, self.accounts, self.meta)
        return any(tables)


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows of a history: half-open in time, newest first or oldest first, at most ``limit``."""

    from_ns: int = 0
    to_ns: int | None = None
    limit: int | None = None
    newest_first: bool = True


class Store:
    """The ledger's one writer, and a reader of its own for the history.

    :meth:`write` may be called on another thread than the reads; never two writes at once.

    Raises:
        UserError: the file belongs to another version of this program or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._writer = _connect(path)
        with _translated():
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.executescript(_TABLES)
            _check_version(self._writer, path)
        self._reader = _connect(path)

    def close(self) -> None:
        """Close both connections."""
        self._reader.close()
        self._writer.close()

    def write(self, batch: Batch) -> None:
        """Commit everything or nothing; when it returns, it is on disk.

        Raises:
            OutsideError: the disk refused.
        """
        with _translated(), _transaction(self._writer) as cursor:
            cursor.executemany(
                "INSERT INTO posts"
                " (account, kind, dialect, client_order_id, number, code, detail, wall_ns, market_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_post_row(post) for post in batch.posts],
            )
            cursor.executemany(
                f"INSERT OR REPLACE INTO orders ({_ORDER_COLUMNS}, symbol, ended_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_order_row(record) for record in batch.orders.values()],
            )
            cursor.executemany(
                "INSERT INTO fills (seq, account, number, symbol, at_ns, body) VALUES (?, ?, ?, ?, ?, ?)",
                [_fill_row(record) for record in batch.fills],
            )
            cursor.executemany(
                "INSERT INTO postings (seq, account, kind, currency, amount, balance, at_ns, ref)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_posting_row(posting) for posting in batch.postings],
            )
            nonces = [(api_key, str(nonce)) for api_key, nonce in batch.nonces.items()]
            cursor.executemany("INSERT OR REPLACE INTO nonces (api_key, nonce) VALUES (?, ?)", nonces)
            cursor.executemany(
                "INSERT OR REPLACE INTO accounts (name, state) VALUES (?, ?)", batch.accounts.items()
            )
            cursor.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", batch.meta.items())

    def accounts(self) -> dict[str, bytes]:
        """The newest state of every account."""
        return dict(self._rows("SELECT name, state FROM accounts ORDER BY name", ()))

    def nonces(self) -> dict[str, int]:
        """The last nonce of every key."""
        return {key: int(nonce) for key, nonce in self._rows("SELECT api_key, nonce FROM nonces", ())}

    def meta(self) -> dict[str, str]:
        """Small facts by name."""
        return dict(self._rows("SELECT key, value FROM meta", ()))

    def last_posting(self) -> int:
        """Ordinal of the newest posting, 0 before the first."""
        return int(self._rows("SELECT COALESCE(MAX(seq), 0) FROM postings", ())[0][0])

    def order(self, account: str, number: int) -> OrderRecord | None:
        """One order, open or ended."""
        statement = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE account = ? AND number = ?"
        return next(self._orders(statement, (account, number)), None)

    def open_orders(self) -> tuple[OrderRecord, ...]:
        """Orders of all accounts that have not ended, in submit order."""
        statement = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE ended_ns IS NULL ORDER BY number"
        return tuple(self._orders(statement, ()))

    def by_client_id(self, account: str, client_order_id: str) -> tuple[OrderRecord, ...]:
        """Every order that ever had this id, oldest first."""
        statement = (
            f"SELECT {_ORDER_COLUMNS} FROM orders WHERE account = ? AND client_order_id = ? ORDER BY number"
        )
        return tuple(self._orders(statement, (account, client_order_id)))

    def amended(self, account: str, number: int) -> tuple[OrderRecord, ...]:
        """Orders that amendments have made of one."""
        statement = (
            f"SELECT {_ORDER_COLUMNS} FROM orders WHERE account = ? AND json_extract(memo, '$.origin') = ?"
        )
        return tuple(self._orders(statement, (account, str(number))))

    def ended_orders(self, account: str, span: Span, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Orders by the time of their end."""
        where, values = _where({"account": account, "symbol": symbol}, "ended_ns", span)
        return tuple(self._orders(f"SELECT {_ORDER_COLUMNS} FROM orders {where}", values))

    def fills(
        self, account: str, span: Span, symbol: str | None = None, number: int | None = None, after: int = 0
    ) -> tuple[FillRecord, ...]:
        """Executions by their time."""
        equal = {"account": account, "symbol": symbol, "number": number}
        where, values = _where(equal, "at_ns", span, after)
        rows = self._rows(f"SELECT seq, number, body FROM fills {where}", values)
        tickets: dict[int, Ticket] = {}
        for _, filled, _ in rows:
            if filled not in tickets and (record := self.order(account, filled)) is not None:
                tickets[filled] = record.ticket
        return tuple(
            FillRecord(Fill.model_validate_json(body), seq, tickets[filled]) for seq, filled, body in rows
        )

    def postings(self, account: str, span: Span) -> tuple[Posting, ...]:
        """Movements of money by their time."""
        where, values = _where({"account": account}, "at_ns", span)
        columns = "seq, account, kind, currency, amount, balance, at_ns, ref"
        return tuple(
            Posting(seq, name, kind, currency, Decimal(amount), Decimal(balance), at_ns, ref)
            for seq, name, kind, currency, amount, balance, at_ns, ref in self._rows(
                f"SELECT {columns} FROM postings {where}", values
            )
        )

    def _orders(self, statement: str, values: Sequence[object]) -> Iterator[OrderRecord]:
        for number, account, handle, client_order_id, dialect, memo, wall_ns, body in self._rows(
            statement, values
        ):
            ticket = Ticket(number, account, handle, client_order_id, dialect, json.loads(memo), wall_ns)
            yield OrderRecord(VenueOrder.model_validate_json(body), ticket)

    def _rows(self, statement: str, values: Sequence[object]) -> list[Any]:
        with _translated():
            return self._reader.execute(statement, values).fetchall()


def read_ledger(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything a checker may want, read only, also while the exchange runs.

    Raises:
        UserError: there is no ledger.
    """
    if not path.is_file():
        raise UserError(f"no exchange has run in {path.parent}: there is no {path.name}")
    with (
        _translated(),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10.0)) as reader,
    ):
        reader.row_factory = sqlite3.Row
        tables = {"posts": "seq", "orders": "number", "fills": "seq", "postings": "seq", "meta": "key"}
        with _transaction(reader) as cursor:  # one snapshot of all tables
            return {
                name: [_plain(row) for row in cursor.execute(f"SELECT * FROM {name} ORDER BY {order}")]
                for name, order in tables.items()
            }


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    """A row with its JSON columns opened: ``body`` beside the others, ``memo`` as an object."""
    content = dict(row)
    body = json.loads(content.pop("body", "{}"))
    if "memo" in content:
        content["memo"] = json.loads(content["memo"])
    return {**body, **content}


def _connect(path: Path) -> sqlite3.Connection:
    with _translated():
        # The writer is used by one thread at a time, though not always by the same one.
        return sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('schema', ?)", (str(SCHEMA),))
    found = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0]
    if found != str(SCHEMA):
        raise UserError(
            f"{path} has version {found} of the exchange's tables, this program knows {SCHEMA}: "
            "use the version that wrote it, or another --state"
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    try:
        yield cursor
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        retryable = isinstance(error, sqlite3.OperationalError)
        raise OutsideError(f"the exchange's ledger failed: {error}", retryable=retryable) from error


def _where(
    equal: Mapping[str, object], time: str, span: Span, after: int | None = None
) -> tuple[str, list[object]]:
    given = {column: value for column, value in equal.items() if value is not None}
    parts = [f"{column} = ?" for column in given] + [f"{time} >= ?"]
    values: list[object] = [*given.values(), span.from_ns]
    if span.to_ns is not None:
        parts.append(f"{time} < ?")
        values.append(span.to_ns)
    if after is not None:
        parts.append("seq > ?")
        values.append(after)
    direction = "DESC" if span.newest_first else "ASC"
    clause = f"WHERE {' AND '.join(parts)} ORDER BY {time} {direction}, rowid {direction}"
    if span.limit is not None:
        values.append(span.limit)
        clause += " LIMIT ?"
    return clause, values


def _post_row(post: Post) -> tuple[object, ...]:
    return (
        post.account,
        post.kind,
        post.dialect,
        post.client_order_id,
        post.number,
        post.code,
        post.detail,
        post.wall_ns,
        post.market_ns,
    )


def _order_row(record: OrderRecord) -> tuple[object, ...]:
    ticket, order = record.ticket, record.order
    return (
        ticket.number,
        ticket.account,
        ticket.handle,
        ticket.client_order_id,
        ticket.dialect,
        json.dumps(dict(ticket.memo), sort_keys=True),
        ticket.wall_ns,
        order.model_dump_json(),
        order.spec.symbol,
        order.ended_at_ns,
    )


def _fill_row(record: FillRecord) -> tuple[object, ...]:
    fill = record.fill
    number = record.order_number
    return (record.seq, fill.account, number, fill.symbol, fill.at_ns, fill.model_dump_json())


def _posting_row(posting: Posting) -> tuple[object, ...]:
    amounts = money_text(posting.amount), money_text(posting.balance)
    return (
        posting.seq,
        posting.account,
        posting.kind,
        posting.currency,
        *amounts,
        posting.at_ns,
        posting.ref,
    )
