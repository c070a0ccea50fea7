"""What time it is, by the clock that all who share a database have in common."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["now_of"]


async def now_of(connection: AsyncConnection) -> datetime:
    """Now, by the clock of PostgreSQL's server; SQLite's is this machine's."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    clock = func.clock_timestamp(type_=DateTime(timezone=True))
    return (await connection.execute(select(clock))).scalar_one()
