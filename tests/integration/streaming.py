"""Logs of token streams for tests: one of each kind, empty, and what a reader makes of them."""

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import delete

from storage.engine import open_storage
from storage.streams import Keeping, Piece, Record, StreamKey, TokenLog, Transcript, open_token_log
from storage.tables import STREAM_RECORDS, STREAM_RUNS, STREAMS
from tests.integration.test_ledger import database_of_its_own

REDIS = os.environ.get("TEST_REDIS", "redis://127.0.0.1:6379/9")
_KEEP_S = 600.0
"""Nobody clears the Redis that all tests share."""
KINDS = ("sqlite", "postgresql", "redis")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log is. Its runs have ids of their own, since all tests share one Redis."""

    storage: str
    redis: str | None = None

    @asynccontextmanager
    async def log(self, keeping: Keeping | None = None) -> AsyncGenerator[TokenLog]:
        """The log there, opened as another process would."""
        async with open_token_log(self.storage, self.redis, keeping or Keeping(seconds=_KEEP_S)) as opened:
            yield opened

    def settings(self) -> dict[str, str]:
        """What tells a worker of it."""
        return {
            "ORCHESTRATOR_STORAGE_URL": self.storage,
            "ORCHESTRATOR_REDIS_URL": self.redis or "",
            "ORCHESTRATOR_STREAM_KEEP": str(_KEEP_S),
        }


@asynccontextmanager
async def a_place(kind: str, folder: Path) -> AsyncGenerator[Place]:
    """An empty log of a kind."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_of_its_own("sqlite" if kind == "redis" else kind, folder))
        if kind != "redis":
            yield Place(url)
            return
        redis = cast("Any", Redis).from_url(REDIS)
        stack.push_async_callback(redis.aclose)
        try:
            await redis.ping()
        except RedisAway as error:
            pytest.skip(f"needs Redis at {REDIS}: {error}")
        yield Place(url, REDIS)


def a_run() -> str:
    """The first run id of a run that nobody has written for."""
    return uuid.uuid4().hex


@dataclass
class Writer:
    """Writes one generation of a text."""

    log: TokenLog
    key: StreamKey
    generation: int
    written: int = 0

    async def add(self, text: str = "", ending: str | None = None) -> bool | None:
        """Add text, an end, or both. Returns whether it was taken."""
        piece = Piece(key=self.key, generation=self.generation, offset=self.written, text=text, ending=ending)
        (taken,) = await self.log.append([piece])
        self.written += len(text)
        return taken


async def a_writer(log: TokenLog, run: str, node: str = "answer", *, visit: int = 1, rank: int = 1) -> Writer:
    """Begin a text."""
    key = StreamKey(run, node, visit)
    return Writer(log, key, await log.open(key, rank=rank))


async def all_of(log: TokenLog, run: str, after: int = 0) -> list[Record]:
    """What there is of a run."""
    over = asyncio.Event()
    over.set()
    return [record async for record in log.read(run, after=after, until=over)]


def texts(records: Sequence[Record], transcript: Transcript | None = None) -> dict[tuple[str, int], str]:
    """What a reader of ``records`` sees in the end."""
    folded = transcript or Transcript()
    for record in records:
        folded.apply(record)
    return {visit: str(text) for visit, text in folded}


async def lose(place: Place, run: str, *parts: str) -> None:
    """Have a log lose what it knows of a run; of one in Redis, just the keys ``run``, ``streams`` or ``records``."""
    if place.redis is not None:
        redis = cast("Any", Redis).from_url(place.redis)
        named = parts or ("run", "streams", "records")
        await redis.delete(*(f"orchestrator:stream:{{{run}}}:{part}" for part in named))
        await redis.aclose()
        return
    async with open_storage(place.storage) as storage, storage.writing() as connection:
        for table in (STREAM_RECORDS, STREAMS, STREAM_RUNS):
            await connection.execute(delete(table).where(table.c.run == run))
