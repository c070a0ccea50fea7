"""The tables. Money is whole nano-dollars (1e-9 USD), which add up exactly in every database."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
)

__all__ = ["ENTRIES", "METADATA", "SCOPES"]

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Id: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only what it calls INTEGER."""

SCOPES: Final = Table(
    "budget_scopes",
    METADATA,
    Column("scope", String(600), primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    CheckConstraint("reserved >= 0", name="reserved"),
)
"""What was spent and what is reserved in one scope: a run, a user's day, a tenant."""

ENTRIES: Final = Table(
    "ledger_entries",
    METADATA,
    Column("id", _Id, primary_key=True),
    Column("first_run_id", String(64), nullable=False),
    Column("node", String(600), nullable=False),
    Column("visit", Integer, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("try", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("call", Integer, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger),
    Column("state", String(10), nullable=False),
    Column("provider", String(60), nullable=False),
    Column("model", String(200), nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("first_run_id", "node", "visit", "run_id", "try", "attempt", "call", name="uq_ledger_entries_key"),
    CheckConstraint("state IN ('reserved', 'settled', 'released', 'booked')", name="state"),
    Index("ix_ledger_entries_open", "state", "at"),
)
"""Each paid call: what was reserved for it, and what became of that."""
