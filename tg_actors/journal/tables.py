"""The tables, as the newest migration leaves them.

``events`` is the record; ``permits``, ``orders``, ``fills``, ``approvals``, ``cycles`` and ``control`` are
projections of it, written in the same transaction and checked by :mod:`tg_actors.journal.verify`.
Money columns serve people with a SQL prompt; readers take the exact messages from the payloads.
Times are UTC nanoseconds: ``at_ns`` of the market, ``wall_ns`` of the machine.
"""

from sqlalchemy import Column, Index, LargeBinary, MetaData, String, Table, Text

from tg_actors.journal.types import CanonicalText, ExactDecimal, Ordinal

#: The revision these tables describe; a test holds it equal to the newest migration.
REVISION = "0002"

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", Ordinal, primary_key=True, autoincrement=False),
    Column("epoch", Ordinal, nullable=False),
    Column("role", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("ref", Text, nullable=False),
    Column("cycle", Ordinal, nullable=False),
    Column("at_ns", Ordinal, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
    Column("payload", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_events_type_seq", "type", "seq"),
)

lease = Table(
    "lease",
    metadata,
    Column("role", String(64), primary_key=True),
    Column("epoch", Ordinal, nullable=False),
    Column("owner", Text, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
)

starts = Table(
    "starts",
    metadata,
    Column("role", String(64), primary_key=True),
    Column("epoch", Ordinal, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
)

#: One row, id 1: the kill switch.
control = Table(
    "control",
    metadata,
    Column("id", Ordinal, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ns", Ordinal, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
)

#: What a person asked the desk to do; ``id`` is the number of its event.
requests = Table(
    "requests",
    metadata,
    Column("id", Ordinal, primary_key=True, autoincrement=False),
    Column("verb", String(64), nullable=False),
    Column("argument", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("request_id", Ordinal, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("wall_ns", Ordinal, nullable=False),
)

permits = Table(
    "permits",
    metadata,
    Column("intent_id", String(64), primary_key=True),
    Column("client_order_id", String(64), nullable=False, unique=True),
    Column("seq", Ordinal, nullable=False, unique=True),
    Column("epoch", Ordinal, nullable=False),
    Column("venue", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("venue_deadline_ns", Ordinal, nullable=False),
    Column("reserved_notional", ExactDecimal, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", String(64), primary_key=True),
    Column("symbol", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("filled_quantity", ExactDecimal, nullable=False),
    Column("average_price", ExactDecimal),
    Column("at_ns", Ordinal, nullable=False),
    Column("payload", CanonicalText, nullable=False),
    Index("ix_orders_state", "state"),
)

fills = Table(
    "fills",
    metadata,
    Column("venue", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("trade_id", String(128), primary_key=True),
    Column("seq", Ordinal, nullable=False, unique=True),
    Column("cycle", Ordinal, nullable=False),
    Column("client_order_id", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("side", String(8), nullable=False),
    Column("quantity", ExactDecimal, nullable=False),
    Column("price", ExactDecimal, nullable=False),
    Column("fee", ExactDecimal, nullable=False),
    Column("fee_currency", String(16), nullable=False),
    Column("at_ns", Ordinal, nullable=False),
    Index("ix_fills_client_order_id", "client_order_id"),
    Index("ix_fills_cycle", "cycle"),
)

#: What people were asked and said about single orders; ``seq`` is the number of the question's event.
approvals = Table(
    "approvals",
    metadata,
    Column("intent_id", String(64), primary_key=True),
    Column("seq", Ordinal, nullable=False, unique=True),
    Column("content_hash", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_ns", Ordinal, nullable=False),
    Column("expires_ns", Ordinal, nullable=False),
    Column("decided_ns", Ordinal),
    Column("decided_by", Text, nullable=False),
    Column("used_seq", Ordinal),
    Column("payload", CanonicalText, nullable=False),
    Index("ix_approvals_state", "state"),
)

cycles = Table(
    "cycles",
    metadata,
    Column("cycle", Ordinal, primary_key=True, autoincrement=False),
    Column("cycle_id", String(64), nullable=False, unique=True),
    Column("seq", Ordinal, nullable=False),
    Column("at_ns", Ordinal, nullable=False),
    Column("equity", ExactDecimal, nullable=False),
    Column("block", LargeBinary, nullable=False),
)

#: The newest state of each practice venue, so that a restart finds its books.
venue_state = Table(
    "venue_state",
    metadata,
    Column("venue", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("cycle", Ordinal, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
