"""A database of the release before is brought to this one, on both databases: money stays, kept answers do not."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import storage
from orchestrator.cli.app import call
from orchestrator.errors import StorageUnavailableError
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


def engine_of(url: str) -> AsyncEngine:
    driver = "sqlite+aiosqlite:" if url.startswith("sqlite") else "postgresql+asyncpg:"
    return create_async_engine(driver + url.partition(":")[2])


async def brought_back(url: str) -> None:
    """Make the database one of the release before, which keeps an answer."""
    engine = engine_of(url)
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


async def test_a_database_of_a_newer_release_is_refused_in_a_way_that_the_next_attempt_may_mend(url: str) -> None:
    async with open_storage(url):
        pass
    engine = engine_of(url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()

    with pytest.raises(StorageUnavailableError, match=r"migrated by another release than this one: .*'9999'.*newer"):
        async with open_storage(url):
            pass
    assert StorageUnavailableError.retryable


async def test_the_tables_are_brought_back_by_command_and_only_kept_answers_are_lost(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", url)
    async with open_storage(url) as opened:
        await Ledger(opened).reserve(KEY, 300, [Cap("run:first")], **MODEL)
        await Answers(opened).keep("k", b"a", 60.0)

    assert await asyncio.to_thread(call, ("storage", "downgrade", "--to", "0003")) == 0
    assert await migrated_to(url) == ("0004", "0004")
    for _ in range(2):
        assert await asyncio.to_thread(call, ("storage", "downgrade", "--to", "0003", "--yes")) == 0
        assert await migrated_to(url) == ("0003", "0004")
    engine = engine_of(url)
    async with engine.connect() as connection:
        # As the release before asks.
        assert (await connection.execute(text("SELECT blob, until FROM answers WHERE key = 'k'"))).all() == []
    await engine.dispose()

    assert capsys.readouterr().out.splitlines() == [
        "would be brought back from 0004 to 0003; lost: the answers that nodes with `cache` have kept",
        "brought back from 0004 to 0003; lost: the answers that nodes with `cache` have kept",
        "nothing to do: the tables are those of 0003",
    ]
    async with open_storage(url) as opened:
        assert await Ledger(opened).standing("run:first") == Standing(spent=0, reserved=300)


@pytest.mark.parametrize("to", ["0002", "0005", "head", "-1"])
def test_the_tables_are_not_brought_back_to_where_money_would_be_lost(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", f"sqlite:///{tmp_path / 'storage.db'}")

    assert call(("storage", "downgrade", f"--to={to}", "--yes")) == 2
    assert "can be brought back to 0003 only; further back, restore a backup" in capsys.readouterr().err
    assert not (tmp_path / "storage.db").exists()


def test_each_step_back_says_what_is_lost_with_it() -> None:
    scripts = ScriptDirectory(str(Path(storage.__file__).parent / "migrations")).walk_revisions()
    steps = sorted(script.revision for script in scripts)[:-1]

    assert list(storage.DOWNGRADES) == [step for step in steps if step >= "0003"]
