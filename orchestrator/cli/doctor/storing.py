"""Checks of what is kept beside Temporal: the storage of money and streams, and Redis."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url

from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok
from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.settings import Settings
from storage import migrated_to, usable

__all__ = ["checks"]

_SHARE = 0.8


def checks(settings: Settings, timeout: float) -> dict[str, Check]:
    """The checks of this family: Redis only where it is configured."""
    found: dict[str, Check] = {"storage": partial(_storage, settings, timeout)}
    if settings.redis_url is not None:
        found["redis"] = partial(_redis, settings.redis_url.get_secret_value(), timeout)
    return found


async def _storage(settings: Settings, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - a bound of its own
    """Whether the ledger can be opened; a file that is not there yet is not made."""
    address = settings.storage_address
    try:
        # As a worker does: only the one that is set is looked at when it starts.
        url = make_url(address) if settings.storage_url is None else await in_thread(partial(usable, address))
    except SettingsError as error:
        return [fail("storage", error.message, _MEND)]
    file = url.database if url.drivername.startswith("sqlite") else None
    if file and not await in_thread(Path(file).exists):
        return [ok("storage", f"{file} is not there yet: the first worker makes it")]
    where = file or f"PostgreSQL at {url.host}"
    try:
        async with asyncio.timeout(timeout * _SHARE):
            now, ours = await migrated_to(address)
    except OrchestratorError as error:
        return [fail("storage", error.message, _MEND)]
    except TimeoutError:
        return [fail("storage", f"{where} does not answer in {timeout * _SHARE:g} s", _MEND)]
    if now is not None and now > ours:
        mend = "Use that release, or a newer one: this one will not open it."
        return [fail("storage", f"{where} was migrated by a newer release ({now}, here {ours})", mend)]
    tables = (
        "its tables are those of this release" if now == ours else "the next worker brings its tables to this release"
    )
    return [ok("storage", f"{where} answers, {tables}")]


_MEND = "Check ORCHESTRATOR_STORAGE_URL and the way there: without it no model that costs something is asked."


async def _redis(address: str, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - a bound of its own
    mend = "Check ORCHESTRATOR_REDIS_URL and the way there: without it nobody can read along, and rates are not kept."
    client: Any = None  # the library leaves its types open
    try:
        patience = timeout * _SHARE
        client = cast("Any", Redis).from_url(address, socket_connect_timeout=patience, socket_timeout=patience)
        await client.ping()
    except (RedisError, OSError, ValueError) as error:
        return [fail("redis", f"cannot be used: {type(error).__name__}", mend)]
    finally:
        if client is not None:
            await client.aclose()
    return [ok("redis", "answers")]
