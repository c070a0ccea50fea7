"""Keeps to so many calls of a provider or a model in a time, and says to those who come too early how long to wait."""

import time
from collections.abc import Mapping
from difflib import get_close_matches

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError
from redis.exceptions import RedisError

from orchestrator.errors import RequestError, SettingsError, StorageUnavailableError
from orchestrator.models import ModelInfo, find_model, known_models, provider_names

__all__ = ["Place", "Rates", "read_rates"]

_LEAST_WAIT_S = 0.01
_PATIENCE_S = 5.0
"""How long Redis may be silent: without an end, a call would wait for it as long as its node may take."""


def read_rates(written: Mapping[str, str]) -> dict[str, RateLimitItem]:
    """Rates such as ``500/minute``, by the name of a provider or a model.

    Raises:
        SettingsError: One cannot be read, or is of what is neither; ``add_models`` has read the file of others.
    """
    found: dict[str, RateLimitItem] = {}
    for name, rate in written.items():
        _check_name(name)
        found[name] = _read(name, rate)
    return found


def _check_name(name: str) -> None:
    if name in provider_names():
        return
    try:
        find_model(name)
    except RequestError:
        near = get_close_matches(name, (*provider_names(), *known_models()), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`orchestrator models` shows both"
        raise SettingsError(
            f"ORCHESTRATOR_MODEL_RATES: {name!r} is neither a provider nor a model, so its rate would hold for "
            f"nothing; {hint}"
        ) from None


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

    def place(self, model: ModelInfo) -> "Place":
        """For one more call of ``model``, which has to take its place in them."""
        # The model's own rate first: where that is full, no place of the provider's is lost for the other models.
        names = dict.fromkeys((model.name, model.provider))
        return Place(self, {name: self._rates[name] for name in names if name in self._rates})

    async def hit(self, rate: RateLimitItem, name: str) -> float:
        """Take a place in a rate: 0, or the seconds after which to ask again, where there is none.

        Raises:
            StorageUnavailableError: See ``Place.take``.
        """
        if self._limiter is None:
            self._limiter = MovingWindowRateLimiter(self._storage())
        try:
            if await self._limiter.hit(rate, "models", name):
                return 0.0
            window = await self._limiter.get_window_stats(rate, "models", name)
        except (RedisError, OSError) as error:
            # What they say themselves may quote the address, which may hold a password.
            raise StorageUnavailableError(
                f"the rate of {name} cannot be counted: Redis (ORCHESTRATOR_REDIS_URL) is away or refuses "
                f"({type(error).__name__})"
            ) from None
        return max(window.reset_time - time.time(), _LEAST_WAIT_S)

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


class Place:
    """The place of one call in the rates that concern it.

    Args:
        rates: Where it is taken.
        wanted: The rates it needs one in, by name.
    """

    def __init__(self, rates: Rates, wanted: Mapping[str, RateLimitItem]) -> None:
        self._rates = rates
        self._wanted = dict(wanted)
        self.is_bounded = bool(wanted)
        """Whether it may have to wait at all."""

    async def take(self) -> float:
        """Take what it still needs: 0 once it has all, else the seconds after which to ask again.

        Raises:
            StorageUnavailableError: Redis, which has the count, is away: no fault of the model's, and no other model
                could be asked either.
        """
        for name, rate in list(self._wanted.items()):
            if wait := await self._rates.hit(rate, name):
                return wait
            del self._wanted[name]
        return 0.0
