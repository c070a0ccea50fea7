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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)

__all__ = ["ANSWERS", "ENTRIES", "METADATA", "SCOPES", "STREAMS", "STREAM_RECORDS", "STREAM_RUNS"]

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

STREAM_RUNS: Final = Table(
    "stream_runs",
    METADATA,
    Column("run", String(64), primary_key=True),
    Column("begun", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_stream_runs_at", "at"),
)
"""The runs whose models write: the id before their first record, that of the last, the bytes kept, the last writing.

Whoever writes locks this row first, so that ids become visible in their order.
"""

STREAMS: Final = Table(
    "streams",
    METADATA,
    Column("run", String(64), primary_key=True),
    Column("node", String(600), primary_key=True),
    Column("visit", Integer, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("ending", String(40)),
)
"""The text of each visit: its newest generation, whose attempt ranks how high, the id from which on its records lie,
and how many characters it has.
"""

STREAM_RECORDS: Final = Table(
    "stream_records",
    METADATA,
    Column("run", String(64), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),
    Column("node", String(600), nullable=False),
    Column("visit", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("size", Integer, nullable=False),
    CheckConstraint("kind IN ('delta', 'superseded', 'finished')", name="kind"),
)
"""What was written, in order. ``text`` of one that is finished is the reason; ``size`` is in bytes."""

ANSWERS: Final = Table(
    "answers",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("answer", LargeBinary, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Index("ix_answers_until", "until"),
)
"""Answers of models that are kept for a while, by a name that follows from what was asked."""
