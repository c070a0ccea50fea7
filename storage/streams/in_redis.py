"""Keeps token streams in Redis Streams: less delay, and nothing for the database to do."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisAwayError
from redis.exceptions import TimeoutError as RedisSilentError

from orchestrator.errors import StorageUnavailableError, StreamSupersededError
from storage.streams.deciding import storable
from storage.streams.following import PAGE, Following, Page
from storage.streams.log import Keeping
from storage.streams.records import Delta, Finished, Piece, Record, StreamKey, Superseded

__all__ = ["RedisLog", "in_our_words"]

_PREFIX: Final = "orchestrator:stream"
_BLOCK_MS: Final = 100
"""How long Redis holds a question to which there is no answer yet; a reader that joins waits no longer for its turn."""
_OPEN: Final = (Path(__file__).parent / "open.lua").read_text(encoding="utf-8")
_APPEND: Final = (Path(__file__).parent / "append.lua").read_text(encoding="utf-8")
_NO_END: Final = "-"
_TAKEN: Final = {1: True, 0: False, -1: None}


class RedisLog:
    """A ``TokenLog`` in Redis.

    Args:
        redis: The connection, which decodes what it gets; whoever opened it closes it, after this.
        keeping: How long text is kept.
        prefix: What its keys begin with.
    """

    def __init__(self, redis: "Redis", keeping: Keeping, *, prefix: str = _PREFIX) -> None:
        self._redis: Any = redis
        self._keeping = keeping
        self._prefix = prefix
        self._open = self._redis.register_script(_OPEN)
        self._append = self._redis.register_script(_APPEND)
        self._following = Following(_Source(redis, prefix), busy_s=0, idle_s=0)

    async def open(self, key: StreamKey, *, rank: int) -> int:
        """See ``TokenLog``."""
        now = time.time_ns() // 1_000
        with in_our_words():
            generation = await self._open(
                keys=_keys(self._prefix, key.run), args=[key.node, key.visit, rank, now, self._keep_ms]
            )
        if not generation:
            raise StreamSupersededError(f"a newer attempt writes the text of {key.node}#{key.visit}")
        return int(generation)

    async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
        """See ``TokenLog``."""
        if not pieces:
            return []
        with in_our_words():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for piece in pieces:
                    await self._append(
                        keys=_keys(self._prefix, piece.key.run), args=self._arguments(piece), client=pipeline
                    )
                return [_TAKEN[taken] for taken in await pipeline.execute()]

    def read(self, run: str, *, after: int = 0, until: asyncio.Event | None = None) -> AsyncGenerator[Record]:
        """See ``TokenLog``."""
        return self._following.records(run, after, until)

    async def trim(self) -> int:
        """See ``TokenLog``. Redis lets its keys expire by itself, so there is nothing to do."""
        return 0

    async def close(self) -> None:
        """Ask no more for what is new."""
        await self._following.close()

    @property
    def _keep_ms(self) -> int:
        return max(1, round(self._keeping.seconds * 1_000))

    def _arguments(self, piece: Piece) -> list[Any]:
        key, text = piece.key, storable(piece.text)
        ending = _NO_END if piece.ending is None else piece.ending
        place = [key.node, key.visit, piece.generation, piece.offset, piece.end - piece.offset]
        return [*place, text, ending, self._keep_ms, self._keeping.run_bytes]


class _Source:
    """What ``Following`` asks."""

    def __init__(self, redis: "Redis", prefix: str) -> None:
        self._redis: Any = redis
        self._prefix = prefix

    async def page(self, run: str, after: int) -> Page:
        about, _, records = _keys(self._prefix, run)
        with in_our_words():
            begun, last = await self._redis.hmget(about, "begun", "last")
            if begun is None:
                return Page(None, 0, ())
            # Afterwards, so that there are no fewer records than the run knows of, unless they were trimmed.
            found = await self._redis.xrange(records, min=f"({after}-0", count=PAGE)
        return Page(int(begun), int(last), [_record(*entry) for entry in found])

    async def last(self, run: str) -> int:
        with in_our_words():
            return int(await self._redis.hget(_keys(self._prefix, run)[0], "last") or 0)

    async def newer(self, after: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        runs = {_keys(self._prefix, run)[2]: run for run in after}
        places = {key: f"{after[run]}-0" for key, run in runs.items()}
        with in_our_words():
            found = await self._redis.xread(places, block=_BLOCK_MS)
        # By protocol version 3 it is a mapping of key to lists of entries, by version 2 a list of pairs.
        answers = cast("Mapping[str, Any]", found).items() if isinstance(found, Mapping) else found or ()
        return {runs[key]: [_record(*entry) for entry in entries] for key, entries in answers}


def _keys(prefix: str, run: str) -> list[str]:
    """The keys of a run: what is known of it, its streams, its records. In a cluster they lie together."""
    return [f"{prefix}:{{{run}}}:{part}" for part in ("run", "streams", "records")]


def _record(entry: str, fields: Mapping[str, str]) -> Record:
    number, node, visit = int(entry.partition("-")[0]), fields["node"], int(fields["visit"])
    generation, text = int(fields["generation"]), fields["text"]
    match fields["kind"]:
        case "delta":
            offset = int(fields["offset"])
            return Delta(id=number, node=node, visit=visit, generation=generation, offset=offset, text=text)
        case "finished":
            return Finished(id=number, node=node, visit=visit, generation=generation, reason=text)
        case _:
            return Superseded(id=number, node=node, visit=visit, generation=generation)


@contextmanager
def in_our_words() -> Generator[None]:
    """Says of an error of Redis what it means; the address is not in it: it is a setting that may hold a password."""
    try:
        yield
    except AuthenticationError:
        raise StorageUnavailableError("the Redis of the streams refuses the user or the password") from None
    except (RedisAwayError, RedisSilentError, OSError) as error:
        raise StorageUnavailableError(f"the Redis of the streams cannot be reached: {type(error).__name__}") from None
    except RedisError as error:
        raise StorageUnavailableError(f"the Redis of the streams refused: {type(error).__name__}") from None
