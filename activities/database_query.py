"""Performs DatabaseQuery."""

import asyncio
from typing import Any, cast

from pydantic_core import to_json
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.blobs.moving import MAX_VALUE_BYTES
from activities.databases import Database, Databases
from activities.effects import once
from activities.rows import bytes_of, column_names, few_rows, is_bytes
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import ProviderRejectedError, TooLargeError
from orchestrator.node_types.database_query import DatabaseQueryConfig

__all__ = ["handler"]

_AT_A_TIME = 200
"""Rows that are in memory at a time beside what they are made into."""


def handler(databases: Databases) -> Handler[DatabaseQueryConfig]:
    """Runs statements in ``databases``; those that may write, once for each visit."""

    async def handle(config: DatabaseQueryConfig, call: NodeCall) -> NodeOutput:
        database = await databases.named(config.connection)
        statement = text(config.sql)
        values = {name: _value(value, database) for name, value in config.parameters.items()}
        if not config.write:
            async with database.transaction(config.timeout, write=False) as connection:
                rows = await _read(connection, statement, values, config)
            return NodeOutput(output={"rows": rows, "count": len(rows)})

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            return await _changed(connection, statement, values, config)

        return NodeOutput(output=await once(database, call.idempotency_key, change, seconds=config.timeout))

    return handle


async def _read(
    connection: AsyncConnection, statement: TextClause, values: dict[str, Any], config: DatabaseQueryConfig
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    size = 0
    async with connection.stream(statement, values) as result:
        names = column_names(result, _where(config))
        async for part in result.partitions(_AT_A_TIME):
            if len(rows) + len(part) > config.max_rows:
                raise _too_many(config)
            made, bytes_of_part = await asyncio.to_thread(_made, list(part), names)
            size += bytes_of_part
            if size > MAX_VALUE_BYTES:
                raise TooLargeError(
                    f"{_where(config)} gives more than {MAX_VALUE_BYTES:,} bytes; ask for less, or in parts",
                    details={"limit": MAX_VALUE_BYTES},
                )
            rows += made
    return rows


def _made(rows: list[Any], names: list[str]) -> tuple[list[dict[str, Any]], int]:
    """Rows as maps of JSON values, and the bytes that takes; in a thread, since one value may be large."""
    made = few_rows(rows, names)
    return made, len(to_json(made))


async def _changed(
    connection: AsyncConnection, statement: TextClause, values: dict[str, Any], config: DatabaseQueryConfig
) -> dict[str, Any]:
    result = await connection.execute(statement, values)
    if not result.returns_rows:
        return {"rows": [], "count": max(result.rowcount, 0)}
    found = result.fetchmany(config.max_rows + 1)
    if len(found) > config.max_rows:
        raise _too_many(config)
    rows, _ = await asyncio.to_thread(_made, list(found), column_names(result, _where(config)))
    return {"rows": rows, "count": len(rows)}


def _value(value: Any, database: Database) -> Any:
    """Scalars as they are; a list of scalars is an array where the database has some; the rest is JSON text."""
    if is_bytes(value):
        return bytes_of(value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if database.is_postgresql and not any(isinstance(item, (dict, list)) for item in items):
            return items
    return to_json(value).decode() if isinstance(value, (dict, list)) else value


def _too_many(config: DatabaseQueryConfig) -> ProviderRejectedError:
    return ProviderRejectedError(
        f"{_where(config)} gives more than {config.max_rows:,} rows; end it with LIMIT, or raise max_rows",
        details={"max_rows": config.max_rows},
    )


def _where(config: DatabaseQueryConfig) -> str:
    return f"the statement in the database {config.connection!r}"
