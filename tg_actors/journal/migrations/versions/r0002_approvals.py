"""Orders that wait for a person."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("intent_id", sa.String(64), primary_key=True),
        sa.Column("seq", _ORDINAL, nullable=False, unique=True),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("requested_ns", _ORDINAL, nullable=False),
        sa.Column("expires_ns", _ORDINAL, nullable=False),
        sa.Column("decided_ns", _ORDINAL),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("used_seq", _ORDINAL),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("ix_approvals_state", "approvals", ["state"])


def downgrade() -> None:
    op.drop_table("approvals")
