"""The ledger: what each paid call reserved and took, and what each scope has spent."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "budget_scopes",
        sa.Column("scope", sa.String(600), nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_budget_scopes"),
        sa.CheckConstraint("reserved >= 0", name="ck_budget_scopes_reserved"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("first_run_id", sa.String(64), nullable=False),
        sa.Column("node", sa.String(600), nullable=False),
        sa.Column("visit", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("try", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("call", sa.Integer, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("provider", sa.String(60), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
        sa.UniqueConstraint(
            "first_run_id", "node", "visit", "run_id", "try", "attempt", "call", name="uq_ledger_entries_key"
        ),
        sa.CheckConstraint("state IN ('reserved', 'settled', 'released', 'booked')", name="ck_ledger_entries_state"),
    )
    op.create_index("ix_ledger_entries_open", "ledger_entries", ["state", "at"])


def downgrade() -> None:
    """Drop both."""
    op.drop_table("ledger_entries")
    op.drop_table("budget_scopes")
