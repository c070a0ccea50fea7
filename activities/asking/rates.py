"""Keeps to so many calls of a provider or a model in a time, and has those who come too early wait."""

import asyncio
import time
from collections.abc import Mapping

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError
from redis.exceptions import RedisError

from orchestrator.errors import SettingsError, StorageUnavailableError
from orchestrator.models import ModelInfo

__all__ = ["Rates", "read_rates"]

_LEAST_WAIT_S = 0.01
_PATIENCE_S = 5.0
"""How long Redis may be silent: without an end, a call would wait for it as long as its node may take."""


def read_rates(written: Mapping[str, str]) -> dict[str, RateLimitItem]:
    """Rates such as ``500/minute``, by the name of a provider or a model.

    Raises:
        SettingsError: One cannot be read.
    """
    found: dict[str, RateLimitItem] = {}
    for name, rate in written.items():
        found[name] = _read(name, rate)
    return found


def _read(name: str, written: str) -> RateLimitItem:
    try:
        rates = parse_many(written)
    except ValueError:
        rates = []
    if len(rates) != 1:
        raise SettingsError(
            f"ORCHESTRATOR_MODEL_RATES: {written!r} of {name!r} is no rate; write such as '500/minute' or '10/second'"
        )
    if rates[0].amount < 1:
        raise SettingsError(
            f"ORCHESTRATOR_MODEL_RATES: {written!r} of {name!r} would have every call wait for ever; allow at least one"
        )
    return rates[0]


class Rates:
    """The rates of a worker, or with Redis those of all workers together.

    Args:
        rates: By the name of a provider or a model; a call counts in both.
        redis_url: Where all workers count together; none: each counts for itself.
    """

    def __init__(self, rates: Mapping[str, RateLimitItem] | None = None, redis_url: str | None = None) -> None:
        self._rates = dict(rates or {})
        self._redis_url = redis_url
        self._limiter: MovingWindowRateLimiter | None = None

    async def admit(self, model: ModelInfo) -> None:
        """Wait until one more call of ``model`` keeps to the rates.

        Raises:
            StorageUnavailableError: Redis, which has the count, is away: no fault of the model's, and no other model
                could be asked either.
        """
        for name in dict.fromkeys((model.provider, model.name)):
            if (rate := self._rates.get(name)) is not None:
                await self._admit(rate, name)

    async def _admit(self, rate: RateLimitItem, name: str) -> None:
        if self._limiter is None:
            self._limiter = MovingWindowRateLimiter(self._storage())
        try:
            while not await self._limiter.hit(rate, "models", name):
                window = await self._limiter.get_window_stats(rate, "models", name)
                await asyncio.sleep(max(window.reset_time - time.time(), _LEAST_WAIT_S))
        except (RedisError, OSError) as error:
            # What they say themselves may quote the address, which may hold a password.
            raise StorageUnavailableError(
                f"the rate of {name} cannot be counted: Redis (ORCHESTRATOR_REDIS_URL) is away or refuses "
                f"({type(error).__name__})"
            ) from None

    def _storage(self) -> Storage:
        if self._redis_url is None:
            return MemoryStorage()
        try:
            return RedisStorage(
                f"async+{self._redis_url}",
                implementation="redispy",
                key_prefix="orchestrator:rates",
                socket_timeout=_PATIENCE_S,
                socket_connect_timeout=_PATIENCE_S,
            )
        except (ConfigurationError, ValueError):
            raise SettingsError(
                "ORCHESTRATOR_REDIS_URL is no address of a Redis; write redis://user:password@host:6379/0"
            ) from None
