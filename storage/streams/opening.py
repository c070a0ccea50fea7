"""Opens the log of token streams where the settings say it is."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from orchestrator.errors import SettingsError
from storage.engine import open_storage
from storage.streams.database import DatabaseLog
from storage.streams.log import Keeping, TokenLog

__all__ = ["open_token_log"]

_PATIENCE_S = 5.0


@asynccontextmanager
async def open_token_log(
    storage_url: str, redis_url: str | None = None, keeping: Keeping | None = None
) -> AsyncGenerator[TokenLog]:
    """The log of token streams; closed at the end of the block.

    Args:
        storage_url: The database that it is in, see ``open_storage``.
        redis_url: Redis, which it is in instead: ``redis://user:password@host:6379/0``, or ``rediss://``.
        keeping: How long text is kept.

    Raises:
        SettingsError: An address cannot be used.
        StorageUnavailableError: It cannot be reached.
    """
    keeping = keeping or Keeping()
    async with AsyncExitStack() as stack:
        if redis_url is None:
            # Few connections do: what is written is written together, and one question serves all readers.
            log = DatabaseLog(await stack.enter_async_context(open_storage(storage_url, pool=4)), keeping)
            stack.push_async_callback(log.close)
        else:
            log = await stack.enter_async_context(_in_redis(redis_url, keeping))
        yield log


@asynccontextmanager
async def _in_redis(url: str, keeping: Keeping) -> AsyncGenerator[TokenLog]:
    # Here, because every start of a worker would pay for it, and few use it.
    from redis.asyncio import Redis  # noqa: PLC0415

    from storage.streams.in_redis import RedisLog, in_our_words  # noqa: PLC0415

    try:
        redis: Any = cast("Any", Redis).from_url(
            url, decode_responses=True, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        )
    except ValueError:
        raise SettingsError("ORCHESTRATOR_REDIS_URL is no address of a Redis; write redis://host:6379/0") from None
    log = RedisLog(redis, keeping)
    try:
        with in_our_words():
            await redis.ping()
        yield log
    finally:
        await log.close()
        await redis.aclose()
