"""What an attempt leaves behind in PostgreSQL when its worker goes silent, or its statement changed the session."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from activities.databases import Databases
from tests.integration.shop import Server, insert, query
from tests.unit.loopback import call

ROOT = Path(__file__).parents[2]
HALFWAY = """
import asyncio, sys
from activities.databases import Databases
from activities.effects import once
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from sqlalchemy import text

async def change(connection):
    await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))
    print("halfway", flush=True)
    await asyncio.Event().wait()

async def main():
    database = await Databases(NamedSecrets(DATABASE_PREFIX)).named("shop")
    await once(database, sys.argv[1], change, seconds=5)

asyncio.run(main())
"""


async def test_a_worker_that_falls_silent_halfway_does_not_hold_the_next_attempt_up(
    databases: Databases, postgresql: Server
) -> None:
    """Stopped, it is to the server what a machine without power is: its connection stays open, and says nothing."""
    key = call("DatabaseInsert", {}).idempotency_key
    silent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HALFWAY, key, cwd=ROOT, env={**os.environ}, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert silent.stdout is not None
        assert await silent.stdout.readline() == b"halfway\n"
        silent.send_signal(signal.SIGSTOP)
        assert await insert(databases, {"name": "a"}) == {"inserted": 1, "rows": []}
    finally:
        silent.kill()
        await silent.wait()
    assert await postgresql.run("SELECT count(*) FROM things") == [(1,)]


async def test_a_session_keeps_neither_role_nor_table_of_the_statement_before(
    databases: Databases, postgresql: Server
) -> None:
    await insert(databases, {"name": "makes the table of keys"})
    await postgresql.run(f"GRANT USAGE ON SCHEMA {postgresql.schema} TO pg_monitor")
    await postgresql.run(f"GRANT ALL ON ALL TABLES IN SCHEMA {postgresql.schema} TO pg_monitor")
    before = await query(databases, "SELECT current_user AS name")
    await query(databases, "SELECT set_config('role', 'pg_monitor', false)", visit=2, write=True)
    assert await query(databases, "SELECT current_user AS name") == before

    await query(databases, "SELECT 'of the session' AS name INTO TEMP things", visit=3, write=True)
    found = await query(databases, "SELECT name FROM things")
    assert found["rows"] == [{"name": "makes the table of keys"}]
