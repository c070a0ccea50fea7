"""A schema of PostgreSQL for one test, known to nodes as the database ``shop``."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # it has none
import pytest

from activities import database_insert, database_query
from activities.databases import Databases
from orchestrator.node_types.database_insert import DatabaseInsertConfig
from orchestrator.node_types.database_query import DatabaseQueryConfig
from tests.unit.handling import handled
from tests.unit.loopback import call

__all__ = ["SERVER", "Server", "connected", "insert", "query", "shop"]

SERVER = os.environ.get("TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/test")
TABLE = """
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE TABLE things (
  id serial PRIMARY KEY,
  name text UNIQUE NOT NULL, amount numeric(12, 2), pages integer, at timestamptz, day date, made uuid,
  tags text[], data jsonb, raw bytea, how mood, took interval, "Odd name" double precision,
  CONSTRAINT positive CHECK (amount > 0)
)
"""


class Server:
    """A connection of the test's own, beside those of the nodes."""

    def __init__(self, connection: Any, schema: str) -> None:
        self.connection = connection
        self.schema = schema

    async def run(self, sql: str, *values: Any) -> list[Any]:
        return [tuple(row) for row in await self.connection.fetch(sql, *values)]

    async def waiting(self) -> None:
        """Until some statement of this schema waits for another transaction."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%orchestrator_effects%'"
        async with asyncio.timeout(10):
            while not await self.run(sql):  # noqa: ASYNC110 - the far side is a server: it can only be asked
                await asyncio.sleep(0.01)


async def connected() -> Any:
    driver: Any = asyncpg
    try:
        return await driver.connect(SERVER, timeout=5)
    except OSError as error:
        pytest.skip(f"needs PostgreSQL at {urlsplit(SERVER).hostname}: {error}")


@asynccontextmanager
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    """A schema of the test's own, dropped in the end."""
    connection = await connected()
    schema = f"test_{uuid4().hex}"
    try:
        await connection.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}; {TABLE}")
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", f"{SERVER}?search_path={schema}")
        yield Server(connection, schema)
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
    finally:
        await connection.close()


async def insert(databases: Databases, rows: Any, *, visit: int = 1, **more: Any) -> dict[str, Any]:
    """The output of a DatabaseInsert into ``things``."""
    config = {"connection": "shop", "table": "things", "rows": rows, **more}
    node_call = call("DatabaseInsert", config, visit=visit)
    return await handled(database_insert.handler(databases), DatabaseInsertConfig, config, node_call)


async def query(databases: Databases, sql: str, *, visit: int = 1, **more: Any) -> dict[str, Any]:
    """The output of a DatabaseQuery."""
    config = {"connection": "shop", "sql": sql, **more}
    node_call = call("DatabaseQuery", config, visit=visit)
    return await handled(database_query.handler(databases), DatabaseQueryConfig, config, node_call)
