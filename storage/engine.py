"""Opens the database, and brings its tables to this release."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from orchestrator.errors import SettingsError, StorageUnavailableError
from orchestrator.storage_address import DRIVERS, storage_address, writable

__all__ = ["DOWNGRADES", "Storage", "downgrade", "migrated_to", "open_storage", "usable"]

DOWNGRADES: Final[Mapping[str, str]] = {"0003": "the answers that nodes with `cache` have kept"}
"""How far back ``downgrade`` goes, and what is lost with each step; further back, money would be."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x6F72_6368_6573_7472
"""Of PostgreSQL's advisory locks, ours: several workers may start at once, and one of them migrates."""
_ALONE: Final = threading.Lock()
_BUSY_MS: Final = 10_000
_CONNECT_S: Final = 10.0


@dataclass(frozen=True)
class Storage:
    """An open database, of one event loop."""

    engine: AsyncEngine
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes: committed at the end of the block, rolled back by an error.

        Raises:
            StorageUnavailableError: The database is away, busy for too long, or refused.
        """
        with _in_our_words():
            async with self._turn(), self.engine.begin() as connection:
                yield connection

    def _turn(self) -> AbstractAsyncContextManager[None]:
        # SQLite has one writer, and hands its lock to whoever asks in the right moment: of many that ask at once, some
        # ask in vain until they are refused. So each process has one that asks, and the others wait in line behind it.
        return self._turns if self.engine.dialect.name == "sqlite" else nullcontext()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection that only reads.

        Raises:
            StorageUnavailableError: The database is away, or refused.
        """
        with _in_our_words():
            async with self.engine.connect() as connection:
                # Without a transaction nobody waits: SQLite's would be one that writes.
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")


class _in_our_words:  # noqa: N801 - reads as the phrase it is
    """Says of an error of the database what it means; neither address nor values are in it."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, DBAPIError):
            raise StorageUnavailableError(f"the storage refused: {_brief(error.orig)}") from None
        if isinstance(error, (SQLAlchemyError, OSError, TimeoutError)):
            raise StorageUnavailableError(f"the storage cannot be reached: {_brief(error)}") from None


def _brief(error: BaseException | None) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__


@asynccontextmanager
async def open_storage(url: str, *, pool: int = 10) -> AsyncGenerator[Storage]:
    """The database at ``url``, with the tables of this release; closed at the end of the block.

    Args:
        url: ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.
        pool: Connections kept open at most.

    Raises:
        SettingsError: ``url`` cannot be used.
        StorageUnavailableError: It cannot be reached, or was migrated by a newer release.
    """
    engine = _engine(url, pool)
    try:
        await asyncio.to_thread(_migrate_alone, url)
        yield Storage(engine)
    finally:
        await engine.dispose()


async def migrated_to(url: str) -> tuple[str | None, str]:
    """How far the database at ``url`` was migrated, and how far this release would. Changes nothing.

    Raises:
        SettingsError: ``url`` cannot be used.
        StorageUnavailableError: It cannot be reached.
    """
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see _migrate
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    engine = _engine(url, 1)
    try:
        async with Storage(engine).reading() as connection:
            now = await connection.run_sync(lambda plain: MigrationContext.configure(plain).get_current_revision())
    finally:
        await engine.dispose()
    return now, ScriptDirectory(str(_MIGRATIONS)).get_current_head() or ""


async def downgrade(url: str, to: str) -> None:
    """Bring the tables at ``url`` back to those of an older release: what ``DOWNGRADES`` says is lost.

    No worker of this release may be there: the next one that opens the storage would undo it.

    Args:
        url: See ``open_storage``.
        to: A key of ``DOWNGRADES``; the database is migrated as far, or further.

    Raises:
        SettingsError: ``url`` cannot be used.
        StorageUnavailableError: It cannot be reached, or was migrated by a newer release.
    """
    await asyncio.to_thread(_migrate_alone, url, to)


def _migrate_alone(url: str, back_to: str | None = None) -> None:
    """Migrate in an event loop of its own, one at a time: Alembic keeps what it works on in globals."""
    with _ALONE:
        asyncio.run(_migrated(_engine(url, 1), back_to))


async def _migrated(engine: AsyncEngine, back_to: str | None) -> None:
    try:
        async with Storage(engine).writing() as connection:
            await connection.run_sync(_migrate, back_to)
    finally:
        await engine.dispose()


def usable(url: str) -> URL:
    """``url`` taken apart, with our driver. Nothing is connected to, and nothing made.

    Raises:
        SettingsError: It cannot be the storage, or its file cannot be written.
    """
    try:
        parsed = make_url(storage_address(url))
        writable(url)
    except (ArgumentError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is no address of a database"
        raise SettingsError(f"ORCHESTRATOR_STORAGE_URL: {reason}") from None
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def _engine(url: str, pool: int) -> AsyncEngine:
    parsed = usable(url)
    if parsed.drivername == "postgresql+asyncpg":
        return create_async_engine(
            _as_asyncpg_says(parsed),
            hide_parameters=True,
            pool_size=pool,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"timeout": _CONNECT_S},
        )
    try:
        Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the folder of {parsed.database} cannot be made: {error.strerror}") from None
    engine = create_async_engine(parsed, hide_parameters=True, pool_size=pool, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _as_asyncpg_says(url: URL) -> URL:
    """``sslmode`` is what everybody else calls it, with the same words."""
    mode = url.query.get("sslmode")
    return url if mode is None else url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})


def _prepare(connection: Any, _record: object) -> None:
    """Readers do not wait for writers, writers wait for each other, and Python's driver begins nothing by itself."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for statement in (f"PRAGMA busy_timeout = {_BUSY_MS}", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    # Taken at the beginning: a reader that became a writer would be refused at once, whatever the patience.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(connection: Connection, back_to: str | None) -> None:
    # Here, because every start of a worker would pay for it, and few ever open the storage.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        if back_to is None:
            command.upgrade(config, "head")
        else:
            command.downgrade(config, back_to)
    except CommandError as error:
        # While releases change, the next attempt may come to a worker of the newer one.
        raise StorageUnavailableError(
            f"the storage was migrated by another release than this one: {error}; use that release, or a newer one"
        ) from None
