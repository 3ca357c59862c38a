"""The first tables."""

import sqlalchemy as sa
from alembic import op

from tg_actors.journal.types import ExactDecimal

revision = "0001"
down_revision = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "events",
    "lease",
    "starts",
    "control",
    "requests",
    "outcomes",
    "permits",
    "orders",
    "fills",
    "cycles",
    "venue_state",
    "meta",
)


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("epoch", _ORDINAL, nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("cycle", _ORDINAL, nullable=False),
        sa.Column("at_ns", _ORDINAL, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_events_type_seq", "events", ["type", "seq"])
    op.create_table(
        "lease",
        sa.Column("role", sa.String(64), primary_key=True),
        sa.Column("epoch", _ORDINAL, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
    )
    op.create_table(
        "starts",
        sa.Column("role", sa.String(64), primary_key=True),
        sa.Column("epoch", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
    )
    op.create_table(
        "control",
        sa.Column("id", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at_ns", _ORDINAL, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("verb", sa.String(64), nullable=False),
        sa.Column("argument", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("request_id", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("wall_ns", _ORDINAL, nullable=False),
    )
    op.create_table(
        "permits",
        sa.Column("intent_id", sa.String(64), primary_key=True),
        sa.Column("client_order_id", sa.String(64), nullable=False, unique=True),
        sa.Column("seq", _ORDINAL, nullable=False, unique=True),
        sa.Column("epoch", _ORDINAL, nullable=False),
        sa.Column("venue", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("venue_deadline_ns", _ORDINAL, nullable=False),
        sa.Column("reserved_notional", ExactDecimal(), nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("client_order_id", sa.String(64), primary_key=True),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("filled_quantity", ExactDecimal(), nullable=False),
        sa.Column("average_price", ExactDecimal()),
        sa.Column("at_ns", _ORDINAL, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("ix_orders_state", "orders", ["state"])
    op.create_table(
        "fills",
        sa.Column("venue", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("trade_id", sa.String(128), primary_key=True),
        sa.Column("seq", _ORDINAL, nullable=False, unique=True),
        sa.Column("cycle", _ORDINAL, nullable=False),
        sa.Column("client_order_id", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(8), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("fee", ExactDecimal(), nullable=False),
        sa.Column("fee_currency", sa.String(16), nullable=False),
        sa.Column("at_ns", _ORDINAL, nullable=False),
    )
    op.create_index("ix_fills_client_order_id", "fills", ["client_order_id"])
    op.create_index("ix_fills_cycle", "fills", ["cycle"])
    op.create_table(
        "cycles",
        sa.Column("cycle", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("cycle_id", sa.String(64), nullable=False, unique=True),
        sa.Column("seq", _ORDINAL, nullable=False),
        sa.Column("at_ns", _ORDINAL, nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "venue_state",
        sa.Column("venue", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("cycle", _ORDINAL, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    # The kill switch exists from the first moment; without its row nothing may be permitted.
    op.execute(
        "INSERT INTO control (id, state, reason, actor, at_ns, wall_ns) VALUES (1, 'ACTIVE', '', '', 0, 0)"
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
