"""DatabaseInsert when its worker is killed halfway: what was asked for is there, and once."""

import asyncio
import os
import sqlite3
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # it has none
import pytest
from temporalio.client import Client

from orchestrator.client import Orchestrator
from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from tests.e2e.kills.driver import Stage
from tests.scenarios import graph

SERVER = os.environ.get("TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/test")
PATIENCE_S = 60
BETWEEN_LOOKS_S = 0.02
PUT = {"connection": "shop", "table": "things", "rows": [{"name": "a"}, {"name": "b"}], "returning": ["id"]}
TWO_ROWS = graph([{"id": "put", "type": "DatabaseInsert", "config": PUT}], outputs={"rows": "{{ nodes.put.rows }}"})


@dataclass(frozen=True)
class Held:
    """A database whose table ``things`` nobody else may write to until it is let go."""

    url: str
    reached: Callable[[], Awaitable[bool]]
    let_go: Callable[[], Awaitable[None]]
    names: Callable[[], Awaitable[list[str]]]


@asynccontextmanager
async def sqlite(folder: Path, begun: Callable[[], Awaitable[bool]]) -> AsyncGenerator[Held]:
    file = folder / "shop.db"
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    holder.execute("BEGIN IMMEDIATE")

    async def let_go() -> None:
        holder.execute("ROLLBACK")

    async def names() -> list[str]:
        return [name for (name,) in holder.execute("SELECT name FROM things ORDER BY id")]

    try:
        yield Held(f"sqlite:///{file}", begun, let_go, names)
    finally:
        holder.close()


@asynccontextmanager
async def postgresql(_folder: Path, _begun: Callable[[], Awaitable[bool]]) -> AsyncGenerator[Held]:
    driver: Any = asyncpg
    try:
        holder, looker = await driver.connect(SERVER, timeout=5), await driver.connect(SERVER, timeout=5)
    except OSError as error:
        pytest.skip(f"needs PostgreSQL at {urlsplit(SERVER).hostname}: {error}")
    schema = f"test_{uuid.uuid4().hex}"
    await looker.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.things (id serial, name text)")
    held = holder.transaction()
    await held.start()
    await holder.execute(f"LOCK TABLE {schema}.things IN EXCLUSIVE MODE")

    async def reached() -> bool:
        return bool(await looker.fetch("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass", table))

    async def names() -> list[str]:
        return [row[0] for row in await looker.fetch(f"SELECT name FROM {table} ORDER BY id")]  # noqa: S608 - a test's own words

    table = f"{schema}.things"
    try:
        yield Held(f"{SERVER}?search_path={schema}", reached, held.rollback, names)
    finally:
        await holder.close()
        await looker.execute(f"DROP SCHEMA {schema} CASCADE")
        await looker.close()


def begun_in(client: Client, run: str) -> Callable[[], Awaitable[bool]]:
    async def begun() -> bool:
        described = await client.get_workflow_handle(run).describe()
        return any(
            activity.attempt and activity.HasField("last_started_time")
            for activity in described.raw_description.pending_activities
        )

    return begun


@pytest.mark.parametrize("database", [sqlite, postgresql])
async def test_a_worker_killed_while_it_inserts_leaves_the_rows_to_the_next_one(
    stage: Stage, tmp_path: Path, database: Callable[..., Any]
) -> None:
    run = f"kill-{uuid.uuid4()}"
    async with database(tmp_path, begun_in(stage.client, run)) as held:
        settings = {"ORCHESTRATOR_DATABASE_SHOP": held.url}
        await stage.client.start_workflow(WORKFLOW_TYPE, RunRequest(definition=TWO_ROWS), id=run, task_queue=run)
        worker = await stage.worker(run, settings)
        async with asyncio.timeout(PATIENCE_S):
            while not await held.reached():  # noqa: ASYNC110 - the far side is a server: it can only be asked
                await asyncio.sleep(BETWEEN_LOOKS_S)
        await worker.kill()
        # In PostgreSQL, the statement of the dead worker goes on now, beside that of the next one.
        await held.let_go()
        worker = await stage.worker(run, settings)
        async with asyncio.timeout(PATIENCE_S):
            result = await Orchestrator(stage.client, run).result(run)
        await worker.kill()

        assert (result.status, len(result.outputs["rows"])) == ("completed", 2)
        assert await held.names() == ["a", "b"]
