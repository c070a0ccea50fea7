"""Changes a database at most once for each idempotency key: the key is committed together with the change."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final

from pydantic_core import from_json, to_json
from sqlalchemy import Column, DateTime, MetaData, Table, Text, bindparam, func, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.databases import Database

__all__ = ["EFFECTS", "once"]

EFFECTS: Final = Table(
    "orchestrator_effects",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("result", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""What was done, by its key. A row may go once no attempt with its key can come any more."""

_LONGEST_KEY: Final = 500
"""Characters of a key that fits every index."""
_CLAIM: Final = text("INSERT INTO orchestrator_effects (key, result) VALUES (:key, '') ON CONFLICT DO NOTHING")
_RESULT: Final = text("SELECT result FROM orchestrator_effects WHERE key = :key")
_KEEP: Final = text("UPDATE orchestrator_effects SET result = :result WHERE key = :key").bindparams(
    bindparam("result", type_=Text)
)


async def once(
    database: Database, key: str, change: Callable[[AsyncConnection], Awaitable[dict[str, Any]]], *, seconds: float
) -> dict[str, Any]:
    """What ``change`` gives, or gave when it was first committed with this ``key``.

    Key and change are committed together. Whoever comes with the same key meanwhile waits for that, and gets the same
    result; if the first fails, the next one makes the change.

    Raises:
        ProviderError: The database refused, is away, or took longer than ``seconds``: nothing was changed, or
            all of it, and the key tells which.
    """
    key = key if len(key) <= _LONGEST_KEY else f"{key[:400]}#{sha256(key.encode()).hexdigest()}"
    if not database.keeps_effects:
        await _make_table(database, seconds)
    try:
        async with database.transaction(seconds, write=True) as connection:
            if not (await connection.execute(_CLAIM, {"key": key})).rowcount:
                found: str = (await connection.execute(_RESULT, {"key": key})).scalar_one()
                return from_json(found)
            result = await change(connection)
            await connection.execute(_KEEP, {"key": key, "result": to_json(result).decode()})
            return result
    except BaseException:
        database.keeps_effects = False  # somebody may have dropped the table
        raise


async def _make_table(database: Database, seconds: float) -> None:
    if not await _is_there(database, seconds):
        try:
            async with database.transaction(seconds, write=True) as connection:
                await connection.run_sync(EFFECTS.create, checkfirst=True)
        except Exception:
            # Several may have found it missing, and only one can make it.
            if not await _is_there(database, seconds):
                raise
    database.keeps_effects = True


async def _is_there(database: Database, seconds: float) -> bool:
    async with database.transaction(seconds, write=False) as connection:
        return await connection.run_sync(lambda sync: inspect(sync).has_table(EFFECTS.name))
