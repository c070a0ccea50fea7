"""The side log of token streams: the runs, the newest text of each visit, and what was written."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "stream_runs",
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_stream_runs"),
    )
    op.create_index("ix_stream_runs_at", "stream_runs", ["at"])
    op.create_table(
        "streams",
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("node", sa.String(600), nullable=False),
        sa.Column("visit", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("ending", sa.String(40)),
        sa.PrimaryKeyConstraint("run", "node", "visit", name="pk_streams"),
    )
    op.create_table(
        "stream_records",
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("node", sa.String(600), nullable=False),
        sa.Column("visit", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run", "id", name="pk_stream_records"),
        sa.CheckConstraint("kind IN ('delta', 'superseded', 'finished')", name="ck_stream_records_kind"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("stream_records")
    op.drop_table("streams")
    op.drop_table("stream_runs")
