"""A PostgreSQL database of one's own, dropped afterwards."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

__all__ = ["DatabaseMissingError", "own_database"]

_CONNECT_TIMEOUT_S = 5


class DatabaseMissingError(Exception):
    """There is no PostgreSQL to use, or no driver for it; the message says which."""


@asynccontextmanager
async def own_database(url: str) -> AsyncGenerator[tuple[str, str]]:
    """A new database on the server of ``url``: its URL, and what the server says of itself.

    Raises:
        DatabaseMissingError: No server answers there, or the extra ``bench`` is not installed.
    """
    try:
        import psycopg  # noqa: PLC0415 - of the extra `bench`, which may be absent
    except ImportError as error:
        raise DatabaseMissingError("psycopg is not installed: pip install '.[bench]'") from error
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        where = urlsplit(url)
        raise DatabaseMissingError(
            f"no PostgreSQL answers at {where.hostname}:{where.port or 5432} ({str(error).strip().splitlines()[-1]}); "
            "name one by --postgres"
        ) from error
    name = f"orchestrator_benchmark_{uuid.uuid4().hex[:12]}"
    async with connection:
        await connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            commit = await (await connection.execute("SHOW synchronous_commit")).fetchone()
            version = connection.info.server_version
            about = f"PostgreSQL {version // 10_000}.{version % 10_000}, synchronous_commit {commit and commit[0]}"
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}")), about
        finally:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
