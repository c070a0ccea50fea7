"""A database of the release before is brought to this one, on both databases: money stays, kept answers do not."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

import storage
from storage import Answers, Booking, Cap, EntryKey, Ledger, Standing, migrated_to, open_storage
from tests.integration.test_ledger import MODEL, database_of_its_own

KEY = EntryKey(first_run_id="first", node="ask", visit=1, run_id="run")


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    async with database_of_its_own(request.param, tmp_path) as found:
        yield found


def back(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.downgrade(config, "0003")


async def brought_back(url: str) -> None:
    """Make the database one of the release before, which keeps an answer."""
    driver = "sqlite+aiosqlite:" if url.startswith("sqlite") else "postgresql+asyncpg:"
    engine = create_async_engine(driver + url.partition(":")[2])
    async with engine.begin() as connection:
        await connection.run_sync(back)
        row = {"key": "k", "blob": "b.json", "until": datetime.now(UTC)}
        await connection.execute(text("INSERT INTO answers VALUES (:key, :blob, :until)"), row)
    await engine.dispose()


async def test_the_tables_of_the_release_before_are_taken_over(url: str) -> None:
    async with open_storage(url) as opened:
        await Ledger(opened).reserve(KEY, 300, [Cap("run:first")], **MODEL)
    await brought_back(url)
    assert await migrated_to(url) == ("0003", "0004")

    async def opening() -> bytes | None:
        async with open_storage(url) as opened:
            return await Answers(opened).find("k")

    # Several workers of the new release begin at once.
    assert await asyncio.gather(*(opening() for _ in range(3))) == [None] * 3
    async with open_storage(url) as opened:
        assert await Ledger(opened).settle(KEY, Booking(amount=120))
        assert await Ledger(opened).standing("run:first") == Standing(spent=120, reserved=0)
        await Answers(opened).keep("k", b"a", 60.0)
        assert await Answers(opened).find("k") == b"a"
    assert await migrated_to(url) == ("0004", "0004")
