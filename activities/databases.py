"""Databases by name: one engine each, opened when a node first needs it and closed with the worker."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # it has none
from sqlalchemy import URL, NullPool, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from activities.blobs.moving import MAX_VALUE_BYTES
from activities.database_errors import in_our_words
from activities.postgresql_values import read_as_literals
from activities.secrets import NamedSecrets
from orchestrator.errors import ProviderUnavailableError, SettingsError

__all__ = ["Database", "Databases"]

_POSTGRESQL: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_SQLITE: Final = frozenset({"sqlite", "sqlite+aiosqlite"})
_CONNECT_S: Final = 10.0
_STEPS: Final = 10_000
"""Steps of SQLite between two looks at the clock: a fraction of a millisecond."""
_LIMITS: Final = text(
    "SELECT set_config('statement_timeout', :patience, true), "
    "set_config('idle_in_transaction_session_timeout', :patience, true)"
)
_AS_NEW: Final = "SET SESSION AUTHORIZATION DEFAULT; DISCARD TEMP"
"""Takes back roles and tables that asyncpg's own reset leaves as they are."""
_FRESH_S: Final = 1_800
"""Seconds after which a connection is not used again, so that servers can be moved."""


class Database:
    """One database that nodes name. Transactions in it end by themselves: committed, or rolled back by an error."""

    def __init__(self, name: str, url: str, pool: int = 10) -> None:
        self.name = name
        self.url = url
        self.engine, self._file = _engine(name, url, pool)
        self.keeps_effects = False
        """Its table of effects is known to be there."""

    @property
    def is_postgresql(self) -> bool:
        return self._file is None

    @asynccontextmanager
    async def transaction(self, seconds: float, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction of at most ``seconds``, which may change data only with ``write``.

        Raises:
            ProviderError: The database refused, is away, or took too long. No message holds an address or a value.
        """
        if self._file is not None and not self._file.is_file():
            raise SettingsError(f"the file of the database {self.name!r} is not there; no node creates one")
        try:
            async with asyncio.timeout(seconds):
                with in_our_words(self.name):
                    async with self.engine.connect() as connection:
                        await self._begin(connection, seconds, write=write)
                        yield connection
                        await (connection.commit() if write else connection.rollback())
        except TimeoutError:
            raise ProviderUnavailableError(f"the database {self.name!r} took more than {seconds:g} seconds") from None

    async def _begin(self, connection: AsyncConnection, seconds: float, *, write: bool) -> None:
        if not self.is_postgresql:
            await _bounded(connection, seconds)
            await connection.execute(text(f"PRAGMA busy_timeout = {int(seconds * 1000)}"))
            await connection.execute(text(f"PRAGMA query_only = {0 if write else 1}"))
            await connection.execute(text("PRAGMA foreign_keys = 1"))
            # Taken at the beginning, so that two who both read first do not stand in each other's way.
            await connection.execute(text("BEGIN IMMEDIATE" if write else "BEGIN"))
            return
        await connection.execution_options(postgresql_readonly=not write)
        # A worker that dies does not stop the statement, and one whose machine vanishes not even its transaction, which
        # holds the key that the next attempt waits for: the server has to.
        await connection.execute(_LIMITS, {"patience": f"{max(1, int(seconds * 1000))}ms"})


class Databases:
    """The databases of a worker. Their addresses are ``secrets``, read anew each time, so that they may change.

    Args:
        secrets: The addresses by name.
        pool: Connections to each PostgreSQL database at most; what needs another one waits.
    """

    def __init__(self, secrets: NamedSecrets, pool: int = 10) -> None:
        self._secrets = secrets
        self._pool = pool
        self._open: dict[str, Database] = {}

    async def named(self, name: str) -> Database:
        """The database ``name``.

        Raises:
            NodeError: There is none of this name.
            SettingsError: Its address cannot be used.
        """
        url = await asyncio.to_thread(self._secrets.get, name)
        found = self._open.get(name)
        if found is not None and found.url == url:
            return found
        self._open[name] = opened = Database(name, url, self._pool)
        if found is not None:
            await found.engine.dispose()
        return opened

    async def close(self) -> None:
        """Closes every connection."""
        databases, self._open = list(self._open.values()), {}
        for database in databases:
            await database.engine.dispose()


async def _bounded(connection: AsyncConnection, seconds: float) -> None:
    """Has SQLite stop by itself when the time is over: it runs in a thread, which nobody else could stop."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    end = time.monotonic() + seconds
    await driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def _engine(name: str, url: str, pool: int) -> tuple[AsyncEngine, Path | None]:
    scheme, _, rest = url.partition("://")
    if scheme in _POSTGRESQL:
        return _postgresql(f"postgresql://{rest}", pool), None
    if scheme in _SQLITE:
        # sqlite:///relative.db and sqlite:////absolute.db, as everywhere.
        path = Path(unquote(rest.removeprefix("/").partition("?")[0]))
        if rest.startswith("/") and path.name and path.name != ":memory:":
            return _sqlite(path), path
        raise SettingsError(f"the address of the database {name!r} names no file; write sqlite:///path/to/file.db")
    raise SettingsError(f"the address of the database {name!r} begins with neither postgresql:// nor sqlite:///")


def _postgresql(dsn: str, pool: int) -> AsyncEngine:
    async def connect() -> Any:
        # asyncpg reads the address itself, and so knows all that PostgreSQL's own library does, such as sslmode.
        driver: Any = asyncpg
        opened = await driver.connect(dsn, timeout=_CONNECT_S, server_settings={"application_name": "orchestrator"})

        await read_as_literals(opened)
        return opened

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_size=pool,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=_FRESH_S,
        pool_timeout=3_600,  # the node's own timeout is shorter
    )
    event.listen(engine.sync_engine, "reset", _forget_session)
    return engine


def _forget_session(connection: Any, _record: Any, state: Any) -> None:
    """What a statement left behind in its session, such as a role, a table or a lock, is nothing to the next one's."""
    if not state.terminate_only and state.asyncio_safe:
        connection.rollback()
        connection.run_async(_reset)


async def _reset(driver: Any) -> None:
    await driver.reset()
    await driver.execute(_AS_NEW)


def _sqlite(path: Path) -> AsyncEngine:
    # Opened anew each time: it costs a millisecond, and a file that was replaced is noticed.
    url = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(url, hide_parameters=True, poolclass=NullPool, connect_args={"factory": _Sqlite})
    event.listen(engine.sync_engine, "connect", _own_transactions)
    return engine


class _Sqlite(sqlite3.Connection):
    """A connection on which no single value can fill the worker's memory."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)


def _own_transactions(connection: Any, _record: Any) -> None:
    """Python's driver begins transactions by itself, but not before every statement that needs one."""
    connection.isolation_level = None
